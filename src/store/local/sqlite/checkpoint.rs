//! Bringing the log into the database. SQLite would do it by itself after a commit, and keep to itself that it failed.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libsql::ffi;

use super::mend::is_of_sync;
use super::{Connection, MAIN};
use crate::base::error::Result;

/// A log of this many pages (16 MB) goes into the database. Four times SQLite's own: random sets cost a seventh less.
const PAGES: c_int = 4000;

/// What came of the checkpoints of a connection.
#[derive(Debug, Default)]
pub struct Checkpoints {
    sync_failed: AtomicBool,
}

impl Connection {
    /// After each commit that leaves a long log, as much of it goes into the database as readers allow.
    pub fn checkpoint_by_itself(&mut self) {
        let checkpoints = Box::<Checkpoints>::default();
        let told = ptr::from_ref::<Checkpoints>(&checkpoints).cast_mut().cast::<c_void>();
        // SAFETY: `db` is open, and closes before the box is dropped, which does not move what it holds.
        unsafe { ffi::sqlite3_wal_hook(self.db, Some(after_commit), told) };
        self.checkpoints = Some(checkpoints);
    }

    /// Whether a sync failed in a checkpoint since this was asked for the last time.
    #[must_use]
    pub fn checkpoint_failed(&self) -> bool {
        self.checkpoints.as_ref().is_some_and(|checkpoints| {
            checkpoints.sync_failed.load(Ordering::Relaxed)
                && checkpoints.sync_failed.swap(false, Ordering::Relaxed)
        })
    }

    /// Brings all of the log into the database, and empties it.
    ///
    /// # Errors
    /// `BUSY` if a reader holds it back: then as much as it allows; those of SQLite.
    pub fn empty_log(&self) -> Result<()> {
        /// So long it waits for readers.
        const PATIENCE_MS: i64 = 100;
        self.set_busy_timeout(PATIENCE_MS);
        let mode = ffi::SQLITE_CHECKPOINT_TRUNCATE;
        // SAFETY: `db` is open, the name is a C string, the counts are not asked for.
        let code = unsafe {
            ffi::sqlite3_wal_checkpoint_v2(self.db, MAIN.as_ptr(), mode, ptr::null_mut(), ptr::null_mut())
        };
        self.check(code)
    }
}

/// SQLite's hook of a commit to a log.
unsafe extern "C" fn after_commit(
    told: *mut c_void,
    db: *mut ffi::sqlite3,
    name: *const c_char,
    pages: c_int,
) -> c_int {
    if pages >= PAGES {
        let mode = ffi::SQLITE_CHECKPOINT_PASSIVE;
        // SAFETY: SQLite gives its connection and a name; `told` is what `checkpoint_by_itself` gave, which lives.
        unsafe {
            let code = ffi::sqlite3_wal_checkpoint_v2(db, name, mode, ptr::null_mut(), ptr::null_mut());
            if is_of_sync(code) {
                (*told.cast::<Checkpoints>()).sync_failed.store(true, Ordering::Relaxed);
            }
        }
    }
    ffi::SQLITE_OK
}
