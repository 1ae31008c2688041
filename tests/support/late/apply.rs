//! A write that is decided on one snapshot, and applied on a later one if what it has read still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use keyval::base::config::Durability;
use keyval::base::error::{Error, Result};
use keyval::store::{Batch, Next, ReadTxn, Refusal, Verdict, WriteJob};

use super::seen::{Reads, Seen};
use super::shared::Job;

/// A write that is under way.
pub struct Waiting {
    pub number: u64,
    pub job: Job,
    /// An earlier turn of it is committed.
    pub has_begun: bool,
}

/// A write that is decided.
pub struct Decided {
    pub write: Waiting,
    pub seen: Seen,
    pub decision: String,
}

/// What came of the steps of a decision.
pub enum End {
    Lost(Loss),
    Refused(Refusal),
    Applied(Verdict),
    Failed(Error),
}

/// Why a decision was not applied.
#[derive(Clone, Copy)]
pub enum Loss {
    /// What it has read does not hold any more.
    Stale,
    /// It would have, as it may be where an answer is lost.
    Doubted,
    /// One before it has lost, and writes are committed in their order.
    Behind,
}

/// Has a write decide.
pub fn decide(mut write: Waiting, txn: &mut dyn ReadTxn) -> Decided {
    if !write.has_begun {
        write.job.begin();
    }
    let (mut seen, mut batch) = (Seen::default(), Batch::default());
    let result = write.job.decide(&mut Reads::noting(txn, &mut seen), &mut batch);
    let decision = text(&result, &batch);
    drop(batch);
    Decided { write, seen, decision }
}

/// A decision, to compare it.
fn text(result: &Result<()>, batch: &Batch<'_>) -> String {
    match result {
        Ok(()) => format!("{batch:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// Applies a decision in the rows' store, if what it has read still holds.
pub struct Apply {
    pub index: usize,
    /// Which of those that are applied together have lost: those after the first one have, too.
    pub lost: Arc<[AtomicBool]>,
    pub decided: Decided,
    pub is_doubted: bool,
    pub end: Option<End>,
    pub back: Sender<(usize, Waiting, End)>,
}

impl Apply {
    fn has_lost(&self, whether: bool) {
        self.lost[self.index].store(whether, Ordering::Relaxed);
    }

    /// Why it must be decided again.
    fn loss(&self, txn: &mut dyn ReadTxn) -> Option<Loss> {
        if self.lost.iter().take(self.index).any(|lost| lost.load(Ordering::Relaxed)) {
            return Some(Loss::Behind);
        }
        if self.is_doubted {
            return Some(Loss::Doubted);
        }
        (!self.decided.seen.holds(txn)).then_some(Loss::Stale)
    }
}

impl WriteJob for Apply {
    fn begin(&mut self) {
        self.end = None;
    }

    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let loss = self.loss(seen);
        self.has_lost(loss.is_some());
        if let Some(loss) = loss {
            self.end = Some(End::Lost(loss));
            return Ok(());
        }
        let Self { decided: Decided { write, seen, decision }, .. } = self;
        let result = write.job.decide(&mut Reads::again(seen), batch);
        assert_eq!(text(&result, batch), *decision, "decided otherwise on the same");
        result
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.has_lost(true);
        let error = refusal.error.clone();
        self.end = Some(End::Refused(refusal));
        Err(error)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        self.end.get_or_insert(End::Applied(verdict));
        Ok(Next::Done)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let Self { index, decided, end, back, .. } = *self;
        let end = match (outcome, end) {
            (Ok(()), Some(end)) | (Err(_), Some(end @ End::Refused(_))) => end,
            (Err(error), _) => End::Failed(error),
            (Ok(()), None) => End::Failed(Error::invalid("a write of which nothing came")),
        };
        drop(back.send((index, decided.write, end)));
    }

    fn durability(&self) -> Durability {
        self.decided.write.job.durability()
    }
}
