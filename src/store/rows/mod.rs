//! The tables as rows, and how they are read: entries, changes, indexes, locks and consumers, messages.

pub mod changes;
pub mod entry;
pub mod index;
pub mod lock;
pub mod queue;
