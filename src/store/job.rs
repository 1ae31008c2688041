//! An operation on its way through a store: it decides by what it reads, and the store applies the decision.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::read::ReadTxn;
use super::step::{Batch, Refusal, Verdict};
use crate::base::config::Durability;
use crate::base::error::{Error, Result};

/// Whether an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Done,
    /// It decides once more, on the rows as its steps left them.
    Again,
}

/// An operation. A store calls `begin`, then alternately `decide` and, once the steps are applied, `applied`,
/// until that returns `Done`; all turns in one commit, or each in its own. `finish` is called once, when the
/// operation is on disk or has failed.
///
/// A decision is a function of its reads, and its snapshot may be stale by the time its steps are applied. So
/// a store may ask for it again, any number of times, before `applied`: the last decision counts. A store
/// calls `begin` again only after undoing every turn.
pub trait WriteJob: Send {
    /// Forgets an earlier run.
    fn begin(&mut self) {}

    /// Decides by its reads: of the store it uses nothing but `seen`. It changes nothing but itself and the
    /// batch, and may be called again; so `finish` reports to others, for example which leases were renewed.
    ///
    /// # Errors
    /// An error ends this operation alone; it may be stale, as the reads may be.
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let _ = (seen, batch);
        Ok(())
    }

    /// A step was refused, and this turn is undone. `Ok`: the operation decides once more, with this
    /// knowledge.
    ///
    /// # Errors
    /// That of the operation.
    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        Err(refusal.error)
    }

    /// The steps are applied, or a check failed (`Verdict::failed`).
    ///
    /// # Errors
    /// That of the operation, whose steps are then undone.
    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        let _ = verdict;
        Ok(Next::Done)
    }

    /// Reports the outcome.
    fn finish(self: Box<Self>, outcome: Result<()>);

    /// The durability of its commit.
    fn durability(&self) -> Durability;

    /// Whether it only waits for the operations handed over before it, and needs no transaction.
    fn is_barrier(&self) -> bool {
        false
    }
}

/// Completes every operation with the same error.
pub fn fail_all(jobs: Vec<Box<dyn WriteJob>>, error: &Error) {
    for job in jobs {
        finish(job, Err(error.clone()));
    }
}

/// Completes an operation. If it panics, its commit is not undone, and the others still get their outcomes.
pub fn finish(job: Box<dyn WriteJob>, outcome: Result<()>) {
    let _ = catch_unwind(AssertUnwindSafe(|| job.finish(outcome)));
}
