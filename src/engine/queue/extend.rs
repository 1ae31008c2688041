//! Renews the leases of messages in flight: for the heartbeat, and for an operation that claims.

use std::borrow::Cow;
use std::ops::Range;

use crate::store::in_flight::Due;
use crate::store::{Batch, InFlight, Leased, Step, StepResult};

/// Leases that steps of a batch renew.
#[derive(Debug, Default)]
pub struct Extended {
    due: Vec<Due>,
    at_ms: i64,
    steps: Range<usize>,
    lost: Vec<usize>,
}

/// Renews leases that are due. An operation that claims does so first: it may have waited for longer than a
/// lease, and must not claim this process's own messages.
pub fn extend(due: Vec<Due>, at_ms: i64, batch: &mut Batch<'_>) -> Extended {
    let begin = batch.steps.len();
    for Due { id, number, lock_ms } in &due {
        batch.push(Step::Extend(Leased { id: Cow::Owned(id.clone()), lease: *number }, *lock_ms));
    }
    Extended { due, at_ms, steps: begin..batch.steps.len(), lost: Vec::new() }
}

impl Extended {
    /// The steps are applied.
    pub fn applied(&mut self, results: &[StepResult]) {
        let results = results.get(self.steps.clone()).unwrap_or_default().iter().enumerate();
        self.lost = results.filter(|(_, result)| !result.is_up()).map(|(index, _)| index).collect();
    }

    /// The batch is on disk: a lost lease is no longer renewed.
    pub fn note(&self, in_flight: &InFlight) {
        in_flight.extended(&self.due, self.at_ms);
        for lost in self.lost.iter().filter_map(|index| self.due.get(*index)) {
            in_flight.stop_renewing(&lost.id, lost.number);
        }
    }
}
