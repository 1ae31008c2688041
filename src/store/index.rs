//! Indexes as the engine sees them.

use std::ops::Range;

use super::{Flow, Row};
use crate::error::Result;

/// An index that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Its number.
    pub id: i64,
    /// The encoded prefix of the keys that it holds; empty: all.
    pub prefix: Vec<u8>,
    /// What it is, as JSON.
    pub spec: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

/// A search index that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchIndex {
    /// The encoded prefix.
    pub prefix: Vec<u8>,
    /// The keys under it.
    pub range: Range<Vec<u8>>,
    /// JSON paths, as SQLite has them.
    pub paths: Vec<String>,
    /// The tokenizer, as FTS5 has it.
    pub tokenizer: &'static str,
    /// What is told of it, as JSON.
    pub spec: String,
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchScan {
    /// The index.
    pub id: i64,
    /// FTS5's expression.
    pub expression: String,
    /// Only these keys.
    pub range: Range<Vec<u8>>,
    /// Matches to pass over.
    pub offset: usize,
}

/// Reads of indexes.
pub trait IndexRead {
    /// All indexes, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    fn indexes(&mut self) -> Result<Vec<IndexRow>>;

    /// Shows the live entries that match, best first.
    ///
    /// # Errors
    /// Those of the store and of `visit`.
    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()>;
}

/// Writes of indexes, in an operation.
pub trait IndexWrite {
    /// Makes a search index, with what is stored already.
    ///
    /// # Errors
    /// Those of the store.
    fn create_search_index(&mut self, index: &SearchIndex) -> Result<()>;

    /// Removes an index.
    ///
    /// # Errors
    /// Those of the store.
    fn drop_index(&mut self, id: i64) -> Result<()>;
}
