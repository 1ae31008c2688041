//! What wakes those who wait: commits of other processes, times, and expiries. One thread a store, which runs only while
//! somebody is attentive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::reader::Connect;
use super::sqlite::commit_mark::CommitMark;
use super::{Shared, schema, threads};
use crate::base::clock::Stopwatch;
use crate::base::error::Result;
use crate::store::Notice;
use crate::store::local::db::Db;
use crate::store::sql::Sql;

/// Between two looks for commits of other processes: after one of them, and when nothing was seen for long. A look reads 48
/// bytes of memory; the longest pause decides how late the first commit is noticed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);
/// Between two looks for what has expired: it is to be told within a second.
const EXPIRY_PAUSE: Duration = Duration::from_millis(500);
/// Between two notices while commits of other processes cannot be seen (no file descriptor is left for the connection that looks, say): who
/// waits then looks with what it has open.
const BLIND_PAUSE: Duration = Duration::from_millis(100);
/// Nobody waits for a time.
const NEVER: i64 = i64::MAX;

/// The state that the thread shares with the others.
pub struct Bell {
    state: Mutex<State>,
    signal: Condvar,
    /// Commits of this process.
    commits: AtomicU64,
}

struct State {
    attentive: usize,
    /// How many of them want expiries swept.
    expiring: usize,
    due_ms: i64,
    /// The clock was set: everything that depends on it is to be looked at now.
    look: bool,
    stopped: bool,
    thread: Option<JoinHandle<()>>,
}

impl Default for Bell {
    fn default() -> Self {
        let state =
            State { attentive: 0, expiring: 0, due_ms: NEVER, look: false, stopped: false, thread: None };
        Self { state: Mutex::new(state), signal: Condvar::new(), commits: AtomicU64::new(0) }
    }
}

impl Bell {
    /// Counts a commit, so that it is not taken for another process's.
    pub fn committed_here(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// See `Store::wake_at`.
    pub fn wake_at(&self, at_ms: i64) {
        let mut state = self.state.lock();
        if at_ms < state.due_ms {
            state.due_ms = at_ms;
            self.signal.notify_one();
        }
    }

    /// Looks at everything that depends on the clock, now.
    pub fn look(&self) {
        self.state.lock().look = true;
        self.signal.notify_one();
    }

    /// Ends the thread, and waits for its end.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        let thread = state.thread.take();
        drop(state);
        self.signal.notify_one();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Waits for a reason to look.
    fn wait(&self, shared: &Shared, pause: Duration) -> Reason {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return Reason::Stop;
            }
            let waits = state.attentive > 0;
            let now_ms = shared.clock.now_ms();
            let time = state.due_ms <= now_ms;
            if waits && (time || state.look) {
                let look = std::mem::take(&mut state.look);
                if time {
                    state.due_ms = NEVER;
                }
                return Reason::Look { time: time || look, expiries: state.expiring > 0, now: look };
            }
            if !waits {
                self.signal.wait(&mut state);
                continue;
            }
            let until_due = u64::try_from(state.due_ms.saturating_sub(now_ms)).unwrap_or(0);
            let pause = pause.min(Duration::from_millis(until_due));
            if self.signal.wait_for(&mut state, pause).timed_out() && state.attentive > 0 && !state.stopped {
                let time = state.due_ms <= shared.clock.now_ms();
                if time {
                    state.due_ms = NEVER;
                }
                return Reason::Look { time, expiries: state.expiring > 0, now: false };
            }
        }
    }
}

enum Reason {
    Stop,
    Look {
        time: bool,
        expiries: bool,
        /// Without regard to when expiries were looked for last.
        now: bool,
    },
}

/// Somebody who is attentive, until it is dropped.
pub struct Attention {
    shared: Arc<Shared>,
    expiries: bool,
}

