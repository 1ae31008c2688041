//! The sweep: expired entries and old dead letters leave their tables, the change log is trimmed, and messages that no
//! claim looks at are set aside, a step at a time so that writes go between two steps. What has expired is absent before
//! that; the sweep only gives the room back.

use std::sync::Weak;

use crate::config::Durability;
use crate::error::Result;
use crate::limits::{CHECKED_MESSAGES, CONSUMER_IN_USE_MS, SWEEP_STEP_ENTRIES};
use crate::store::{Store, WriteJob, WriteTxn};

/// Told how a sweep ended.
pub type Swept = Box<dyn FnOnce(Result<()>) + Send>;

/// One step of a sweep; it hands in the next one itself.
pub struct SweepJob {
    store: Weak<dyn Store>,
    /// Messages are looked through once a sweep, in its first step.
    is_first: bool,
    more: bool,
    done: Option<Swept>,
}

impl SweepJob {
    /// The first step.
    #[must_use]
    pub fn new(store: Weak<dyn Store>, done: Option<Swept>) -> Self {
        Self { store, is_first: true, more: false, done }
    }
}

impl WriteJob for SweepJob {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        let step = SWEEP_STEP_ENTRIES as u64;
        let expired = txn.sweep_expired(SWEEP_STEP_ENTRIES)?;
        let now = txn.now_ms();
        let trimmed = txn.trim_log(now - txn.retention_ms(), now - CONSUMER_IN_USE_MS, SWEEP_STEP_ENTRIES)?;
        let locks = txn.sweep_locks(SWEEP_STEP_ENTRIES)?;
        let letters = match txn.dead_letter_retention_ms() {
            Some(ms) => txn.sweep_dead_letters(now.saturating_sub(ms), SWEEP_STEP_ENTRIES)?,
            None => 0,
        };
        if self.is_first {
            txn.set_stranded_aside(CHECKED_MESSAGES)?;
        }
        // Of dead letters a step looks at so many, and leaves those whose time is damaged.
        self.more = [expired, trimmed, locks].contains(&step) || letters > 0;
        Ok(())
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let next = self.store.upgrade().filter(|_| self.more && outcome.is_ok());
        match (next, self.done.take()) {
            (Some(store), done) => store.write(vec![Box::new(Self {
                is_first: false,
                more: false,
                done,
                store: self.store.clone(),
            })]),
            (None, Some(done)) => done(outcome),
            (None, None) => {}
        }
    }

    /// As little as the openers allow: a power cut brings back what expired, which stays absent and is swept again.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}
