//! Locks on a connection.

use super::read::LocalRead;
use super::write::LocalWrite;
use crate::base::clock::Gap;
use crate::base::error::{Error, Result};
use crate::store::local::sqlite::Rows;
use crate::store::rows::lock::Lock;
use crate::store::sql::Sql;
use crate::store::{LockRead, Step, StepResult};

impl LockRead for LocalRead<'_> {
    fn lock(&mut self, name: &str) -> Result<Option<Lock>> {
        let mut rows = self.db.statement(Sql::Lock)?.query(&[name.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        stored_lock(&rows, self.gap).map(Some).map_err(|_| {
            Error::corrupt(
                "the stored lock is damaged: delete its row in kv_locks, or restore the file from a backup",
            )
        })
    }
}

/// A number or a name of another kind would free a lock that is held.
fn stored_lock(rows: &Rows<'_>, gap: Gap) -> Result<Lock> {
    let (token, expires_at) = (rows.stored_int(1)?, gap.end_of(rows.stored_int(2)?));
    Ok(Lock { owner: rows.stored_text(0)?.to_string(), token, expires_at })
}

impl LocalWrite<'_> {
    /// A step of locks.
    pub fn lock_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        let now_ms = self.read.now_ms;
        match step {
            Step::PutLock { name, owner, token, duration_ms } => {
                let number = token.unwrap_or_else(|| self.next_number());
                let until_ms = now_ms.saturating_add(*duration_ms);
                let params = [(*name).into(), (*owner).into(), number.into(), until_ms.into()];
                self.run(Sql::PutLock, &params)?;
                Ok(StepResult::Lease { number, until_ms })
            }
            Step::DeleteLock(name) => self.run(Sql::DeleteLock, &[(*name).into()]).map(|_| StepResult::Done),
            Step::SweepLocks(limit) => {
                let (from_ms, to_ms) = self.read.gap.open(now_ms);
                let params = [now_ms.into(), (*limit).into(), from_ms.into(), to_ms.into()];
                self.run(Sql::SweepLocks, &params).map(StepResult::Count)
            }
            _ => Err(Error::corrupt("a step of another kind")),
        }
    }
}
