//! The only place that reads the machine's clock, makes ids, or lets a thread sleep, so that tests can set
//! the time.
//!
//! A store's time is the system's clock with two corrections. It never steps back: if the system's clock
//! does, the store's time continues from its last value, at the speed of the machine's monotonic clock, until
//! the system's clock is ahead again. And it is never earlier than the times that the store has seen: the
//! time of the last write is in the file, so that this holds across restarts and processes. So a ready
//! message stays ready, and a delay takes as long as it says.
//!
//! A system clock that steps forward is followed: expiries are dates. Leases are not: see `Gap`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use uuid::Uuid;

const RUNNING: i64 = i64::MIN;
/// The end of the year 9999. A clock beyond it is wrong, and beyond 48 bits of milliseconds no UUIDv7 has
/// room for it.
const LAST_MS: i64 = 253_402_300_799_999;
/// A time that no store reaches, even if it runs on from there.
pub const BEYOND_MS: i64 = LAST_MS + 100 * 365 * 24 * 60 * 60 * 1000;
/// A smaller step affects no lease, since a lease is renewed when two thirds of it are left.
const SMALLEST_STEP_US: i64 = 30_000;

/// The clock of a store.
#[derive(Debug)]
pub struct Clock {
    frozen_ms: AtomicI64,
    /// The store's time less the monotonic clock's, in microseconds. It only grows.
    lead_us: AtomicI64,
    /// For tests: how wrong the system's clock is.
    shift_ms: AtomicI64,
    stepped: AtomicBool,
    gap: Mutex<Gap>,
}

impl Default for Clock {
    fn default() -> Self {
        let (frozen_ms, lead_us) = (AtomicI64::new(RUNNING), AtomicI64::new(i64::MIN));
        let (shift_ms, stepped) = (AtomicI64::new(0), AtomicBool::new(false));
        Self { frozen_ms, lead_us, shift_ms, stepped, gap: Mutex::default() }
    }
}

impl Clock {
    /// Milliseconds since the epoch, never less than at the last call.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self.frozen_ms.load(Ordering::Relaxed) {
            RUNNING => self.running_ms(),
            frozen => frozen,
        }
    }

    fn running_ms(&self) -> i64 {
        // In this order: a thread that is stopped in between finds the system's clock behind, never ahead.
        let system_us = (system_us()
            .saturating_add(self.shift_ms.load(Ordering::Relaxed).saturating_mul(1000)))
        .clamp(0, LAST_MS * 1000);
        let steady_us = steady_us();
        (steady_us + self.lead(system_us - steady_us)) / 1000
    }

    /// The lead, after at least this one was seen.
    fn lead(&self, seen_us: i64) -> i64 {
        let known = self.lead_us.load(Ordering::Relaxed);
        if seen_us <= known {
            return known;
        }
        let before = self.lead_us.fetch_max(seen_us, Ordering::Relaxed);
        if before != i64::MIN && seen_us.saturating_sub(before) >= SMALLEST_STEP_US {
            let steady_us = steady_us();
            let (from_ms, to_ms) = ((steady_us + before) / 1000, (steady_us + seen_us) / 1000);
            *self.gap.lock() = Gap { from_ms, to_ms };
            self.stepped.store(true, Ordering::Release);
        }
        before.max(seen_us)
    }

    /// The store has seen this time: its own is at least as late.
    pub fn witness(&self, ms: i64) {
        // Reads the clock first: otherwise the way from an old time to now would count as a step.
        self.running_ms();
        self.lead(ms.clamp(0, LAST_MS) * 1000 - steady_us());
    }

    /// Now, for an operation that judges everything by one time.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let now_ms = self.now_ms();
        Moment { now_ms, gap: self.gap() }
    }

    /// The newest step forward, for judging leases.
    fn gap(&self) -> Gap {
        let running = self.frozen_ms.load(Ordering::Relaxed) == RUNNING;
        if running && self.stepped.load(Ordering::Acquire) { *self.gap.lock() } else { Gap::default() }
    }

    /// For tests: freezes at a time, whatever was seen before, or (`None`) runs again.
    pub fn freeze(&self, at_ms: Option<i64>) {
        self.frozen_ms.store(at_ms.unwrap_or(RUNNING), Ordering::Relaxed);
    }

    /// For tests: the system's clock is wrong by so much from now on.
    pub fn shift(&self, by_ms: i64) {
        self.shift_ms.store(by_ms, Ordering::Relaxed);
    }
}

/// A time of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    /// The newest step of the clock until then.
    pub gap: Gap,
}

/// The gap that a step forward left. A lease that ends in it was given before the step, and keeps its full
/// duration: its holder is alive, and could not renew it in time that did not pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap {
    /// The time when the clock stepped.
    pub from_ms: i64,
    /// The time that it stepped to.
    pub to_ms: i64,
}

impl Gap {
    /// The end of a lease that was given until a time.
    #[must_use]
    pub fn end_of(self, until_ms: i64) -> i64 {
        let Self { from_ms, to_ms } = self;
        if from_ms < until_ms && until_ms < to_ms { until_ms + (to_ms - from_ms) } else { until_ms }
    }

