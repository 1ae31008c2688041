//! The one error type. A code is another kind only where a user would handle it differently.

use std::borrow::Cow;

/// What went wrong, as the public contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// An argument of the wrong type or form.
    InvalidArgument,
    /// A size or a count beyond its limit.
    LimitExceeded,
    /// The stored value is of another type than the mutation needs.
    TypeMismatch,
    /// The store was closed.
    Closed,
    /// Another process held the write lock for longer than `busyTimeout`.
    Busy,
    /// A unique index or a lease was violated.
    Conflict,
    /// The change log does not reach back that far.
    HistoryGone,
    /// The disk, the file or the server cannot be used now.
    Unavailable,
    /// The file is damaged, or is no KeyVal database.
    Corrupt,
    /// This version, build or store cannot do it.
    Unsupported,
}

impl Code {
    /// The code's name in the public contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::Closed => "CLOSED",
            Self::Busy => "BUSY",
            Self::Conflict => "CONFLICT",
            Self::HistoryGone => "HISTORY_GONE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Corrupt => "CORRUPT",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

/// An error with its code and a message for a person. It never holds a stored value.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind.
    pub code: Code,
    /// What happened, the limit and the size, what to do.
    pub message: String,
    /// The commit may have been applied all the same.
    pub outcome_unknown: bool,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a known outcome.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), outcome_unknown: false }
    }

    /// An `INVALID_ARGUMENT`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// A `LIMIT_EXCEEDED` that names the thing, its size and the limit.
    pub fn limit(what: &str, size: usize, limit: usize, unit: &str) -> Self {
        Self::new(Code::LimitExceeded, format!("{what}: {size} {unit} are over the limit of {limit} {unit}"))
    }

    /// A `CORRUPT`.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Code::Corrupt, message)
    }

    /// A `CLOSED`.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Code::Closed, "this Kv is closed: close() was called")
    }

    /// The same error, told about an argument: `mutations[3].key[0]: …`.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}{}", self.message);
        self
    }
}

/// A longer text of an argument is cut in its middle: so many characters of its beginning, and of its end.
const SHOWN_BEGIN_CHARS: usize = 200;
const SHOWN_END_CHARS: usize = 100;

/// A text of an argument as a message shows it: a name, a path, a URL, the place in a filter. A message is read by people, and goes into
/// their logs.
#[must_use]
pub fn short(text: &str) -> Cow<'_, str> {
    let nth = |count: usize| text.char_indices().nth(count).map(|(at, _)| at);
    let nth_last = |count: usize| text.char_indices().nth_back(count).map(|(at, _)| at);
    let (Some(begin), Some(_), Some(end)) =
        (nth(SHOWN_BEGIN_CHARS), nth(SHOWN_BEGIN_CHARS + SHOWN_END_CHARS), nth_last(SHOWN_END_CHARS - 1))
    else {
        return Cow::Borrowed(text);
    };
    let part = |from, to| text.get(from..to).unwrap_or_default();
    Cow::Owned(format!("{}…{}", part(0, begin), part(end, text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_in_its_middle() {
        for text in [String::new(), "é".repeat(300)] {
            assert_eq!(short(&text), text);
        }
        let text = format!("{}{}{}", "é".repeat(200), "m".repeat(1_000_000), "ü".repeat(100));
        assert_eq!(short(&text), format!("{}…{}", "é".repeat(200), "ü".repeat(100)));
        let step = format!("{}.x", short(&text));
        assert_eq!(short(&step), format!("{}…{}.x", "é".repeat(200), "ü".repeat(98)));
    }
}
