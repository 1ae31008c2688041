//! The commit engine: checks, then mutations in order, all or nothing. It decides by the stored rows; the
//! store evaluates the checks and applies the steps.

use smallvec::SmallVec;

use super::decide::{Decided, Pending, Room, located, mutate};
use super::{Commit, Mutation, Outcome, Reply, Stamping};
use crate::base::config::Durability;
use crate::base::error::{Code, Error, Result};
use crate::engine::query::unique;
use crate::engine::queue::settle::{Undelivered, set_aside};
use crate::store::{Batch, Next, ReadTxn, Refusal, StepResult, Verdict, WriteJob};

/// Called with the outcome of a commit, once.
pub type Done = Box<dyn FnOnce(Result<Outcome>) + Send>;

/// A commit on its way through the writer.
pub struct CommitJob {
    commit: Commit,
    durability: Durability,
    room: Vec<Room>,
    decided: SmallVec<[Decided; 1]>,
    /// Whether this turn only sets damaged messages aside; the commit follows in the next one.
    sets_aside: bool,
    undelivered: Undelivered,
    /// The error of the mutations. It is reported only if the checks hold, since they come first.
    error: Option<Error>,
    outcome: Option<Outcome>,
    done: Option<Done>,
}

impl CommitJob {
    /// A commit that reports to `done`.
    #[must_use]
    pub fn new(commit: Commit, durability: Durability, done: Done) -> Self {
        Self {
            commit,
            durability,
            room: Vec::new(),
            decided: SmallVec::new(),
            sets_aside: false,
            undelivered: Undelivered::default(),
            error: None,
            outcome: None,
            done: Some(done),
        }
    }

    fn finish_with(&mut self, result: Result<Outcome>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

fn lost() -> Error {
    Error {
        outcome_unknown: true,
        ..Error::new(Code::Unavailable, "the writer ended before it reported the outcome of the commit")
    }
}

impl WriteJob for CommitJob {
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let Self { commit, room, decided, sets_aside, undelivered, error, outcome, .. } = self;
        decided.clear();
        *sets_aside = false;
        (*error, *outcome) = (None, None);
        let commit = &*commit;
        (batch.checks, batch.stamping) = (&commit.checks, commit.stamping);
        if commit.stamping == Stamping::Never {
            return Ok(());
        }
        match mutate(commit, room, seen, batch, decided) {
            Ok(damaged) if damaged.is_empty() => {}
            Ok(damaged) => {
                *sets_aside = true;
                *batch = Batch { checks: &commit.checks, ..Batch::default() };
                set_aside(batch, damaged, undelivered);
            }
            Err(cause) if commit.checks.is_empty() => return Err(cause),
            Err(cause) => {
                *error = Some(cause);
                *batch = Batch { checks: &commit.checks, ..Batch::default() };
            }
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        if self.sets_aside {
            return self.undelivered.refused(refusal);
        }
        let index = self.decided.iter().take_while(|decided| decided.end <= refusal.step).count();
        let key = refusal.key.clone();
        let holder = unique::expired_holder(refusal).map_err(|error| located(error, &self.commit, index))?;
        self.room.push(Room { key, holder });
        Ok(())
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        if !verdict.failed.is_empty() {
            self.outcome = Some(Outcome::Conflict(verdict.failed));
            return Ok(Next::Done);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.sets_aside {
            return Ok(Next::Again);
        }
        let changes_alone = || !self.commit.mutations.iter().any(Mutation::writes_value);
        let versionstamp = match self.commit.stamping {
            Stamping::IfChanged if changes_alone() => None,
            _ => verdict.stamp,
        };
        let mut results = verdict.results.into_iter();
        let (mut replies, mut begin) = (Vec::with_capacity(self.decided.len()), 0);
        for Decided { end, reply } in self.decided.drain(..) {
            let steps = results.by_ref().take(end - begin);
            begin = end;
            replies.push(match reply {
                Pending::Known(reply) => {
                    steps.for_each(drop);
                    reply
                }
                Pending::Deleted => Reply::Count(steps.map(|step| step.count()).sum()),
                Pending::Step => steps.last().map_or(Reply::Done, reply_of),
            });
        }
        self.outcome = Some(Outcome::Committed { versionstamp, replies });
        Ok(Next::Done)
    }

    fn finish(mut self: Box<Self>, result: Result<()>) {
        let outcome = self.outcome.take();
        self.finish_with(result.and_then(|()| outcome.ok_or_else(lost)));
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

fn reply_of(result: StepResult) -> Reply {
    match result {
        StepResult::Id(id) => Reply::Id(id),
        StepResult::Flag(found) => Reply::Found(found),
        StepResult::Count(count) => Reply::Count(count),
        StepResult::Done | StepResult::Lease { .. } | StepResult::Swept { .. } => Reply::Done,
    }
}

impl Drop for CommitJob {
    fn drop(&mut self) {
        if self.done.is_some() {
            self.finish_with(Err(lost()));
        }
    }
}
