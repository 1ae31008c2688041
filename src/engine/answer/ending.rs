//! The answer of a write.

use super::Answer;
use crate::base::error::{Code, Error, Result};
use crate::store::StepResult;

type OfResult = Box<dyn FnOnce(StepResult) -> Result<Answer> + Send>;

/// The answer of a write, once its steps are applied.
pub enum Ending {
    /// This answer.
    Known(Answer),
    /// An answer made of the last step's result.
    Of(OfResult),
}

impl Ending {
    /// See `Ending::Of`.
    pub fn of(answer: impl FnOnce(StepResult) -> Result<Answer> + Send + 'static) -> Self {
        Self::Of(Box::new(answer))
    }

    /// Whether the last step found something.
    pub fn found() -> Self {
        Self::of(|result| Ok(Answer::Found(result.is_up())))
    }
}

/// The error of an operation whose outcome is unknown.
#[must_use]
pub fn lost() -> Error {
    Error {
        outcome_unknown: true,
        ..Error::new(Code::Unavailable, "the writer ended before it reported the outcome")
    }
}
