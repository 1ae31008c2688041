//! The store's interface to the operating system.

pub mod folders;
pub mod identity;
pub mod threads;
