//! Reads and writes as data. Values behind an `Arc` outlive the request: a server would keep them under a
//! number.

use std::ops::Range;
use std::sync::Arc;

use super::awaited::Awaited;
use super::changes::consumer::LeaseHolder;
use super::changes::feed::ChangesQuery;
use super::changes::followers::Followers;
use super::changes::watch::Watch;
use super::get::Keys;
use super::lock::LockRequest;
use super::query::children::ChildrenQuery;
use super::query::filter::Filter;
use super::query::list::ListQuery;
use super::query::search::SearchQuery;
use super::queue::enqueue::new_id;
use super::queue::settle::Settled;
use crate::base::metrics::Operation;
use crate::store::Access;
use crate::store::rows::index::{OrderedIndex, SearchIndex};
use crate::store::rows::queue::DeadLetterScan;

/// A read.
#[derive(Debug, Clone)]
pub enum Request {
    /// The entries of these keys.
    Get(Keys),
    /// One page.
    List(ListQuery),
    /// The distinct next parts under a prefix.
    Children(ChildrenQuery),
    /// The number of live entries that match.
    Count(Range<Vec<u8>>, Option<Arc<Filter>>),
    /// A page of the change feed.
    Changes(ChangesQuery),
    /// The newest change.
    Head,
    /// The next batch of a watch.
    Watch(Arc<Watch>),
    /// The watches that new changes concern.
    Wakeups(Arc<Followers>),
    /// When a queue has something to do.
    QueueDue(String),
    /// When the awaited names have something to do.
    Dues(Arc<Awaited>),
    /// The number of messages, of one queue or of all.
    QueueStats(Option<String>),
    /// Dead letters.
    DeadLetters(DeadLetterScan),
    /// One dead letter.
    DeadLetter(String),
    /// The holder of a lock.
    Lock(String),
    /// The position of a consumer.
    Consumer(String),
    /// All indexes.
    Indexes,
    /// The plan of a filter.
    Explain(Range<Vec<u8>>, Arc<Filter>),
    /// A page of a search.
    Search(Box<SearchQuery>),
    /// The description of the store, and its number of entries.
    Info,
}

impl Request {
    /// The access that it needs.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Self::Get(keys) if keys.len() > 1 => Access::Points,
            Self::Get(_) => Access::Point,
            // An index gives the candidates, which are read one by one.
            Self::List(ListQuery { filter: Some(_), .. }) => Access::Points,
            Self::List(_) | Self::Count(..) => Access::Range,
            _ => Access::System,
        }
    }

    /// The operation that it counts as, and how often.
    #[must_use]
    pub fn counts_as(&self) -> (Operation, u64) {
        match self {
            Self::Get(keys) => (Operation::Get, keys.len() as u64),
            Self::List(_) | Self::Children(_) => (Operation::List, 1),
            Self::Count(..) => (Operation::Count, 1),
            Self::Search(_) => (Operation::Search, 1),
            Self::Changes(_) | Self::Head | Self::Watch(_) | Self::Wakeups(_) => (Operation::Changes, 1),
            Self::QueueDue(_) | Self::Dues(_) => (Operation::Queue, 1),
            _ => (Operation::Other, 1),
        }
    }
}

/// A write.
#[derive(Debug, Clone)]
pub enum Write {
    /// Ends an attempt for good.
    Settle(Settled),
    /// Puts a dead letter back into its queue, as a message with a new id.
    Requeue {
        /// The dead letter's id.
        letter: String,
        /// The message's.
        id: String,
    },
    /// Removes a dead letter.
    DeleteDeadLetter(String),
    /// Removes a step of the dead letters, of one queue or of all.
    PurgeDeadLetters(Option<String>),
    /// Takes a lock, or refreshes it.
    TakeLock(LockRequest),
    /// Gives back the lock of a name that is held under a token.
    ReleaseLock(String, i64),
    /// Takes or renews a consumer's lease; with its encoded prefix, if one was given.
    TakeConsumer(LeaseHolder, Option<Vec<u8>>),
    /// Moves a consumer to a number.
    CommitConsumer(LeaseHolder, i64),
    /// Gives a consumer's lease back.
    ReleaseConsumer(LeaseHolder),
    /// Deletes a consumer.
    DeleteConsumer(String),
    /// Makes a search index.
    CreateSearchIndex(SearchIndex),
    /// Makes an ordered index.
    CreateOrderedIndex(OrderedIndex),
    /// Removes the indexes of a prefix, or the one of a name.
    RemoveIndexes(Vec<u8>, Option<String>),
    /// Removes a step of the changes up to a number; -1 means all.
    TrimChanges(i64),
}

impl Write {
    /// Puts a dead letter back into its queue.
    #[must_use]
    pub fn requeue(letter: String) -> Self {
        Self::Requeue { letter, id: new_id() }
    }
}
