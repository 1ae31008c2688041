//! Entries as rows, and how a range of them is read.

use std::ops::Range;
use std::time::Duration;

use crate::base::error::Result;

/// A stored entry as a read sees it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// The commit that wrote it.
    pub versionstamp: &'a str,
    /// Milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// See `codec::value`.
    pub encoding: u8,
    /// Empty in a scan of keys, and where it is withheld.
    pub value: &'a [u8],
    /// The value is larger than the read wanted to load.
    pub withheld: bool,
}

impl Row<'_> {
    /// Whether it is live at a time; an expired entry is absent for every operation.
    #[must_use]
    pub fn is_live(&self, now_ms: i64) -> bool {
        is_live(self.expires_at, now_ms)
    }
}

/// An entry is absent from its expiry on, not only after it.
#[must_use]
pub fn is_live(expires_at: Option<i64>, now_ms: i64) -> bool {
    expires_at.is_none_or(|at| at > now_ms)
}

/// The budget of a statement on a thread that must not block. Only `Reader::try_read` gives one, and only an
/// embedded store reads there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// A duration.
    Time(Duration),
    /// Steps of SQLite's virtual machine, however fast they are.
    Steps(u32),
}

/// A range of entries to read.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Encoded keys.
    pub range: Range<Vec<u8>>,
    /// From the end.
    pub reverse: bool,
    /// Read no values.
    pub keys_only: bool,
    /// At most so many rows.
    pub limit: usize,
    /// Larger values are withheld.
    pub max_value_bytes: usize,
    /// `BUSY` if it takes more: expired entries are skipped, and may be very many.
    pub within: Option<Budget>,
}

/// Whether a scan continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next row.
    Continue,
    /// This row is the last one.
    Stop,
}

/// Receives the row of a key.
pub type Visit<'a> = &'a mut dyn FnMut(Option<Row<'_>>) -> Result<()>;
