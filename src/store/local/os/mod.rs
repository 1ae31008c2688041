//! What the store asks of the operating system.

pub mod folders;
pub mod identity;
pub mod threads;
