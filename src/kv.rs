//! The core's interface: the operations of one open `Kv`. It wires the engine to a store and knows nothing of
//! Node. Longer than 400 lines: it has a method for each kind of operation.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::clock::Stopwatch;
use crate::base::config::{DEFAULT_SWEEP_INTERVAL_MS, Durability, Location, Options};
use crate::base::error::{At, Code, Error, Result, SystemError};
use crate::base::metrics::{Metrics, Operation};
use crate::engine::answer::Answer;
use crate::engine::awaited::Awaited;
use crate::engine::changes::followers::Followers;
use crate::engine::changes::watch::{BeginRead, Watch, WatchRequest};
use crate::engine::commit::apply::{CommitJob, Done};
use crate::engine::commit::{Commit, Outcome};
use crate::engine::query::definition::definition_of;
use crate::engine::queue::deliver::{ClaimJob, ClaimRequest, Claimed};
use crate::engine::queue::heartbeat::{extend_due, give_back, never_begun};
use crate::engine::queue::settle::{End, Settled};
use crate::engine::read::{AnswerRead, answer};
use crate::engine::request::{Request, Write};
use crate::engine::sweep::{Looked, SweepJob, Swept};
use crate::engine::write::{AnswerDone, AnswerJob};
use crate::store::{
    Access, BackupHandle, BackupRequest, Capabilities, Notice, Reader, Store, Subscription, Wake, WriteJob,
    local,
};

/// An open `Kv`. Writes are staged and handed over together, so that calls of one tick share a commit.
pub struct Kv {
    store: Arc<dyn Store>,
    reader: Option<Box<dyn Reader>>,
    durability: Durability,
    staged: Vec<Box<dyn WriteJob>>,
    backups: Vec<Weak<BackupHandle>>,
    metrics: Arc<Metrics>,
    followers: Arc<Followers>,
    awaited: Arc<Awaited>,
    looked: Arc<Looked>,
    /// This `Kv`'s number among the holders of messages in flight.
    holder: u64,
    monitoring: Option<Box<dyn Any + Send>>,
    /// The calls of the store that this `Kv` receives.
    subscriptions: Vec<Arc<Subscription>>,
    attached: bool,
}

/// Called with the answer of a read, once, on another thread.
pub type Answered = Box<dyn FnOnce(Result<Answer>) + Send>;

impl Kv {
    /// Opens the store at a URL or path.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`.
    ///
    /// ```
    /// use keyval::{base::config::Options, engine::commit::{Commit, Mutation, Outcome}, kv::Kv};
    /// let mut kv = Kv::open(":memory:", &Options::default()).unwrap();
    /// let key = keyval::codec::key::encode(&[keyval::codec::key::Part::Number(1.0)]).unwrap();
    /// let value = b"{}".to_vec();
    /// let set = Mutation::Set { key, stamped: false, encoding: 0, value, expires_in_ms: None };
    /// let outcome = kv.commit_and_wait(Commit::of(set)).unwrap();
    /// assert!(matches!(outcome, Outcome::Committed { .. }));
    /// ```
    pub fn open(url: &str, options: &Options) -> Result<Self> {
        options.validate()?;
        Self::on(local::open(&Location::parse(url).at("url")?, options, definition_of)?, options)
    }

