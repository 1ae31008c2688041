//! A store for tests that treats its users as a server does: it answers late and out of order, and never on
//! the caller's thread. An operation reads from its known answers, none at first (`cache.rs`); the missing
//! ones are read in one request, and it runs again. A write is applied after others have committed, if its
//! reads still hold; else it is decided again. A local store holds the rows.
//!
//! Its purpose: an operation that passes with it asks nothing while a transaction is open, and can decide any
//! number of times. Each decision is made twice, the second time on exactly the reads of the first, and must
//! be the same. It also counts requests. Its users: `model.rs` with entries, `queue_model.rs` with messages,
//! `late_store.rs`, `requests/`.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyval::base::clock::Clock;
use keyval::base::config::{Durability, Location, Options};
use keyval::base::error::{Code, Error, Result};
use keyval::engine::query::definition::definition_of;
use keyval::kv::Kv;
use keyval::store::{
    Access, BackupRequest, Capabilities, InFlight, ReadJob, ReadTxn, ReadWork, Reader, Store, Subscription,
    Wake, WriteJob, local,
};
use parking_lot::{Condvar, Mutex};

use self::driver::Driver;
pub use self::shared::Counts;
use self::shared::{Done, Job, Shared};
use super::random::Random;

mod apply;
mod cache;
mod driver;
mod kept;
mod reads;
mod shared;

/// The store.
pub struct LateStore {
    shared: Arc<Shared>,
    openers: AtomicUsize,
    _rows: Subscription,
}

/// Opens a url through such a store. Several stores may share `counts`.
pub fn open(url: &str, options: &Options, seed: u64, counts: &Arc<Counts>) -> Kv {
    Kv::on(LateStore::over(url, options, Random::new(seed), true, counts), options).unwrap()
}

/// Opens a url on a store that repeats no request without a reason, so that its requests can be counted.
pub fn open_counted(url: &str, options: &Options, counts: &Arc<Counts>) -> Kv {
    Kv::on(LateStore::over(url, options, Random::new(1), false, counts), options).unwrap()
}

impl LateStore {
    /// Over a local store.
    fn over(
        url: &str,
        options: &Options,
        random: Random,
        has_doubts: bool,
        counts: &Arc<Counts>,
    ) -> Arc<Self> {
        let rows = local::open(&Location::parse(url).unwrap(), options, definition_of).unwrap();
        let shared = Arc::new(Shared {
            rows,
            inbox: Mutex::default(),
            signal: Condvar::new(),
            wakes: Arc::default(),
            counts: Arc::clone(counts),
            definitions: Mutex::default(),
        });
        let weak = Arc::downgrade(&shared);
        let rows = shared.rows.on_finished(Arc::new(move |notice| {
            if let Some(shared) = weak.upgrade() {
                shared.wakes.wake(notice);
            }
        }));
        rows.monitor(true);
        let driver = Driver::of(&shared, random, has_doubts);
        #[allow(clippy::disallowed_methods, reason = "a test that panics fails")]
        std::thread::spawn(move || driver.run());
        Arc::new(Self { shared, openers: AtomicUsize::new(0), _rows: rows })
    }
}

/// Answers nothing: every read goes to the store's thread.
struct LateReader;

impl Reader for LateReader {
    fn try_read(&mut self, _: Access, _: ReadWork<'_>) -> Result<bool> {
        Ok(false)
    }

    fn read(&mut self, _: Access, _: ReadWork<'_>) -> Result<()> {
        Err(Error::new(Code::Unsupported, "reads of this store take a request"))
    }

    fn keep(&mut self) {}

    fn release(&mut self) {}
}

impl Store for LateStore {
    fn reader(&self) -> Result<Box<dyn Reader>> {
        self.openers.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(LateReader))
    }

    fn write(&self, jobs: Vec<Job>) {
        self.shared.write(jobs);
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.shared.inbox.lock().reads.push(job);
        self.shared.signal.notify_one();
    }

    fn read_first(&self, job: Box<dyn ReadJob>) {
        self.shared.inbox.lock().first += 1;
        self.read(Box::new(First { job, shared: Arc::clone(&self.shared) }));
    }

    fn backup(&self, request: BackupRequest) {
        self.shared.rows.backup(request);
    }

    fn clock(&self) -> &Clock {
        self.shared.rows.clock()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sync_reads: false, ..self.shared.rows.capabilities() }
    }

    fn in_flight(&self) -> &Arc<InFlight> {
        self.shared.rows.in_flight()
    }

    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Job + Send>) {
        let shared = Arc::downgrade(&self.shared);
        let relay = move || -> Job { Box::new(Relay { shared: Weak::clone(&shared), job: Some(make()) }) };
        self.shared.rows.every(interval, Box::new(relay));
    }

    fn on_finished(&self, wake: Wake) -> Subscription {
        self.shared.wakes.subscribe(wake)
    }

    fn monitor(&self, expiries: bool) -> Box<dyn Any + Send> {
        self.shared.rows.monitor(expiries)
    }

    fn wake_at(&self, at_ms: i64) {
        self.shared.rows.wake_at(at_ms);
    }

    fn freeze_clock(&self, at_ms: Option<i64>) {
        self.shared.rows.freeze_clock(at_ms);
    }

    fn shift_clock(&self, by_ms: i64) {
        self.shared.rows.shift_clock(by_ms);
    }

    fn is_new(&self) -> bool {
        self.shared.rows.is_new()
    }

    fn detach(&self, done: Done) {
        let mut inbox = self.shared.inbox.lock();
        if self.openers.fetch_sub(1, Ordering::Relaxed) > 1 {
            inbox.barriers.push(done);
        } else {
            inbox.leaving = Some(done);
            inbox.has_left = true;
        }
        self.shared.signal.notify_one();
    }
}

/// A read that the writes after it wait for.
struct First {
    job: Box<dyn ReadJob>,
    shared: Arc<Shared>,
}

impl ReadJob for First {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        self.job.run(txn)
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        self.job.finish(ran);
        self.shared.let_in();
    }
}

/// Hands over the jobs that the store of the rows makes at its interval.
struct Relay {
    shared: Weak<Shared>,
    job: Option<Job>,
}

impl WriteJob for Relay {
    fn finish(mut self: Box<Self>, _: Result<()>) {
        if let (Some(shared), Some(job)) = (self.shared.upgrade(), self.job.take()) {
            shared.write(vec![job]);
        }
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }
}
