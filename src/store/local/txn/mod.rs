//! The tables, read and written inside of a transaction.

mod changes;
mod consumer;
mod dead_letters;
pub mod index;
mod lock;
mod net_changes;
mod queue;
pub mod read;
mod set_aside;
pub mod write;
