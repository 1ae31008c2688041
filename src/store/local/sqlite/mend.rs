//! The write-ahead log after a sync that failed.
//!
//! The system may have dropped the data that it could not write, and reports this once. Commits made without
//! a sync since the last one are then missing on disk, although every process still reads them from memory;
//! anything synced behind that hole is lost with it in a power cut. And the log may hold a commit that
//! failed: nobody sees it until a recovery finds it.
//!
//! So nothing is acknowledged, and nothing is read, until the log is whole again: all frames up to the end
//! that its index knows are written once more, the rest is cut off, and everything is synced. It needs no
//! checkpoint, which a reader could hold back. Of the database's own file a sync may have failed, too: so the
//! next checkpoint copies everything again. By itself it would begin behind the frames that an earlier one
//! has copied. Where a reader kept the earlier one from the end of the log, it synced nothing
//! (`walCheckpoint`), and the sync that failed was the first to cover its pages.
//!
//! Whether the log is whole is announced to all processes in a word of its index that SQLite leaves to others
//! (sqlite.org/walformat.html: bytes 132 to 135 are unused, and zero in a new index). Zero, as after a crash,
//! is: not whole.
//!
//! A process may be killed or suspended between a failed sync and announcing it, and SQLite has released its
//! lock by then. So each commit is announced there, and the announcement is withdrawn when the commit has
//! succeeded: a process that finds one which is not withdrawn treats the log as broken.

use std::ffi::c_int;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::connection::Connection;
use super::error::may_fail;
use super::files::{File, LogIndex};
use crate::base::clock;
use crate::base::clock::Stopwatch;
use crate::base::error::{Code, Error, Result};

/// Words of the index: the begin of the header (its last two bytes are the size of a page), the last frame,
/// its checksums, the salts; the frames that are in the database; the word that is ours.
const KIND: usize = 3;
const LAST_FRAME: usize = 4;
const CHECKSUMS: [usize; 2] = [6, 7];
const SALTS: [usize; 2] = [8, 9];
const BACKFILLED: usize = 24;
const STATE: usize = 33;

/// Nothing is missing in the log.
const WHOLE: u32 = 0x4b56_4b01;
/// There may be frames after its end.
const FRAYED: u32 = 0x4b56_4b02;
/// Something may be missing.
const BROKEN: u32 = 0x4b56_4b03;
/// These bits say that a commit is in progress; the others whose, so that no process withdraws another's.
const UNDER_WAY: u32 = 0x5000_0000;
const UNDER_WAY_BITS: u32 = 0xf000_0000;

/// SQLite's lock for copying the log into the database.
const CHECKPOINT_LOCK: c_int = 1;
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Written again at a time: SQLite's files take less than 128 KiB.
const CHUNK_BYTES: usize = 1 << 16;

/// The part of the log that a failure leaves in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Only the frames after the end of the log: a commit failed before its sync.
    End,
    /// Everything not synced before: a sync failed.
    All,
}

/// A commit that was announced, unless something was in doubt then.
#[derive(Debug)]
#[must_use]
pub struct Announced(Option<u32>);

impl Connection {
    /// Whether the log is known to be complete, without undecided frames after its end. In memory there is no
    /// log: true.
    #[must_use]
    pub fn is_log_whole(&self) -> bool {
        self.log_index().is_none_or(|index| {
            let state = word(index, STATE);
            state == WHOLE || is_under_way(state)
        })
    }

    /// As `is_log_whole`, and no commit is in progress.
    #[must_use]
    pub fn is_log_at_rest(&self) -> bool {
        self.log_index().is_none_or(|index| word(index, STATE) == WHOLE)
    }

    /// Before each commit that writes, in its transaction.
    pub fn announce_commit(&self) -> Announced {
        /// More than one may be unended of a process that was suspended.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        /// Asking for it is a call of the system.
        static PROCESS: LazyLock<u32> = LazyLock::new(std::process::id);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = UNDER_WAY | ((*PROCESS << 8 | count & 0xff) & !UNDER_WAY_BITS);
        let state = self.log_index().and_then(|index| index.get(STATE));
        let announced = state.is_some_and(|state| swap(state, WHOLE, mark));
        Announced(announced.then_some(mark))
    }

