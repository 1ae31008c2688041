//! Reads: on an opener's own thread, without waiting, and on the reader thread if they take long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::inbox::{Taker, Turn};
use super::os::threads;
use super::shared::Shared;
use super::sqlite::commit_mark::CommitMark;
use super::txn::read::LocalRead;
use crate::base::clock::Moment;
use crate::base::error::{Code, Error, Result};
use crate::store::local::sqlite::{Connect, Db, NoSleep, Wait};
use crate::store::sql::Sql;
use crate::store::{Access, Notice, ReadJob, ReadWork, Reader};

/// In memory the writer may hold the connection: the longest wait of a reader on its own thread.
const MAX_LOCK_WAIT: Duration = Duration::from_micros(200);

/// A reader for one thread, with connections of its own (in memory: the only one, for both).
pub struct LocalReader {
    shared: Arc<Shared>,
    points: Arc<Mutex<Db>>,
    /// Ranges have another connection, opened with the first list, so that a long list does not evict the
    /// pages of frequently read keys from the cache.
    ranges: Option<Arc<Mutex<Db>>>,
    connect: Connect,
    /// The connection is shared with the writer, which must not wait for a kept transaction.
    in_memory: bool,
    kept: Kept,
}

/// A read transaction that stays open for the following reads. Opening and ending one takes two file locks
/// and a look at the log, which cost more than a cached read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Each read has its own.
    Nothing,
    /// The next read opens it.
    Wanted,
    /// It is open, and is the newest one for as long as this is the newest commit.
    Open(CommitMark),
}

impl LocalReader {
    /// Reads keys through `points`, and ranges through a connection that `connect` opens.
    pub fn new(shared: Arc<Shared>, points: Arc<Mutex<Db>>, connect: Connect, in_memory: bool) -> Self {
        Self { shared, points, ranges: None, connect, in_memory, kept: Kept::Nothing }
    }

    fn connection(&mut self, access: Access, wait: Wait) -> Result<Arc<Mutex<Db>>> {
        if matches!(access, Access::Point | Access::Points) {
            return Ok(Arc::clone(&self.points));
        }
        if self.ranges.is_none() {
            self.ranges = Some((self.connect)(wait)?);
        }
        Ok(Arc::clone(self.ranges.as_ref().unwrap_or(&self.points)))
    }

    /// Ends the kept transaction, if there is one; the next read opens another.
    fn end_kept(&mut self, db: &mut Db) {
        if let Kept::Open(_) = self.kept {
            self.kept = Kept::Wanted;
            // A transaction that only read: if it cannot be ended now, the next read does it.
            let _ = db.run(Sql::Commit);
        }
    }

    fn read_on(&mut self, db: &mut Db, access: Access, work: ReadWork<'_>) -> Result<()> {
        let at = self.shared.clock.moment();
        let on_ranges = matches!(access, Access::Range | Access::System);
        if on_ranges || self.kept == Kept::Nothing {
            read(db, at, access, work)
        } else {
            self.read_kept(db, at, work)
        }
    }

    fn read_kept(&mut self, db: &mut Db, at: Moment, work: ReadWork<'_>) -> Result<()> {
        let newest = db.connection.newest_commit();
        if !newest.is_some_and(|mark| self.kept == Kept::Open(mark)) {
            self.end_kept(db);
            db.end_stray_transaction()?;
            // The mark is older than the snapshot or as old: a commit in between ends it too early, never too
            // late.
            db.run(Sql::Begin)?;
            self.kept = newest.map_or(Kept::Wanted, Kept::Open);
        }
        let result = work(&mut LocalRead::new(db, at));
        if self.kept == Kept::Wanted {
            return result.and(db.run(Sql::Commit));
        }
        if result.is_err() {
            self.end_kept(db);
        }
        result
    }
}

impl Reader for LocalReader {
    fn try_read(&mut self, access: Access, work: ReadWork<'_>) -> Result<bool> {
        self.shared.check_files()?;
        let _now = NoSleep::begin();
        let connection = match self.connection(access, Wait::Never) {
            Err(error) if error.code == Code::Busy => return Ok(false),
            connection => connection?,
        };
        let Some(mut db) = connection.try_lock_for(MAX_LOCK_WAIT) else { return Ok(false) };
        // The log may hold an undecided commit. The reader thread waits until it is decided.
        if !db.connection.is_log_whole() {
            return Ok(false);
        }
        match self.read_on(&mut db, access, work) {
            Err(error) if error.code == Code::Busy => Ok(false),
            result => result.map(|()| true),
        }
    }

