//! The change log as the engine sees it.

use super::entry::Flow;
use crate::base::config::ChangeLog;
use crate::base::error::Result;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The key was absent.
    Create,
    /// The key had a value.
    Update,
    /// The key is gone.
    Delete,
}

/// The beginning and the end of the log, in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLogState {
    /// How much of each change is logged.
    pub mode: ChangeLog,
    /// The newest sequence number; 0 before the first change.
    pub head: i64,
    /// The oldest one that is kept; `head + 1` if none is.
    pub first: i64,
    /// The newest versionstamp of the file.
    pub newest_stamp: String,
    /// The newest commit whose changes may be missing; empty if all are kept.
    pub trimmed_stamp: String,
}

/// A row of the log.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its number.
    pub seq: i64,
    /// The encoded key.
    pub key: &'a [u8],
    /// The kind of change.
    pub kind: ChangeKind,
    /// The commit.
    pub versionstamp: &'a str,
    /// Encoding and value, if they were logged and asked for.
    pub value: Option<(u8, &'a [u8])>,
}

/// The rows to read.
#[derive(Debug, Clone, Copy)]
pub struct ChangeScan {
    /// Rows after this number, in order.
    pub after: i64,
    /// At most so many rows.
    pub limit: usize,
    /// With their values.
    pub values: bool,
}

/// Reads of the log.
pub trait ChangeRead {
    /// The state of the log.
    fn change_log_state(&mut self) -> Result<ChangeLogState>;

    /// Shows rows in order.
    ///
    /// # Errors
    /// Those of the store and of `visit`.
    fn scan_changes(
        &mut self,
        scan: ChangeScan,
        visit: &mut dyn FnMut(Change<'_>) -> Result<Flow>,
    ) -> Result<()>;

    /// The number of the last change up to a commit: a search in the log, which is in the order of commits.
    fn position_after(&mut self, log: &ChangeLogState, stamp: &str) -> Result<i64> {
        let (mut low, mut high) = (log.first - 1, log.head);
        // Changes up to `low` are of the commit or older, those after `high` are newer.
        while low < high {
            let middle = low + (high - low) / 2;
            let mut older = false;
            self.scan_changes(ChangeScan { after: middle, limit: 1, values: false }, &mut |change| {
                older = change.versionstamp <= stamp;
                Ok(Flow::Stop)
            })?;
            if older {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