    /// After a commit that succeeded, or wrote nothing.
    pub fn commit_ended(&self, Announced(mark): &Announced) {
        if let (Some(state), Some(mark)) = (self.log_index().and_then(|index| index.get(STATE)), *mark) {
            swap(state, mark, WHOLE);
        }
    }

    /// Announces a failure to all processes. Earlier doubts remain.
    pub fn doubt_log(&self, doubt: Doubt, Announced(mark): &Announced) {
        let Some(state) = self.log_index().and_then(|index| index.get(STATE)) else { return };
        if doubt == Doubt::All {
            state.store(BROKEN, Ordering::Release);
        } else if let Some(mark) = *mark {
            // If it is gone, another process has repaired the log meanwhile.
            swap(state, mark, FRAYED);
        }
    }

    /// Repairs the log unless it is whole. To be called in a write transaction, so that its end does not
    /// move.
    ///
    /// # Errors
    /// Those of SQLite, and then it is not whole; `CORRUPT` if its frames cannot be read back.
    pub fn mend_log(&self) -> Result<()> {
        let (Some(index), Some(log), Some(database)) = (self.log_index(), self.log(), self.database()) else {
            return Ok(());
        };
        let state = ended(index);
        if state == WHOLE {
            return Ok(());
        }
        may_fail(self.fault.as_ref(), "log: mend")?;
        let extent = Extent::of(index)?;
        if state == FRAYED {
            extent.cut(&log).inspect_err(|_| self.doubt_log(Doubt::All, &Announced(None)))?;
        } else {
            // The lock's holder would write at its end how much it has copied into the database.
            self.wait_for(|| database.shared_lock(CHECKPOINT_LOCK, true))?;
            // It may have been a checkpoint that took long.
            if word(index, STATE) == WHOLE {
                return database.shared_lock(CHECKPOINT_LOCK, false);
            }
            let mended = extent.write_again(&log).and_then(|()| extent.cut(&log));
            if mended.is_ok()
                && let Some(backfilled) = index.get(BACKFILLED)
            {
                backfilled.store(0, Ordering::Release);
            }
            let _ = database.shared_lock(CHECKPOINT_LOCK, false);
            mended?;
        }
        if let Some(state) = index.get(STATE) {
            state.store(WHOLE, Ordering::Release);
        }
        Ok(())
    }
}

impl Connection {
    /// Asks for a lock, as long as statements would wait for one.
    fn wait_for(&self, lock: impl Fn() -> Result<()>) -> Result<()> {
        for look in 0.. {
            match lock() {
                Err(error)
                    if error.code == Code::Busy
                        && self.busy.as_ref().is_some_and(|busy| busy.pause(look)) => {}
                ended => return ended,
            }
        }
        Ok(())
    }
}

fn word(index: &LogIndex, at: usize) -> u32 {
    index.get(at).map_or(0, |word: &AtomicU32| word.load(Ordering::Acquire))
}

/// Sets `to` if the state was `from`; returns whether it was.
fn swap(state: &AtomicU32, from: u32, to: u32) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

fn is_under_way(state: u32) -> bool {
    state & UNDER_WAY_BITS == UNDER_WAY
}

/// The state, once the commit of another process, which has released its lock, has announced its end. A
/// killed process never does.
fn ended(index: &LogIndex) -> u32 {
    const TIMEOUT: Duration = Duration::from_millis(50);
    const PAUSE: Duration = Duration::from_micros(100);
    let watch = Stopwatch::start();
    loop {
        let state = word(index, STATE);
        if !is_under_way(state) || watch.elapsed() >= TIMEOUT {
            return state;
        }
        clock::pause(PAUSE);
    }
}

/// The extent of the log, by its index.
struct Extent {
    frames: u32,
    page_bytes: usize,
    is_big_endian: bool,
    salts: [u32; 2],
    checksums: [u32; 2],
}

