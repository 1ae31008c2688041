//! A backup as its caller sees it: the request, its events, and a way to stop it.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::base::error::{Error, Result};

/// The request for a backup.
pub struct BackupRequest {
    /// An absolute path.
    pub target: PathBuf,
    /// Whether an existing file is replaced.
    pub overwrite: bool,
    /// The handle that receives the events.
    pub handle: Arc<BackupHandle>,
}

/// The progress of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of `total_bytes`.
    pub copied_bytes: u64,
    /// The size that the copy will have.
    pub total_bytes: u64,
}

/// A copy under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// The newest commit that it holds.
    pub versionstamp: String,
}

/// An event of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupEvent {
    /// It makes progress.
    Progress(Progress),
    /// It has succeeded.
    Done(Backup),
}

/// Receives one event, on any thread.
pub type Listener = Box<dyn FnOnce(Result<BackupEvent>) + Send>;

/// The caller's side of a backup. The caller asks for each event; a caller that watches thereby approves the
/// one before: the copy gets its final name only after the last progress was delivered and the next event is
/// asked for.
pub struct BackupHandle {
    watched: bool,
    state: Mutex<BackupState>,
    signal: Condvar,
}

#[derive(Default)]
struct BackupState {
    listener: Option<Listener>,
    /// The newest progress that is not delivered yet.
    progress: Option<Progress>,
    all_reported: bool,
    approved: bool,
    stopped: Option<Error>,
    outcome: Option<Result<Backup>>,
    ended: bool,
    held: Vec<Box<dyn Any + Send>>,
}

impl BackupState {
    /// The next event for a listener, if there is one.
    fn next_event(&mut self) -> Option<Result<BackupEvent>> {
        if self.ended {
            let outcome = self.outcome.take().unwrap_or_else(|| Err(Error::closed()));
            return Some(outcome.map(BackupEvent::Done));
        }
        let progress = self.progress.take()?;
        self.all_reported = progress.copied_bytes == progress.total_bytes;
        Some(Ok(BackupEvent::Progress(progress)))
    }
}

impl BackupHandle {
    /// A handle that receives progress (`watched`), or the end alone.
    #[must_use]
    pub fn new(watched: bool) -> Self {
        Self { watched, state: Mutex::default(), signal: Condvar::new() }
    }

    /// Asks for the next event.
    pub fn next(&self, listener: Listener) {
        let mut state = self.state.lock();
        state.approved |= state.all_reported;
        self.signal.notify_all();
        if let Some(event) = state.next_event() {
            drop(state);
            return listener(event);
        }
        state.listener = Some(listener);
    }

    /// Stops it; `held` is dropped once the backup is gone. Does nothing after its end.
    pub fn stop(&self, why: Error, held: Option<Box<dyn Any + Send>>) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        state.stopped.get_or_insert(why);
        state.held.extend(held);
        self.signal.notify_all();
    }

    /// For the store: whether to continue.
    ///
    /// # Errors
    /// The reason why it was stopped.
    pub fn go_on(&self) -> Result<()> {
        self.state.lock().stopped.clone().map_or(Ok(()), Err)
    }

    /// For the store: reports progress.
    pub fn report(&self, progress: Progress) {
        if !self.watched {
            return;
        }
        let mut state = self.state.lock();
        state.progress = Some(progress);
        let Some(listener) = state.listener.take() else { return };
        let event = state.next_event();
        drop(state);
        if let Some(event) = event {
            listener(event);
        }
    }

    /// For the store: waits until the watching caller has approved the last progress.
    ///
    /// # Errors
    /// The reason why it was stopped.
    pub fn wait_for_approval(&self) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.stopped {
                return Err(error.clone());
            }
            if state.approved || !self.watched {
                return Ok(());
            }
            self.signal.wait(&mut state);
        }
    }

    /// For the store: it has ended, and left only what the outcome says.
    pub fn end(&self, outcome: Result<Backup>) {
        let mut state = self.state.lock();
        state.ended = true;
        state.outcome = Some(outcome);
        let held = std::mem::take(&mut state.held);
        if let Some(listener) = state.listener.take()
            && let Some(event) = state.next_event()
        {
            drop(state);
            listener(event);
        } else {
            drop(state);
        }
        drop(held);
    }
}
