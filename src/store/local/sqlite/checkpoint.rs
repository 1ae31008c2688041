//! Bringing the log into the database. SQLite would do it by itself after a commit, and keep to itself that
//! it failed.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libsql::ffi;

use super::error::is_of_sync;

/// A log of this many pages (16 MB) goes into the database. Four times SQLite's own: random sets cost a
/// seventh less.
const PAGES: c_int = 4000;

/// The outcome of a connection's checkpoints.
#[derive(Debug, Default)]
pub struct Checkpoints {
    sync_failed: AtomicBool,
}

impl Checkpoints {
    /// After each commit that leaves a long log, as much of it goes into the database as readers allow.
    ///
    /// # Safety
    /// `db` is open, and closes before what is given is dropped.
    pub unsafe fn install(db: *mut ffi::sqlite3) -> Box<Self> {
        let checkpoints = Box::<Self>::default();
        let context = ptr::from_ref::<Self>(&checkpoints).cast_mut().cast::<c_void>();
        // SAFETY: by the caller; the box does not move what it holds.
        unsafe { ffi::sqlite3_wal_hook(db, Some(after_commit), context) };
        checkpoints
    }

    /// Whether a sync failed since this was asked for the last time.
    pub fn failed(&self) -> bool {
        self.sync_failed.load(Ordering::Relaxed) && self.sync_failed.swap(false, Ordering::Relaxed)
    }
}

/// SQLite's hook of a commit to a log.
unsafe extern "C" fn after_commit(
    context: *mut c_void,
    db: *mut ffi::sqlite3,
    name: *const c_char,
    pages: c_int,
) -> c_int {
    if pages >= PAGES {
        let mode = ffi::SQLITE_CHECKPOINT_PASSIVE;
        // SAFETY: SQLite gives its connection and a name; `context` is what `install` gave, which lives.
        unsafe {
            let code = ffi::sqlite3_wal_checkpoint_v2(db, name, mode, ptr::null_mut(), ptr::null_mut());
            if is_of_sync(code) {
                (*context.cast::<Checkpoints>()).sync_failed.store(true, Ordering::Relaxed);
            }
        }
    }
    ffi::SQLITE_OK
}
