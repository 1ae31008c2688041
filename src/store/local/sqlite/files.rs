//! The files below a connection's pages: SQLite's own handles of the database and of its write-ahead log. A
//! handle of our own would not do: closing it would drop the locks that this process holds on the file.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicU32;

use libsql::ffi;

use super::error::error_of;
use crate::base::error::Result;

/// The database of a connection.
pub const MAIN: &CStr = c"main";

/// The begin of the log's index: the header, its copy, and the state of checkpoints, in words
/// (sqlite.org/walformat.html, "The WAL-Index File Format").
pub type LogIndex = [AtomicU32; 34];

/// A file of a connection.
#[derive(Clone, Copy)]
pub struct File<'a> {
    raw: *mut ffi::sqlite3_file,
    methods: &'a ffi::sqlite3_io_methods,
    _connection: PhantomData<&'a ()>,
}

impl File<'_> {
    /// A file of a connection: `SQLITE_FCNTL_FILE_POINTER` or `SQLITE_FCNTL_JOURNAL_POINTER`.
    ///
    /// # Safety
    /// `db` is open for as long as what is given is used.
    pub unsafe fn of(db: *mut ffi::sqlite3, which: c_int) -> Option<Self> {
        let mut raw: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: by the caller; SQLite writes the address of a file that lives as long as the connection,
        // and whose methods are null while it is not open.
        unsafe {
            let code = ffi::sqlite3_file_control(db, MAIN.as_ptr(), which, (&raw mut raw).cast());
            if code != ffi::SQLITE_OK || raw.is_null() {
                return None;
            }
            let methods = (*raw).pMethods.as_ref()?;
            Some(Self { raw, methods, _connection: PhantomData })
        }
    }

    /// Reads exactly so many bytes.
    ///
    /// # Errors
    /// Those of SQLite, also where the file ends before.
    pub fn read(&self, into: &mut [u8], at: i64) -> Result<()> {
        let length = c_int::try_from(into.len()).unwrap_or(c_int::MAX);
        // SAFETY: the file is open, the buffer has that many bytes.
        let code =
            self.methods.xRead.map(|read| unsafe { read(self.raw, into.as_mut_ptr().cast(), length, at) });
        outcome(code, "reading a file")
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn write(&self, bytes: &[u8], at: i64) -> Result<()> {
        let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
        // SAFETY: the file is open, the buffer has that many bytes.
        let code =
            self.methods.xWrite.map(|write| unsafe { write(self.raw, bytes.as_ptr().cast(), length, at) });
        outcome(code, "writing a file")
    }

    /// Its size.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn size(&self) -> Result<i64> {
        let mut bytes = 0;
        // SAFETY: the file is open.
        let code = self.methods.xFileSize.map(|size| unsafe { size(self.raw, &raw mut bytes) });
        outcome(code, "looking at a file").map(|()| bytes)
    }

    /// Cuts it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn truncate(&self, bytes: i64) -> Result<()> {
        // SAFETY: the file is open.
        outcome(self.methods.xTruncate.map(|truncate| unsafe { truncate(self.raw, bytes) }), "cutting a file")
    }

    /// Waits until what was written is on disk.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn sync(&self) -> Result<()> {
        // SAFETY: the file is open.
        let code = self.methods.xSync.map(|sync| unsafe { sync(self.raw, ffi::SQLITE_SYNC_NORMAL) });
        outcome(code, "syncing a file")
    }

    /// The first region of the log's index, which all connections share; mapped for as long as this one is
    /// open.
    pub fn shared_memory(&self) -> Option<*mut c_void> {
        /// The size that SQLite uses.
        const REGION_BYTES: c_int = 32 * 1024;
        let map = self.methods.xShmMap.filter(|_| self.methods.iVersion >= 2)?;
        let mut region = ptr::null_mut();
        // SAFETY: the file is open; the region is not extended.
        let code = unsafe { map(self.raw, 0, REGION_BYTES, 0, &raw mut region) };
        (code == ffi::SQLITE_OK && !region.is_null()).then_some(region)
    }

    /// Takes or gives back one of SQLite's locks on the index of the log.
    ///
    /// # Errors
    /// `BUSY` if another connection holds it.
    pub fn shared_lock(&self, lock: c_int, take: bool) -> Result<()> {
        let what = if take { ffi::SQLITE_SHM_LOCK } else { ffi::SQLITE_SHM_UNLOCK };
        let flags = what | ffi::SQLITE_SHM_EXCLUSIVE;
        // SAFETY: the file is open; the lock is one of SQLite's, and is held by nothing else of this
        // connection.
        outcome(self.methods.xShmLock.map(|ask| unsafe { ask(self.raw, lock, 1, flags) }), "locking the log")
    }

    /// The system's error of the last operation that failed, which is forgotten.
    #[cfg(unix)]
    fn take_errno(&self) -> c_int {
        /// An offset that no file reaches.
        const BEYOND: i64 = 1 << 46;
        let mut errno: c_int = 0;
        // SAFETY: the file is open; it is asked for an integer.
        if let Some(control) = self.methods.xFileControl {
            unsafe { control(self.raw, ffi::SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast()) };
        }
        if errno != 0 {
            // SQLite keeps it until a read ends at the end of the file.
            let _ = self.read(&mut [0], BEYOND);
        }
        errno
    }
}

/// The system's error of an operation on a file of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Errno {
    /// Its number.
    pub number: c_int,
    /// The suffix of the file's name after that of the database.
    pub suffix: &'static str,
}

impl Errno {
    /// Whether the system could not read: SQLite takes such an error for damage, and says so.
    pub fn is_of_reading(self) -> bool {
        /// `EIO`, `ENXIO`, `ERANGE`: those that SQLite translates.
        const UNREADABLE: [c_int; 3] = [5, 6, 34];
        UNREADABLE.contains(&self.number)
    }
}

/// The system's error of the last operation on the files of a connection that failed, which is forgotten.
///
/// # Safety
/// `db` is open.
#[cfg(unix)]
pub unsafe fn take_errno(db: *mut ffi::sqlite3) -> Option<Errno> {
    // SAFETY: by the caller.
    let of = |which, suffix| {
        unsafe { File::of(db, which) }.map(|file| Errno { number: file.take_errno(), suffix })
    };
    // Both are asked, so that neither remembers anything.
    let both = [of(ffi::SQLITE_FCNTL_FILE_POINTER, ""), of(ffi::SQLITE_FCNTL_JOURNAL_POINTER, "-wal")];
    let failed = || both.into_iter().flatten().filter(|errno| errno.number != 0);
    failed().find(|errno| errno.is_of_reading()).or_else(|| failed().next())
}

/// There SQLite does not translate.
#[cfg(not(unix))]
pub unsafe fn take_errno(_: *mut ffi::sqlite3) -> Option<Errno> {
    None
}

fn outcome(code: Option<c_int>, doing: &str) -> Result<()> {
    match code {
        Some(ffi::SQLITE_OK) => Ok(()),
        Some(code) => Err(error_of(code, doing)),
        None => Err(error_of(ffi::SQLITE_IOERR, doing)),
    }
}
