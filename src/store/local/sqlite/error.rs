//! Errors by SQLite's result codes.

use std::ffi::c_int;

use libsql::ffi;

use self::cause::of_code;
use super::{descriptors, vfs};
use crate::base::config::Fault;
use crate::base::error::{Code, Error, Result, SystemError};

pub mod cause;

const SEARCH_IS_DAMAGED: &str =
    "a search index is damaged: make it again (removeIndex, createIndex), or restore the file from a backup";

const NO_LOCK: &str =
    "the file's log cannot be locked now; try again, and look whether its file system has locks left";

const FILE_IS_DAMAGED: &str = "the file is damaged; restore it from a backup";

const TOO_LONG: &str = "it takes longer than it may here";

/// What is to be removed from an index is not in it.
pub const INDEX_IS_DAMAGED: c_int = ffi::SQLITE_CORRUPT_INDEX;

/// Our error for a result code. Codes are matched, never messages: 517 (a stale snapshot) has the message of
/// 5.
pub fn error_of(extended: c_int, message: &str) -> Error {
    error_with(extended, message, of_code(extended, message))
}

/// The same, with what is known of the system's own error.
pub fn error_with(extended: c_int, message: &str, mut source: Option<SystemError>) -> Error {
    let (code, advice) = match extended & 0xff {
        ffi::SQLITE_CORRUPT if extended == INDEX_IS_DAMAGED => (
            Code::Corrupt,
            "an index does not agree with its table, and cannot be built again: remove it (removeIndex), or restore the file from a backup",
        ),
        ffi::SQLITE_CORRUPT if extended == ffi::SQLITE_CORRUPT_VTAB => (Code::Corrupt, SEARCH_IS_DAMAGED),
        // No statement of ours gives a row the name or the number of another.
        ffi::SQLITE_CONSTRAINT if is_of_row(extended) => (Code::Corrupt, FILE_IS_DAMAGED),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            (Code::Busy, "another process holds the write lock; raise busyTimeout, or write less at a time")
        }
        ffi::SQLITE_INTERRUPT => (Code::Busy, TOO_LONG),
        // A thread that may wait tries for longer.
        ffi::SQLITE_PROTOCOL if !vfs::may_sleep() => (Code::Busy, TOO_LONG),
        ffi::SQLITE_CORRUPT => (Code::Corrupt, FILE_IS_DAMAGED),
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
        ffi::SQLITE_PROTOCOL => (Code::Unavailable, NO_LOCK),
        // A table or a column that statements name is not there; a text is no number.
        ffi::SQLITE_ERROR | ffi::SQLITE_MISMATCH | ffi::SQLITE_FORMAT => {
            (Code::Corrupt, "the file does not have the expected form")
        }
        // Nothing that is known of these says that the file is damaged.
        _ => (Code::Unavailable, "SQLite could not do it"),
    };
    let lack = descriptors::lack(extended);
    let advice = if lack.is_some() { descriptors::NO_DESCRIPTOR } else { advice };
    if let (Some(lack), Some(source)) = (lack, &mut source) {
        (source.errno, source.message) = (lack.raw_os_error(), lack.to_string());
    }
    let error = Error::new(code, format!("{advice} (SQLite {extended}: {message})"));
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

/// Whether a row has the name or the number that another has.
pub fn is_of_row(extended: c_int) -> bool {
    matches!(extended, ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID)
}

/// The error of a statement that FTS5 works for, where its tables are damaged.
pub fn damaged_search(extended: c_int) -> Error {
    Error::corrupt(format!("{SEARCH_IS_DAMAGED} (SQLite {extended}: a row has the number of another)"))
}

/// Whether an error of SQLite may be that of a sync, or one after it.
pub fn is_of_sync(extended: c_int) -> bool {
    const OTHERS: [c_int; 6] = [
        ffi::SQLITE_IOERR_READ,
        ffi::SQLITE_IOERR_SHORT_READ,
        ffi::SQLITE_IOERR_CORRUPTFS,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_LOCK,
    ];
    match extended & 0xff {
        ffi::SQLITE_IOERR => !OTHERS.contains(&extended),
        ffi::SQLITE_NOMEM => true,
        _ => false,
    }
}

/// Asks a test whether a step of ours, which is no statement, is to fail.
///
/// # Errors
/// What the test says.
pub fn may_fail(fault: Option<&Fault>, step: &str) -> Result<()> {
    let code = fault.and_then(|Fault(fault)| fault(step));
    code.map_or(Ok(()), |code| Err(error_of(code, "a fault that a test injected")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each primary result code that is an error, in the order of its number.
    ///
    /// Seen to fail: where all codes that have no line of their own were CORRUPT, `PROTOCOL` first of all.
    #[test]
    fn damage_is_named_by_a_list_of_codes_and_is_never_the_rest() {
        let of = |code| error_of(code, "no").code;
        let [corrupt, busy] = [Code::Corrupt, Code::Busy];
        let others: [(c_int, Code); 10] = [
            (ffi::SQLITE_ERROR, corrupt),
            (ffi::SQLITE_BUSY, busy),
            (ffi::SQLITE_LOCKED, busy),
            (ffi::SQLITE_INTERRUPT, busy),
            (ffi::SQLITE_CORRUPT, corrupt),
            (ffi::SQLITE_TOOBIG, Code::LimitExceeded),
            (ffi::SQLITE_CONSTRAINT, Code::Conflict),
            (ffi::SQLITE_MISMATCH, corrupt),
            (ffi::SQLITE_FORMAT, corrupt),
            (ffi::SQLITE_NOTADB, corrupt),
        ];
        for code in (ffi::SQLITE_ERROR..=ffi::SQLITE_NOTADB).chain([99]) {
            let expected = others.iter().find(|(other, _)| *other == code).map(|(_, expected)| *expected);
            assert_eq!(of(code), expected.unwrap_or(Code::Unavailable), "SQLite {code}");
        }
    }
}
