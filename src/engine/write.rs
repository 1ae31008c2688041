//! Writes other than commits and claims, as data: each decides by the stored rows, and has an answer.

use std::sync::Arc;

use super::answer::{Answer, ConsumerLease, Ending, lost};
use super::changes::consumer::LeaseHolder;
use super::changes::{consumer, feed};
use super::lock;
use super::query::indexes;
use super::queue::dead_letters;
use super::queue::settle::{Ended, Undelivered, end};
use super::request::Write;
use crate::base::config::Durability;
use crate::base::error::{Code, Error, Result};
use crate::base::limits::TRIM_STEP_ROWS;
use crate::store::{Batch, InFlight, Next, ReadTxn, Refusal, Step, StepResult, Verdict, WriteJob};

impl Write {
    fn decide<'a>(
        &'a self,
        seen: &mut dyn ReadTxn,
        batch: &mut Batch<'a>,
        undelivered: &Undelivered,
        in_flight: &InFlight,
    ) -> Result<Ending> {
        match self {
            Self::Settle(settled) => match end(seen, batch, settled, undelivered)? {
                Ended::At(_) => {
                    Ok(Ending::of(|result| if result.is_up() { Ok(Answer::Done) } else { Err(lease_lost()) }))
                }
                Ended::Lost => Err(lease_lost()),
                Ended::Held => Ok(Ending::Known(Answer::Done)),
            },
            Self::Requeue { letter, id } => dead_letters::requeue(seen, batch, letter, id),
            Self::DeleteDeadLetter(id) => {
                batch.push(Step::DeleteDeadLetter(id));
                Ok(Ending::found())
            }
            Self::PurgeDeadLetters(queue) => {
                batch.push(Step::PurgeDeadLetters(queue.as_deref(), TRIM_STEP_ROWS));
                Ok(Ending::of(|result| {
                    let count = result.count();
                    Ok(Answer::Purged { count, more: count == TRIM_STEP_ROWS as u64 })
                }))
            }
            Self::TakeLock(request) => lock::take(seen, batch, request),
            Self::ReleaseLock(name, token) => lock::release(seen, batch, name, *token),
            Self::TakeConsumer(holder, prefix) => {
                consumer::take(seen, batch, holder, prefix.as_deref(), in_flight)
            }
            Self::CommitConsumer(holder, seq) => consumer::commit(seen, batch, holder, *seq),
            Self::ReleaseConsumer(holder) => consumer::release(seen, batch, holder),
            Self::DeleteConsumer(name) => {
                batch.push(Step::DeleteConsumer(name));
                Ok(Ending::found())
            }
            Self::CreateSearchIndex(index) => indexes::create(seen, batch, index),
            Self::CreateOrderedIndex(index) => indexes::create_ordered(seen, batch, index),
            Self::RemoveIndexes(prefix, name) => indexes::remove(seen, batch, prefix, name.as_deref()),
            Self::TrimChanges(seq) => feed::trim(seen, batch, *seq),
        }
    }

    /// Notes which loops over consumers run in this process, for a `Kv` by its number. One that gives its
    /// lease back has ended, even if that write fails.
    #[must_use]
    pub fn noting_loops(&self, kv: u64, in_flight: &Arc<InFlight>, done: AnswerDone) -> AnswerDone {
        match self {
            Self::TakeConsumer(LeaseHolder { name, lease_ms, is_loop: true, .. }, _) => {
                let (in_flight, name, lease_ms) = (Arc::clone(in_flight), name.clone(), *lease_ms);
                Box::new(move |answer| {
                    if let Ok(Answer::ConsumerTaken(ConsumerLease::Taken { lease, .. })) = &answer {
                        in_flight.begin_loop(kv, &name, *lease, lease_ms);
                    }
                    done(answer);
                })
            }
            Self::ReleaseConsumer(LeaseHolder { name, lease, .. }) => {
                in_flight.end_loop(name, *lease);
                done
            }
            _ => done,
        }
    }
}

fn lease_lost() -> Error {
    let message = "the message's lease was lost; it was, or will be, delivered again";
    Error::new(Code::Conflict, message).at("id")
}

/// Called with the answer, once.
pub type AnswerDone = Box<dyn FnOnce(Result<Answer>) + Send>;

/// A write on its way through the writer.
pub struct AnswerJob {
    write: Write,
    durability: Durability,
    undelivered: Undelivered,
    in_flight: Arc<InFlight>,
    ending: Option<Ending>,
    answer: Option<Answer>,
    done: Option<AnswerDone>,
}

impl AnswerJob {
    /// A write that calls `done`.
    #[must_use]
    pub fn new(write: Write, durability: Durability, in_flight: Arc<InFlight>, done: AnswerDone) -> Self {
        let undelivered = Undelivered::default();
        Self { write, durability, undelivered, in_flight, ending: None, answer: None, done: Some(done) }
    }
}

impl WriteJob for AnswerJob {
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let Self { write, undelivered, in_flight, ending, .. } = self;
        *ending = Some(write.decide(seen, batch, undelivered, in_flight)?);
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.undelivered.refused(refusal)
    }

    fn applied(&mut self, mut verdict: Verdict) -> Result<Next> {
        self.answer = match self.ending.take() {
            Some(Ending::Known(answer)) => Some(answer),
            Some(Ending::Of(answer)) => Some(answer(verdict.results.pop().unwrap_or(StepResult::Done))?),
            None => None,
        };
        Ok(Next::Done)
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let answer = self.answer.take();
        let makes_unique = matches!(self.write, Write::CreateOrderedIndex(_));
        if let Some(done) = self.done.take() {
            done(outcome.and_then(|()| answer.ok_or_else(lost)).map_err(|error| match error.code {
                Code::Conflict if makes_unique => indexes::not_unique(),
                _ => error,
            }));
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Drop for AnswerJob {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(lost()));
        }
    }
}
