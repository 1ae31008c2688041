//! The entries that a request is about: filters, indexes, searches.

pub mod children;
pub mod definition;
pub mod filter;
pub mod indexes;
pub mod list;
pub mod matching;
pub mod plan;
pub mod range;
pub mod search;
pub mod unique;

/// Candidates of an index that are announced to the store at a time (`ReadTxn::prefetch`).
const PREFETCHED_ENTRIES: usize = 500;
