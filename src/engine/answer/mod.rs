//! Answers of reads and writes, as data: the binding serialises them.

mod ending;

pub use ending::{Ending, lost};

use crate::base::limits::MAX_INLINE_SCAN_STEPS;
use crate::codec::page::{Entry, Page};
use crate::store::rows::index::IndexRow;
use crate::store::rows::lock::Lock;
use crate::store::rows::queue::QueueStats;
use crate::store::{Budget, Info, Row};

/// The answer of a read or a write.
#[derive(Debug)]
pub enum Answer {
    /// It would take long: ask on a thread that may block.
    WouldBlock,
    /// It is done.
    Done,
    /// Whether the subject was found.
    Found(bool),
    /// A number of entries.
    Count(u64),
    /// A sequence number of the change log.
    Number(i64),
    /// When there is something to do, in milliseconds since the epoch, if ever.
    Due(Option<i64>),
    /// The id of a message, if there is one.
    Id(Option<String>),
    /// Entries, changes, messages.
    Page(Page),
    /// The children of a key.
    Children {
        /// In the order of their keys.
        children: Vec<Child>,
        /// There are more.
        more: bool,
    },
    /// A step of a purge.
    Purged {
        /// How many went.
        count: u64,
        /// There may be more.
        more: bool,
    },
    /// A step of a trimming.
    Trimmed {
        /// How many went.
        count: u64,
        /// There may be more.
        more: bool,
        /// The last number to remove.
        up_to: i64,
    },
    /// The numbers of messages of a queue.
    QueueStats(QueueStats),
    /// A lock, if it is held.
    Lock(Option<Lock>),
    /// The result of taking a lock: the fencing token if it was taken, and the end of the current holder's
    /// lease.
    LockTaken(Option<i64>, i64),
    /// The result of taking a consumer's lease.
    ConsumerTaken(ConsumerLease),
    /// A consumer.
    Consumer {
        /// The change that it committed last.
        position: i64,
        /// The newest change.
        head: i64,
        /// Until when somebody reads, if anybody does.
        held_until_ms: Option<i64>,
    },
    /// The watches that have something to read, by number.
    Wakeups {
        /// The log goes on.
        more: bool,
        /// Their numbers.
        ids: Vec<u32>,
    },
    /// When the names that are waited for have something to do.
    Dues(Dues),
    /// All indexes.
    Indexes(Vec<NamedIndex>),
    /// How a filter would be answered.
    Plan {
        /// By which index, which gives so many keys; `None`: by looking at all entries.
        index: Option<(NamedIndex, u64)>,
        /// The entries of the range.
        entries: u64,
    },
    /// The description of the store, and its number of entries.
    Info(Box<Info>, u64),
}

/// The result of taking a consumer's lease.
#[derive(Debug)]
pub enum ConsumerLease {
    /// It is the caller's.
    Taken {
        /// Its number.
        lease: i64,
        /// The change that was committed last.
        position: i64,
        /// The encoded prefix of the consumer.
        prefix: Vec<u8>,
    },
    /// Somebody else holds it until then.
    Held(i64),
}

/// When the names that are waited for have something to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dues {
    /// Queues that have messages, with the time of the first.
    pub queues: Vec<(String, i64)>,
    /// Consumers, with the end of their leases; 0: nobody holds it.
    pub consumers: Vec<(String, i64)>,
    /// Nothing concerned any name, so none was looked at: when to look again all the same.
    pub again_ms: Option<i64>,
}

/// The entries at a child and under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildCount {
    /// So many.
    Exactly(u64),
    /// More than these.
    MoreThan(u64),
}

/// A key that is one part longer than a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its encoded key: the prefix and one more part.
    pub key: Vec<u8>,
    /// There is an entry at that key.
    pub has_entry: bool,
    /// There are entries under it.
    pub has_children: bool,
    /// How many there are, if they were counted.
    pub count: Option<ChildCount>,
}

/// An index and its name.
#[derive(Debug)]
pub struct NamedIndex {
    /// See `definition::name_of`.
    pub name: String,
    /// Its stored row.
    pub row: IndexRow,
}

/// A row, as a page shows it.
#[must_use]
pub fn entry_of<'a>(row: &Row<'a>) -> Entry<'a> {
    let &Row { key, versionstamp, expires_at, encoding, value, .. } = row;
    Entry { key, versionstamp, expires_at, encoding, value }
}

/// The budget of a scan on the JavaScript thread.
pub const INLINE_BUDGET: Budget = Budget::Steps(MAX_INLINE_SCAN_STEPS);
