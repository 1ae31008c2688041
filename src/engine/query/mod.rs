//! Which entries a question is about: filters, indexes, searches.

pub mod definition;
pub mod filter;
pub mod indexes;
pub mod list;
pub mod matching;
pub mod plan;
pub mod range;
pub mod search;
pub mod unique;
