//! Where the data is. A store knows rows, transactions and the clock; what a commit or a read *means* is the
//! engine's. This file is the seam: the engine sees these traits alone, so that another kind of store (a libSQL
//! server, a replica) is another implementation of them.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::error::Result;

pub mod backup;
pub mod in_flight;
pub mod job;
pub mod local;
pub mod notice;
pub mod rows;
mod sql;
pub mod step;

pub use backup::{Backup, News, Order, Progress, Ticket};
pub use in_flight::InFlight;
pub use job::{Next, WriteJob, fail_all, finish};
pub use notice::Notice;
pub use rows::changes::LogRead;
pub use rows::index::IndexRead;
pub use rows::lock::LeaseRead;
pub use rows::queue::QueueRead;
pub use step::{Batch, Expiry, Leased, PutKey, Refusal, Stamping, Step, StepResult, Verdict};

/// A stored entry as a read sees it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// The commit that wrote it.
    pub versionstamp: &'a str,
    /// Milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// See `codec::value`.
    pub encoding: u8,
    /// Empty in a scan of keys, and where it is withheld.
    pub value: &'a [u8],
    /// The value is larger than the read wanted to load.
    pub withheld: bool,
}

impl Row<'_> {
    /// Whether it is there at a time; an expired entry is absent for everything.
    #[must_use]
    pub fn is_live(&self, now_ms: i64) -> bool {
        is_live(self.expires_at, now_ms)
    }
}

/// An entry is gone at its expiry, not after it.
#[must_use]
pub fn is_live(expires_at: Option<i64>, now_ms: i64) -> bool {
    expires_at.is_none_or(|at| at > now_ms)
}

/// What a statement may take on a thread that must not be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// So long.
    Time(Duration),
    /// So many steps of SQLite's machine, however fast they are.
    Steps(u32),
}

/// What a scan reads.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Encoded keys.
    pub range: Range<Vec<u8>>,
    /// From the end.
    pub reverse: bool,
    /// Read no values.
    pub keys_only: bool,
    /// The most rows.
    pub limit: usize,
    /// Larger values are withheld.
    pub max_value_bytes: usize,
    /// `BUSY` if it takes more: what has expired is passed, and may be very many.
    pub within: Option<Patience>,
}

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// SQLite's version.
    pub sqlite_version: String,
    /// The file's schema.
    pub schema_version: i64,
    /// The file's id.
    pub database_id: String,
    /// What commits note.
    pub change_log: String,
    /// For how long.
    pub retention_ms: i64,
    /// How long dead letters are kept, if not for ever.
    pub dead_letter_retention_ms: Option<i64>,
    /// The size of the data, without the write-ahead log.
    pub size_bytes: i64,
}

/// Whether a scan goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next row.
    Continue,
    /// This row was the last one wanted.
    Stop,
}

/// Is shown the row of a key.
pub type Visit<'a> = &'a mut dyn FnMut(Option<Row<'_>>) -> Result<()>;

/// One snapshot of the data.
pub trait ReadTxn: LogRead + QueueRead + LeaseRead + IndexRead {
    /// Milliseconds since the epoch by the store's clock, the same throughout the transaction.
    fn now_ms(&self) -> i64;

    /// When a lease ends that was given until a time: later, if the clock stepped forward meanwhile.
    fn end_of_lease(&self, until_ms: i64) -> i64;

    /// Shows what stands at a key, live or expired; a value of more than `max_value_bytes` is withheld.
    ///
    /// # Errors
    /// Those of the store.
    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()>;

    /// Shows the live entries of a range in key order.
    ///
    /// # Errors
    /// Those of the store.
    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()>;

    /// Counts the live entries of a range.
    ///
    /// # Errors
    /// Those of the store.
    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64>;

    /// The last number that was given out. The same one twice: no message was made ready and no lease of a consumer given back in
    /// between, by a version that tells of it.
    ///
    /// # Errors
    /// Those of the store.
    fn last_number(&mut self) -> Result<i64>;

    /// What the store is.
    ///
    /// # Errors
    /// Those of the store.
    fn info(&mut self) -> Result<Info>;
}

/// What a change log row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The key was absent.
    Create,
    /// The key had a value.
    Update,
    /// The key is gone.
    Delete,
}

/// A read for the reader thread.
pub type ReadJob = Box<dyn FnOnce(Result<&mut dyn ReadTxn>) + Send>;

/// What a reader runs.
pub type ReadWork<'a> = &'a mut dyn FnMut(&mut dyn ReadTxn) -> Result<()>;

/// Is told of reasons to look; false: not any more.
pub type Wake = Box<dyn Fn(&Notice) -> bool + Send>;

/// What a read looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One key.
    Point,
    /// Several keys, in one snapshot; also those that an index gives.
    Points,
    /// A range.
    Range,
    /// The change log or other tables, in one snapshot.
    Tables,
}

/// Reads on the calling thread, without waiting for anything.
pub trait Reader: Send {
    /// Runs `work`. `Ok(false)`: the store is busy, ask the reader thread.
    ///
    /// # Errors
    /// Those of the store and of `work`.
    fn try_read(&mut self, access: Access, work: ReadWork<'_>) -> Result<bool>;

    /// Reads of keys that follow may share a snapshot for as long as it is the newest one, until `release`. Worth it where many
    /// reads follow at once: beginning a snapshot costs more than a read.
    fn keep(&mut self);

    /// Lets go of a kept snapshot.
    fn release(&mut self);
}

/// One open store, shared by all in this process that opened the same place.
pub trait Store: Send + Sync {
    /// A reader for one thread.
    ///
    /// # Errors
    /// Those of the store.
    fn reader(&self) -> Result<Box<dyn Reader>>;

    /// Hands operations to the writer, which commits them together with what else waits.
    fn write(&self, jobs: Vec<Box<dyn WriteJob>>);

    /// Hands a read to the reader thread.
    fn read(&self, job: ReadJob);

    /// Copies a snapshot of the store into a file; the news goes to the order's ticket.
    fn backup(&self, order: Order);

    /// The store's clock.
    fn clock(&self) -> &Clock;

    /// The messages that this process handles, of every `Kv` on this store.
    fn in_flight(&self) -> &Arc<InFlight>;

    /// Hands the job that `make` makes to the writer at an interval; zero is never. A later call replaces an earlier one.
    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Box<dyn WriteJob> + Send>);

    /// Calls `wake` after each group of finished work, and for other reasons to look while somebody is attentive, until it
    /// returns false. The one call that goes up.
    fn on_finished(&self, wake: Wake);

    /// Until what it gives is dropped, commits of other processes are noticed, and the time of `wake_at`; with
    /// `expiries`, what expires is swept within a second.
    fn attend(&self, expiries: bool) -> Box<dyn Any + Send>;

    /// Wakes with `Notice::TIME` when the store's clock has reached a time, or earlier: who still waits then asks again.
    fn wake_at(&self, at_ms: i64);

    /// For tests: see `Clock::freeze`. Whoever waits for a time is woken.
    fn freeze_clock(&self, at_ms: Option<i64>);

    /// For tests: see `Clock::shift`. Whoever waits for a time is woken.
    fn shift_clock(&self, by_ms: i64);

    /// Whether this opener is the first one.
    fn is_new(&self) -> bool;

    /// One opener less. The last one stops the threads; `done` is called when the files are released.
    fn detach(&self, done: Box<dyn FnOnce() + Send>);
}
