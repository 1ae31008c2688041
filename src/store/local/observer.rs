//! The commit monitor's thread: it notices commits of other processes, due times, expiries, and moved files.
//! One thread for each store, which runs only while the monitor has users.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::commit_monitor::Reason;
use super::os::threads;
use super::schema;
use super::shared::Shared;
use super::sqlite::commit_mark::CommitMark;
use super::sqlite::{Connect, Db, Wait};
use crate::base::clock::Stopwatch;
use crate::base::error::Result;
use crate::store::Notice;
use crate::store::sql::Sql;

/// Between two polls for commits of other processes: after a commit, and after a long time without one. A
/// poll reads 48 bytes of memory; the longest pause decides how late the first commit is noticed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);
/// Between two polls for expired entries, which are reported within a second.
const EXPIRY_PAUSE: Duration = Duration::from_millis(500);
/// Between two notices while commits of other processes cannot be observed (for example, no file descriptor
/// is left for the connection): waiters then look through their own connections.
const BLIND_PAUSE: Duration = Duration::from_millis(100);

/// A waiter that needs notices, until it is dropped.
pub struct Monitoring {
    shared: Arc<Shared>,
    expiries: bool,
}

/// Adds a user of the monitor; the first one starts the thread.
pub fn monitor(shared: &Arc<Shared>, connect: impl FnOnce() -> Connect, expiries: bool) -> Monitoring {
    shared.monitor.start(expiries, || {
        let (watched, connect) = (Arc::clone(shared), connect());
        let fault = Arc::clone(shared);
        let in_memory = shared.files.is_in_memory();
        let body = move || serve(&watched, &mut Observer { db: None, connect, in_memory });
        threads::spawn("keyval-monitor", body, move || fault.fail()).ok()
    });
    Monitoring { shared: Arc::clone(shared), expiries }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        self.shared.monitor.leave(self.expiries);
    }
}

fn serve(shared: &Arc<Shared>, observer: &mut Observer) {
    let mut pause = SHORTEST_PAUSE;
    let mut seen = observer.poll();
    let mut commits = shared.monitor.commits();
    let mut expiries_looked: Option<Stopwatch> = None;
    let mut blind: Option<Stopwatch> = None;
    let mut are_moved = false;
    // A second poll cannot show commits between the start of monitoring and this first poll.
    shared.wake(&Notice::ELSEWHERE);
    loop {
        let Reason::Poll { time, expiries, now } = shared.monitor.wait(&shared.clock, pause) else { return };
        let mut notice = if time { Notice::TIME } else { Notice::NONE };
        let (before, own) = (commits, shared.monitor.commits());
        let found = observer.poll();
        if found != seen {
            // A commit of this process in between may hide one of another process: rather look once too
            // often.
            notice |= Notice::ELSEWHERE;
            // A message that another process made ready is ready here, too.
            if let Some(ms) = observer.seen_ms() {
                shared.clock.witness(ms);
            }
            if own == before {
                pause = SHORTEST_PAUSE;
            }
        }
        (seen, commits) = (found, own);
        if found != Observation::Nothing || observer.in_memory {
            blind = None;
        } else if blind.as_ref().is_none_or(|since| since.elapsed() >= BLIND_PAUSE) {
            blind = Some(Stopwatch::start());
            notice |= Notice::ELSEWHERE;
        }
        if !are_moved && shared.check_files().is_err() {
            // Waiters look, and get the error.
            are_moved = true;
            notice |= Notice::ELSEWHERE;
        }
        pause = (pause + pause / 4).min(LONGEST_PAUSE);
        let due = expiries_looked.is_none_or(|watch| watch.elapsed() >= EXPIRY_PAUSE);
        if expiries && (now || due) {
            expiries_looked = Some(Stopwatch::start());
            if observer.sees_expired(shared.clock.now_ms()) {
                shared.tick_now();
            }
        }
        if notice != Notice::NONE {
            shared.wake(&notice);
        }
    }
}

/// The thread's own connection, opened by its first poll.
struct Observer {
    db: Option<Arc<Mutex<Db>>>,
    connect: Connect,
    in_memory: bool,
}

/// A sign of the newest commit; if it is the same twice, nothing was committed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Observation {
    Mark(CommitMark),
    /// If the log's index cannot be seen: SQLite's own count.
    Version(i64),
    /// Nothing can be seen (yet).
    Nothing,
}

impl Observer {
    fn db(&mut self) -> Option<Arc<Mutex<Db>>> {
        if self.db.is_none() {
            self.db = (self.connect)(Wait::BusyTimeout).ok();
        }
        self.db.clone()
    }

    /// In memory there is no other process.
    fn poll(&mut self) -> Observation {
        if self.in_memory {
            return Observation::Nothing;
        }
        let Some(db) = self.db() else { return Observation::Nothing };
        let mut db = db.lock();
        if let Some(mark) = db.connection.newest_commit() {
            return Observation::Mark(mark);
        }
        match version(&mut db) {
            Ok(version) => {
                db.connection.newest_commit().map_or(Observation::Version(version), Observation::Mark)
            }
            Err(_) => Observation::Nothing,
        }
    }

    fn seen_ms(&mut self) -> Option<i64> {
        schema::seen_ms(&self.db()?.lock().connection).ok()
    }

    fn sees_expired(&mut self, now_ms: i64) -> bool {
        let Some(db) = self.db() else { return false };
        let mut db = db.lock();
        db.statement(Sql::HasExpired)
            .and_then(|statement| statement.query(&[now_ms.into()])?.next())
            .unwrap_or(false)
    }
}

/// Asks SQLite, and prepares the next poll.
fn version(db: &mut Db) -> Result<i64> {
    db.end_stray_transaction()?;
    db.run(Sql::Begin)?;
    let mut rows = db.statement(Sql::ChangeLogState)?.query(&[])?;
    rows.next()?;
    drop(rows);
    db.connection.find_commit_mark();
    db.run(Sql::Commit)?;
    let mut rows = db.statement(Sql::DataVersion)?.query(&[])?;
    rows.next()?;
    Ok(rows.int(0))
}
