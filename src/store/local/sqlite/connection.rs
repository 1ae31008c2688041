//! An open connection.

use std::ffi::{CString, c_char, c_int};
use std::path::Path;
use std::ptr;
use std::sync::Once;

use libsql::ffi;

use super::busy::Busy;
use super::checkpoint::Checkpoints;
use super::error::INDEX_IS_DAMAGED;
use super::files::{File, LogIndex, MAIN};
use super::last_error::last_error;
use super::statement::{Param, Statement};
use super::vfs;
use crate::base::config::Fault;
use crate::base::error::{At, Error, Result};

const PERSISTENT: u32 = ffi::SQLITE_PREPARE_PERSISTENT as u32;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) db: *mut ffi::sqlite3,
    pub(super) fault: Option<Fault>,
    pub(super) busy: Option<Box<Busy>>,
    checkpoints: Option<Box<Checkpoints>>,
    /// The begin of the log's index in shared memory, or null as long as it is not known.
    pub(super) log_index: *const LogIndex,
}

// SAFETY: SQLite allows a connection to move between threads; `&mut` and the lack of `Sync` keep it to one at
// a time.
unsafe impl Send for Connection {}

/// libsql configures SQLite when its first `Database` is built and aborts if SQLite runs already.
#[allow(deprecated)]
fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        drop(libsql::Database::open_in_memory());
        vfs::register();
    });
}

