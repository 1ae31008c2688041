//! What reads and commits mean, on any store.

pub mod answer;
pub mod arithmetic;
pub mod atomic;
pub mod awaited;
pub mod commit;
pub mod consumer;
pub mod dead_letters;
pub mod draft;
pub mod enqueue;
pub mod expiry;
pub mod feed;
pub mod filter;
pub mod held;
pub mod hub;
pub mod lock;
pub mod matching;

pub mod page;
pub mod patch;
pub mod plan;
pub mod queue;
pub mod range;
pub mod read;
pub mod search;
pub mod search_page;
pub mod settle;

pub mod unique;
pub mod watch;
pub mod write;
