//! SQLite's C interface, as libsql exports it, with persistent statements: measured at two thirds of the cost of
//! libsql's own `Statement`. All `unsafe` of the store is here and in the parts below it, which is why this file is long:
//! what one of them relies on is in sight of the other.
//!
//! Invariants: a connection is used by one thread at a time (it is `Send`, not `Sync`, and opened without SQLite's
//! mutex); bound bytes outlive the step that reads them (`Rows` borrows them); column bytes are read before the next
//! step (their borrow ends there).

use std::ffi::{CStr, CString, c_char, c_int};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;
use std::sync::Once;

use libsql::ffi;

use self::deadline::Deadline;
use crate::base::config::Fault;
use crate::base::error::{Code, Error, Result};
use crate::store::Patience;

mod busy;
mod checkpoint;
pub mod commit_mark;
mod copy;
mod deadline;
mod descriptors;
mod files;
mod mend;

pub use copy::{PageCopy, may_fail};
pub use descriptors::{NO_DESCRIPTOR, is_lack as is_lack_of_descriptors};
pub use mend::{Announced, Doubt};

const MAIN: &CStr = c"main";
const PERSISTENT: u32 = ffi::SQLITE_PREPARE_PERSISTENT as u32;

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    /// Bytes.
    Blob(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// An integer, or NULL.
    Int(Option<i64>),
    /// A double.
    Real(f64),
}

impl From<i64> for Param<'_> {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<Option<i64>> for Param<'_> {
    fn from(int: Option<i64>) -> Self {
        Self::Int(int)
    }
}

impl From<usize> for Param<'_> {
    fn from(size: usize) -> Self {
        Self::Int(Some(i64::try_from(size).unwrap_or(i64::MAX)))
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    db: *mut ffi::sqlite3,
    fault: Option<Fault>,
    busy: Option<Box<busy::Busy>>,
    checkpoints: Option<Box<checkpoint::Checkpoints>>,
    /// The begin of the log's index in shared memory, or null as long as it is not known.
    log_index: *const commit_mark::LogIndex,
}

// SAFETY: SQLite allows a connection to move between threads; `&mut` and the lack of `Sync` keep it to one at a time.
unsafe impl Send for Connection {}

/// libsql configures SQLite when its first `Database` is built and aborts if SQLite runs already.
#[allow(deprecated)]
fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(libsql::Database::open_in_memory()));
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
        let text = path.to_str().ok_or_else(|| Error::invalid("url: the path is not valid Unicode"))?;
        // SQLite would read a path that begins so as a URL.
        let text = if text.starts_with("file:") { format!("./{text}") } else { text.to_string() };
        let name = CString::new(text).map_err(|_| Error::invalid("url: the path holds a NUL"))?;
        let flags = ffi::SQLITE_OPEN_READWRITE | create | ffi::SQLITE_OPEN_NOMUTEX;
        let mut connection =
            Self { db: ptr::null_mut(), fault, busy: None, checkpoints: None, log_index: ptr::null() };
        // SAFETY: `name` lives through the call; on failure `db` is null or an object that Drop closes.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut connection.db, flags, ptr::null()) };
        connection.check(code)?;
        // SAFETY: `db` is open; `Drop` takes the handler back.
        unsafe {
            ffi::sqlite3_extended_result_codes(connection.db, 1);
            connection.busy = Some(busy::Busy::install(connection.db));
        }
        // A statement keeps its plan. Else SQLite, to look at the bounds of a range, prepares it again whenever they are
        // bound: seen as 40 µs a page of a list.
        connection.configure(ffi::SQLITE_DBCONFIG_ENABLE_QPSG);
        Ok(connection)
    }

    /// What a test lets fail on it.
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
    ///
    /// # Errors
    /// Those of SQLite.
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
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn execute(&self, sql: &str) -> Result<()> {
        for one in sql.split_inclusive(";\n").filter(|one| !one.trim().is_empty()) {
            self.prepare(one)?.run(&[])?;
        }
        Ok(())
    }

    /// The first column of the first row as text.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn query_text(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<String>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params)?;
        Ok(if rows.next()? { Some(rows.text(0)?.to_string()) } else { None })
    }

    fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(error(self.db, code)) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `db` is null or open, and this is its last use; `close_v2` waits for statements that still live, which
        // must not find the handler that is gone.
        unsafe {
            if self.busy.is_some() {
                ffi::sqlite3_busy_handler(self.db, None, ptr::null_mut());
            }
            ffi::sqlite3_close_v2(self.db);
        }
    }
}