/// Begins to be attentive; the first one starts the thread.
pub fn attend(
    shared: &Arc<Shared>,
    connect: impl FnOnce() -> Connect,
    in_memory: bool,
    expiries: bool,
) -> Attention {
    let mut state = shared.bell.state.lock();
    state.attentive += 1;
    state.expiring += usize::from(expiries);
    state.look = true;
    if state.thread.is_none() && !state.stopped {
        let (watched, connect) = (Arc::clone(shared), connect());
        let fault = Arc::clone(shared);
        let body = move || serve(&watched, &mut Eye { db: None, connect, in_memory });
        state.thread = threads::spawn("keyval-bell", body, move || fault.fail()).ok();
    }
    drop(state);
    shared.bell.signal.notify_one();
    Attention { shared: Arc::clone(shared), expiries }
}

impl Drop for Attention {
    fn drop(&mut self) {
        let mut state = self.shared.bell.state.lock();
        state.attentive -= 1;
        state.expiring -= usize::from(self.expiries);
    }
}

fn serve(shared: &Arc<Shared>, eye: &mut Eye) {
    let mut pause = SHORTEST_PAUSE;
    let mut seen = eye.look();
    let mut commits = shared.bell.commits.load(Ordering::Relaxed);
    let mut expiries_looked: Option<Stopwatch> = None;
    let mut blind: Option<Stopwatch> = None;
    // What was committed since they became attentive, and before this first look, shows in no second one.
    shared.wake(&Notice::ELSEWHERE);
    loop {
        let Reason::Look { time, expiries, now } = shared.bell.wait(shared, pause) else { return };
        let mut notice = if time { Notice::TIME } else { Notice::NONE };
        let (before, own) = (commits, shared.bell.commits.load(Ordering::Relaxed));
        let found = eye.look();
        if found != seen {
            // A commit of this process in between may hide another one: then it is looked at once too often.
            notice |= Notice::ELSEWHERE;
            // What another process has made ready is ready here.
            if let Some(ms) = eye.seen_ms() {
                shared.clock.witness(ms);
            }
            if own == before {
                pause = SHORTEST_PAUSE;
            }
        }
        (seen, commits) = (found, own);
        if found != Sight::Nothing || eye.in_memory {
            blind = None;
        } else if blind.as_ref().is_none_or(|since| since.elapsed() >= BLIND_PAUSE) {
            blind = Some(Stopwatch::start());
            notice |= Notice::ELSEWHERE;
        }
        pause = (pause + pause / 4).min(LONGEST_PAUSE);
        let due = expiries_looked.is_none_or(|watch| watch.elapsed() >= EXPIRY_PAUSE);
        if expiries && (now || due) {
            expiries_looked = Some(Stopwatch::start());
            if eye.sees_expired(shared.clock.now_ms()) {
                shared.tick_now();
            }
        }
        if notice != Notice::NONE {
            shared.wake(&notice);
        }
    }
}

/// What the thread looks with: a connection of its own, opened by its first look.
struct Eye {
    db: Option<Arc<Mutex<Db>>>,
    connect: Connect,
    in_memory: bool,
}

/// The newest commit by what can be seen of it; the same twice: nothing was committed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Mark(CommitMark),
    /// Where the log's index cannot be seen: SQLite's own count.
    Version(i64),
    /// Nothing can be seen (yet).
    Nothing,
}

impl Eye {
    fn db(&mut self) -> Option<Arc<Mutex<Db>>> {
        if self.db.is_none() {
            self.db = (self.connect)().ok();
        }
        self.db.clone()
    }

    /// In memory there is no other process.
    fn look(&mut self) -> Sight {
        if self.in_memory {
            return Sight::Nothing;
        }
        let Some(db) = self.db() else { return Sight::Nothing };
        let mut db = db.lock();
        if let Some(mark) = db.connection.newest_commit() {
            return Sight::Mark(mark);
        }
        match version(&mut db) {
            Ok(version) => db.connection.newest_commit().map_or(Sight::Version(version), Sight::Mark),
            Err(_) => Sight::Nothing,
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

/// Asks SQLite, and finds what the next look needs.
fn version(db: &mut Db) -> Result<i64> {
    db.end_stray_transaction()?;
    db.run(Sql::Begin)?;
    let mut rows = db.statement(Sql::LogState)?.query(&[])?;
    rows.next()?;
    drop(rows);
    db.connection.find_commit_mark();
    db.run(Sql::Commit)?;
    let mut rows = db.statement(Sql::DataVersion)?.query(&[])?;
    rows.next()?;
    Ok(rows.int(0))
}
