//! How SQLite reaches files: by the system's own VFS, in all but its sleep.
//!
//! SQLite tries a hundred times to get a lock of the log's index that the system refuses (`ENOLCK`), or to
//! read a header that another process is in the middle of writing. It sleeps in between, 10 s in all, and
//! asks neither the busy handler nor the progress handler. A thread that must not be held does not sleep: its
//! hundred tries take less than a millisecond, and end with `BUSY`.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::ptr;
use std::time::Duration;

use libsql::ffi;

use crate::base::clock;

/// Its name, for `sqlite3_open_v2`.
pub const NAME: &CStr = c"keyval";

thread_local! {
    static MAY_SLEEP: Cell<bool> = const { Cell::new(true) };
}

/// Makes the VFS known; to be called once, before a file is opened.
pub fn register() {
    // SAFETY: SQLite's default VFS is never freed; it is only read. The methods of a VFS find what is theirs
    // in the fields that are copied (they compare the name with those of SQLite alone). SQLite keeps the
    // copy, which is never freed, in its list.
    unsafe {
        let Some(system) = ffi::sqlite3_vfs_find(ptr::null()).as_ref() else { return };
        let own =
            ffi::sqlite3_vfs { zName: NAME.as_ptr(), pNext: ptr::null_mut(), xSleep: Some(sleep), ..*system };
        ffi::sqlite3_vfs_register(Box::into_raw(Box::new(own)), 0);
    }
}

/// While it lives, SQLite does not sleep on this thread.
#[derive(Debug)]
pub struct NoSleep(());

impl NoSleep {
    /// From now on.
    pub fn begin() -> Self {
        MAY_SLEEP.set(false);
        Self(())
    }
}

impl Drop for NoSleep {
    fn drop(&mut self) {
        MAY_SLEEP.set(true);
    }
}

/// Whether SQLite may sleep on this thread.
pub fn may_sleep() -> bool {
    MAY_SLEEP.get()
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    if may_sleep() {
        clock::pause(Duration::from_micros(u64::try_from(microseconds).unwrap_or(0)));
    }
    microseconds
}
