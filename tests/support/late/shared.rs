//! State shared by the store and its thread: the operations handed over, and counts of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyval::base::error::{Error, Result};
use keyval::store::rows::index::IndexRow;
use keyval::store::wakes::Wakes;
use keyval::store::{ReadJob, Store, WriteJob, fail_all};
use parking_lot::{Condvar, Mutex};

use super::cache::Cache;

/// Counts of events, so that a test can require them.
#[derive(Debug, Default)]
pub struct Counts {
    /// A write's reads were stale, and it was decided again.
    pub lost: AtomicUsize,
    /// The same, but for no reason: as if the server's answer had been lost.
    pub doubted: AtomicUsize,
    /// A step was refused.
    pub refused: AtomicUsize,
    /// A write was answered before an earlier one.
    pub writes_swapped: AtomicUsize,
    /// A read was answered before an earlier one.
    pub reads_swapped: AtomicUsize,
    /// Requests to the store of the rows: missing reads, or the steps of some writes.
    pub requests: AtomicUsize,
}

impl Counts {
    /// Every kind of event has happened: a test that met none of them proves nothing.
    pub fn assert_all(&self) {
        let Self { lost, doubted, refused, writes_swapped, reads_swapped, .. } = self;
        for one in [lost, doubted, refused, writes_swapped, reads_swapped] {
            assert!(one.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }

    /// The same for groups of one write, which cannot lose to another, without unique indexes that refuse a
    /// step, and without concurrent reads.
    pub fn assert_doubted(&self) {
        let Self { doubted, writes_swapped, .. } = self;
        for one in [doubted, writes_swapped] {
            assert!(one.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }
}

/// One more.
pub fn count(of: &AtomicUsize) {
    of.fetch_add(1, Ordering::Relaxed);
}

pub type Job = Box<dyn WriteJob>;
pub type Done = Box<dyn FnOnce() + Send>;

/// The state that the store and its thread share.
pub struct Shared {
    pub rows: Arc<dyn Store>,
    pub inbox: Mutex<Inbox>,
    pub signal: Condvar,
    pub wakes: Arc<Wakes>,
    pub counts: Arc<Counts>,
    /// The definitions of indexes, as they were read last. They change seldom, and nearly every question with
    /// a filter begins with them: they are confirmed by the request that goes anyway.
    pub definitions: Mutex<Option<Result<Vec<IndexRow>>>>,
}

/// Operations handed over that the thread has not taken yet.
#[derive(Default)]
pub struct Inbox {
    pub writes: Vec<Job>,
    pub reads: Vec<Box<dyn ReadJob>>,
    /// Reads that are to run before the writes that wait for them.
    pub first: usize,
    pub behind: Vec<Job>,
    /// Callbacks for when everything handed over before has ended.
    pub barriers: Vec<Done>,
    /// The last opener has left; nothing is taken any more.
    pub leaving: Option<Done>,
    pub has_left: bool,
}

impl Inbox {
    /// Whether there is nothing to take, and nothing will come without a caller.
    pub fn is_empty(&self) -> bool {
        let Self { writes, reads, first, barriers, .. } = self;
        writes.is_empty() && reads.is_empty() && *first == 0 && barriers.is_empty()
    }
}

impl Shared {
    /// The answers that an operation begins with.
    pub fn cache(&self, now_ms: i64) -> Cache {
        Cache::at(now_ms, self.definitions.lock().as_ref())
    }

    pub fn remember(&self, cache: &Cache) {
        if let Some(definitions) = cache.definitions() {
            *self.definitions.lock() = Some(definitions);
        }
    }

    pub fn write(&self, jobs: Vec<Job>) {
        let mut inbox = self.inbox.lock();
        if inbox.has_left {
            drop(inbox);
            return fail_all(jobs, &Error::closed());
        }
        let writes = if inbox.first > 0 { &mut inbox.behind } else { &mut inbox.writes };
        writes.extend(jobs);
        self.signal.notify_one();
    }

    /// A read that goes first has run.
    pub fn let_in(&self) {
        let mut inbox = self.inbox.lock();
        inbox.first -= 1;
        if inbox.first == 0 {
            let Inbox { writes, behind, .. } = &mut *inbox;
            writes.append(behind);
        }
        self.signal.notify_one();
    }
}
