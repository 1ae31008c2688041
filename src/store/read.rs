//! Reads: one snapshot of the data, and who gives it on which thread.

use std::ops::Range;

use super::rows::changes::ChangeRead;
use super::rows::consumer::ConsumerRead;
use super::rows::entry::{Flow, Row, Scan, Visit};
use super::rows::index::IndexRead;
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

/// One snapshot of the data.
pub trait ReadTxn: ChangeRead + ConsumerRead + IndexRead + LockRead + QueueRead {
    /// Milliseconds since the epoch by the store's clock, the same throughout the transaction.
    fn now_ms(&self) -> i64;

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

/// A read for the reader thread.
pub type ReadJob = Box<dyn FnOnce(Result<&mut dyn ReadTxn>) + Send>;

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
