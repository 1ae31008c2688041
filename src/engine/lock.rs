//! Locks: leases with a name, an owner and a fencing token.

use super::answer::{Answer, Ending, lost};
use crate::base::error::{At, Error, Result};
use crate::base::limits::{MAX_DURATION_MS, check_name};
use crate::store::rows::lock::Lock;
use crate::store::{Batch, ReadTxn, Step, StepResult};

/// A lock that is asked for.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// Its name.
    pub name: String,
    /// The owner that asks.
    pub owner: String,
    /// Then it ends by itself.
    pub duration_ms: i64,
}

impl LockRequest {
    /// Refuses what is over a limit.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name).at("name")?;
        check_name(&self.owner).at("owner")?;
        if (1..=MAX_DURATION_MS).contains(&self.duration_ms) {
            return Ok(());
        }
        let message = format!("{} ms; give 1 to {MAX_DURATION_MS} ms", self.duration_ms);
        Err(Error::invalid(message).at("duration"))
    }
}

/// Takes a lock, or refreshes the owner's own.
pub fn take<'a>(seen: &mut dyn ReadTxn, batch: &mut Batch<'a>, request: &'a LockRequest) -> Result<Ending> {
    let LockRequest { name, owner, duration_ms } = request;
    let current = live(seen, name)?;
    if let Some(other) = current.as_ref().filter(|lock| lock.owner != *owner) {
        return Ok(Ending::Known(Answer::LockTaken(None, other.expires_at)));
    }
    // The next number is larger than that of any lock before, also of those that were swept.
    let token = current.map(|lock| lock.token);
    batch.push(Step::PutLock { name, owner, token, duration_ms: *duration_ms });
    Ok(Ending::of(|result| match result {
        StepResult::Lease { number, until_ms } => Ok(Answer::LockTaken(Some(number), until_ms)),
        _ => Err(lost()),
    }))
}

/// Gives a lock back: whether it was still held under this token.
pub fn release<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    name: &'a str,
    token: i64,
) -> Result<Ending> {
    let ours = live(seen, name)?.is_some_and(|lock| lock.token == token);
    if ours {
        batch.push(Step::DeleteLock(name));
    }
    Ok(Ending::Known(Answer::Found(ours)))
}

/// The holder of a lock.
pub fn status(txn: &mut dyn ReadTxn, name: &str) -> Result<Answer> {
    Ok(Answer::Lock(live(txn, name)?))
}

fn live(txn: &mut dyn ReadTxn, name: &str) -> Result<Option<Lock>> {
    let now = txn.now_ms();
    Ok(txn.lock(name)?.filter(|lock| lock.expires_at > now))
}
