//! State that the openers, the writer, the reader thread and the commit monitor of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use parking_lot::Mutex;

use super::backup::Backups;
use super::commit_monitor::CommitMonitor;
use super::file_check::FileCheck;
use super::inbox::Inbox;
use crate::base::clock::Clock;
use crate::base::config::{DEFAULT_BUSY_TIMEOUT_MS, Durability};
use crate::base::error::{Code, Error, Result};
use crate::store::wakes::Wakes;
use crate::store::{InFlight, Notice, ReadJob, ReadTxn, WriteJob, fail_all};

const UNDECIDED: &str =
    "the outcome of a commit could not be decided within busyTimeout; raise it, or try again";

/// Makes the job of the interval.
pub type MakeJob = Box<dyn Fn() -> Box<dyn WriteJob> + Send>;

/// State shared by the openers and the threads of a store.
pub struct Shared {
    pub writes: Inbox<Box<dyn WriteJob>>,
    pub reads: Inbox<Box<dyn ReadJob>>,
    pub backups: Backups,
    pub clock: Clock,
    pub busy_timeout_ms: AtomicI64,
    pub strongest: Mutex<Durability>,
    pub files: FileCheck,
    pub monitor: CommitMonitor,
    pub in_flight: Arc<InFlight>,
    pub tick: Mutex<Option<MakeJob>>,
    pub wakes: Arc<Wakes>,
    pub on_released: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Shared {
    /// Of a store that is being opened.
    pub fn new(files: FileCheck) -> Self {
        Self {
            files,
            writes: Inbox::default(),
            reads: Inbox::default(),
            backups: Backups::default(),
            clock: Clock::default(),
            busy_timeout_ms: AtomicI64::new(DEFAULT_BUSY_TIMEOUT_MS),
            strongest: Mutex::new(Durability::Off),
            monitor: CommitMonitor::default(),
            in_flight: Arc::default(),
            tick: Mutex::new(None),
            wakes: Arc::default(),
            on_released: Mutex::new(Vec::new()),
        }
    }

    /// How long a lock of another process is waited for.
    pub fn busy_timeout_ms(&self) -> i64 {
        self.busy_timeout_ms.load(Ordering::Relaxed)
    }

    /// The strongest durability that an opener asked for.
    pub fn strongest(&self) -> Durability {
        *self.strongest.lock()
    }

    /// See `Wakes::wake`.
    pub fn wake(&self, notice: &Notice) {
        self.wakes.wake(notice);
    }

    /// Whether the files may be read. Not for the writer's thread.
    ///
    /// # Errors
    /// `UNAVAILABLE` if it was noticed a while ago that they are not where they were opened.
    pub fn check_files(&self) -> Result<()> {
        if self.files.known().is_err() {
            return self.files.let_read(&self.clock);
        }
        if self.files.look_sometimes(&self.clock).is_err() {
            self.empty_log_of_moved();
        }
        Ok(())
    }

    /// Whether the files are where they were opened, as of now; for what opens them by their path.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they are not.
    pub fn check_files_now(&self) -> Result<()> {
        self.files.known()?;
        self.files.look(&self.clock).inspect_err(|_| self.empty_log_of_moved())
    }

    /// Has the writer notice it, which then brings its log into the file: the next file at the path would be
    /// taken to own that log.
    fn empty_log_of_moved(&self) {
        self.tick_now();
    }

    /// A thread met a fault of ours: nothing here can be trusted any more.
    pub fn fail(&self) {
        fail_all(self.writes.fail(fault()), &fault());
        for job in self.reads.fail(fault()) {
            job.finish(Err(fault()));
        }
        self.wake(&Notice::NONE);
    }

    /// Hands a read to the reader thread.
    pub fn read(&self, job: Box<dyn ReadJob>) {
        if let Err((jobs, error)) = self.reads.push(vec![job]) {
            for job in jobs {
                job.finish(Err(error.clone()));
            }
            self.wake(&Notice::NONE);
        }
    }

    /// The same, of a read that goes before what is handed to the writer after it.
    pub fn read_first(self: &Arc<Self>, job: Box<dyn ReadJob>) {
        self.read(Box::new(First { job, held: HeldWrites::of(self) }));
    }

    /// Has the writer make the log whole, and waits for it. Not to be called on the writer's thread. It
    /// passes what is held back, because the read that holds it back may be what asks for this.
    pub fn mend_log(&self) -> Result<()> {
        self.begin_mend()?.recv().unwrap_or_else(|_| Err(Error::closed()))
    }

    /// The same, for so long at most.
    ///
    /// # Errors
    /// Those of the repair; `BUSY` if it is not done by then.
    pub fn mend_log_within(&self, timeout: Duration) -> Result<()> {
        match self.begin_mend()?.recv_timeout(timeout) {
            Ok(mended) => mended,
            Err(RecvTimeoutError::Timeout) => Err(Error::new(Code::Busy, UNDECIDED)),
            Err(RecvTimeoutError::Disconnected) => Err(Error::closed()),
        }
    }

    fn begin_mend(&self) -> Result<Receiver<Result<()>>> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        self.writes.push_past(Box::new(Mend(send))).map_err(|(_, error)| error)?;
        Ok(receive)
    }

    /// Hands the job of the interval to the writer, now.
    pub fn tick_now(&self) {
        let made = self.tick.lock().as_ref().map(|make| make());
        if let Err((jobs, error)) = self.writes.push(made.into_iter().collect()) {
            fail_all(jobs, &error);
        }
    }
}

/// The error of every operation after a panic.
pub fn fault() -> Error {
    let reason = "the store was stopped by a fault in KeyVal itself; close every Kv on it, open it again, and report it";
    Error::new(Code::Unavailable, reason)
}

/// Holds back what is handed to the writer, until it is dropped.
struct HeldWrites(Arc<Shared>);

impl HeldWrites {
    fn of(shared: &Arc<Shared>) -> Self {
        shared.writes.hold();
        Self(Arc::clone(shared))
    }
}

impl Drop for HeldWrites {
    fn drop(&mut self) {
        self.0.writes.release();
    }
}

/// A read that the writer waits for.
struct First {
    job: Box<dyn ReadJob>,
    held: HeldWrites,
}

impl ReadJob for First {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        self.job.run(txn)
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        let Self { job, held } = *self;
        job.finish(ran);
        drop(held);
    }
}

/// Waits until the writer has made the log whole, as it does before any work.
struct Mend(SyncSender<Result<()>>);

impl WriteJob for Mend {
    fn finish(self: Box<Self>, outcome: Result<()>) {
        let _ = self.0.send(outcome);
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }
}
