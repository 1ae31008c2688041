//! The tables beside the entries, as rows, and how they are read.

pub mod changes;
pub mod index;
pub mod lock;
pub mod queue;
