//! SQLite's online backup: one database, page by page, into another one.
//!
//! Invariants: the source is touched only under its lock, also when a copy ends; the target is touched by no
//! statement while it is copied to, and closes after the copy has ended.

use std::sync::Arc;

use libsql::ffi;
use parking_lot::{Mutex, MutexGuard};

use super::connection::Connection;
use super::error::cause::of_code;
use super::error::{error_with, may_fail};
use super::files::{self, MAIN};
use super::last_error::{last_error, of_connection};
use crate::base::config::Fault;
use crate::base::error::{Code, Error, Result};

/// A copy under way.
pub struct PageCopy<S: AsRef<Connection>> {
    raw: *mut ffi::sqlite3_backup,
    source: Arc<Mutex<S>>,
    target: Option<Connection>,
    fault: Option<Fault>,
}

/// How a step ended, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Everything is copied and committed.
    pub done: bool,
    /// Still to be copied.
    pub remaining: u64,
    /// Of the source.
    pub total: u64,
}

impl<S: AsRef<Connection>> PageCopy<S> {
    /// Begins; nothing is read yet. A source inside a read transaction is copied as that transaction sees it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn begin(source: &Arc<Mutex<S>>, target: Connection) -> Result<Self> {
        let from = source.lock();
        let fault = target.fault.clone();
        // SAFETY: both are open, the source is locked, the target is ours; the names are C strings.
        let raw =
            unsafe { ffi::sqlite3_backup_init(target.db, MAIN.as_ptr(), from.as_ref().db, MAIN.as_ptr()) };
        if raw.is_null() {
            return Err(last_error(target.db, ffi::SQLITE_ERROR));
        }
        Ok(Self { raw, source: Arc::clone(source), target: Some(target), fault })
    }

    /// Copies at most so many pages; `None`: all that are left. The source is locked meanwhile, and then left
    /// to whoever waits for it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn step(&mut self, pages: Option<u16>) -> Result<Step> {
        may_fail(self.fault.as_ref(), "backup: pages")?;
        let source = self.source.lock();
        // SAFETY: `raw` is a backup that was not finished, and its source is locked.
        let (code, remaining, total) = unsafe {
            let code = ffi::sqlite3_backup_step(self.raw, pages.map_or(-1, i32::from));
            (code, ffi::sqlite3_backup_remaining(self.raw), ffi::sqlite3_backup_pagecount(self.raw))
        };
        MutexGuard::unlock_fair(source);
        let pages = |count| u64::try_from(count).unwrap_or(0);
        match code {
            ffi::SQLITE_OK | ffi::SQLITE_DONE => {
                Ok(Step { done: code == ffi::SQLITE_DONE, remaining: pages(remaining), total: pages(total) })
            }
            code => Err(self.failure(code, "in a backup")),
        }
    }

    /// Ends, and gives the target back.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn finish(mut self) -> Result<Connection> {
        match self.end() {
            ffi::SQLITE_OK => {}
            code => return Err(self.failure(code, "at the end of a backup")),
        }
        self.target.take().ok_or_else(|| Error::new(Code::Unavailable, "the copy has no target"))
    }

    /// With what the system said of the file: of the copy, unless the store could not be read.
    fn failure(&self, code: i32, message: &str) -> Error {
        let source = self.source.lock();
        let is_read = of_code(code, message).is_some_and(|known| known.operation == Some("read"));
        let db = self.target.as_ref().filter(|_| !is_read).map_or(source.as_ref().db, |target| target.db);
        // SAFETY: both are open, and the source is locked.
        let known = unsafe { of_connection(db, code, message, files::take_errno(db)) };
        error_with(code, message, known)
    }

    fn end(&mut self) -> i32 {
        let source = self.source.lock();
        // SAFETY: the source is locked, the target is open; `raw` is null or was not finished, and is null
        // from now on.
        let code =
            unsafe { ffi::sqlite3_backup_finish(std::mem::replace(&mut self.raw, std::ptr::null_mut())) };
        drop(source);
        code
    }
}

impl<S: AsRef<Connection>> Drop for PageCopy<S> {
    fn drop(&mut self) {
        self.end();
    }
}