/// A prepared statement.
#[derive(Debug)]
pub struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    db: *mut ffi::sqlite3,
    fault: Option<Fault>,
}

// SAFETY: as for `Connection`, with which it moves.
unsafe impl Send for Statement {}

impl Statement {
    /// Binds every parameter and gives the rows.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn query<'a>(&'a mut self, params: &[Param<'a>]) -> Result<Rows<'a>> {
        let rows = Rows { statement: self, deadline: None, _bound: PhantomData };
        for (index, param) in (1..).zip(params) {
            rows.statement.bind(index, *param)?;
        }
        Ok(rows)
    }

    /// As `query`. Going to a row fails with `BUSY` when it has taken more than this.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn query_within<'a>(&'a mut self, limit: Option<Patience>, params: &[Param<'a>]) -> Result<Rows<'a>> {
        let deadline = limit.map(|limit| Deadline::after(self.db, limit));
        let mut rows = self.query(params)?;
        rows.deadline = deadline;
        Ok(rows)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn run(&mut self, params: &[Param<'_>]) -> Result<()> {
        // The borrow of the parameters ends with the rows, which end here.
        let mut rows = self.query(params)?;
        while rows.next()? {}
        Ok(())
    }

    fn bind(&self, index: c_int, param: Param<'_>) -> Result<()> {
        // SAFETY: bytes are passed with their length and, by `Rows`, outlive the steps; a null pointer would bind
        // NULL, so an empty slice passes its dangling, non-null pointer.
        let code = unsafe {
            match param {
                Param::Blob(bytes) => ffi::sqlite3_bind_blob64(
                    self.raw,
                    index,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    ffi::SQLITE_STATIC(),
                ),
                Param::Text(text) => {
                    let utf8 = ffi::SQLITE_UTF8 as u8;
                    ffi::sqlite3_bind_text64(
                        self.raw,
                        index,
                        text.as_ptr().cast(),
                        text.len() as u64,
                        ffi::SQLITE_STATIC(),
                        utf8,
                    )
                }
                Param::Int(Some(int)) => ffi::sqlite3_bind_int64(self.raw, index, int),
                Param::Real(number) => ffi::sqlite3_bind_double(self.raw, index, number),
                Param::Int(None) => ffi::sqlite3_bind_null(self.raw, index),
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(error(self.db, code)) }
    }

    fn sql(&self) -> &str {
        // SAFETY: the text belongs to the statement.
        let sql = unsafe { CStr::from_ptr(ffi::sqlite3_sql(self.raw)) };
        sql.to_str().unwrap_or_default()
    }

    fn injected_fault(&self) -> Option<c_int> {
        let Fault(fault) = self.fault.as_ref()?;
        fault(self.sql())
    }

    /// After a COMMIT whose sync failed, the commit may be found when the file is next recovered.
    fn failure(&self, error: Error, code: c_int) -> Error {
        let outcome_unknown = mend::is_of_sync(code) && self.sql() == "COMMIT";
        Error { outcome_unknown, ..error }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the last use of the statement.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// The rows of a running statement; it is reset when they are dropped, so that nothing of one run reaches the next.
#[derive(Debug)]
pub struct Rows<'a> {
    statement: &'a mut Statement,
    deadline: Option<Deadline>,
    _bound: PhantomData<&'a [u8]>,
}

impl Rows<'_> {
    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// Those of SQLite.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<bool> {
        if let Some(code) = self.statement.injected_fault() {
            return Err(self.statement.failure(error_of(code, "a fault that a test injected"), code));
        }
        // SAFETY: the statement is prepared and its parameters are alive.
        match unsafe { ffi::sqlite3_step(self.statement.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.statement.failure(error(self.statement.db, code), code)),
        }
    }

    /// A column as an integer.
    #[must_use]
    pub fn int(&self, column: c_int) -> i64 {
        // SAFETY: SQLite converts, and gives 0 for a column out of range.
        unsafe { ffi::sqlite3_column_int64(self.statement.raw, column) }
    }

    /// A column as an integer, `None` for NULL.
    #[must_use]
    pub fn optional_int(&self, column: c_int) -> Option<i64> {
        // SAFETY: as above.
        let kind = unsafe { ffi::sqlite3_column_type(self.statement.raw, column) };
        (kind != ffi::SQLITE_NULL).then(|| self.int(column))
    }

    /// A column's bytes; NULL has none.
    #[must_use]
    pub fn blob(&self, column: c_int) -> &[u8] {
        // SAFETY: the pointer is good for that many bytes until the next step, which needs `&mut self`.
        unsafe {
            let bytes = ffi::sqlite3_column_blob(self.statement.raw, column);
            let length = ffi::sqlite3_column_bytes(self.statement.raw, column);
            if bytes.is_null() {
                return &[];
            }
            std::slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(length).unwrap_or(0))
        }
    }

    /// A column's text.
    ///
    /// # Errors
    /// `CORRUPT` if it is not UTF-8.
    pub fn text(&self, column: c_int) -> Result<&str> {
        std::str::from_utf8(self.blob(column)).map_err(|_| Error::corrupt("a stored text is not UTF-8"))
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement lives. The parameters that stay bound are not read before they are bound anew.
        unsafe { ffi::sqlite3_reset(self.statement.raw) };
    }
}