    fn read(&mut self, access: Access, work: ReadWork<'_>) -> Result<()> {
        if self.try_read(access, work)? {
            return Ok(());
        }
        let timeout_ms = self.shared.busy_timeout_ms();
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        let connection = self.connection(access, Wait::BusyTimeout)?;
        let mut db = connection.try_lock_for(timeout).ok_or_else(held_by_writer)?;
        if !db.connection.is_log_whole() {
            self.shared.mend_log_within(timeout)?;
        }
        if self.in_memory {
            return self.read_on(&mut db, access, work);
        }
        db.connection.set_busy_timeout(timeout_ms);
        let result = self.read_on(&mut db, access, work);
        db.connection.set_busy_timeout(0);
        result
    }

    fn keep(&mut self) {
        if self.kept == Kept::Nothing && !self.in_memory {
            self.kept = Kept::Wanted;
        }
    }

    fn release(&mut self) {
        if self.kept == Kept::Nothing {
            return;
        }
        let connection = Arc::clone(&self.points);
        self.end_kept(&mut connection.lock());
        self.kept = Kept::Nothing;
    }
}

fn held_by_writer() -> Error {
    Error::new(
        Code::Busy,
        "a write holds the store's memory for longer than busyTimeout; raise it, or try again",
    )
}

fn read(db: &mut Db, at: Moment, access: Access, work: ReadWork<'_>) -> Result<()> {
    db.end_stray_transaction()?;
    if matches!(access, Access::Point | Access::Range) {
        return work(&mut LocalRead::new(db, at));
    }
    db.run(Sql::Begin)?;
    let result = work(&mut LocalRead::new(db, at));
    let ended = db.run(Sql::Commit);
    result.and(ended)
}

/// The thread for long reads; it opens its connection with the first of them.
pub struct ReaderThread {
    handle: JoinHandle<()>,
}

impl ReaderThread {
    /// Starts it.
    ///
    /// # Errors
    /// `UNAVAILABLE` where the system has no thread left.
    pub fn new(shared: Arc<Shared>, connect: Connect) -> Result<Self> {
        let fault = Arc::clone(&shared);
        let body = move || serve(&shared, &connect);
        Ok(Self { handle: threads::spawn("keyval-reader", body, move || fault.fail())? })
    }

    /// Waits for its end, which `Inbox::stop` asks for.
    pub fn join(self) {
        let _ = self.handle.join();
    }
}

fn serve(shared: &Shared, connect: &Connect) {
    let mut db = None;
    let mut taker = Taker::default();
    loop {
        let jobs = match shared.reads.next(&mut taker) {
            Turn::Work(jobs) => jobs,
            Turn::Tick => continue,
            Turn::Stop => return,
        };
        for job in jobs {
            serve_one(shared, connect, &mut db, job);
        }
        shared.wake(&Notice::NONE);
    }
}

fn serve_one(shared: &Shared, connect: &Connect, db: &mut Option<Arc<Mutex<Db>>>, job: Box<dyn ReadJob>) {
    if let Err(error) = shared.check_files() {
        return job.finish(Err(error));
    }
    if db.is_none() {
        match connect(Wait::BusyTimeout) {
            Ok(opened) => *db = Some(opened),
            Err(error) => return job.finish(Err(error)),
        }
    }
    let Some(connection) = db else { return };
    let mut db = connection.lock();
    db.connection.set_busy_timeout(shared.busy_timeout_ms());
    if !db.connection.is_log_whole()
        && let Err(error) = shared.mend_log()
    {
        return job.finish(Err(error));
    }
    // A job that panics drops its callback, and dropping that completes the job with an error.
    let ran = catch_unwind(AssertUnwindSafe(|| run(&mut db, shared.clock.moment(), job)));
    if ran.is_err() {
        let _ = db.run(Sql::Rollback);
    }
}

fn run(db: &mut Db, at: Moment, mut job: Box<dyn ReadJob>) {
    if let Err(error) = db.end_stray_transaction().and_then(|()| db.run(Sql::Begin)) {
        return job.finish(Err(error));
    }
    let ran = job.run(&mut LocalRead::new(db, at));
    let _ = db.run(Sql::Commit);
    job.finish(ran);
}
