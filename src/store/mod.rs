//! Stores hold the data. A store knows rows, transactions and the clock; the engine knows what a commit or a
//! read *means*. This file is the seam: the engine sees these traits and nothing below them.
//!
//! Every store is libSQL, in a file, in memory or on a server: the tables, their SQL (`sql/`), paths into
//! JSON, FTS5's expressions and the numbers of rows are the same everywhere, and this interface names them
//! openly. Stores differ in who runs the SQL, and in the cost of a request.
//!
//! Whatever reads or writes fails with the store's errors: `BUSY`, `CLOSED`, `CORRUPT`, `UNAVAILABLE`. The
//! others are named where they arise.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::error::Result;

pub mod backup;
pub mod in_flight;
pub mod job;
pub mod local;
pub mod notice;
pub mod read;
pub mod rows;
mod sql;
pub mod step;
pub mod wakes;

pub use backup::{Backup, BackupEvent, BackupHandle, BackupRequest, Progress};
pub use in_flight::InFlight;
pub use job::{Next, WriteJob, fail_all, finish};
pub use notice::Notice;
pub use read::{Access, Info, ReadJob, ReadTxn, ReadWork, Reader, Want};
pub use rows::changes::{ChangeKind, ChangeRead};
pub use rows::consumer::ConsumerRead;
pub use rows::entry::{Budget, Flow, Row, Scan, Visit, is_live};
pub use rows::index::IndexRead;
pub use rows::lock::LockRead;
pub use rows::queue::QueueRead;
pub use step::{
    Batch, Check, ConflictingEntry, Expiry, FailedCheck, Leased, PutKey, Refusal, Stamping, Step, StepResult,
    Verdict,
};
pub use wakes::{Subscription, Wake};

/// What a store is and can do: the same as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// What it holds outlives the process.
    pub persistent: bool,
    /// It can be copied to a path.
    pub backup: bool,
    /// It can be read on the calling thread: the data is on this machine.
    pub sync_reads: bool,
    /// The largest value, encoded.
    pub max_value_bytes: usize,
    /// The most keys of one read of several, or of one delete of a list.
    pub max_keys: usize,
}

/// One open store, shared by all openers of the same file in this process.
pub trait Store: Send + Sync {
    /// A reader for one thread.
    fn reader(&self) -> Result<Box<dyn Reader>>;

    /// Hands operations to the writer, which commits them together with the others that wait.
    fn write(&self, jobs: Vec<Box<dyn WriteJob>>);

    /// Hands a read to the reader thread.
    fn read(&self, job: Box<dyn ReadJob>);

    /// Hands over a read that precedes all operations handed over after it, by any `Kv` on this store: they
    /// wait until it has run.
    fn read_first(&self, job: Box<dyn ReadJob>);

    /// Copies a snapshot of the store into a file; the events go to the request's handle.
    fn backup(&self, request: BackupRequest);

    /// The store's clock.
    fn clock(&self) -> &Clock;

    /// What it is and can do.
    fn capabilities(&self) -> Capabilities;

    /// The messages that this process handles, of every `Kv` on this store.
    fn in_flight(&self) -> &Arc<InFlight>;

    /// Hands the job that `make` makes to the writer at an interval; zero is never. A later call replaces an
    /// earlier one.
    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Box<dyn WriteJob> + Send>);

    /// Calls `wake` after a group of finished operations or for each notice, as the subscription asks for.
    /// The only call that goes up.
    fn on_finished(&self, wake: Wake) -> Subscription;

    /// Until the returned guard is dropped, the store notices other processes' commits and the time of
    /// `wake_at`; with `expiries`, expired entries are swept within a second.
    fn monitor(&self, expiries: bool) -> Box<dyn Any + Send>;

    /// Wakes with `Notice::TIME` when the store's clock reaches a time, or earlier: a caller that must wait
    /// longer asks again.
    fn wake_at(&self, at_ms: i64);

    /// For tests: see `Clock::freeze`. Wakes the waiters for a time.
    fn freeze_clock(&self, at_ms: Option<i64>);

    /// For tests: see `Clock::shift`. Wakes the waiters for a time.
    fn shift_clock(&self, by_ms: i64);

    /// Whether this opener is the first one.
    fn is_new(&self) -> bool;

    /// Removes one opener. The last one stops the threads; `done` is called when the files are released.
    fn detach(&self, done: Box<dyn FnOnce() + Send>);
}
