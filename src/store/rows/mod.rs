//! The tables as rows, and how they are read: entries, changes, consumers, indexes, locks, messages.

pub mod changes;
pub mod consumer;
pub mod entry;
pub mod index;
pub mod lock;
pub mod queue;
