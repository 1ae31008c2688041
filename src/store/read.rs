//! Reads: one snapshot of the data, and the readers that provide it.

use std::ops::Range;

use super::rows::changes::{ChangeRead, ChangeScan};
use super::rows::consumer::ConsumerRead;
use super::rows::entry::{Flow, Row, Scan, Visit};
use super::rows::index::{IndexRead, IndexedEntry, OrderedScan, SearchScan};
use super::rows::lock::LockRead;
use super::rows::queue::QueueRead;
use super::rows::released::ReleasedNames;
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
    /// How much of each change is logged.
    pub change_log: String,
    /// How long the log is kept.
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
    /// `released_since`.
    ReleasedSince(i64),
    /// `indexes`.
    Indexes,
    /// `scan_index`.
    OrderedScan(OrderedScan),
    /// `get_indexed`.
    IndexedEntry(&'a IndexedEntry, usize),
    /// `is_match`.
    Match(&'a SearchScan, &'a [u8]),
    /// `duplicate_message`.
    DuplicateMessage(&'a str, &'a str),
    /// `ready_messages`.
    ReadyMessages(&'a str, usize),
    /// `leased_message`.
    LeasedMessage(&'a str, i64),
    /// `queue_due`.
    QueueDue(&'a str),
    /// `queues_added_to`.
    QueuesAddedTo(i64, usize),
}

/// One snapshot of the data.
pub trait ReadTxn: ChangeRead + ConsumerRead + IndexRead + LockRead + QueueRead {
    /// Milliseconds since the epoch by the store's clock, the same throughout the transaction.
    fn now_ms(&self) -> i64;

    /// Announces reads, so that a store for which each is a request can make all of them in one. It is a
    /// hint, which changes no answer; a local store ignores it.
    fn prefetch<'w>(&mut self, wants: &mut dyn Iterator<Item = Want<'w>>) {
        let _ = wants;
    }

    /// Shows the entry of a key, live or expired; a value of more than `max_value_bytes` is withheld.
    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()>;

    /// Shows the live entries of a range in key order.
    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()>;

    /// Counts the live entries of a range.
    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64>;

    /// The last number that was issued. If it is the same twice, no message was made ready and no consumer's
    /// lease was given back in between, by a version that records it.
    fn last_number(&mut self) -> Result<i64>;

    /// The queues whose stored messages commits after a number have made ready, and the consumers whose
    /// leases they have given back. `None` if that is not known. Version 0.1.0 does not record it.
    fn released_since(&mut self, number: i64) -> Result<Option<ReleasedNames>>;

    /// The description of the store.
    fn info(&mut self) -> Result<Info>;
}

/// A read for the reader thread. A store calls `run`, and `finish` once.
pub trait ReadJob: Send {
    /// Reads, and keeps its result. A store may call it again, any number of times, on the same snapshot:
    /// only the result of the last call is reported. State kept for later requests (the hits for the next
    /// page, the walk along the log) remains from earlier calls, too.
    ///
    /// # Errors
    /// An error ends this read.
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()>;

    /// Reports the result of the last call, or why there was none.
    fn finish(self: Box<Self>, ran: Result<()>);
}

/// The work of a reader.
pub type ReadWork<'a> = &'a mut dyn FnMut(&mut dyn ReadTxn) -> Result<()>;

/// The kind of access that a read needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One key.
    Point,
    /// Several keys, in one snapshot; also the candidates of an index.
    Points,
    /// A range.
    Range,
    /// The change log or other tables, in one snapshot.
    System,
}

/// Reads on the calling thread.
pub trait Reader: Send {
    /// Runs `work`, without waiting for anything. `Ok(false)`: the store is busy, ask the reader thread.
    ///
    /// # Errors
    /// Those of the store and of `work`.
    fn try_read(&mut self, access: Access, work: ReadWork<'_>) -> Result<bool>;

    /// Runs `work`, and waits where it must, up to the store's busy timeout: until what is in the log is
    /// decided, until a lock is released.
    ///
    /// # Errors
    /// Those of the store and of `work`; `BUSY` once that time is over; `UNSUPPORTED` of a store that is
    /// remote.
    fn read(&mut self, access: Access, work: ReadWork<'_>) -> Result<()>;

    /// Lets the following reads of keys share a snapshot while it is the newest, until `release`. Worth it if
    /// many reads follow at once: beginning a snapshot costs more than a read.
    fn keep(&mut self);

    /// Releases a kept snapshot.
    fn release(&mut self);
}
