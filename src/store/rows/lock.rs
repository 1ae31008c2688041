//! Locks as the engine sees them.

use crate::base::error::Result;

/// A lock that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The lock holder.
    pub owner: String,
    /// Larger than every earlier holder's.
    pub token: i64,
    /// When it ends, in milliseconds since the epoch: later than when it was taken, if the clock has stepped
    /// forward since.
    pub expires_at: i64,
}

/// Reads of locks.
pub trait LockRead {
    /// A lock's row; it may have expired.
    fn lock(&mut self, name: &str) -> Result<Option<Lock>>;
}
