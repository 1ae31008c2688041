//! The core's face: what one open `Kv` can do. It wires the engine to a store and knows nothing of Node.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::config::{DEFAULT_SWEEP_INTERVAL_MS, Durability, Location, Options};
use crate::engine::atomic::{CommitJob, Done};
use crate::engine::commit::{Commit, Outcome};
use crate::engine::expiry::{SweepJob, Swept};
use crate::engine::read::{Answer, Request, answer};
use crate::error::{Error, Result};
use crate::store::{Reader, Store, WriteJob, local};

/// An open `Kv`. Writes are staged and handed over together, so that calls of one tick share a commit.
pub struct Kv {
    store: Arc<dyn Store>,
    reader: Option<Box<dyn Reader>>,
    durability: Durability,
    staged: Vec<Box<dyn WriteJob>>,
    attached: bool,
}

/// Told what a read found, once, on another thread.
pub type Answered = Box<dyn FnOnce(Result<Answer>) + Send>;

impl Kv {
    /// Opens a place.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`.
    ///
    /// ```
    /// use keyval::{config::Options, engine::commit::{Commit, Mutation, Outcome}, kv::Kv};
    /// let mut kv = Kv::open(":memory:", &Options::default()).unwrap();
    /// let key = keyval::codec::key::encode(&[keyval::codec::key::Part::Number(1.0)]).unwrap();
    /// let set = Mutation::Set { key, stamped: false, encoding: 0, value: b"{}".to_vec(), expires_in_ms: None };
    /// let outcome = kv.commit_and_wait(Commit::of(set)).unwrap();
    /// assert!(matches!(outcome, Outcome::Committed { .. }));
    /// ```
    pub fn open(url: &str, options: &Options) -> Result<Self> {
        options.validate()?;
        let store: Arc<dyn Store> = local::open(&Location::parse(url)?, options)?;
        let mut kv =
            Self { reader: None, store, durability: options.durability, staged: Vec::new(), attached: true };
        kv.reader = Some(kv.store.reader()?);
        if let Some(ms) = options.sweep_interval_ms.or(kv.store.is_new().then_some(DEFAULT_SWEEP_INTERVAL_MS))
        {
            let weak = Arc::downgrade(&kv.store);
            let interval = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
            kv.store.every(interval, Box::new(move || Box::new(SweepJob::new(Weak::clone(&weak), None))));
        }
        Ok(kv)
    }

    /// Answers on this thread, unless that could hold it: then the answer is `TakesLong`.
    ///
    /// # Errors
    /// Those of the store; `CLOSED`.
    pub fn read_now(&mut self, request: &Request) -> Result<Answer> {
        let reader = self.reader.as_mut().ok_or_else(Error::closed)?;
        let mut found = Answer::TakesLong;
        let done = reader.try_read(request.access(), &mut |txn| {
            found = answer(txn, request, true)?;
            Ok(())
        })?;
        Ok(if done { found } else { Answer::TakesLong })
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
        self.store.read(Box::new(move |txn| done(txn.and_then(|txn| answer(txn, &request, false)))));
    }

    /// Stages a commit; `flush` hands it over.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`; then nothing is staged and `done` is not called.
    pub fn stage(&mut self, commit: Commit, done: Done) -> Result<()> {
        commit.validate()?;
        self.staged.push(Box::new(CommitJob::new(commit, self.durability, done)));
        Ok(())
    }

    /// Hands what is staged to the writer.
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
        self.store.write(vec![Box::new(SweepJob::new(Arc::downgrade(&self.store), Some(done)))]);
    }

    /// Calls `wake` after each group of finished work, until it returns false.
    pub fn on_finished(&self, wake: Box<dyn Fn() -> bool + Send>) {
        self.store.on_finished(wake);
    }

    /// Milliseconds since the epoch, by the store's clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.store.clock().now_ms()
    }

    /// For tests: see `Clock::freeze`.
    pub fn freeze_clock(&self, at_ms: Option<i64>) {
        self.store.clock().freeze(at_ms);
    }

    /// Closes; `done` is called when the writes that were handed over are on disk and, if this was the last opener,
    /// the file is released.
    pub fn close(mut self, done: Box<dyn FnOnce() + Send>) {
        self.detach(done);
    }

    fn detach(&mut self, done: Box<dyn FnOnce() + Send>) {
        self.flush();
        self.reader = None;
        self.attached = false;
        self.store.detach(done);
    }
}

impl Drop for Kv {
    fn drop(&mut self) {
        if self.attached {
            self.detach(Box::new(|| {}));
        }
    }
}

/// Which file a URL means, if it exists, in a form that is equal for two paths of one file.
///
/// # Errors
/// `INVALID_ARGUMENT`, `UNSUPPORTED`.
pub fn file_id(url: &str) -> Result<Option<String>> {
    Ok(local::file_id(&Location::parse(url)?))
}
