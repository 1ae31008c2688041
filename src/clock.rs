//! The only place that asks the machine for the time, so that tests can say what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const RUNNING: i64 = i64::MIN;

/// The clock of a store: the system's, until a test freezes it.
#[derive(Debug)]
pub struct Clock {
    frozen_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { frozen_ms: AtomicI64::new(RUNNING) }
    }
}

impl Clock {
    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self.frozen_ms.load(Ordering::Relaxed) {
            RUNNING => system_ms(),
            frozen => frozen,
        }
    }

    /// For tests: stands still at a time, or (`None`) runs with the system's clock again.
    pub fn freeze(&self, at_ms: Option<i64>) {
        self.frozen_ms.store(at_ms.unwrap_or(RUNNING), Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods)]
fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Measures how long something takes; for waits and time slices, never for what is stored.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[must_use]
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
