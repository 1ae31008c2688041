//! The arguments of an opening: the location and the options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, Result, short};

mod location;
mod templates;

pub use location::Location;

/// The default of `busyTimeout`.
pub const DEFAULT_BUSY_TIMEOUT_MS: i64 = 5_000;
/// The default of `sweepInterval`.
pub const DEFAULT_SWEEP_INTERVAL_MS: i64 = 60_000;
/// The least `deadLetterRetention`; without one, dead letters are kept for ever.
pub const MIN_DEAD_LETTER_RETENTION_MS: i64 = 1;
/// The default of `retention`.
pub const DEFAULT_RETENTION_MS: i64 = 3_600_000;
/// The least `sweepInterval` that is not off.
pub const MIN_SWEEP_INTERVAL_MS: i64 = 10;
/// The longest `busyTimeout`: SQLite counts it in 32 bits.
pub const MAX_BUSY_TIMEOUT_MS: i64 = 3_600_000;

/// The failures that an awaited write survives; the stronger level is greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The process; a power cut may damage the file.
    Off,
    /// The process; a power cut may lose the last commits.
    Normal,
    /// A power cut.
    #[default]
    Full,
}

/// What a commit logs about its changed keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeLog {
    /// The keys.
    #[default]
    Keys,
    /// The keys and their new values.
    Values,
    /// Nothing.
    Off,
}

impl Durability {
    /// Reads the option.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "full" => Ok(Self::Full),
            "normal" => Ok(Self::Normal),
            "off" => Ok(Self::Off),
            _ => {
                let message = format!("{:?} is not one of \"full\", \"normal\", \"off\"", short(text));
                Err(Error::invalid(message).at("durability"))
            }
        }
    }
}

impl ChangeLog {
    /// Reads the option, or the file's setting.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "keys" => Ok(Self::Keys),
            "values" => Ok(Self::Values),
            "off" => Ok(Self::Off),
            _ => {
                let message = format!("{:?} is not one of \"keys\", \"values\", \"off\"", short(text));
                Err(Error::invalid(message).at("changeLog"))
            }
        }
    }

    /// The file's setting.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Values => "values",
            Self::Off => "off",
        }
    }
}

/// Options of an opening; `None` keeps the setting of the file or the store.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of this opener's commits.
    pub durability: Durability,
    /// See `DEFAULT_BUSY_TIMEOUT_MS`.
    pub busy_timeout_ms: Option<i64>,
    /// See `DEFAULT_SWEEP_INTERVAL_MS`; 0 turns it off.
    pub sweep_interval_ms: Option<i64>,
    /// Kept in the file.
    pub change_log: Option<ChangeLog>,
    /// Kept in the file.
    pub retention_ms: Option<i64>,
    /// Kept in the file; `Some(None)` is for ever.
    pub dead_letter_retention_ms: Option<Option<i64>>,
    /// For tests.
    pub fault: Option<Fault>,
    /// For instruction counts, which run under a slow machine: how long a group of commits may take.
    pub group_slice: Option<Duration>,
}

/// Gives the SQLite result code with which a statement must fail, so that tests can make any of them fail.
#[derive(Clone)]
pub struct Fault(pub Arc<Injector>);

/// From the text of a statement to the code that it is to fail with.
pub type Injector = dyn Fn(&str) -> Option<i32> + Send + Sync;

impl fmt::Debug for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Fault")
    }
}

impl Options {
    /// Whether an option is given that is kept in the file.
    #[must_use]
    pub fn insists(&self) -> bool {
        self.change_log.is_some() || self.retention_ms.is_some() || self.dead_letter_retention_ms.is_some()
    }

    /// Refuses values out of range.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn validate(&self) -> Result<()> {
        let refuse =
            |name, ms: i64, range: &str| Err(Error::invalid(format!("{ms} ms; give {range}")).at(name));
        if let Some(Some(ms)) = self.dead_letter_retention_ms
            && ms < MIN_DEAD_LETTER_RETENTION_MS
        {
            return refuse("deadLetterRetention", ms, "at least 1 ms, or null to keep dead letters for ever");
        }
        match (self.busy_timeout_ms, self.sweep_interval_ms, self.retention_ms) {
            (Some(ms), ..) if ms > MAX_BUSY_TIMEOUT_MS => refuse("busyTimeout", ms, "0 ms to 1 hour"),
            (_, Some(ms), _) if ms != 0 && ms < MIN_SWEEP_INTERVAL_MS => {
                refuse("sweepInterval", ms, "at least 10 ms, or 0 for no sweep")
            }
            (.., Some(0)) => refuse("retention", 0, "more than 0 ms, or changeLog \"off\""),
            _ => Ok(()),
        }
    }
}
