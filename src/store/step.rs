//! The effect of a write, as data: the steps that an operation decided on, and their preconditions. A store
//! applies them in order, all or none, in one commit. The store supplies time, versionstamps, numbers, prior
//! rows and the change log.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::read::Want;
use super::rows::index::{IndexRow, OrderedIndex, SearchIndex};
use super::rows::queue::{Damaged, NewMessage};
use crate::base::error::Error;

/// When a commit issues a versionstamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stamping {
    /// Always, even if nothing is changed.
    #[default]
    Always,
    /// Only if something is changed: deleting an absent key then writes nothing, and costs no fsync.
    IfChanged,
    /// Never: nothing is changed, and the newest one is returned.
    Never,
}

/// The expiry of a written entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// The expiry of the live entry that it replaces; never, if there is none.
    Keep,
    /// So many milliseconds after the commit.
    In(i64),
}

/// The key of a written entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutKey<'a> {
    /// An encoded key.
    Known(Cow<'a, [u8]>),
    /// An encoded key to which the commit's versionstamp is appended as the last part.
    Stamped(&'a [u8]),
}

/// When a message becomes ready again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Its time does not change.
    AsBefore,
    /// So many milliseconds after the commit.
    In(i64),
}

/// A message with the lease that it had when it was read: a step does nothing if the lease has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased<'a> {
    /// Its id.
    pub id: Cow<'a, str>,
    /// The lease.
    pub lease: i64,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<'a> {
    /// Writes an entry, over a live one, an expired one or nothing. It may be refused: see `Refusal`.
    Put {
        /// The key.
        key: PutKey<'a>,
        /// See `codec::value`.
        encoding: u8,
        /// The value.
        value: Cow<'a, [u8]>,
        /// Its expiry.
        expiry: Expiry,
    },
    /// Changes the expiry of a live entry to so many milliseconds from now. Gives `Flag`: whether there was
    /// one.
    Expire(&'a [u8], i64),
    /// Removes an entry, live or expired. Gives `Count`: of live ones.
    Delete(PutKey<'a>),
    /// Removes the entries of a range. Gives `Count`: of live ones.
    DeleteRange(&'a Range<Vec<u8>>),
    /// Removes expired entries, at most so many. Gives `Count`.
    SweepExpired(usize),
    /// Removes the expired entries of a range. Gives `Count`.
    SweepRange(Cow<'a, Range<Vec<u8>>>),

    /// Adds a message, unless its queue has one with its deduplication key. It waits behind another of its
    /// ordering key that becomes ready no later or is in flight; others of that key wait behind it. Gives
    /// `Id`: its own, or that one's.
    Enqueue(NewMessage<'a>),
    /// Begins an attempt of a message: its lease grows by one and ends in so many milliseconds.
    Claim {
        /// As it was found.
        message: Leased<'a>,
        /// The lease's length.
        lock_ms: i64,
    },
    /// Blocks a message until the one before it with its ordering key is done.
    Block(Leased<'a>),
    /// Gives a message back. Gives `Flag`: whether it was found.
    Return {
        /// As it was found.
        message: Leased<'a>,
        /// Attempts that count.
        attempts: i64,
        /// When it is ready.
        ready: Ready,
    },
    /// Removes a message, and unblocks the next one of its ordering key. Gives `Flag`: whether it was found.
    DeleteMessage(Leased<'a>),
    /// Renews a lease for so many milliseconds from now. Gives `Flag`: whether it was found.
    Extend(Leased<'a>, i64),
    /// Makes a message a dead letter, and unblocks the next one of its ordering key.
    Bury {
        /// As it was found.
        message: Leased<'a>,
        /// The reason.
        reason: String,
    },
    /// The same for unreadable rows of `kv_queue`.
    SetAside(Vec<Damaged>),
    /// For each queue and ordering key, unblocks the first message.
    Unblock(Vec<(String, String)>),
    /// Removes a dead letter. Gives `Flag`: whether it was found.
    DeleteDeadLetter(&'a str),
    /// Removes dead letters of one queue or of all, at most so many. Gives `Count`.
    PurgeDeadLetters(Option<&'a str>, usize),
    /// Checks so many dead letters after a row, and removes those older than the file's
    /// `deadLetterRetention`, if it has one. Gives `Swept`.
    SweepDeadLetters {
        /// The row.
        after: i64,
        /// The most rows.
        limit: usize,
    },

    /// Writes a lock. Gives `Lease`.
    PutLock {
        /// Its name.
        name: &'a str,
        /// The lock holder.
        owner: &'a str,
        /// Its token; `None`: the next number.
        token: Option<i64>,
        /// Its length.
        duration_ms: i64,
    },
    /// Removes a lock.
    DeleteLock(&'a str),
    /// Removes expired locks, at most so many. Gives `Count`.
    SweepLocks(usize),
    /// Writes a consumer. Gives `Lease`.
    PutConsumer {
        /// Its name.
        name: &'a str,
        /// The encoded prefix.
        prefix: Cow<'a, [u8]>,
        /// The sequence number up to which it has read.
        position: i64,
        /// Its lease; `None`: the next number.
        lease: Option<i64>,
        /// For how long; `None`: it is given back.
        lease_ms: Option<i64>,
    },
    /// Removes a consumer. Gives `Flag`: whether there was one.
    DeleteConsumer(&'a str),

    /// Removes changes older than the file's `retention`, at most so many; but none that a consumer used in
    /// the last `in_use_ms` has not passed. Gives `Count`.
    TrimChanges {
        /// See above.
        in_use_ms: i64,
        /// The most rows.
        limit: usize,
    },
    /// Removes changes up to a number, at most so many. Gives `Count`.
    TrimChangesTo(i64, usize),

    /// Makes a search index under a number, and fills it with the stored entries.
    CreateSearchIndex(i64, &'a SearchIndex),
    /// Makes an ordered index under a number. `CONFLICT` if it is unique and two entries have the same
    /// values.
    CreateOrderedIndex(i64, &'a OrderedIndex),
    /// Removes an index.
    RemoveIndex(IndexRow),
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// Nothing.
    Done,
    /// See `Step`.
    Count(u64),
    /// See `Step`.
    Flag(bool),
    /// See `Step`.
    Id(String),
    /// The rows removed of those that were checked.
    Swept {
        /// Their number.
        count: u64,
        /// The last row checked, if there may be more.
        last: Option<i64>,
    },
    /// The current lease.
    Lease {
        /// Its number.
        number: i64,
        /// Milliseconds since the epoch, by the store's clock.
        until_ms: i64,
    },
}

impl StepResult {
    /// The count, or 0.
    #[must_use]
    pub fn count(&self) -> u64 {
        if let Self::Count(count) = self { *count } else { 0 }
    }

    /// Whether it is a flag that is set.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self == Self::Flag(true)
    }
}

/// A precondition of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The encoded key.
    pub key: Vec<u8>,
    /// The versionstamp that its live entry must have; `None`: there must be none.
    pub versionstamp: Option<String>,
}

/// The decision of an operation.
#[derive(Debug)]
pub struct Batch<'a> {
    /// All must hold before the first step, by the time of the commit; else no step is applied.
    pub checks: &'a [Check],
    /// In this order.
    pub steps: SmallVec<[Step<'a>; 1]>,
    /// See `Stamping`.
    pub stamping: Stamping,
    /// The first reads of the operation's next turn. As with `ReadTxn::prefetch`, but of the rows after the
    /// steps: a server answers them together with the steps.
    pub then: Vec<Want<'a>>,
}

impl Default for Batch<'_> {
    fn default() -> Self {
        Self { checks: &[], steps: SmallVec::new(), stamping: Stamping::IfChanged, then: Vec::new() }
    }
}

impl<'a> Batch<'a> {
    /// Adds a step; gives its place.
    pub fn push(&mut self, step: Step<'a>) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }
}

/// The outcome of a batch.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The versionstamp, if one was issued; with `Stamping::Never` the newest one.
    pub stamp: Option<String>,
    /// One for each step.
    pub results: SmallVec<[StepResult; 1]>,
    /// Checks that failed. If there is one, nothing is applied, and there are no results.
    pub failed: Vec<FailedCheck>,
}

/// A failed check of a batch: its index, and the current versionstamp of its key.
pub type FailedCheck = (usize, Option<String>);

/// A unique index refused a `Put`.
#[derive(Debug)]
pub struct Refusal {
    /// The place of the step.
    pub step: usize,
    /// Its encoded key.
    pub key: Vec<u8>,
    /// The entry that has these values already; `None`: the refusal came from no unique index.
    pub holder: Option<ConflictingEntry>,
    /// The error, unless the operation has a better one.
    pub error: Error,
}

/// An entry whose values in a unique index are those of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictingEntry {
    /// Its encoded key.
    pub key: Vec<u8>,
    /// It has not expired.
    pub is_live: bool,
}
