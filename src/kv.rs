//! The core's face: what one open `Kv` can do. It wires the engine to a store and knows nothing of Node.

use std::path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::{DEFAULT_SWEEP_INTERVAL_MS, Durability, Location, Options};
use crate::engine::atomic::{CommitJob, Done};
use crate::engine::commit::{Commit, Outcome};
use crate::engine::expiry::{SweepJob, Swept};
use crate::engine::read::{Answer, Request, answer};
use crate::error::{Code, Error, Result};
use crate::store::{Order, Reader, Store, Ticket, WriteJob, local};

/// An open `Kv`. Writes are staged and handed over together, so that calls of one tick share a commit.
pub struct Kv {
    store: Arc<dyn Store>,
    reader: Option<Box<dyn Reader>>,
    durability: Durability,
    staged: Vec<Box<dyn WriteJob>>,
    backups: Vec<Weak<Ticket>>,
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
        let mut kv = Self {
            reader: None,
            store,
            durability: options.durability,
            staged: Vec::new(),
            backups: Vec::new(),
            attached: true,
        };
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

    /// Begins to copy a snapshot of the store into a file. Of progress the ticket tells only if it is `watched`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `UNSUPPORTED` for what is no file; all others come by the ticket.
    pub fn backup(&mut self, url: &str, overwrite: bool, watched: bool) -> Result<Arc<Ticket>> {
        let target = backup_target(url)?;
        let ticket = Arc::new(Ticket::new(watched));
        self.backups.retain(|backup| backup.strong_count() > 0);
        self.backups.push(Arc::downgrade(&ticket));
        self.store.backup(Order { target, overwrite, ticket: Arc::clone(&ticket) });
        Ok(ticket)
    }

    /// Stops this `Kv`'s backups, which then end with `CLOSED`.
    pub fn stop_backups(&self) {
        for ticket in self.backups.iter().filter_map(Weak::upgrade) {
            ticket.stop(Error::closed(), None);
        }
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
        let done = Arc::new(AtEnd(Mutex::new(Some(done))));
        for ticket in self.backups.iter().filter_map(Weak::upgrade) {
            ticket.stop(Error::closed(), Some(Box::new(Arc::clone(&done))));
        }
        self.flush();
        self.reader = None;
        self.attached = false;
        self.store.detach(Box::new(move || drop(done)));
    }
}

/// Calls when the last of those who hold it have let go: the store, and the backups that are being stopped.
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
            self.detach(Box::new(|| {}));
        }
    }
}

fn backup_target(url: &str) -> Result<path::PathBuf> {
    let named = |error: Error| match error.message.strip_prefix("url: ") {
        Some(rest) => Error { message: format!("path: {rest}"), ..error },
        None => error,
    };
    match Location::parse(url).map_err(named)? {
        Location::File(file) => path::absolute(&file).map_err(|error| {
            Error::new(Code::Unavailable, format!("path: there is no working directory: {error}"))
        }),
        Location::Memory => {
            Err(Error::invalid("path: a backup is a file; give \"backup.db\", or another path"))
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