impl Connection {
    /// Opens a file, or `:memory:`; a missing file is created.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub fn open(path: &Path, fault: Option<Fault>) -> Result<Self> {
        Self::open_with(path, fault, ffi::SQLITE_OPEN_CREATE)
    }

    /// Opens a file that is there.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub fn open_existing(path: &Path, fault: Option<Fault>) -> Result<Self> {
        Self::open_with(path, fault, 0)
    }

    fn open_with(path: &Path, fault: Option<Fault>, create: c_int) -> Result<Self> {
        initialize();
        let text = path.to_str().ok_or_else(|| Error::invalid("the path is not valid Unicode")).at("url")?;
        // SQLite would read a path that begins so as a URL.
        let text = if text.starts_with("file:") { format!("./{text}") } else { text.to_string() };
        let name = CString::new(text).map_err(|_| Error::invalid("the path holds a NUL")).at("url")?;
        let flags = ffi::SQLITE_OPEN_READWRITE | create | ffi::SQLITE_OPEN_NOMUTEX;
        let mut connection =
            Self { db: ptr::null_mut(), fault, busy: None, checkpoints: None, log_index: ptr::null() };
        // SAFETY: the names live through the call; on failure `db` is null or an object that Drop closes.
        let code =
            unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut connection.db, flags, vfs::NAME.as_ptr()) };
        connection.check(code).map_err(|error| error.of_file(path))?;
        // SAFETY: `db` is open; `Drop` takes the handler back.
        unsafe {
            ffi::sqlite3_extended_result_codes(connection.db, 1);
            connection.busy = Some(Busy::install(connection.db));
        }
        // A statement keeps its plan. Else SQLite, to look at the bounds of a range, prepares it again
        // whenever they are bound: seen as 40 µs a page of a list.
        connection.configure(ffi::SQLITE_DBCONFIG_ENABLE_QPSG);
        Ok(connection)
    }

    /// The faults that a test injects.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.clone()
    }

    /// How long a statement waits for a lock of another connection.
    pub fn set_busy_timeout(&self, ms: i64) {
        if let Some(busy) = &self.busy {
            busy.set_timeout(ms);
        }
    }

    /// Whether the file can only be read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        // SAFETY: `db` is open, the name is a C string.
        unsafe { ffi::sqlite3_db_readonly(self.db, MAIN.as_ptr()) == 1 }
    }

    /// Leaves the file as it is when closing, for one that is not ours.
    pub fn keep_untouched(&self) {
        self.configure(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE);
    }

    /// Turns on an option that is on or off.
    fn configure(&self, option: c_int) {
        let none: *mut c_int = ptr::null_mut();
        // SAFETY: `db` is open; the two variadic arguments are those that options of this kind document.
        unsafe { ffi::sqlite3_db_config(self.db, option, 1 as c_int, none) };
    }

    /// Whether no transaction is open: after an error, SQLite may have rolled it back by itself.
    #[must_use]
    pub fn is_autocommit(&self) -> bool {
        // SAFETY: `db` is open.
        unsafe { ffi::sqlite3_get_autocommit(self.db) != 0 }
    }

    /// Whether the last statement failed because a row is not in an index as the table has it.
    #[must_use]
    pub fn met_damaged_index(&self) -> bool {
        // SAFETY: `db` is open.
        unsafe { ffi::sqlite3_extended_errcode(self.db) == INDEX_IS_DAMAGED }
    }

    /// Rows changed by the last statement.
    #[must_use]
    pub fn changes(&self) -> u64 {
        // SAFETY: `db` is open.
        u64::try_from(unsafe { ffi::sqlite3_changes64(self.db) }).unwrap_or(0)
    }

    /// The rowid of the last row that was added, to whatever table.
    #[must_use]
    pub fn last_rowid(&self) -> i64 {
        // SAFETY: `db` is open.
        unsafe { ffi::sqlite3_last_insert_rowid(self.db) }
    }

    /// Rows changed since it was opened.
    #[must_use]
    pub fn total_changes(&self) -> u64 {
        // SAFETY: `db` is open.
        u64::try_from(unsafe { ffi::sqlite3_total_changes64(self.db) }).unwrap_or(0)
    }

    /// Prepares a statement that is kept.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        let mut raw = ptr::null_mut();
        // SAFETY: the text is passed with its length; `raw` receives a statement or null.
        let code = unsafe {
            let text = sql.as_ptr().cast::<c_char>();
            ffi::sqlite3_prepare_v3(self.db, text, length, PERSISTENT, &raw mut raw, ptr::null_mut())
        };
        self.check(code)?;
        Ok(Statement { raw, db: self.db, fault: self.fault.clone() })
    }

    /// Runs statements that give no rows that matter.
    pub fn execute(&self, sql: &str) -> Result<()> {
        for one in sql.split_inclusive(";\n").filter(|one| !one.trim().is_empty()) {
            self.prepare(one)?.run(&[])?;
        }
        Ok(())
    }

    /// The first column of the first row as text.
    pub fn query_text(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<String>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params)?;
        Ok(if rows.next()? { Some(rows.text(0)?.to_string()) } else { None })
    }

    /// See `Checkpoints`.
    pub fn checkpoint_by_itself(&mut self) {
        // SAFETY: `db` is open, and closes before its fields are dropped.
        self.checkpoints = Some(unsafe { Checkpoints::install(self.db) });
    }

    /// Whether a sync failed in a checkpoint since this was asked for the last time.
    #[must_use]
    pub fn checkpoint_failed(&self) -> bool {
        self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.failed())
    }

    /// Brings all of the log into the database, and empties it.
    ///
    /// # Errors
    /// `BUSY` if a reader holds it back: then as much as it allows; those of SQLite.
    pub fn empty_log(&self) -> Result<()> {
        /// So long it waits for readers.
        const TIMEOUT_MS: i64 = 100;
        self.set_busy_timeout(TIMEOUT_MS);
        let mode = ffi::SQLITE_CHECKPOINT_TRUNCATE;
        // SAFETY: `db` is open, the name is a C string, the counts are not asked for.
        let code = unsafe {
            ffi::sqlite3_wal_checkpoint_v2(self.db, MAIN.as_ptr(), mode, ptr::null_mut(), ptr::null_mut())
        };
        self.check(code)
    }

    /// The file of the pages.
    pub(super) fn database(&self) -> Option<File<'_>> {
        // SAFETY: `db` is open for as long as what is given borrows it.
        unsafe { File::of(self.db, ffi::SQLITE_FCNTL_FILE_POINTER) }
    }

    /// The write-ahead log, once a transaction has opened it.
    pub(super) fn log(&self) -> Option<File<'_>> {
        // SAFETY: as above.
        unsafe { File::of(self.db, ffi::SQLITE_FCNTL_JOURNAL_POINTER) }
    }

    pub(super) fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(last_error(self.db, code)) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `db` is null or open, and this is its last use; `close_v2` waits for statements that still
        // live, which must not find the handler that is gone.
        unsafe {
            if self.busy.is_some() {
                ffi::sqlite3_busy_handler(self.db, None, ptr::null_mut());
            }
            ffi::sqlite3_close_v2(self.db);
        }
    }
}
