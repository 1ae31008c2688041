//! What the store and its thread share: what was handed over, and counts of what has happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyval::base::error::{Error, Result};
use keyval::store::rows::index::IndexRow;
use keyval::store::{Notice, ReadJob, Store, Wake, WriteJob, fail_all};
use parking_lot::{Condvar, Mutex};

use super::cache::Cache;

/// What has happened, so that a test can say that it did.
#[derive(Debug, Default)]
pub struct Counts {
    /// What was read did not hold any more, and it was decided again.
    pub lost: AtomicUsize,
    /// The same, but for no reason: as if the server's answer had been lost.
    pub doubted: AtomicUsize,
    /// A step was refused.
    pub refused: AtomicUsize,
    /// A write heard of its end before an earlier one did.
    pub writes_swapped: AtomicUsize,
    /// A read was answered before an earlier one.
    pub reads_swapped: AtomicUsize,
    /// Requests to the rows' store: what was missed, or the steps of some writes.
    pub requests: AtomicUsize,
}

impl Counts {
    /// Everything that can happen has happened: a test that only had luck does not pass.
    pub fn assert_all(&self) {
        let Self { lost, doubted, refused, writes_swapped, reads_swapped, .. } = self;
        for one in [lost, doubted, refused, writes_swapped, reads_swapped] {
            assert!(one.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }

    /// The same where each group is of one write, which has nobody to lose against, no unique index refuses a
    /// step, and nothing is read besides.
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

/// What they share.
pub struct Shared {
    pub rows: Arc<dyn Store>,
    pub inbox: Mutex<Inbox>,
    pub signal: Condvar,
    pub wakes: Mutex<Vec<Wake>>,
    pub counts: Arc<Counts>,
    /// The definitions of indexes, as they were read last. They change seldom, and nearly every question with
    /// a filter begins with them: they are confirmed by the request that goes anyway.
    pub definitions: Mutex<Option<Result<Vec<IndexRow>>>>,
}

/// What was handed over, and not taken by the thread yet.
#[derive(Default)]
pub struct Inbox {
    pub writes: Vec<Job>,
    pub reads: Vec<Box<dyn ReadJob>>,
    /// Reads that are to run before the writes that wait for them.
    pub first: usize,
    pub behind: Vec<Job>,
    /// Who is to hear when all that was handed over before has ended.
    pub barriers: Vec<Done>,
    /// The last opener has left; nothing is taken any more.
    pub leaving: Option<Done>,
    pub has_left: bool,
}

impl Inbox {
    /// Whether there is nothing to take, and nothing will come by itself.
    pub fn is_empty(&self) -> bool {
        let Self { writes, reads, first, barriers, .. } = self;
        writes.is_empty() && reads.is_empty() && *first == 0 && barriers.is_empty()
    }
}

impl Shared {
    /// What an operation begins with.
    pub fn cache(&self, now_ms: i64) -> Cache {
        Cache::at(now_ms, self.definitions.lock().as_ref())
    }

    pub fn remember(&self, cache: &Cache) {
        if let Some(definitions) = cache.definitions() {
            *self.definitions.lock() = Some(definitions);
        }
    }

    pub fn wake(&self, notice: &Notice) {
        self.wakes.lock().retain(|wake| wake(notice));
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
