//! A commit as data: checks and mutations, their limits, and the possible outcomes.

use std::ops::Range;
use std::sync::Arc;

use self::arithmetic::Arithmetic;
use self::patch::Encoded;
use super::query::filter::Filter;
use super::queue::enqueue::NewMessage;
use crate::base::error::{Error, Result};
use crate::base::limits::{MAX_COMMIT_BYTES, MAX_COMMIT_OPERATIONS, MAX_DURATION_MS, MAX_VALUE_BYTES};
use crate::base::metrics::Operation;
use crate::codec::value::{ArrayText, Counter};
pub use crate::store::{Check, FailedCheck, Stamping};

pub mod apply;
pub mod arithmetic;
mod decide;
mod draft;
pub mod patch;

/// One change.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Writes a value.
    Set {
        /// The encoded key.
        key: Vec<u8>,
        /// The commit's versionstamp becomes the key's last part.
        stamped: bool,
        /// See `codec::value`.
        encoding: u8,
        /// The value.
        value: Vec<u8>,
        /// Time to live.
        expires_in_ms: Option<i64>,
    },
    /// Deletes one key.
    Delete(Vec<u8>),
    /// Deletes a range.
    DeleteRange(Range<Vec<u8>>),
    /// Deletes the entries of a range that match.
    DeleteMatching(Range<Vec<u8>>, Arc<Filter>),
    /// Changes a counter.
    Arithmetic {
        /// The encoded key.
        key: Vec<u8>,
        /// The operation.
        operation: Arithmetic,
        /// The operand.
        operand: Counter,
        /// A new time to live; the old one stays without it.
        expires_in_ms: Option<i64>,
    },
    /// Appends to an array, or prepends.
    Append {
        /// The encoded key.
        key: Vec<u8>,
        /// In front of the stored array, not after it.
        front: bool,
        /// The values.
        values: ArrayText,
        /// A new time to live; the old one stays without it.
        expires_in_ms: Option<i64>,
    },
    /// Merges into a value (RFC 7396).
    Patch {
        /// The encoded key.
        key: Vec<u8>,
        /// The patch.
        patch: Encoded,
        /// A new time to live; the old one stays without it.
        expires_in_ms: Option<i64>,
    },
    /// Gives a live entry another time to live, and changes nothing else.
    Touch {
        /// The encoded key.
        key: Vec<u8>,
        /// From the commit on.
        expires_in_ms: i64,
    },
    /// Adds a message to a queue.
    Enqueue(Box<NewMessage>),
}

/// The reply of one mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Done,
    /// Entries deleted, or the length of an array.
    Count(u64),
    /// The counter's new value.
    Counter(Counter),
    /// Whether there was an entry.
    Found(bool),
    /// The id of a message.
    Id(String),
}

/// A commit.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// All must hold.
    pub checks: Vec<Check>,
    /// Applied in order.
    pub mutations: Vec<Mutation>,
    /// When it issues a versionstamp.
    pub stamping: Stamping,
}

/// The outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Applied.
    Committed {
        /// The commit's versionstamp, unless `Stamping` issued none.
        versionstamp: Option<String>,
        /// One for each mutation.
        replies: Vec<Reply>,
    },
    /// Failed checks, by number, with the current versionstamps.
    Conflict(Vec<FailedCheck>),
}

impl Commit {
    /// A commit of one mutation.
    #[must_use]
    pub fn of(mutation: Mutation) -> Self {
        Self { mutations: vec![mutation], ..Self::default() }
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn validate(&self) -> Result<()> {
        let operations = self.checks.len() + self.mutations.len();
        if operations > MAX_COMMIT_OPERATIONS {
            return Err(Error::limit(operations, MAX_COMMIT_OPERATIONS, "checks and mutations").at("commit"));
        }
        let (mut keys, mut values) = (0, 0);
        for mutation in &self.mutations {
            check_expiry(mutation.expires_in_ms())?;
            if let Mutation::Enqueue(message) = mutation {
                message.validate()?;
            }
            let value = mutation.value_bytes();
            check_value_bytes(value)?;
            values += value;
            keys += mutation.key().len();
        }
        for (bytes, unit) in [(values, "bytes of values"), (keys, "bytes of keys")] {
            if bytes > MAX_COMMIT_BYTES {
                return Err(Error::limit(bytes, MAX_COMMIT_BYTES, unit).at("commit"));
            }
        }
        Ok(())
    }
}

impl Commit {
    /// The operation that it counts as.
    #[must_use]
    pub fn counts_as(&self) -> Operation {
        let is_delete = |one: &Mutation| {
            matches!(one, Mutation::Delete(_) | Mutation::DeleteRange(_) | Mutation::DeleteMatching(..))
        };
        match self.mutations.as_slice() {
            [Mutation::Set { .. }] if self.checks.is_empty() => Operation::Set,
            [Mutation::Touch { .. }] => Operation::Touch,
            [Mutation::Patch { .. }] => Operation::Patch,
            [Mutation::Enqueue(_)] if self.checks.is_empty() => Operation::Enqueue,
            all if !all.is_empty() && self.checks.is_empty() && all.iter().all(is_delete) => {
                Operation::Delete
            }
            _ => Operation::Atomic,
        }
    }
}

/// Refuses a value that is too large.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn check_value_bytes(bytes: usize) -> Result<()> {
    if bytes > MAX_VALUE_BYTES {
        return Err(Error::limit(bytes, MAX_VALUE_BYTES, "bytes").at("value"));
    }
    Ok(())
}

fn check_expiry(expires_in_ms: Option<i64>) -> Result<()> {
    match expires_in_ms {
        Some(ms) if !(1..=MAX_DURATION_MS).contains(&ms) => {
            Err(Error::invalid(format!("{ms} ms; give 1 to {MAX_DURATION_MS} ms")).at("expiresIn"))
        }
        _ => Ok(()),
    }
}

impl Mutation {
    fn expires_in_ms(&self) -> Option<i64> {
        match self {
            Self::Set { expires_in_ms, .. }
            | Self::Arithmetic { expires_in_ms, .. }
            | Self::Append { expires_in_ms, .. }
            | Self::Patch { expires_in_ms, .. } => *expires_in_ms,
            Self::Touch { expires_in_ms, .. } => Some(*expires_in_ms),
            Self::Delete(_) | Self::DeleteRange(_) | Self::DeleteMatching(..) | Self::Enqueue(_) => None,
        }
    }

    /// Whether an entry gets a value, and with it a versionstamp.
    #[must_use]
    pub fn writes_value(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Arithmetic { .. } | Self::Append { .. } | Self::Patch { .. })
    }

    /// Whether it reads a stored value, or one that an earlier mutation has written.
    #[must_use]
    pub fn reads_entries(&self) -> bool {
        matches!(
            self,
            Self::Arithmetic { .. } | Self::Append { .. } | Self::Patch { .. } | Self::DeleteMatching(..)
        )
    }

    /// The key, or the start of the range; a message has none.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Set { key, .. }
            | Self::Delete(key)
            | Self::Arithmetic { key, .. }
            | Self::Append { key, .. }
            | Self::Patch { key, .. }
            | Self::Touch { key, .. } => key,
            Self::DeleteRange(range) | Self::DeleteMatching(range, _) => &range.start,
            Self::Enqueue(_) => &[],
        }
    }

    fn value_bytes(&self) -> usize {
        match self {
            Self::Set { value, .. } => value.len(),
            Self::Append { values, .. } => values.text.len(),
            Self::Patch { patch, .. } => patch.bytes.len(),
            Self::Enqueue(message) => message.value.len(),
            _ => 0,
        }
    }
}
