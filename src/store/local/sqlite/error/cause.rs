//! What the system said of an error of SQLite's: the name of its extended result code, the operation that
//! failed, the file and `errno`.

use std::ffi::c_int;

use libsql::ffi;

use crate::base::error::SystemError;

/// Extended codes of the disk, with their names and the operation that failed.
const CODES: [(c_int, &str, Option<&str>); 55] = [
    (ffi::SQLITE_IOERR, "SQLITE_IOERR", None),
    (ffi::SQLITE_IOERR_READ, "SQLITE_IOERR_READ", Some("read")),
    (ffi::SQLITE_IOERR_SHORT_READ, "SQLITE_IOERR_SHORT_READ", Some("read")),
    (ffi::SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", Some("write")),
    (ffi::SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC", Some("sync")),
    (ffi::SQLITE_IOERR_DIR_FSYNC, "SQLITE_IOERR_DIR_FSYNC", Some("sync")),
    (ffi::SQLITE_IOERR_TRUNCATE, "SQLITE_IOERR_TRUNCATE", Some("truncate")),
    (ffi::SQLITE_IOERR_FSTAT, "SQLITE_IOERR_FSTAT", Some("stat")),
    (ffi::SQLITE_IOERR_UNLOCK, "SQLITE_IOERR_UNLOCK", Some("unlock")),
    (ffi::SQLITE_IOERR_RDLOCK, "SQLITE_IOERR_RDLOCK", Some("lock")),
    (ffi::SQLITE_IOERR_DELETE, "SQLITE_IOERR_DELETE", Some("unlink")),
    (ffi::SQLITE_IOERR_BLOCKED, "SQLITE_IOERR_BLOCKED", None),
    (ffi::SQLITE_IOERR_NOMEM, "SQLITE_IOERR_NOMEM", None),
    (ffi::SQLITE_IOERR_ACCESS, "SQLITE_IOERR_ACCESS", Some("access")),
    (ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, "SQLITE_IOERR_CHECKRESERVEDLOCK", Some("lock")),
    (ffi::SQLITE_IOERR_LOCK, "SQLITE_IOERR_LOCK", Some("lock")),
    (ffi::SQLITE_IOERR_CLOSE, "SQLITE_IOERR_CLOSE", Some("close")),
    (ffi::SQLITE_IOERR_DIR_CLOSE, "SQLITE_IOERR_DIR_CLOSE", Some("close")),
    (ffi::SQLITE_IOERR_SHMOPEN, "SQLITE_IOERR_SHMOPEN", Some("open")),
    (ffi::SQLITE_IOERR_SHMSIZE, "SQLITE_IOERR_SHMSIZE", Some("write")),
    (ffi::SQLITE_IOERR_SHMLOCK, "SQLITE_IOERR_SHMLOCK", Some("lock")),
    (ffi::SQLITE_IOERR_SHMMAP, "SQLITE_IOERR_SHMMAP", Some("map")),
    (ffi::SQLITE_IOERR_SEEK, "SQLITE_IOERR_SEEK", Some("seek")),
    (ffi::SQLITE_IOERR_DELETE_NOENT, "SQLITE_IOERR_DELETE_NOENT", Some("unlink")),
    (ffi::SQLITE_IOERR_MMAP, "SQLITE_IOERR_MMAP", Some("map")),
    (ffi::SQLITE_IOERR_GETTEMPPATH, "SQLITE_IOERR_GETTEMPPATH", None),
    (ffi::SQLITE_IOERR_CONVPATH, "SQLITE_IOERR_CONVPATH", None),
    (ffi::SQLITE_IOERR_VNODE, "SQLITE_IOERR_VNODE", None),
    (ffi::SQLITE_IOERR_AUTH, "SQLITE_IOERR_AUTH", None),
    (ffi::SQLITE_IOERR_DATA, "SQLITE_IOERR_DATA", Some("read")),
    (ffi::SQLITE_IOERR_CORRUPTFS, "SQLITE_IOERR_CORRUPTFS", Some("read")),
    (ffi::SQLITE_IOERR_IN_PAGE, "SQLITE_IOERR_IN_PAGE", Some("read")),
    (ffi::SQLITE_CANTOPEN, "SQLITE_CANTOPEN", Some("open")),
    (ffi::SQLITE_CANTOPEN_ISDIR, "SQLITE_CANTOPEN_ISDIR", Some("open")),
    (ffi::SQLITE_CANTOPEN_FULLPATH, "SQLITE_CANTOPEN_FULLPATH", Some("open")),
    (ffi::SQLITE_CANTOPEN_CONVPATH, "SQLITE_CANTOPEN_CONVPATH", Some("open")),
    (ffi::SQLITE_CANTOPEN_DIRTYWAL, "SQLITE_CANTOPEN_DIRTYWAL", Some("open")),
    (ffi::SQLITE_CANTOPEN_SYMLINK, "SQLITE_CANTOPEN_SYMLINK", Some("open")),
    (ffi::SQLITE_READONLY, "SQLITE_READONLY", Some("write")),
    (ffi::SQLITE_READONLY_RECOVERY, "SQLITE_READONLY_RECOVERY", Some("write")),
    (ffi::SQLITE_READONLY_CANTLOCK, "SQLITE_READONLY_CANTLOCK", Some("lock")),
    (ffi::SQLITE_READONLY_ROLLBACK, "SQLITE_READONLY_ROLLBACK", Some("write")),
    (ffi::SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED", Some("write")),
    (ffi::SQLITE_READONLY_CANTINIT, "SQLITE_READONLY_CANTINIT", Some("write")),
    (ffi::SQLITE_READONLY_DIRECTORY, "SQLITE_READONLY_DIRECTORY", Some("write")),
    (ffi::SQLITE_PROTOCOL, "SQLITE_PROTOCOL", Some("lock")),
    (ffi::SQLITE_PERM, "SQLITE_PERM", None),
    (ffi::SQLITE_AUTH, "SQLITE_AUTH", None),
    (ffi::SQLITE_FULL, "SQLITE_FULL", Some("write")),
    (ffi::SQLITE_NOMEM, "SQLITE_NOMEM", None),
    (ffi::SQLITE_NOTADB, "SQLITE_NOTADB", None),
    (ffi::SQLITE_CORRUPT, "SQLITE_CORRUPT", None),
    (ffi::SQLITE_CORRUPT_VTAB, "SQLITE_CORRUPT_VTAB", None),
    (ffi::SQLITE_CORRUPT_SEQUENCE, "SQLITE_CORRUPT_SEQUENCE", None),
    (ffi::SQLITE_CORRUPT_INDEX, "SQLITE_CORRUPT_INDEX", None),
];

/// The known facts of an error of the disk; `None` for other errors.
pub fn of_code(extended: c_int, message: &str) -> Option<SystemError> {
    let (_, name, operation) = CODES.iter().find(|(code, ..)| *code == extended)?;
    Some(SystemError {
        message: message.to_string(),
        errno: None,
        sqlite: Some(name),
        operation: *operation,
        path: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_disk_have_names() {
        let known = of_code(ffi::SQLITE_IOERR_FSYNC, "disk I/O error").unwrap();
        assert_eq!((known.sqlite, known.operation), (Some("SQLITE_IOERR_FSYNC"), Some("sync")));
        assert_eq!(of_code(ffi::SQLITE_CONSTRAINT, "no"), None);
    }
}
