//! The sweep: expired entries and old dead letters leave their tables, the change log is trimmed, and messages that no
//! claim looks at are set aside, a step at a time so that writes go between two steps. What has expired is absent before
//! that; the sweep only gives the room back.

use std::sync::Weak;

use crate::base::config::Durability;
use crate::base::error::Result;
use crate::base::limits::{CHECKED_MESSAGES, CONSUMER_IN_USE_MS, SWEEP_STEP_ENTRIES};
use crate::store::{Batch, Next, ReadTxn, Step, StepResult, Store, Verdict, WriteJob};

/// Told how a sweep ended.
pub type Swept = Box<dyn FnOnce(Result<()>) + Send>;

/// One step of a sweep; it hands in the next one itself.
pub struct SweepJob {
    store: Weak<dyn Store>,
    /// Messages are looked through once a sweep, in its first step.
    is_first: bool,
    /// The step that sweeps dead letters.
    letters: usize,
    more: bool,
    done: Option<Swept>,
}

impl SweepJob {
    /// The first step.
    #[must_use]
    pub fn new(store: Weak<dyn Store>, done: Option<Swept>) -> Self {
        Self { store, is_first: true, letters: 0, more: false, done }
    }
}

impl WriteJob for SweepJob {
    fn decide<'a>(&'a mut self, _seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        batch.push(Step::SweepExpired(SWEEP_STEP_ENTRIES));
        batch.push(Step::TrimLog { in_use_ms: CONSUMER_IN_USE_MS, limit: SWEEP_STEP_ENTRIES });
        batch.push(Step::SweepLocks(SWEEP_STEP_ENTRIES));
        self.letters = batch.push(Step::SweepDeadLetters(SWEEP_STEP_ENTRIES));
        if self.is_first {
            batch.push(Step::SetStrandedAside(CHECKED_MESSAGES));
        }
        Ok(())
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        // Of dead letters a step looks at so many, and leaves those whose time is damaged.
        let letters = verdict.results.get(self.letters).is_some_and(|result| *result != StepResult::Count(0));
        self.more = letters || verdict.results.contains(&StepResult::Count(SWEEP_STEP_ENTRIES as u64));
        Ok(Next::Done)
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let next = self.store.upgrade().filter(|_| self.more && outcome.is_ok());
        match (next, self.done.take()) {
            (Some(store), done) => {
                let next = Self { is_first: false, ..Self::new(self.store.clone(), done) };
                store.write(vec![Box::new(next)]);
            }
            (None, Some(done)) => done(outcome),
            (None, None) => {}
        }
    }

    /// As little as the openers allow: a power cut brings back what expired, which stays absent and is swept again.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}
