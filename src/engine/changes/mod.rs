//! Changes of entries: the change feed, consumers that keep a position in it, watches.

pub mod consumer;
pub mod feed;
pub mod followers;
pub mod watch;
