//! Prepared statements, their parameters and their rows.

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;

use libsql::ffi;

use super::deadline::Deadline;
use super::error::{damaged_search, error_of, is_of_row, is_of_sync};
use super::last_error::last_error;
use crate::base::config::Fault;
use crate::base::error::{Error, Result};
use crate::store::Budget;

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

impl<'a> From<Option<&'a str>> for Param<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Int(None), Self::Text)
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

/// A prepared statement.
#[derive(Debug)]
pub struct Statement {
    pub(super) raw: *mut ffi::sqlite3_stmt,
    pub(super) db: *mut ffi::sqlite3,
    pub(super) fault: Option<Fault>,
}

// SAFETY: as for `Connection`, with which it moves.
unsafe impl Send for Statement {}

impl Statement {
    /// Binds every parameter and gives the rows.
    pub fn query<'a>(&'a mut self, params: &[Param<'a>]) -> Result<Rows<'a>> {
        let rows = Rows { statement: self, deadline: None, _bound: PhantomData };
        for (index, param) in (1..).zip(params) {
            rows.statement.bind(index, *param)?;
        }
        Ok(rows)
    }

    /// As `query`. Going to a row fails with `BUSY` when it has taken more than this.
    pub fn query_within<'a>(&'a mut self, limit: Option<Budget>, params: &[Param<'a>]) -> Result<Rows<'a>> {
        let deadline = limit.map(|limit| Deadline::after(self.db, limit));
        let mut rows = self.query(params)?;
        rows.deadline = deadline;
        Ok(rows)
    }

    /// Runs it to its end.
    pub fn run(&mut self, params: &[Param<'_>]) -> Result<()> {
        // The borrow of the parameters ends with the rows, which end here.
        let mut rows = self.query(params)?;
        while rows.next()? {}
        Ok(())
    }

    fn bind(&self, index: c_int, param: Param<'_>) -> Result<()> {
        // SAFETY: bytes are passed with their length and, by `Rows`, outlive the steps; a null pointer would
        // bind NULL, so an empty slice passes its dangling, non-null pointer.
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
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(last_error(self.db, code)) }
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

    /// Whether FTS5 may work for it: an entry goes into its search indexes when it is written, or at the end
    /// of a savepoint or of the transaction.
    fn may_be_of_search(&self) -> bool {
        self.sql().contains("kv_entries") || !self.sql().contains(" kv_")
    }

    /// After a COMMIT whose sync failed, the commit may be found when the file is next recovered.
    fn failure(&self, error: Error, code: c_int) -> Error {
        if is_of_row(code) && self.may_be_of_search() {
            return damaged_search(code);
        }
        let outcome_unknown = is_of_sync(code) && self.sql() == "COMMIT";
        Error { outcome_unknown, ..error }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the last use of the statement.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// The rows of a running statement; it is reset when they are dropped, so that nothing of one run reaches the
/// next.
#[derive(Debug)]
pub struct Rows<'a> {
    statement: &'a mut Statement,
    deadline: Option<Deadline>,
    _bound: PhantomData<&'a [u8]>,
}

impl Rows<'_> {
    /// Goes to the next row; false at the end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<bool> {
        if let Some(code) = self.statement.injected_fault() {
            return Err(self.statement.failure(error_of(code, "a fault that a test injected"), code));
        }
        // SAFETY: the statement is prepared and its parameters are alive.
        match unsafe { ffi::sqlite3_step(self.statement.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.statement.failure(last_error(self.statement.db, code), code)),
        }
    }

    /// A column as an integer.
    #[must_use]
    pub fn int(&self, column: c_int) -> i64 {
        // SAFETY: SQLite converts, and gives 0 for a column out of range.
        unsafe { ffi::sqlite3_column_int64(self.statement.raw, column) }
    }

    /// A column that holds an integer. SQLite makes 0 of a text that another program has put there, and no
    /// statement that names the row by that 0 would find it.
    ///
    /// # Errors
    /// `CORRUPT` if it holds something else.
    pub fn stored_int(&self, column: c_int) -> Result<i64> {
        // SAFETY: the statement lives, and a column out of range is NULL.
        match unsafe { ffi::sqlite3_column_type(self.statement.raw, column) } {
            ffi::SQLITE_INTEGER => Ok(self.int(column)),
            _ => Err(Error::corrupt("a stored number is no integer")),
        }
    }

    /// A column that holds a text. Bytes that read as the same text are another value to SQLite.
    ///
    /// # Errors
    /// `CORRUPT` if it holds something else, or is not UTF-8.
    pub fn stored_text(&self, column: c_int) -> Result<&str> {
        // SAFETY: as above.
        match unsafe { ffi::sqlite3_column_type(self.statement.raw, column) } {
            ffi::SQLITE_TEXT => self.text(column),
            _ => Err(Error::corrupt("a stored text is none")),
        }
    }

    /// A column as a number, `None` for NULL. A text or bytes are none either: SQLite sorts them behind all
    /// numbers, so as a time they never come, for its conditions and for what reads this.
    #[must_use]
    pub fn optional_int(&self, column: c_int) -> Option<i64> {
        // SAFETY: as above.
        let kind = unsafe { ffi::sqlite3_column_type(self.statement.raw, column) };
        matches!(kind, ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT).then(|| self.int(column))
    }

    /// Whether a column is NULL.
    #[must_use]
    pub fn is_null(&self, column: c_int) -> bool {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_column_type(self.statement.raw, column) == ffi::SQLITE_NULL }
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
        // SAFETY: the statement lives. The parameters that stay bound are not read before they are bound
        // again.
        unsafe { ffi::sqlite3_reset(self.statement.raw) };
    }
}
