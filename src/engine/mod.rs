//! The meaning of reads and commits, on any store. Every function that asks the store can fail with its
//! errors; the docs name only the other ones.

pub mod answer;
pub mod awaited;
pub mod changes;
pub mod commit;
pub mod get;
pub mod lock;
pub mod query;
pub mod queue;
pub mod read;
pub mod request;
pub mod sweep;
pub mod write;
