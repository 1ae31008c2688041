//! The sweep: expired entries and old dead letters leave their tables, the change log is trimmed, and
//! messages that no claim looks at are set aside, a step at a time so that writes go between two steps. What
//! has expired is absent before that; the sweep only gives the room back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use super::queue::settle::{Undelivered, set_aside};
use crate::base::config::Durability;
use crate::base::error::Result;
use crate::base::limits::{CHECKED_MESSAGES, CONSUMER_IN_USE_MS, SWEEP_STEP_ENTRIES};
use crate::store::rows::queue::Stranded;
use crate::store::{Batch, Next, ReadTxn, Refusal, Step, StepResult, Store, Verdict, WriteJob};

/// Receives the outcome of a sweep.
pub type Swept = Box<dyn FnOnce(Result<()>) + Send>;

/// Before every row.
const BEGINNING: i64 = i64::MIN;

/// The rows up to which sweeps have looked where one does not look at all of them: the next one goes on
/// behind them.
#[derive(Debug)]
pub struct Looked {
    messages: AtomicI64,
    letters: AtomicI64,
}

impl Default for Looked {
    fn default() -> Self {
        Self { messages: AtomicI64::new(BEGINNING), letters: AtomicI64::new(BEGINNING) }
    }
}

/// Behind which row a step looks for old dead letters. They are in the order in which they were added, so
/// that the old ones are the first; but some may have a damaged time, or that of a clock which was ahead.
#[derive(Debug, Clone, Copy)]
enum Letters {
    /// At the beginning, as long as some are old.
    First(i64),
    /// Further on, once.
    Further(i64),
}

/// One step of a sweep; it hands in the next one itself.
pub struct SweepJob {
    store: Weak<dyn Store>,
    looked: Arc<Looked>,
    undelivered: Undelivered,
    /// Messages are looked through once a sweep, in its first step.
    is_first: bool,
    /// The message that was looked at last.
    message: i64,
    /// `None`: every dead letter was looked at that this sweep looks at.
    letters: Option<Letters>,
    /// The step that sweeps dead letters, what it looked at last, and which are to be looked at next.
    letters_at: usize,
    letter: i64,
    next_letters: Option<Letters>,
    more: bool,
    done: Option<Swept>,
}

impl SweepJob {
    /// The first step.
    #[must_use]
    pub fn new(store: Weak<dyn Store>, looked: Arc<Looked>, done: Option<Swept>) -> Self {
        Self {
            store,
            looked,
            undelivered: Undelivered::default(),
            is_first: true,
            message: BEGINNING,
            letters: Some(Letters::First(BEGINNING)),
            letters_at: 0,
            letter: BEGINNING,
            next_letters: None,
            more: false,
            done,
        }
    }

    /// Messages that no claim looks at become dead letters, and what is blocked behind nothing is let go.
    fn check_messages(&mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'_>) -> Result<()> {
        let after = self.looked.messages.load(Ordering::Relaxed);
        let Stranded { damaged, mut behind_nothing, last } =
            seen.stranded_messages(after, CHECKED_MESSAGES)?;
        self.message = last.unwrap_or(BEGINNING);
        for one in &damaged {
            // Setting a stranded message aside unblocks the messages behind it already.
            behind_nothing.remove(&(one.queue.clone(), one.ordering_key.clone().unwrap_or_default()));
        }
        set_aside(batch, damaged, &self.undelivered);
        if !behind_nothing.is_empty() {
            batch.push(Step::Unblock(behind_nothing.into_iter().collect()));
        }
        Ok(())
    }

    /// The next sweep goes on where this one ended.
    fn note(&self) {
        if self.is_first {
            self.looked.messages.store(self.message, Ordering::Relaxed);
        }
        if let Some(Letters::Further(_)) = self.letters {
            self.looked.letters.store(self.letter, Ordering::Relaxed);
        }
    }

    /// Which dead letters are to be looked at next, where so many of some were old and `last` was the last
    /// one of them.
    fn letters_after(&self, count: u64, last: Option<i64>) -> Option<Letters> {
        match (self.letters?, last?) {
            (Letters::First(_), last) if count > 0 => Some(Letters::First(last)),
            (Letters::First(_), last) => {
                Some(Letters::Further(self.looked.letters.load(Ordering::Relaxed).max(last)))
            }
            (Letters::Further(_), last) => (count > 0).then_some(Letters::Further(last)),
        }
    }
}

impl WriteJob for SweepJob {
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        batch.push(Step::SweepExpired(SWEEP_STEP_ENTRIES));
        batch.push(Step::TrimChanges { in_use_ms: CONSUMER_IN_USE_MS, limit: SWEEP_STEP_ENTRIES });
        batch.push(Step::SweepLocks(SWEEP_STEP_ENTRIES));
        if let Some(Letters::First(after) | Letters::Further(after)) = self.letters {
            self.letters_at = batch.push(Step::SweepDeadLetters { after, limit: SWEEP_STEP_ENTRIES });
        }
        if self.is_first {
            self.check_messages(seen, batch)?;
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.undelivered.refused(refusal)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        if let Some(StepResult::Swept { count, last }) = verdict.results.get(self.letters_at) {
            self.letter = last.unwrap_or(BEGINNING);
            self.next_letters = self.letters_after(*count, *last);
        }
        let full = StepResult::Count(SWEEP_STEP_ENTRIES as u64);
        self.more = self.next_letters.is_some() || verdict.results.contains(&full);
        Ok(Next::Done)
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        if outcome.is_ok() {
            self.note();
        }
        let next = self.store.upgrade().filter(|_| self.more && outcome.is_ok());
        match (next, self.done.take()) {
            (Some(store), done) => {
                let next = Self::new(self.store.clone(), Arc::clone(&self.looked), done);
                store.write(vec![Box::new(Self { is_first: false, letters: self.next_letters, ..next })]);
            }
            (None, Some(done)) => done(outcome),
            (None, None) => {}
        }
    }

    /// As little as the openers allow: a power cut brings back what expired, which stays absent and is swept
    /// again.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}
