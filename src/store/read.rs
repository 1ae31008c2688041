//! Reads: one snapshot of the data, and who gives it on which thread.

use std::ops::Range;

use super::rows::changes::{ChangeRead, ChangeScan};
use super::rows::consumer::ConsumerRead;
use super::rows::entry::{Flow, Row, Scan, Visit};
use super::rows::index::{IndexRead, IndexedEntry, OrderedScan, SearchScan};
use super::rows::lock::LockRead;
use super::rows::queue::QueueRead;
use crate::base::error::Result;

/// The description of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// SQLite's version.
    pub sqlite_version: String,
    /// The file's schema.
    pub schema_version: i64,
    /// The file's id.
    pub database_id: String,
    /// How much of a change commits log.
    pub change_log: String,
    /// For how long.
    pub retention_ms: i64,
    /// How long dead letters are kept, if not for ever.
    pub dead_letter_retention_ms: Option<i64>,
    /// The size of the data, without the write-ahead log.
    pub size_bytes: i64,
}

/// A read that is about to be made: a method of `ReadTxn`, with its arguments.
#[derive(Debug)]
pub enum Want<'a> {
    /// `get`.
    Entry(&'a [u8], usize),
    /// `scan`.
    Scan(Scan),
    /// `count`.
    Count(&'a Range<Vec<u8>>),
    /// `info`.
    Info,
    /// `change_log_state`.
    ChangeLogState,
    /// `scan_changes`.
    Changes(ChangeScan),
    /// `consumer`.
    Consumer(&'a str),
    /// `leases`.
    Leases(&'a [&'a str]),
    /// `last_release`.
    LastRelease,
    /// `indexes`.
    Indexes,
    /// `scan_index`.
    OrderedScan(OrderedScan),
    /// `get_indexed`.
    IndexedEntry(&'a IndexedEntry, usize),
    /// `is_match`.
    Match(&'a SearchScan, &'a [u8]),
    /// `standing_message`.
    StandingMessage(&'a str, &'a str),
    /// `ready_messages`.
    ReadyMessages(&'a str, usize),
    /// `leased_message`.
    LeasedMessage(&'a str, i64),
    /// `queue_due`.
    QueueDue(&'a str),
}

/// One snapshot of the data.
pub trait ReadTxn: ChangeRead + ConsumerRead + IndexRead + LockRead + QueueRead {
    /// Milliseconds since the epoch by the store's clock, the same throughout the transaction.
    fn now_ms(&self) -> i64;

    /// Announces reads, so that a store to which each costs a request makes them all in one. It is a hint, which changes no answer;
    /// a store beside the data does not even look at it.
    fn prefetch<'w>(&mut self, wants: &mut dyn Iterator<Item = Want<'w>>) {
        let _ = wants;
    }

    /// Shows the entry of a key, live or expired; a value of more than `max_value_bytes` is withheld.
    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()>;

    /// Shows the live entries of a range in key order.
    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()>;

    /// Counts the live entries of a range.
    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64>;

    /// The last number that was given out. The same one twice: no message was made ready and no lease of a
    /// consumer given back in between, by a version that records it.
    fn last_number(&mut self) -> Result<i64>;

    /// The description of the store.
    fn info(&mut self) -> Result<Info>;
}

/// A read for the reader thread. A store calls `run`, and `finish` once.
pub trait ReadJob: Send {
    /// Reads, and keeps what it has found. A store may call it again, any number of times, on the same snapshot: the last
    /// call counts. Nobody hears of the others; what an earlier one has found for the next page, or walked past of the log,
    /// stays found and walked past.
    ///
    /// # Errors
    /// An error ends this read.
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()>;

    /// Reports what the last call has found, or why there was none.
    fn finish(self: Box<Self>, ran: Result<()>);
}

/// The work of a reader.
pub type ReadWork<'a> = &'a mut dyn FnMut(&mut dyn ReadTxn) -> Result<()>;

/// The kind of access that a read needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One key.
    Point,
    /// Several keys, in one snapshot; also those that an index gives.
    Points,
    /// A range.
    Range,
    /// The change log or other tables, in one snapshot.
    System,
}

/// Reads on the calling thread, without waiting for anything.
pub trait Reader: Send {
    /// Runs `work`. `Ok(false)`: the store is busy, ask the reader thread.
    ///
    /// # Errors
    /// Those of the store and of `work`.
    fn try_read(&mut self, access: Access, work: ReadWork<'_>) -> Result<bool>;

    /// Reads of keys that follow may share a snapshot for as long as it is the newest one, until `release`.
    /// Worth it where many reads follow at once: beginning a snapshot costs more than a read.
    fn keep(&mut self);

    /// Lets go of a kept snapshot.
    fn release(&mut self);
}