fn error(db: *mut ffi::sqlite3, code: c_int) -> Error {
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

/// `SQLITE_CORRUPT_INDEX`: what is to be removed from an index is not in it.
const INDEX_IS_DAMAGED: c_int = ffi::SQLITE_CORRUPT | (3 << 8);

/// Our error for a result code. Codes are matched, never messages: 517 (a stale snapshot) has the message of 5.
fn error_of(extended: c_int, message: &str) -> Error {
    let (code, advice) = match extended & 0xff {
        ffi::SQLITE_CORRUPT if extended == INDEX_IS_DAMAGED => (
            Code::Corrupt,
            "an index does not agree with its table: make it again (removeIndex, createIndex), or restore the file from a backup",
        ),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            (Code::Busy, "another process holds the write lock; raise busyTimeout, or write less at a time")
        }
        ffi::SQLITE_INTERRUPT => (Code::Busy, "it takes longer than it may here"),
        ffi::SQLITE_CORRUPT => (Code::Corrupt, "the file is damaged; restore it from a backup"),
        ffi::SQLITE_NOTADB => (Code::Corrupt, "the file is not a KeyVal database; give another path"),
        ffi::SQLITE_FULL => (Code::Unavailable, "the disk is full; free some space"),
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => {
            (Code::Unavailable, "the file, or its folder, cannot be written; check its permissions")
        }
        ffi::SQLITE_CANTOPEN => {
            (Code::Unavailable, "the file cannot be opened; check the path and its permissions")
        }
        ffi::SQLITE_IOERR => (Code::Unavailable, "reading or writing the disk failed"),
        ffi::SQLITE_NOMEM => (Code::Unavailable, "out of memory"),
        ffi::SQLITE_TOOBIG => (Code::LimitExceeded, "the value is too large for the store"),
        ffi::SQLITE_CONSTRAINT => (Code::Conflict, "a constraint of the table refuses it"),
        _ => (Code::Corrupt, "the file does not have the expected form"),
    };
    let advice = descriptors::advice(extended).unwrap_or(advice);
    Error::new(code, format!("{advice} (SQLite {extended}: {message})"))
}
