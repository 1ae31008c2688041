//! An operation on its way through a store: it decides on what it reads, and the store does what it decided on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::read::ReadTxn;
use super::step::{Batch, Refusal, Verdict};
use crate::base::config::Durability;
use crate::base::error::{Error, Result};

/// Whether an operation is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is.
    Done,
    /// It decides once more, on what its steps left.
    Again,
}

/// An operation. A store calls `begin`, then in turn `decide` and, when the steps were applied, `applied`, until that says that it is
/// done; all turns as one commit, or each as a commit of its own. `finish` is called once, when that is on disk or has failed.
///
/// A decision is a function of what it reads, and may be made on a snapshot that is out of date by the time its steps are applied. So
/// a store may ask for it again, any number of times, before `applied`: the last one counts. It begins again only if it has undone
/// every turn.
pub trait WriteJob: Send {
    /// Forgets an earlier run.
    fn begin(&mut self) {}

    /// Decides on what it reads: of the store nothing but `seen`. It changes nothing but itself and the
    /// batch, and may be called again: what others are to know of it, such as which leases were extended,
    /// `finish` tells.
    ///
    /// # Errors
    /// An error ends this operation, alone; it is as old as what was read.
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let _ = (seen, batch);
        Ok(())
    }

    /// A step was refused, and this turn is undone. `Ok`: it decides once more, and knows better.
    ///
    /// # Errors
    /// That of the operation.
    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        Err(refusal.error)
    }

    /// The steps are applied, or a check does not hold (`Verdict::failed`).
    ///
    /// # Errors
    /// That of the operation, whose steps have changed nothing then.
    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        let _ = verdict;
        Ok(Next::Done)
    }

    /// Reports the outcome.
    fn finish(self: Box<Self>, outcome: Result<()>);

    /// What its commit must survive.
    fn durability(&self) -> Durability;

    /// It only waits for what was handed over before it, and needs no transaction.
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

/// Completes an operation. One that panics then is a fault of its own: its commit stands, and the others are to hear of
/// theirs.
pub fn finish(job: Box<dyn WriteJob>, outcome: Result<()>) {
    let _ = catch_unwind(AssertUnwindSafe(|| job.finish(outcome)));
}
