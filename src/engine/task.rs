//! A write with an answer of its own: the way of everything that is not a commit.

use super::answer::Answer;
use crate::config::Durability;
use crate::error::{Code, Error, Result};
use crate::store::{WriteJob, WriteTxn};

/// What a task does; it may run more than once, and only its last run counts.
pub type Work = Box<dyn FnMut(&mut dyn WriteTxn) -> Result<Answer> + Send>;

/// Told the answer, once.
pub type Told = Box<dyn FnOnce(Result<Answer>) + Send>;

/// A task on its way through the writer.
pub struct Task {
    work: Work,
    durability: Durability,
    answer: Answer,
    told: Option<Told>,
}

impl Task {
    /// A task that tells `told`.
    #[must_use]
    pub fn new(work: Work, durability: Durability, told: Told) -> Self {
        Self { work, durability, answer: Answer::TakesLong, told: Some(told) }
    }
}

impl WriteJob for Task {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        self.answer = (self.work)(txn)?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        let answer = std::mem::replace(&mut self.answer, Answer::TakesLong);
        if let Some(told) = self.told.take() {
            told(outcome.map(|()| answer));
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            told(Err(Error {
                outcome_unknown: true,
                ..Error::new(Code::Unavailable, "the writer ended before it could say how it went")
            }));
        }
    }
}
