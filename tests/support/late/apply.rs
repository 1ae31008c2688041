//! A write that was decided on earlier reads, and is applied to a later snapshot if those reads still hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use keyval::base::config::Durability;
use keyval::base::error::{Error, Result};
use keyval::store::{Batch, Next, ReadTxn, Refusal, Stamping, Verdict, WriteJob};

use super::cache::{Cache, Question};
use super::reads::question_of;
use super::shared::Job;

/// A write in progress.
pub struct Waiting {
    pub number: u64,
    pub job: Job,
    /// An earlier turn of it is committed.
    pub has_begun: bool,
    pub cache: Cache,
    pub decision: Option<Decision>,
}

/// The decision of a write.
pub struct Decision {
    /// The decision as text, for comparison.
    text: String,
    /// There is nothing to apply.
    is_empty: bool,
    /// The reads that the next turn begins with.
    then: Vec<Box<dyn Question>>,
}

/// The result of applying a decision.
pub enum End {
    Lost(Loss),
    Refused(Refusal),
    Applied(Verdict),
    Failed(Error),
}

/// Why a decision was not applied.
#[derive(Clone, Copy)]
pub enum Loss {
    /// Its reads are stale.
    Stale,
    /// It could have been applied; it is decided again as if the server's answer had been lost.
    Doubted,
    /// An earlier write has lost, and writes are committed in order.
    Behind,
}

impl Waiting {
    /// Lets the write decide on the known answers.
    pub fn decide(&mut self) {
        if !self.has_begun {
            self.job.begin();
        }
        let Self { job, cache, .. } = self;
        self.decision = cache.run(|reads| {
            let mut batch = Batch::default();
            let result = job.decide(reads, &mut batch);
            let steps = !batch.steps.is_empty() || !batch.checks.is_empty();
            Decision {
                text: text(&result, &batch),
                is_empty: result.is_ok() && !steps && batch.stamping == Stamping::IfChanged,
                then: batch.then.drain(..).map(question_of).collect(),
            }
        });
    }

    /// Whether there is nothing to ask the server for, if it is the first one.
    pub fn has_nothing_to_apply(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.is_empty) && self.cache.is_one_snapshot()
    }

    /// Its turn ends without a request. The reads of the next turn go with the next request.
    pub fn pass(&mut self) {
        let then = self.decision.take().map(|decision| decision.then);
        then.into_iter().flatten().for_each(|question| self.cache.note(question));
    }
}

/// The text of a decision, for comparison.
fn text(result: &Result<()>, batch: &Batch<'_>) -> String {
    match result {
        Ok(()) => format!("{batch:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// Applies a decision in the store of the rows, if its reads still hold; then does the reads of the next
/// turn.
pub struct Apply {
    pub index: usize,
    /// Which of the writes applied together have lost: all after the first loser have, too.
    pub lost: Arc<[AtomicBool]>,
    pub write: Waiting,
    pub is_doubted: bool,
    pub end: Option<End>,
    /// The reads of the next turn, as the steps have left the rows.
    pub left: Option<Cache>,
    pub back: Sender<(usize, Waiting, End)>,
}

impl Apply {
    fn has_lost(&self, whether: bool) {
        self.lost[self.index].store(whether, Ordering::Relaxed);
    }

    /// Why it must be decided again.
    fn loss(&mut self, txn: &mut dyn ReadTxn) -> Option<Loss> {
        if self.lost.iter().take(self.index).any(|lost| lost.load(Ordering::Relaxed)) {
            return Some(Loss::Behind);
        }
        if self.is_doubted {
            return Some(Loss::Doubted);
        }
        if self.write.cache.holds(txn) {
            return None;
        }
        // The answer to a request that has lost brings the current rows.
        self.write.cache.refresh(txn);
        Some(Loss::Stale)
    }
}

impl WriteJob for Apply {
    fn begin(&mut self) {
        (self.end, self.left) = (None, None);
    }

    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        if self.end.is_some() {
            let then = self.write.decision.as_mut().map(|decision| std::mem::take(&mut decision.then));
            self.left = Some(Cache::after(then.unwrap_or_default(), seen));
            return Ok(());
        }
        let loss = self.loss(seen);
        self.has_lost(loss.is_some());
        if let Some(loss) = loss {
            self.end = Some(End::Lost(loss));
            return Ok(());
        }
        let Self { write: Waiting { job, cache, decision, .. }, .. } = self;
        let result = cache.run(|reads| job.decide(reads, batch)).expect("it asks something else than before");
        let before = decision.as_ref().map_or("", |decision| decision.text.as_str());
        assert_eq!(text(&result, batch), before, "decided otherwise on the same");
        result
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.has_lost(true);
        let error = refusal.error.clone();
        self.end = Some(End::Refused(refusal));
        Err(error)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        if self.end.is_some() {
            return Ok(Next::Done);
        }
        self.end = Some(End::Applied(verdict));
        Ok(Next::Again)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let Self { index, mut write, end, left, back, .. } = *self;
        let end = match (outcome, end) {
            (Ok(()), Some(end)) | (Err(_), Some(end @ End::Refused(_))) => end,
            (Err(error), _) => End::Failed(error),
            (Ok(()), None) => End::Failed(Error::invalid("a write of which nothing came")),
        };
        if let (End::Applied(_), Some(left)) = (&end, left) {
            write.cache = left;
        }
        drop(back.send((index, write, end)));
    }

    fn durability(&self) -> Durability {
        self.write.job.durability()
    }
}
