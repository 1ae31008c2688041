//! A store to throw away, which does what a server does to those who use it: it answers late and out of order, and
//! never on the caller's thread. Writes are decided on a snapshot, and applied after others have committed, if what
//! they have read still holds; else they are decided again. The rows are a local store's.
//!
//! What it is for: whoever passes with it asks nothing while a transaction is open, and decides as often as it is
//! asked to. Each decision is made twice, the second time on what the first one has read (`seen.rs`) and nothing else,
//! and must be the same. Who uses it: `model.rs` with entries, `queue_model.rs` with messages, `late_store.rs`.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyval::base::clock::Clock;
use keyval::base::config::{Durability, Location, Options};
use keyval::base::error::Result;
use keyval::engine::query::definition::definition_of;
use keyval::kv::Kv;
use keyval::store::{
    Access, BackupRequest, InFlight, ReadJob, ReadWork, Reader, Store, Wake, WriteJob, local,
};
use parking_lot::{Condvar, Mutex};

use self::driver::Driver;
pub use self::shared::Counts;
use self::shared::{Done, Job, Shared};
use super::random::Random;

mod apply;
mod driver;
mod seen;
mod shared;

/// The store.
pub struct LateStore {
    shared: Arc<Shared>,
    openers: AtomicUsize,
}

/// Opens a place late. `counts` may be shared by several.
pub fn open(url: &str, options: &Options, seed: u64, counts: &Arc<Counts>) -> Kv {
    Kv::on(LateStore::over(url, options, seed, counts), options).unwrap()
}

impl LateStore {
    /// Over a local store.
    pub fn over(url: &str, options: &Options, seed: u64, counts: &Arc<Counts>) -> Arc<Self> {
        let rows = local::open(&Location::parse(url).unwrap(), options, definition_of).unwrap();
        let shared = Arc::new(Shared {
            rows,
            inbox: Mutex::default(),
            signal: Condvar::new(),
            wakes: Mutex::default(),
            counts: Arc::clone(counts),
        });
        let weak = Arc::downgrade(&shared);
        shared.rows.on_finished(Box::new(move |notice| {
            weak.upgrade().inspect(|shared| shared.wake(notice)).is_some()
        }));
        let driver = Driver::of(&shared, Random::new(seed));
        #[allow(clippy::disallowed_methods, reason = "a test that panics fails")]
        std::thread::spawn(move || driver.run());
        Arc::new(Self { shared, openers: AtomicUsize::new(0) })
    }
}

/// Answers nothing: every read goes the long way.
struct LateReader;

impl Reader for LateReader {
    fn try_read(&mut self, _: Access, _: ReadWork<'_>) -> Result<bool> {
        Ok(false)
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

    fn read(&self, job: ReadJob) {
        self.shared.inbox.lock().reads.push(job);
        self.shared.signal.notify_one();
    }

    fn read_first(&self, job: ReadJob) {
        let shared = Arc::clone(&self.shared);
        shared.inbox.lock().first += 1;
        self.read(Box::new(move |txn| {
            job(txn);
            shared.let_in();
        }));
    }

    fn backup(&self, request: BackupRequest) {
        self.shared.rows.backup(request);
    }

    fn clock(&self) -> &Clock {
        self.shared.rows.clock()
    }

    fn in_flight(&self) -> &Arc<InFlight> {
        self.shared.rows.in_flight()
    }

    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Job + Send>) {
        let shared = Arc::downgrade(&self.shared);
        let relay = move || -> Job { Box::new(Relay { shared: Weak::clone(&shared), job: Some(make()) }) };
        self.shared.rows.every(interval, Box::new(relay));
    }

    fn on_finished(&self, wake: Wake) {
        self.shared.wakes.lock().push(wake);
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

/// Hands over what the rows' store has made at its interval.
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