    /// A `Kv` on a store that was opened for it.
    ///
    /// # Errors
    /// Those of the store.
    pub fn on(store: Arc<dyn Store>, options: &Options) -> Result<Self> {
        let mut kv = Self {
            reader: None,
            store,
            durability: options.durability,
            staged: Vec::new(),
            backups: Vec::new(),
            metrics: Arc::default(),
            followers: Arc::default(),
            awaited: Arc::default(),
            looked: Arc::default(),
            holder: 0,
            monitoring: None,
            subscriptions: Vec::new(),
            attached: true,
        };
        kv.holder = kv.store.in_flight().holder();
        let (awaited, store) = (Arc::clone(&kv.awaited), Arc::downgrade(&kv.store));
        kv.on_finished(Arc::new(move |notice| {
            awaited.on_notice(notice);
            if notice.has(&Notice::TIME) {
                extend_due(&store);
            }
        }));
        kv.reader = Some(kv.store.reader()?);
        if let Some(ms) = options.sweep_interval_ms.or(kv.store.is_new().then_some(DEFAULT_SWEEP_INTERVAL_MS))
        {
            let (weak, looked) = (Arc::downgrade(&kv.store), Arc::clone(&kv.looked));
            let sweep = move || SweepJob::new(Weak::clone(&weak), Arc::clone(&looked), None);
            kv.store.every(milliseconds(ms), Box::new(move || Box::new(sweep())));
        }
        Ok(kv)
    }

    /// Answers on this thread unless that could block it: then the answer is `WouldBlock`.
    ///
    /// # Errors
    /// Those of the store; `CLOSED`.
    pub fn read_now(&mut self, request: &Request) -> Result<Answer> {
        let reader = self.reader.as_mut().ok_or_else(Error::closed)?;
        let (watch, mut found) = (Stopwatch::start(), Answer::WouldBlock);
        let read = reader.try_read(request.access(), &mut |txn| {
            found = answer(txn, request, true)?;
            Ok(())
        });
        if !matches!((&read, &found), (Ok(_), Answer::WouldBlock)) {
            let (operation, number) = request.counts_as();
            self.metrics.note(operation, number, watch.elapsed(), read.is_ok());
        }
        Ok(if read? { found } else { Answer::WouldBlock })
    }

    /// Answers on this thread, however long it takes; a busy store is waited for, up to its busy timeout.
    ///
    /// # Errors
    /// Those of the store; `BUSY`, `CLOSED`, `UNSUPPORTED` of a store on another machine.
    pub fn read_blocking(&mut self, request: &Request) -> Result<Answer> {
        let reader = self.reader.as_mut().ok_or_else(Error::closed)?;
        let (watch, mut found) = (Stopwatch::start(), Answer::WouldBlock);
        let read =
            reader.read(request.access(), &mut |txn| answer(txn, request, false).map(|one| found = one));
        let (operation, number) = request.counts_as();
        self.metrics.note(operation, number, watch.elapsed(), read.is_ok());
        read.map(|()| found)
    }

