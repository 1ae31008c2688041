//! What reads and commits mean, on any store.

pub mod arithmetic;
pub mod atomic;
pub mod commit;
pub mod expiry;
pub mod net;
pub mod page;
pub mod range;
pub mod read;
