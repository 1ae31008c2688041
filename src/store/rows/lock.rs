//! Named leases as the engine sees them: locks, and the consumers of the change log.

use crate::base::error::Result;

/// A lock that somebody took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Who.
    pub owner: String,
    /// Larger than every earlier holder's.
    pub token: i64,
    /// When it ends, in milliseconds since the epoch: later than it was said, if the clock stepped forward since.
    pub expires_at: i64,
}

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

/// Reads of leases.
pub trait LeaseRead {
    /// A lock's row; it may have expired.
    fn lock(&mut self, name: &str) -> Result<Option<Lock>>;

    /// A consumer.
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>>;
}
