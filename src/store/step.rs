//! What a write does, as data: the steps that an operation decided on, and what must hold before them. A store applies them in
//! order, all or none, in one commit. Time, versionstamps, numbers, what was there before and the change log are the store's.

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
    /// Always, also if nothing is changed.
    #[default]
    Always,
    /// Only if something is changed: a delete of what is absent then writes nothing, and costs no fsync.
    IfChanged,
    /// Never: nothing is changed, and the newest one is given.
    Never,
}

/// When an entry expires that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// When the live entry under it would; never, if there is none.
    Keep,
    /// So many milliseconds after the commit.
    In(i64),
}

/// The key of an entry that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutKey<'a> {
    /// An encoded key.
    Known(Cow<'a, [u8]>),
    /// An encoded key to which the commit's versionstamp is added, as its last part.
    Stamped(&'a [u8]),
}

/// When a message becomes ready again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It was, and is.
    AsBefore,
    /// So many milliseconds after the commit.
    In(i64),
}

/// A message under the lease by which it was found: a step that no longer finds it so does nothing.
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
        /// Where.
        key: PutKey<'a>,
        /// See `codec::value`.
        encoding: u8,
        /// What.
        value: Cow<'a, [u8]>,
        /// For how long.
        expiry: Expiry,
    },
    /// Gives a live entry another expiry, in so many milliseconds. Gives `Flag`: whether there was one.
    Expire(&'a [u8], i64),
    /// Removes an entry, live or expired. Gives `Count`: of live ones.
    Delete(PutKey<'a>),
    /// Removes the entries of a range. Gives `Count`: of live ones.
    DeleteRange(&'a Range<Vec<u8>>),
    /// Removes expired entries, at most so many. Gives `Count`.
    SweepExpired(usize),
    /// Removes the expired entries of a range. Gives `Count`.
    SweepRange(Cow<'a, Range<Vec<u8>>>),

    /// Adds a message, unless its queue has one with its deduplication key. It waits behind another of its ordering key that
    /// becomes ready no later or is under way; others of that key wait behind it. Gives `Id`: its own, or that one's.
    Enqueue(NewMessage<'a>),
    /// Begins an attempt of a message: its lease grows by one and ends in so many milliseconds.
    Claim {
        /// As it was found.
        message: Leased<'a>,
        /// The lease's length.
        lock_ms: i64,
    },
    /// Puts a message aside, until the one before it with its ordering key is done.
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
    /// Removes a message, and lets the next one of its ordering key go. Gives `Flag`: whether it was found.
    DeleteMessage(Leased<'a>),
    /// Extends a lease to so many milliseconds from now. Gives `Flag`: whether it was found.
    Extend(Leased<'a>, i64),
    /// Makes a message a dead letter, and lets the next one of its ordering key go.
    Bury {
        /// As it was found.
        message: Leased<'a>,
        /// Why.
        reason: String,
    },
    /// The same for rows of `kv_queue` that cannot be read.
    SetAside(Vec<Damaged>),
    /// Lets the first message go that is blocked with a queue and an ordering key, of each of these.
    Unblock(Vec<(String, String)>),
    /// Removes a dead letter. Gives `Flag`: whether it was found.
    DeleteDeadLetter(&'a str),
    /// Removes dead letters of one queue or of all, at most so many. Gives `Count`.
    PurgeDeadLetters(Option<&'a str>, usize),
    /// Removes, of so many dead letters behind a row, those that are older than the file's
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
        /// Whose.
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

    /// Removes changes that are older than the file's `retention`, at most so many; none that a consumer which was used in the last
    /// `in_use_ms` has not passed. Gives `Count`.
    TrimChanges {
        /// See above.
        in_use_ms: i64,
        /// The most rows.
        limit: usize,
    },
    /// Removes changes up to a number, at most so many. Gives `Count`.
    TrimChangesTo(i64, usize),

    /// Makes a search index under a number, with what is stored already.
    CreateSearchIndex(i64, &'a SearchIndex),
    /// Makes an ordered index under a number. `CONFLICT` if it is unique and cannot be.
    CreateOrderedIndex(i64, &'a OrderedIndex),
    /// Removes an index.
    RemoveIndex(IndexRow),
}

/// What a step gave.
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
    /// What was removed of the rows that were looked at.
    Swept {
        /// How many.
        count: u64,
        /// The last one that was looked at, if there may be more.
        last: Option<i64>,
    },
    /// A lease as it stands now.
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

    /// Whether it is a flag that is up.
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
    /// What must stand there; `None`: nothing, or what has expired.
    pub versionstamp: Option<String>,
}

/// What an operation wants done.
#[derive(Debug)]
pub struct Batch<'a> {
    /// All must hold before the first step, by the time of the commit; else no step is applied.
    pub checks: &'a [Check],
    /// In this order.
    pub steps: SmallVec<[Step<'a>; 1]>,
    /// See `Stamping`.
    pub stamping: Stamping,
    /// What the next turn of the operation reads first. As `ReadTxn::prefetch`, of what the steps leave: a server answers it
    /// together with them.
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

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The versionstamp, if one was issued; with `Stamping::Never` the newest one.
    pub stamp: Option<String>,
    /// One a step.
    pub results: SmallVec<[StepResult; 1]>,
    /// Checks that do not hold. If there is one, nothing is applied, and there are no results.
    pub failed: Vec<FailedCheck>,
}

/// A check of a batch that does not hold: its place, and the versionstamp of what stands at its key.
pub type FailedCheck = (usize, Option<String>);

/// A unique index refused a `Put`.
#[derive(Debug)]
pub struct Refusal {
    /// The place of the step.
    pub step: usize,
    /// Its encoded key.
    pub key: Vec<u8>,
    /// Whose entry has these values already; `None`: it was no unique index that refused it.
    pub holder: Option<ConflictingEntry>,
    /// The error, if nobody knows better.
    pub error: Error,
}

/// An entry that has the values which a unique index would have for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictingEntry {
    /// Its encoded key.
    pub key: Vec<u8>,
    /// It has not expired.
    pub is_live: bool,
}
