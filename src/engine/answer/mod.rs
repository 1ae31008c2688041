//! Answers of reads and writes, and how a write gets its answer.

use crate::base::error::{Code, Error, Result};
use crate::base::limits::MAX_INLINE_SCAN_STEPS;
use crate::engine::page::Page;
use crate::store::{Budget, StepResult};

/// An answer on its way to JavaScript.
#[derive(Debug)]
pub enum Answer {
    /// Entries.
    Page(Page),
    /// A count.
    Count(u64),
    /// JSON.
    Text(Vec<u8>),
    /// It would take long: ask where that does no harm.
    WouldBlock,
}

impl Answer {
    /// JSON.
    #[must_use]
    pub fn json(text: impl Into<String>) -> Self {
        Self::Text(text.into().into_bytes())
    }
}

/// The budget of a scan on the JavaScript thread.
pub const INLINE_BUDGET: Budget = Budget::Steps(MAX_INLINE_SCAN_STEPS);

type OfResult = Box<dyn FnOnce(StepResult) -> Result<Answer> + Send>;

/// How a write answers, once its steps are applied.
pub enum Ending {
    /// So.
    Known(Answer),
    /// As its last step says.
    Of(OfResult),
}

impl Ending {
    /// A known answer, as JSON.
    pub fn json(text: impl Into<String>) -> Self {
        Self::Known(Answer::json(text))
    }

    /// See `Ending::Of`.
    pub fn of(answer: impl FnOnce(StepResult) -> Result<Answer> + Send + 'static) -> Self {
        Self::Of(Box::new(answer))
    }

    /// Whether the last step found something, as JSON.
    pub fn flag() -> Self {
        Self::of(|result| Ok(Answer::json(result.is_up().to_string())))
    }
}

/// The error of an operation whose outcome is unknown.
#[must_use]
pub fn lost() -> Error {
    Error {
        outcome_unknown: true,
        ..Error::new(Code::Unavailable, "the writer ended before it could say how it went")
    }
}
