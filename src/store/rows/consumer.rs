//! Consumers of the change log as the engine sees them.

use crate::base::error::Result;

/// A consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The encoded prefix of the keys that it reads; empty: all.
    pub prefix: Vec<u8>,
    /// The sequence number that was committed last.
    pub position: i64,
    /// Grows with each holder.
    pub lease: i64,
    /// When the lease ends, as that of a lock; `None` if it was given back.
    pub locked_until: Option<i64>,
    /// When it was last read or committed.
    pub updated_at: i64,
}

/// The lease of a consumer; 0 and 0: nobody holds it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// `Consumer::lease`.
    pub number: i64,
    /// `Consumer::locked_until`.
    pub until_ms: i64,
}

/// Reads of consumers.
pub trait ConsumerRead {
    /// A consumer.
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>>;

    /// The leases of the consumers of these names, which are in the order of their bytes; one for each name.
    /// The lease of a damaged row counts as free: the reader that takes it gets the error.
    fn leases(&mut self, names: &[&str]) -> Result<Vec<Lease>>;
}
