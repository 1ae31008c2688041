//! The inbox of a thread: work, the next timer, and the request to stop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::base::clock::Stopwatch;
use crate::base::error::Error;

/// How long an idle thread spins before it sleeps, if its last idle time was short: a caller that awaits one
/// write after another returns within this time, and waking a sleeping thread costs more.
const SPIN: Duration = Duration::from_micros(120);
/// An idle time up to this one is followed by a spin: the gap that a spin would have caught, and the waking.
const SHORT: Duration = Duration::from_micros(250);

/// The inbox of one thread.
#[derive(Debug)]
pub struct Inbox<T> {
    state: Mutex<InboxState<T>>,
    signal: Condvar,
    /// Changes when there is something to do; read without the lock while spinning.
    pushes: AtomicUsize,
}

#[derive(Debug)]
struct InboxState<T> {
    items: Vec<T>,
    /// The number of holders that hold back pushed work.
    holds: usize,
    held: Vec<T>,
    interval: Option<Duration>,
    stopped: bool,
    failed: Option<Error>,
}

/// The thread that takes it.
#[derive(Debug)]
pub struct Taker {
    last_tick: Stopwatch,
    /// The last wait for work was short.
    busy: bool,
}

impl Default for Taker {
    fn default() -> Self {
        Self { last_tick: Stopwatch::start(), busy: false }
    }
}

/// The next task of a thread.
#[derive(Debug)]
pub enum Turn<T> {
    /// These, in order.
    Work(Vec<T>),
    /// The interval is over.
    Tick,
    /// End; nothing waits any more.
    Stop,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let state = InboxState {
            items: Vec::new(),
            holds: 0,
            held: Vec::new(),
            interval: None,
            stopped: false,
            failed: None,
        };
        Self { state: Mutex::new(state), signal: Condvar::new(), pushes: AtomicUsize::new(0) }
    }
}

impl<T> Inbox<T> {
    /// Appends work; returns it with the reason if the thread is gone.
    ///
    /// # Errors
    /// The reason, with the work.
    pub fn push(&self, mut items: Vec<T>) -> Result<(), (Vec<T>, Error)> {
        let mut state = self.state.lock();
        if let Some(error) = state.refusal() {
            return Err((items, error));
        }
        if state.holds > 0 {
            state.held.append(&mut items);
        } else {
            state.items.append(&mut items);
            self.wake(state);
        }
        Ok(())
    }

    /// The same, for work that overtakes held work.
    ///
    /// # Errors
    /// The reason, with the work.
    pub fn push_past(&self, item: T) -> Result<(), (T, Error)> {
        let mut state = self.state.lock();
        if let Some(error) = state.refusal() {
            return Err((item, error));
        }
        state.items.push(item);
        self.wake(state);
        Ok(())
    }

    /// Holds back work that is pushed from now on, until `release`.
    pub fn hold(&self) {
        self.state.lock().holds += 1;
    }

    /// Ends a `hold`; the last one hands over the held work, in order.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.holds = state.holds.saturating_sub(1);
        if state.holds == 0 {
            state.take_held();
            self.wake(state);
        }
    }

    /// Sets the time between two ticks.
    pub fn set_interval(&self, interval: Option<Duration>) {
        let mut state = self.state.lock();
        state.interval = interval;
        self.wake(state);
    }

    /// The thread ends once it has done all waiting work, including held work.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.take_held();
        state.stopped = true;
        self.wake(state);
    }

    /// Refuses work from now on, and returns the waiting work.
    pub fn fail(&self, error: Error) -> Vec<T> {
        let mut state = self.state.lock();
        state.take_held();
        state.failed = Some(error);
        std::mem::take(&mut state.items)
    }

    /// Waits for something to do.
    pub fn next(&self, taker: &mut Taker) -> Turn<T> {
        let idle = Stopwatch::start();
        if taker.busy {
            self.spin(&idle);
        }
        let mut state = self.state.lock();
        loop {
            if !state.items.is_empty() {
                taker.busy = idle.elapsed() < SHORT;
                return Turn::Work(std::mem::take(&mut state.items));
            }
            if state.stopped {
                return Turn::Stop;
            }
            match state
                .interval
                .filter(|_| state.failed.is_none())
                .map(|interval| interval.saturating_sub(taker.last_tick.elapsed()))
            {
                Some(Duration::ZERO) => {
                    taker.last_tick = Stopwatch::start();
                    return Turn::Tick;
                }
                Some(rest) => drop(self.signal.wait_for(&mut state, rest)),
                None => self.signal.wait(&mut state),
            }
        }
    }

    fn spin(&self, idle: &Stopwatch) {
        let seen = self.pushes.load(Ordering::Relaxed);
        if !self.state.lock().items.is_empty() {
            return;
        }
        while self.pushes.load(Ordering::Relaxed) == seen && idle.elapsed() < SPIN {
            std::hint::spin_loop();
        }
    }

    fn wake(&self, state: parking_lot::MutexGuard<'_, InboxState<T>>) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        drop(state);
        self.signal.notify_one();
    }
}

impl<T> InboxState<T> {
    /// The reason why no work is taken any more.
    fn refusal(&self) -> Option<Error> {
        self.failed.clone().or_else(|| self.stopped.then(Error::closed))
    }

    fn take_held(&mut self) {
        self.items.append(&mut self.held);
    }
}
