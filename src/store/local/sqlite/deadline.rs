//! A bound on what a statement takes, kept from inside of it: also where one step walks an index to its end.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::Duration;

use libsql::ffi;

use crate::base::clock::Stopwatch;
use crate::store::Budget;

/// Steps of SQLite's machine from one look at the time to the next. FTS5 reads a page of an index in four or
/// so, and takes up to 50 µs for what is on it.
const STEPS_A_LOOK: c_int = 40;

/// Lets the statements of a connection fail with `SQLITE_INTERRUPT` after a time or so many steps, until it
/// is dropped.
#[derive(Debug)]
pub struct Deadline {
    db: *mut ffi::sqlite3,
    _due: Option<Box<Due>>,
}

#[derive(Debug)]
struct Due {
    watch: Stopwatch,
    limit: Duration,
}

impl Deadline {
    /// From now on. `db` is open, and stays so until this is dropped.
    pub(super) fn after(db: *mut ffi::sqlite3, budget: Budget) -> Self {
        let limit = match budget {
            Budget::Time(limit) => limit,
            Budget::Steps(steps) => {
                let steps = c_int::try_from(steps).unwrap_or(c_int::MAX);
                // SAFETY: `db` is open.
                unsafe { ffi::sqlite3_progress_handler(db, steps, Some(is_over), ptr::null_mut()) };
                return Self { db, _due: None };
            }
        };
        let due = Box::new(Due { watch: Stopwatch::start(), limit });
        let context = ptr::from_ref::<Due>(&due).cast_mut().cast::<c_void>();
        // SAFETY: `db` is open; `due` stays where it is until Drop has taken the handler away.
        unsafe { ffi::sqlite3_progress_handler(db, STEPS_A_LOOK, Some(has_passed), context) };
        Self { db, _due: Some(due) }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // SAFETY: `db` is open.
        unsafe { ffi::sqlite3_progress_handler(self.db, 0, None, ptr::null_mut()) };
    }
}

unsafe extern "C" fn has_passed(due: *mut c_void) -> c_int {
    // SAFETY: it is what `after` has given, which lives, and is only read.
    let due = unsafe { &*due.cast::<Due>() };
    c_int::from(due.watch.elapsed() >= due.limit)
}

unsafe extern "C" fn is_over(_: *mut c_void) -> c_int {
    1
}
