//! The only error type. There is another code only if a user would handle the error differently. The subject
//! of an error is data (`Place`), so that callers can add where it occurred without parsing its message.

use std::borrow::Cow;
use std::path::Path;
use std::{fmt, io};

/// The kind of an error, as the public contract names it.
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
///
/// As small as it can be, since every result has room for it: with 16 bytes more, decoding a key took 15 %
/// more instructions.
#[derive(Debug, Clone)]
pub struct Error {
    /// The kind.
    pub code: Code,
    /// The fault, the limit and the size, and the remedy; without the argument.
    pub message: Box<str>,
    /// Its subject and its cause.
    pub context: Option<Box<Context>>,
    /// The commit may have been applied.
    pub outcome_unknown: bool,
}

/// Parts that not every error has.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The argument, the stored entry or the file that it is about.
    pub argument: Option<Place>,
    /// The system's own error.
    pub system: Option<SystemError>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a known outcome.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into().into(), context: None, outcome_unknown: false }
    }

    /// An `INVALID_ARGUMENT`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// A `LIMIT_EXCEEDED` that names the size and the limit.
    #[must_use]
    pub fn limit(size: usize, limit: usize, unit: &str) -> Self {
        Self::new(Code::LimitExceeded, format!("{size} {unit} are over the limit of {limit} {unit}"))
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

    /// The same error, within a place.
    #[must_use]
    pub fn at(mut self, outer: impl Into<Place>) -> Self {
        let mut place = outer.into();
        let context = self.context.get_or_insert_default();
        if let Some(inner) = context.argument.take() {
            place.0.extend(inner.0);
        }
        context.argument = Some(place);
        self
    }

    /// The same error with the system's own.
    #[must_use]
    pub fn because(mut self, system: SystemError) -> Self {
        self.context.get_or_insert_default().system = Some(system);
        self
    }

    /// See `Context::argument`.
    #[must_use]
    pub fn argument(&self) -> Option<&Place> {
        self.context.as_ref()?.argument.as_ref()
    }

    /// See `Context::system`.
    #[must_use]
    pub fn system(&self) -> Option<&SystemError> {
        self.context.as_ref()?.system.as_ref()
    }

    /// The same error, about a file unless it names one.
    #[must_use]
    pub fn of_file(mut self, path: &Path) -> Self {
        if let Some(system) = self.context.as_mut().and_then(|context| context.system.as_mut())
            && system.path.is_none()
        {
            system.path = Some(path.to_string_lossy().into_owned());
        }
        self
    }
}

/// Names the place of a result's error.
pub trait At {
    /// See `Error::at`.
    #[must_use]
    fn at(self, outer: impl Into<Place>) -> Self;
}

impl<T> At for Result<T> {
    fn at(self, outer: impl Into<Place>) -> Self {
        self.map_err(|error| error.at(outer))
    }
}

/// The subject of an error: an argument and a path into it, or several of them, the outer one first.
/// `key[2]`, `where.age.$in[1]`, `keys[3]: key[0]`, `mutations[1], key ["a"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// An argument or an option, by its name.
    Argument(Cow<'static, str>),
    /// An element of it.
    Index(usize),
    /// A member of it.
    Member(String),
    /// A stored entry, by the beginning of its key.
    Entry(String),
    /// A file, a dead letter, or what is done with one.
    Subject(String),
}

impl Place {
    /// An element of what the caller names.
    #[must_use]
    pub fn element(index: usize) -> Self {
        Self(vec![Step::Index(index)])
    }

    /// A stored entry, by the beginning of its key.
    #[must_use]
    pub fn entry(preview: String) -> Self {
        Self(vec![Step::Entry(preview)])
    }

    /// A file, a dead letter, or what is done with one: `backup to /srv/copy.db`.
    #[must_use]
    pub fn subject(preview: String) -> Self {
        Self(vec![Step::Subject(preview)])
    }

    /// An element of this one.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// A member of this one; of a long name only the beginning and the end are kept.
    #[must_use]
    pub fn member(mut self, name: &str) -> Self {
        self.0.push(Step::Member(short(name).into_owned()));
        self
    }
}

impl From<&'static str> for Place {
    fn from(argument: &'static str) -> Self {
        Self(vec![Step::Argument(Cow::Borrowed(argument))])
    }
}

impl From<String> for Place {
    fn from(argument: String) -> Self {
        Self(vec![Step::Argument(Cow::Owned(argument))])
    }
}

impl From<(&'static str, usize)> for Place {
    fn from((argument, index): (&'static str, usize)) -> Self {
        Self::from(argument).index(index)
    }
}

/// The only function that writes a place. Each argument is cut in its middle if it is long, however deep the
/// path into it.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut done, mut path) = (String::new(), String::new());
        let begin = |done: &mut String, path: &mut String, comma: &str| {
            done.push_str(&short(&std::mem::take(path)));
            if !done.is_empty() {
                done.push_str(comma);
            }
        };
        for step in &self.0 {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Member(name) => path.push_str(&format!(".{name}")),
                Step::Argument(name) => {
                    begin(&mut done, &mut path, ": ");
                    path.push_str(name);
                }
                Step::Entry(key) => {
                    begin(&mut done, &mut path, ", ");
                    done.push_str(&format!("key {key}"));
                }
                Step::Subject(name) => {
                    begin(&mut done, &mut path, ": ");
                    done.push_str(name);
                }
            }
        }
        begin(&mut done, &mut path, "");
        out.write_str(&done)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.argument().map_or(Ok(()), |place| write!(out, "{place}: "))?;
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.system().map(|system| system as _)
    }
}

/// The error of the system or of SQLite: the cause of an error of the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SystemError {
    /// Its message, for a person.
    pub message: String,
    /// The system's number of the error, on Unix.
    pub errno: Option<i32>,
    /// SQLite's extended result code, by its name.
    pub sqlite: Option<&'static str>,
    /// The failed operation: `read`, `write`, `sync`, `open`, …
    pub operation: Option<&'static str>,
    /// The file or folder.
    pub path: Option<String>,
}

impl SystemError {
    /// Of an operation on a file or a folder.
    #[must_use]
    pub fn of(error: &io::Error, operation: &'static str, path: Option<&Path>) -> Self {
        Self {
            message: error.to_string(),
            errno: error.raw_os_error().filter(|_| cfg!(unix)),
            sqlite: None,
            operation: Some(operation),
            path: path.map(|path| path.to_string_lossy().into_owned()),
        }
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        if let Some(operation) = self.operation {
            write!(out, ", {operation}")?;
        }
        self.path.as_ref().map_or(Ok(()), |path| write!(out, " '{}'", short(path)))
    }
}

/// A longer text of an argument is cut in its middle: so many characters of its beginning, and of its end.
const SHOWN_BEGIN_CHARS: usize = 200;
const SHOWN_END_CHARS: usize = 100;

/// A text of an argument as a message shows it: a name, a path, a URL, the place in a filter. A message is
/// read by people, and goes into their logs.
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
#[path = "error_tests.rs"]
mod tests;
