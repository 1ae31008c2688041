//! The tables as rows, and how they are read: entries, changes, consumers, indexes, locks, messages, what was
//! released.

pub mod changes;
pub mod consumer;
pub mod entry;
pub mod index;
pub mod lock;
pub mod queue;
pub mod released;
