//! Whether there is a file descriptor left. SQLite says of a lack of them that a file cannot be opened, or
//! that the disk failed, and keeps no cause that could be relied on: it has made other calls since.

use std::ffi::c_int;
use std::fs::File;
use std::io;

use libsql::ffi;

/// The remedy.
pub const NO_DESCRIPTOR: &str = "too many open files: no file descriptor is left; close what is not used (a Kv on a file \
                                 takes 5 to 12), or raise the limit (ulimit -n)";

/// `ENFILE` and `EMFILE`, which have these numbers on every Unix.
const NONE_LEFT: [i32; 2] = [23, 24];

/// The system's error, where one of SQLite's may be of a lack of descriptors, and there is none now.
pub fn lack(extended: c_int) -> Option<io::Error> {
    let may_be = matches!(extended & 0xff, ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR);
    let exhausted = || File::open("/dev/null").err().filter(is_lack);
    if may_be && cfg!(unix) { exhausted() } else { None }
}

/// Whether an error of the system is a lack of descriptors.
pub fn is_lack(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| cfg!(unix) && NONE_LEFT.contains(&number))
}