impl Extent {
    fn of(index: &LogIndex) -> Result<Self> {
        let frames = word(index, LAST_FRAME);
        let [_, big_endian, size @ ..] = word(index, KIND).to_ne_bytes();
        // 65,536 is written as 1.
        let page_bytes = match u16::from_ne_bytes(size) {
            1 => 65_536,
            size => usize::from(size),
        };
        if frames > 0 && !page_bytes.is_power_of_two() {
            return Err(corrupt_log());
        }
        Ok(Self {
            frames,
            page_bytes,
            is_big_endian: big_endian != 0,
            salts: SALTS.map(|at| word(index, at)),
            checksums: CHECKSUMS.map(|at| word(index, at)),
        })
    }

    fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.page_bytes
    }

    fn end(&self) -> i64 {
        if self.frames == 0 {
            return 0;
        }
        let frames =
            i64::try_from(self.frame_bytes()).unwrap_or(i64::MAX).saturating_mul(i64::from(self.frames));
        frames.saturating_add(LOG_HEADER_BYTES as i64)
    }

    /// Cuts off the rest, and syncs everything.
    fn cut(&self, log: &File<'_>) -> Result<()> {
        let bytes = log.size()?;
        if bytes > self.end() {
            log.truncate(self.end())?;
        }
        if bytes == 0 { Ok(()) } else { log.sync() }
    }

    /// Writes every frame as it is in memory, after verifying its checksum.
    fn write_again(&self, log: &File<'_>) -> Result<()> {
        if self.frames == 0 {
            return Ok(());
        }
        let mut header = [0; LOG_HEADER_BYTES];
        log.read(&mut header, 0)?;
        let (begin, _) = header.split_at(LOG_HEADER_BYTES - 8);
        let mut sums = self.sum([0, 0], begin);
        log.write(&header, 0)?;
        let at_a_time = (CHUNK_BYTES / self.frame_bytes()).max(1);
        let mut chunk = vec![0; at_a_time * self.frame_bytes()];
        let (mut left, mut at) = (usize::try_from(self.frames).unwrap_or(0), LOG_HEADER_BYTES as i64);
        while left > 0 {
            let count = left.min(at_a_time);
            chunk.truncate(count * self.frame_bytes());
            log.read(&mut chunk, at)?;
            for frame in chunk.chunks_exact(self.frame_bytes()) {
                sums = self.check(sums, frame)?;
            }
            log.write(&chunk, at)?;
            at += i64::try_from(chunk.len()).unwrap_or(0);
            left -= count;
        }
        if sums == self.checksums { Ok(()) } else { Err(corrupt_log()) }
    }

    /// The checksums with a frame more.
    fn check(&self, sums: [u32; 2], frame: &[u8]) -> Result<[u32; 2]> {
        let (header, page) = frame.split_at(FRAME_HEADER_BYTES);
        let (what, rest) = header.split_at(8);
        let (salts, checksums) = rest.split_at(8);
        let sums = self.sum(self.sum(sums, what), page);
        let is_sound =
            words(salts, u32::from_ne_bytes).eq(self.salts) && words(checksums, u32::from_be_bytes).eq(sums);
        if is_sound { Ok(sums) } else { Err(corrupt_log()) }
    }

    /// SQLite's checksum over pairs of words, in the order of bytes of who began the log.
    fn sum(&self, [mut one, mut two]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        let order = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for pair in bytes.chunks_exact(8) {
            let mut pair = words(pair, order);
            one = one.wrapping_add(pair.next().unwrap_or(0)).wrapping_add(two);
            two = two.wrapping_add(pair.next().unwrap_or(0)).wrapping_add(one);
        }
        [one, two]
    }
}

fn words(bytes: &[u8], order: fn([u8; 4]) -> u32) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(move |word| order(word.try_into().unwrap_or_default()))
}

fn corrupt_log() -> Error {
    let message = "a sync failed, and the write-ahead log cannot be read back as it was written; close every Kv on the file, and restore it from a backup";
    Error::new(Code::Corrupt, message)
}