    /// Between these two times, leases that have not ended by `now_ms` end in the gap; all others before it
    /// have.
    #[must_use]
    pub fn open(self, now_ms: i64) -> (i64, i64) {
        let Self { from_ms, to_ms } = self;
        (now_ms.saturating_sub(to_ms - from_ms).max(from_ms).min(to_ms), to_ms)
    }
}

#[allow(clippy::disallowed_methods)]
fn system_us() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Microseconds of the monotonic clock since this process asked first.
#[allow(clippy::disallowed_methods)]
fn steady_us() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    micros(START.elapsed())
}

/// At most a little more than `LAST_MS`. Each operation asks, and `Duration::as_micros` calculates with 128
/// bits.
fn micros(time: Duration) -> i64 {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).min(LAST_MS / 1000 + 1);
    seconds * 1_000_000 + i64::from(time.subsec_micros())
}

/// A new id: a UUIDv7, larger than those before it in this process, whatever the system's clock does.
#[must_use]
pub fn new_id() -> Uuid {
    static LAST: AtomicU64 = AtomicU64::new(0);
    id_after(&LAST, system_us())
}

/// `last`: milliseconds, and 12 bits that count within one of them.
#[allow(clippy::disallowed_methods)]
fn id_after(last: &AtomicU64, now_us: i64) -> Uuid {
    let now = u64::try_from(now_us.clamp(0, LAST_MS * 1000) / 1000).unwrap_or(0) << 12;
    let after = |last: u64| Some(now.max(last + 1));
    let last = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).unwrap_or(0);
    let next = u128::from(now.max(last + 1));
    let random = Uuid::new_v4().as_u128() & ((1 << 62) - 1);
    Uuid::from_u128((next >> 12) << 80 | 0x7 << 76 | (next & 0xfff) << 64 | 0b10 << 62 | random)
}

/// Lets this thread sleep.
#[allow(clippy::disallowed_methods)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn passed(clock: &Clock, since: i64, watch: Stopwatch) -> i64 {
        let passed = clock.now_ms() - since;
        assert!(passed >= 0, "stepped back by {passed} ms");
        let most = i64::try_from(watch.elapsed().as_millis()).unwrap() + 1;
        assert!(passed <= most, "{passed} ms in {most}");
        passed
    }

    /// Seen to fail: the lead began at the seen time, and every later lease ended as much later.
    #[test]
    fn what_a_file_has_seen_long_ago_is_no_step() {
        for ms in [0, system_us() / 1000 - 3_600_000] {
            let clock = Clock::default();
            clock.witness(ms);
            assert!(clock.now_ms() >= system_us() / 1000 - 1000);
            assert_eq!(clock.gap(), Gap::default());
        }
    }

    /// Seen to fail: with a clock that is the system's, and with one that is frozen until the system's has
    /// caught up.
    #[test]
    fn a_step_back_neither_turns_time_back_nor_stops_it() {
        let clock = Clock::default();
        let (before, watch) = (clock.now_ms(), Stopwatch::start());
        for shift in [-HOUR_MS, -10 * HOUR_MS, -LAST_MS, -HOUR_MS] {
            clock.shift(shift);
            let start = passed(&clock, before, watch);
            while passed(&clock, before, watch) < start + 2 {
                std::hint::spin_loop();
            }
        }
        assert_eq!(clock.gap(), Gap::default());
        clock.shift(HOUR_MS);
        assert!(clock.now_ms() - before >= HOUR_MS);
    }

    #[test]
    fn what_the_store_has_seen_is_not_ahead() {
        let clock = Clock::default();
        let ahead = clock.now_ms() + HOUR_MS;
        clock.witness(ahead);
        assert!((0..1000).contains(&(clock.now_ms() - ahead)));
        clock.witness(i64::MAX);
        assert!(clock.now_ms() >= LAST_MS);
        clock.witness(i64::MIN);
        assert!(clock.now_ms() >= LAST_MS);
    }

    /// Seen to fail: with leases that are judged by the time alone.
    #[test]
    fn a_lease_of_before_a_step_forward_lasts_as_long_as_it_said() {
        let clock = Clock::default();
        let before = clock.now_ms();
        let lease = before + 30_000;
        assert_eq!(clock.gap().end_of(lease), lease);
        clock.shift(HOUR_MS);
        let after = clock.now_ms();
        let gap = clock.gap();
        assert!((0..1000).contains(&(gap.end_of(lease) - lease - HOUR_MS)), "{gap:?}");
        assert_eq!(gap.end_of(before - 1), before - 1, "it had ended before");
        assert_eq!(gap.end_of(after + 30_000), after + 30_000, "given after it");
    }

    /// Seen to fail: with ids that take the clock as it is.
    #[test]
    fn ids_are_uuids_of_version_7_in_the_order_of_the_calls() {
        let (last, now_us) = (AtomicU64::new(0), system_us());
        let times = [0, 0, 1, 1000, -3_600_000_000, -1, 5_000_000, i64::MIN / 2, 0];
        let stepping = times.into_iter().cycle().take(10_000).map(|shift| id_after(&last, now_us + shift));
        let ids: Vec<Uuid> = stepping.collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        for id in ids {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        }
    }
}
