//! Indexes as the engine sees them.

use std::ops::Range;

use super::entry::{Budget, Flow, Row, Visit};
use crate::base::error::Result;

/// The two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Of words.
    Search,
    /// Of values.
    Ordered,
}

/// A stored index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Its number.
    pub id: i64,
    /// The encoded prefix of the keys that it holds; empty: all.
    pub prefix: Vec<u8>,
    /// Its kind.
    pub kind: IndexKind,
    /// Its definition, as JSON.
    pub spec: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

/// A search index to be made.
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
    /// Its definition as it is stored, in JSON.
    pub spec: String,
}

/// An ordered index, to be made or stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedIndex {
    /// The encoded prefix.
    pub prefix: Vec<u8>,
    /// The keys under it.
    pub range: Range<Vec<u8>>,
    /// JSON paths, as SQLite has them.
    pub paths: Vec<String>,
    /// No two entries may have the same values.
    pub unique: bool,
    /// Its definition as it is stored, in JSON.
    pub spec: String,
}

/// The definition of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// Of words.
    Search(SearchIndex),
    /// Of values.
    Ordered(OrderedIndex),
}

/// Reads a definition from an index's row. The engine knows how, so a store is given this function when it is
/// opened.
pub type Define = fn(&IndexRow) -> Result<Definition>;

/// A value in the form and order of an ordered index.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum IndexValue {
    /// Numbers, bigints and dates.
    Number(f64),
    /// Strings.
    Text(String),
    /// After every string.
    AfterText,
    /// Booleans.
    Flag(bool),
}

impl IndexValue {
    /// The least value of its kind, and one that is not less than any value of its kind.
    #[must_use]
    pub fn kind_ends(&self) -> (Self, Self) {
        match self {
            Self::Number(_) => (Self::Number(f64::NEG_INFINITY), Self::Number(f64::INFINITY)),
            Self::Text(_) | Self::AfterText => (Self::Text(String::new()), Self::AfterText),
            Self::Flag(_) => (Self::Flag(false), Self::Flag(true)),
        }
    }
}

/// A walk along an ordered index.
#[derive(Debug, Clone)]
pub struct OrderedScan {
    /// The index.
    pub id: i64,
    /// Its fields.
    pub paths: Vec<String>,
    /// The keys that it holds.
    pub within: Range<Vec<u8>>,
    /// Values of its first fields.
    pub equal: Vec<IndexValue>,
    /// Bounds of the next field, both included.
    pub between: Option<(IndexValue, IndexValue)>,
    /// Only these keys are wanted.
    pub range: Range<Vec<u8>>,
    /// At most so many keys, wanted or not.
    pub limit: usize,
}

/// A candidate from an index; ordered by its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexedEntry {
    /// Its key.
    pub key: Vec<u8>,
    /// Its row in the store, until it is deleted.
    pub row: i64,
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
    /// A larger value is withheld.
    pub max_value_bytes: usize,
    /// `BUSY` if it takes longer.
    pub within: Option<Budget>,
}

/// Reads of indexes.
pub trait IndexRead {
    /// All indexes, oldest first.
    fn indexes(&mut self) -> Result<Vec<IndexRow>>;

    /// Whether all parts of an index exist, as they were made.
    fn is_intact(&mut self, id: i64, index: &Definition) -> Result<bool>;

    /// Shows the entries that an ordered index has within the bounds, and those that it cannot judge; live or
    /// expired, and also unwanted entries that it has to pass.
    fn scan_index(&mut self, scan: &OrderedScan, visit: &mut dyn FnMut(IndexedEntry)) -> Result<()>;

    /// As `ReadTxn::get`, for a candidate from an index, in this snapshot or in an older one.
    fn get_indexed(&mut self, entry: &IndexedEntry, max_value_bytes: usize, visit: Visit<'_>) -> Result<()>;

    /// Shows the live entries that match, best first.
    ///
    /// # Errors
    /// Those of the store and of `visit`.
    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()>;

    /// Shows the same entries, at most `limit`, without values, and their versionstamps.
    fn rank(
        &mut self,
        scan: &SearchScan,
        limit: usize,
        visit: &mut dyn FnMut(IndexedEntry, &str),
    ) -> Result<()>;

    /// Whether the entry of a key has the words of a search.
    fn is_match(&mut self, scan: &SearchScan, key: &[u8]) -> Result<bool>;
}
