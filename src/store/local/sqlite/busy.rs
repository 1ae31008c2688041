//! Waiting for a lock of another connection. SQLite's own handler asks ever more seldom, up to 100 ms apart:
//! beside a process that always has something to write, it finds the lock free by luck alone. This one asks
//! every few milliseconds.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use libsql::ffi;
use parking_lot::Mutex;

use crate::base::clock;
use crate::base::clock::Stopwatch;

/// Between two looks: it doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_micros(250);
const LAST_PAUSE: Duration = Duration::from_millis(2);

/// How long the statements of a connection wait.
#[derive(Debug)]
pub struct Busy {
    timeout_ms: AtomicI64,
    waiting: Mutex<Option<Stopwatch>>,
}

impl Busy {
    /// Installs it on a connection; without a timeout, nothing waits.
    ///
    /// # Safety
    /// `db` is open, and gets another handler before the box is dropped.
    pub unsafe fn install(db: *mut ffi::sqlite3) -> Box<Self> {
        let busy = Box::new(Self { timeout_ms: AtomicI64::new(0), waiting: Mutex::new(None) });
        let itself = (&raw const *busy).cast_mut().cast();
        // SAFETY: by the caller; the box does not move what it holds.
        unsafe { ffi::sqlite3_busy_handler(db, Some(wait), itself) };
        busy
    }

    /// How long, from the next statement on.
    pub fn set_timeout(&self, ms: i64) {
        self.timeout_ms.store(ms, Ordering::Relaxed);
    }

    /// Pauses before another look, unless patience has ended.
    pub fn pause(&self, looks: u32) -> bool {
        let mut waiting = self.waiting.lock();
        if looks == 0 {
            *waiting = Some(Stopwatch::start());
        }
        let timeout =
            Duration::from_millis(u64::try_from(self.timeout_ms.load(Ordering::Relaxed)).unwrap_or(0));
        let left = waiting.as_ref().map_or(Duration::ZERO, |watch| timeout.saturating_sub(watch.elapsed()));
        clock::pause(pause_before(looks).min(left));
        !left.is_zero()
    }
}

fn pause_before(look: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << look.min(8)).min(LAST_PAUSE)
}

/// SQLite's busy handler: not 0 means that it looks again.
unsafe extern "C" fn wait(busy: *mut c_void, looks: c_int) -> c_int {
    // SAFETY: it is what `install` gave, and outlives the connection.
    let busy = unsafe { &*busy.cast::<Busy>() };
    c_int::from(busy.pause(u32::try_from(looks).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(timeout_ms: i64) -> Busy {
        Busy { timeout_ms: AtomicI64::new(timeout_ms), waiting: Mutex::new(None) }
    }

    #[test]
    fn it_asks_every_few_milliseconds_however_long_it_waits() {
        assert_eq!(pause_before(0), FIRST_PAUSE);
        for look in [3, 8, 31, 32, 1_000_000, u32::MAX] {
            assert_eq!(pause_before(look), LAST_PAUSE, "look {look}");
        }
    }

    #[test]
    fn the_wait_ends_at_the_timeout_and_starts_again_with_the_next_one() {
        assert!(!waiting(0).pause(0));
        let busy = waiting(20);
        for _ in 0..2 {
            let watch = Stopwatch::start();
            let looks = (0..).take_while(|look| busy.pause(*look)).count();
            assert!(watch.elapsed() >= Duration::from_millis(20), "after {looks} looks");
        }
    }
}