    /// See `Reader::keep`.
    pub fn keep_snapshot(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.keep();
        }
    }

    /// See `Reader::release`.
    pub fn release_snapshot(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.release();
        }
    }

    /// Answers on the reader thread.
    pub fn read_later(&self, request: Request, done: Answered) {
        let (operation, number) = request.counts_as();
        let noted = self.noted(operation, number, done);
        self.store.read(Box::new(AnswerRead::new(request, noted)));
    }

    /// Stages a commit; `flush` hands it over.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`; then nothing is staged and `done` is not called.
    pub fn stage(&mut self, commit: Commit, done: Done) -> Result<()> {
        commit.validate()?;
        let noted = self.noted(commit.counts_as(), 1, done);
        self.staged.push(Box::new(CommitJob::new(commit, self.durability, noted)));
        Ok(())
    }

    /// Hands the staged writes to the writer.
    pub fn flush(&mut self) {
        if !self.staged.is_empty() {
            self.store.write(std::mem::take(&mut self.staged));
        }
    }

    /// Commits and waits; for tests and tools.
    ///
    /// # Errors
    /// Those of the commit.
    pub fn commit_and_wait(&mut self, commit: Commit) -> Result<Outcome> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        self.stage(commit, Box::new(move |outcome| drop(send.send(outcome))))?;
        self.flush();
        receive.recv().unwrap_or_else(|_| Err(Error::closed()))
    }

    /// Sweeps now.
    pub fn sweep(&self, done: Swept) {
        let sweep = SweepJob::new(Arc::downgrade(&self.store), Arc::clone(&self.looked), Some(done));
        self.store.write(vec![Box::new(sweep)]);
    }

    /// Begins to copy a snapshot of the store into a file. The handle reports progress only if it is
    /// `watched`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `UNSUPPORTED` if the target is no file; all others come through the handle.
    pub fn backup(&mut self, url: &str, overwrite: bool, watched: bool) -> Result<Arc<BackupHandle>> {
        let target = backup_target(url)?;
        let handle = Arc::new(BackupHandle::new(watched));
        self.backups.retain(|backup| backup.strong_count() > 0);
        self.backups.push(Arc::downgrade(&handle));
        self.store.backup(BackupRequest { target, overwrite, handle: Arc::clone(&handle) });
        Ok(handle)
    }

    /// Stops this `Kv`'s backups, which then end with `CLOSED`.
    pub fn stop_backups(&self) {
        for handle in self.backups.iter().filter_map(Weak::upgrade) {
            handle.stop(Error::closed(), None);
        }
    }

    /// Stages a write that has an answer; `flush` hands it over.
    pub fn write(&mut self, write: Write, done: AnswerDone) {
        let in_flight = Arc::clone(self.store.in_flight());
        let noted = self.noted(Operation::Other, 1, write.noting_loops(self.holder, &in_flight, done));
        self.staged.push(Box::new(AnswerJob::new(write, self.durability, in_flight, noted)));
    }

    fn noted<T: 'static>(
        &self,
        operation: Operation,
        number: u64,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Box<dyn FnOnce(Result<T>) + Send> {
        let (metrics, watch) = (Arc::clone(&self.metrics), Stopwatch::start());
        Box::new(move |answer| {
            metrics.note(operation, number, watch.elapsed(), answer.is_ok());
            done(answer);
        })
    }

    /// What its store is and can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// The counts of this `Kv`'s operations.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Settles and claims messages. Claims and automatic acknowledgements are not synced separately: after a
    /// power cut, a message is delivered once more.
    pub fn claim(&mut self, request: ClaimRequest, done: AnswerDone) {
        let (in_flight, store) = (Arc::clone(self.store.in_flight()), Arc::downgrade(&self.store));
        let (holder, lock_ms) = (self.holder, request.lock_ms);
        let ended: Vec<_> = request.settled.iter().map(|one| (one.id.clone(), one.lease)).collect();
        let noted = self.noted(Operation::Queue, 1, move |claimed: Result<Claimed>| {
            // A message that could not be settled stays in flight until it is settled or given up.
            for (id, lease) in ended.iter().filter(|_| claimed.is_ok()) {
                in_flight.stop_renewing(id, *lease);
            }
            let messages = claimed.as_ref().map_or(&[][..], |claimed| claimed.messages.as_slice());
            if let Some(store) = store.upgrade().filter(|_| !messages.is_empty()) {
                match in_flight.add(holder, messages, lock_ms, store.clock().now_ms()) {
                    Some(at_ms) => store.wake_at(at_ms),
                    None => give_back(&*store, messages.iter().map(never_begun).collect()),
                }
            }
            done(claimed.map(|claimed| claimed.answer()));
        });
        let durability = Durability::Normal.min(self.durability);
        let job = ClaimJob::new(request, Arc::clone(self.store.in_flight()), durability, noted);
        self.staged.push(Box::new(job));
    }

    /// A handler has ended and its message is not settled yet: the lease is no longer renewed.
    pub fn stop_renewing(&self, id: &str, lease: i64) {
        self.store.in_flight().stop_renewing(id, lease);
    }

    /// Begins a watch: later commits are delivered. If the store is busy, the watch takes its position on the
    /// reader thread: later writes of this process wait for that, and its errors come with the first batch.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, `UNSUPPORTED`, those of the store.
    pub fn watch(&mut self, request: WatchRequest) -> Result<Arc<Watch>> {
        request.validate()?;
        let reader = self.reader.as_mut().ok_or_else(Error::closed)?;
        let watch = Arc::new(Watch::new(request, Arc::clone(&self.followers)));
        let begun = reader.try_read(Access::System, &mut |txn| watch.begin(txn));
        if !begun.inspect_err(|_| watch.stop())? {
            self.store.read_first(Box::new(BeginRead(Arc::clone(&watch))));
        }
        Ok(watch)
    }

    /// The watches of this `Kv`.
    #[must_use]
    pub fn followers(&self) -> Arc<Followers> {
        Arc::clone(&self.followers)
    }

    /// The queues and leases that this `Kv` waits for.
    #[must_use]
    pub fn awaited(&self) -> Arc<Awaited> {
        Arc::clone(&self.awaited)
    }

    /// Starts or stops monitoring other processes' commits and due times; with `expiries`, expired entries
    /// are reported, too.
    pub fn monitor(&mut self, on: bool, expiries: bool) {
        self.subscriptions.iter().for_each(|subscription| subscription.monitor(on));
        // The new monitor first, so that the thread does not stop in between.
        self.monitoring = on.then(|| self.store.monitor(expiries));
    }

    /// See `Store::wake_at`.
    pub fn wake_at(&self, at_ms: i64) {
        self.store.wake_at(at_ms);
    }

    /// Calls `wake` after a group of finished operations if the subscription has asked for it, and for each
    /// notice while this `Kv` monitors, until both it and the subscription are dropped.
    pub fn on_finished(&mut self, wake: Wake) -> Arc<Subscription> {
        let subscription = Arc::new(self.store.on_finished(wake));
        subscription.monitor(self.monitoring.is_some());
        self.subscriptions.push(Arc::clone(&subscription));
        subscription
    }

    /// Milliseconds since the epoch, by the store's clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.store.clock().now_ms()
    }

    /// For tests: see `Clock::freeze`.
    pub fn freeze_clock(&self, at_ms: Option<i64>) {
        self.store.freeze_clock(at_ms);
    }

    /// For tests: see `Clock::shift`.
    pub fn shift_clock(&self, by_ms: i64) {
        self.store.shift_clock(by_ms);
    }

    /// Closes; `done` is called once the writes handed over are on disk and, if this was the last opener, the
    /// file is released.
    pub fn close(mut self, done: Box<dyn FnOnce() + Send>) {
        self.detach(done);
    }

    fn detach(&mut self, done: Box<dyn FnOnce() + Send>) {
        let done = Arc::new(AtEnd(Mutex::new(Some(done))));
        for handle in self.backups.iter().filter_map(Weak::upgrade) {
            handle.stop(Error::closed(), Some(Box::new(Arc::clone(&done))));
        }
        self.flush();
        self.reader = None;
        self.monitoring = None;
        self.attached = false;
        let left = self.store.in_flight().leave(self.holder);
        let abandoned = |(id, lease)| Settled { id, lease, end: End::Abandoned };
        give_back(&*self.store, left.into_iter().map(abandoned).collect());
        self.store.detach(Box::new(move || drop(done)));
    }
}

/// Runs a callback once its last owner drops it: the store, or a backup that is being stopped.
struct AtEnd(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(done) = self.0.get_mut().take() {
            done();
        }
    }
}

impl Drop for Kv {
    fn drop(&mut self) {
        if self.attached {
            // May be called by the garbage collector, where a panic would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.detach(Box::new(|| {}))));
        }
    }
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn backup_target(url: &str) -> Result<path::PathBuf> {
    path::absolute(Location::parse_file(url).at("path")?).map_err(|error| {
        let message = format!("there is no working directory: {error}");
        Error::new(Code::Unavailable, message).because(SystemError::of(&error, "getcwd", None)).at("path")
    })
}

/// Identifies the file of a URL, if it exists: two paths of one file give the same text. The caller names the
/// argument in errors.
///
/// # Errors
/// `INVALID_ARGUMENT`, `UNSUPPORTED`.
pub fn file_id(url: &str) -> Result<Option<String>> {
    Ok(local::file_id(&Location::parse(url)?))
}
