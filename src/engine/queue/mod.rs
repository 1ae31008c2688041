//! Messages: enqueued, delivered, kept under a lease, given up as dead letters.

pub mod dead_letters;
pub mod deliver;
pub mod enqueue;
mod extend;
pub mod heartbeat;
pub mod settle;
