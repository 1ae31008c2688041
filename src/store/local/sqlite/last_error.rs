//! The error of the last call on a connection.

use std::ffi::{CStr, c_int};

use libsql::ffi;

use super::error::error_of;
use super::files;
use crate::base::error::Error;

/// The error of a call that gave a result code, with what SQLite says of it.
pub fn last_error(db: *mut ffi::sqlite3, code: c_int) -> Error {
    if db.is_null() {
        return error_of(code, "out of memory");
    }
    // SAFETY: `db` is open; the message is copied before the next call.
    let (extended, message) = unsafe {
        (ffi::sqlite3_extended_errcode(db), CStr::from_ptr(ffi::sqlite3_errmsg(db)).to_string_lossy())
    };
    let same = extended & 0xff == code & 0xff;
    let extended = if same { extended } else { code };
    let may_be_of_disk =
        matches!(extended & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB);
    // SAFETY: `db` is open. Also where SQLite does not take it for damage: else it would be remembered.
    if may_be_of_disk && unsafe { files::take_read_error(db) } && extended & 0xff != ffi::SQLITE_IOERR {
        return error_of(ffi::SQLITE_IOERR_CORRUPTFS, "the system could not read a file");
    }
    error_of(extended, &message)
}
