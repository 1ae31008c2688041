//! The error of the last call on a connection.

use std::ffi::{CStr, c_int};

use libsql::ffi;

use super::error::cause::of_code;
use super::error::{error_of, error_with};
use super::files::{self, MAIN};
use crate::base::error::{Error, SystemError};

/// The error of a call that gave a result code, with what SQLite says of it.
pub fn last_error(db: *mut ffi::sqlite3, code: c_int) -> Error {
    // Before anything else asks the system.
    let of_lock = if code & 0xff == ffi::SQLITE_PROTOCOL { lock_that_failed() } else { None };
    if db.is_null() {
        return error_of(code, "out of memory");
    }
    // SAFETY: `db` is open; the message is copied before the next call.
    let (extended, message) = unsafe {
        (ffi::sqlite3_extended_errcode(db), CStr::from_ptr(ffi::sqlite3_errmsg(db)).to_string_lossy())
    };
    let same = extended & 0xff == code & 0xff;
    let (mut extended, mut message) = (if same { extended } else { code }, message);
    let may_be_of_disk =
        matches!(extended & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB);
    // SAFETY: `db` is open. Also where SQLite does not take it for damage: else it would be remembered.
    let on_file = if may_be_of_disk { unsafe { files::take_errno(db) } } else { of_lock };
    if on_file.is_some_and(files::Errno::is_of_reading) && extended & 0xff != ffi::SQLITE_IOERR {
        (extended, message) = (ffi::SQLITE_IOERR_CORRUPTFS, "the system could not read a file".into());
    }
    // SAFETY: `db` is open.
    let source = unsafe { of_connection(db, extended, &message, on_file) };
    error_with(extended, &message, source)
}

/// What is known of an error of the disk on a connection, which knows its file. `on_file`: what the system
/// said of one of its files, and which it is.
///
/// # Safety
/// `db` is open.
pub unsafe fn of_connection(
    db: *mut ffi::sqlite3,
    extended: c_int,
    message: &str,
    on_file: Option<files::Errno>,
) -> Option<SystemError> {
    let known = of_code(extended, message)?;
    // SAFETY: by the caller; the name lives as long as the connection, and is null or empty where there is no
    // file.
    let (last, name) =
        unsafe { (ffi::sqlite3_system_errno(db), ffi::sqlite3_db_filename(db, MAIN.as_ptr())) };
    let last = matches!(extended & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN).then_some(last);
    let errno = match &on_file {
        Some(on_file) => Some(on_file.number),
        // SQLite's word for it.
        None if extended == ffi::SQLITE_FULL => Some(NO_SPACE),
        None => last,
    };
    let errno = errno.filter(|number| *number != 0 && cfg!(unix));
    // SAFETY: as above.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy());
    let suffix = match (on_file, known.sqlite) {
        (Some(on_file), _) => on_file.suffix,
        (None, Some(name)) if name.contains("_SHM") => "-shm",
        _ => "",
    };
    let path = name.filter(|name| !name.is_empty()).map(|name| format!("{name}{suffix}"));
    let message = errno.map_or(known.message, |number| std::io::Error::from_raw_os_error(number).to_string());
    Some(SystemError { errno, path, message, ..known })
}

/// `ENOSPC`, which has this number on every Unix.
const NO_SPACE: c_int = 28;

/// The system's error of a lock of the log's index. SQLite says only that the lock was not given, so it is
/// the last call that failed on this thread. That another process holds the lock is no error, and whatever no
/// lock can give was of an earlier call.
fn lock_that_failed() -> Option<files::Errno> {
    use std::io::ErrorKind::{StaleNetworkFileHandle, TimedOut, Unsupported};
    let last = std::io::Error::last_os_error();
    let number = last.raw_os_error()?;
    let is_of_lock = [NO_LOCKS, DISK_FAILED].contains(&number)
        || matches!(last.kind(), StaleNetworkFileHandle | TimedOut | Unsupported);
    (cfg!(unix) && is_of_lock).then_some(files::Errno { number, suffix: "-shm" })
}

/// `ENOLCK`.
const NO_LOCKS: c_int = if cfg!(target_os = "linux") { 37 } else { 77 };

/// `EIO`, which has this number on every Unix.
const DISK_FAILED: c_int = 5;
