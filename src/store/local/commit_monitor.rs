//! Controls the commit monitor (`observer.rs`): its users, and the times that they wait for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::base::clock::Clock;

/// Nobody waits for a time.
const NEVER: i64 = i64::MAX;

/// The state that the thread shares with the others.
pub struct CommitMonitor {
    state: Mutex<MonitorState>,
    signal: Condvar,
    /// Commits of this process.
    commits: AtomicU64,
}

struct MonitorState {
    monitoring: usize,
    /// How many of them want expiries swept.
    expiring: usize,
    due_ms: i64,
    /// The clock was set: everything that depends on it must be checked now.
    poll: bool,
    stopped: bool,
    thread: Option<JoinHandle<()>>,
}

impl Default for CommitMonitor {
    fn default() -> Self {
        let state = MonitorState {
            monitoring: 0,
            expiring: 0,
            due_ms: NEVER,
            poll: false,
            stopped: false,
            thread: None,
        };
        Self { state: Mutex::new(state), signal: Condvar::new(), commits: AtomicU64::new(0) }
    }
}

impl CommitMonitor {
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

    /// Makes the thread check everything that depends on the clock, now.
    pub fn poll(&self) {
        self.state.lock().poll = true;
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

    /// Adds a user of the monitor; `start` starts the thread if there is none yet.
    pub fn start(&self, expiries: bool, start: impl FnOnce() -> Option<JoinHandle<()>>) {
        let mut state = self.state.lock();
        state.monitoring += 1;
        state.expiring += usize::from(expiries);
        state.poll = true;
        if state.thread.is_none() && !state.stopped {
            state.thread = start();
        }
        drop(state);
        self.signal.notify_one();
    }

    /// Removes a user of the monitor.
    pub fn leave(&self, expiries: bool) {
        let mut state = self.state.lock();
        state.monitoring -= 1;
        state.expiring -= usize::from(expiries);
    }

    /// Commits of this process so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Waits for a reason to look.
    pub fn wait(&self, clock: &Clock, pause: Duration) -> Reason {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return Reason::Stop;
            }
            let waits = state.monitoring > 0;
            let now_ms = clock.now_ms();
            let time = state.due_ms <= now_ms;
            if waits && (time || state.poll) {
                let poll = std::mem::take(&mut state.poll);
                if time {
                    state.due_ms = NEVER;
                }
                return Reason::Poll { time: time || poll, expiries: state.expiring > 0, now: poll };
            }
            if !waits {
                self.signal.wait(&mut state);
                continue;
            }
            let until_due = u64::try_from(state.due_ms.saturating_sub(now_ms)).unwrap_or(0);
            let pause = pause.min(Duration::from_millis(until_due));
            if self.signal.wait_for(&mut state, pause).timed_out() && state.monitoring > 0 && !state.stopped {
                let time = state.due_ms <= clock.now_ms();
                if time {
                    state.due_ms = NEVER;
                }
                return Reason::Poll { time, expiries: state.expiring > 0, now: false };
            }
        }
    }
}

/// The reason for the thread to wake up.
pub enum Reason {
    /// The store is closed.
    Stop,
    /// Look.
    Poll {
        /// An awaited time has come.
        time: bool,
        /// A user wants expired entries swept.
        expiries: bool,
        /// Regardless of when expiries were checked last.
        now: bool,
    },
}
