//! What a user says when opening: the place and the options.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Error, Result, short};

/// The default of `busyTimeout`.
pub const DEFAULT_BUSY_TIMEOUT_MS: i64 = 5_000;
/// The default of `sweepInterval`.
pub const DEFAULT_SWEEP_INTERVAL_MS: i64 = 60_000;
/// The default of `retention`.
pub const DEFAULT_RETENTION_MS: i64 = 3_600_000;
/// The least `sweepInterval` that is not off.
pub const MIN_SWEEP_INTERVAL_MS: i64 = 10;
/// The longest `busyTimeout`: SQLite counts it in 32 bits.
pub const MAX_BUSY_TIMEOUT_MS: i64 = 3_600_000;

/// What an awaited write survives; the stronger one is greater.
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

/// What a commit notes of its changed keys.
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
            _ => Err(Error::invalid(format!(
                "durability: {:?} is not one of \"full\", \"normal\", \"off\"",
                short(text)
            ))),
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
            _ => Err(Error::invalid(format!(
                "changeLog: {:?} is not one of \"keys\", \"values\", \"off\"",
                short(text)
            ))),
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

/// Options of an opening; `None` leaves what the file or the store says.
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
    /// For tests.
    pub fault: Option<Fault>,
    /// For instruction counts, which run under a slow machine: how long a group of commits may take.
    pub group_slice: Option<Duration>,
}

/// Tells what a statement is to fail with, as an SQLite result code, so that tests can let any of them fail.
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
    /// Refuses values out of range.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn validate(&self) -> Result<()> {
        let refuse =
            |name: &str, ms: i64, range: &str| Err(Error::invalid(format!("{name}: {ms} ms; give {range}")));
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

/// Where a store's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An embedded libSQL file.
    File(PathBuf),
    /// Memory, private to its opener.
    Memory,
}

impl Location {
    /// Reads a URL or a path.
    ///
    /// ```
    /// use keyval::config::Location;
    /// assert_eq!(Location::parse("file:app.db").unwrap(), Location::File("app.db".into()));
    /// assert_eq!(Location::parse(":memory:").unwrap(), Location::Memory);
    /// assert!(Location::parse("libsql://host").is_err());
    /// ```
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what is neither, `UNSUPPORTED` for a server.
    pub fn parse(url: &str) -> Result<Self> {
        if url == ":memory:" || url == "file::memory:" {
            return Ok(Self::Memory);
        }
        let path = match scheme(url) {
            None => url.to_string(),
            Some("file") => file_path(url)?,
            Some("libsql" | "http" | "https" | "ws" | "wss") => {
                let message =
                    format!("url: {} is a server; this version opens files and \":memory:\"", shown(url));
                return Err(Error::new(Code::Unsupported, message));
            }
            Some(other) => {
                let message = format!(
                    "url: the scheme {:?} is not known; give \"file:app.db\", a path, or \":memory:\"",
                    short(other)
                );
                return Err(Error::invalid(message));
            }
        };
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(
                "url: the path is empty or holds a NUL; give \"file:app.db\", a path, or \":memory:\"",
            ));
        }
        Ok(Self::File(path.into()))
    }
}

/// A URL without what may be a secret: user, query and fragment.
fn shown(url: &str) -> String {
    let open = url.split(['?', '#']).next().unwrap_or_default();
    let told = match open.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
        None => open.to_string(),
    };
    short(&told).into_owned()
}

/// The scheme, if there is one; a single letter is a Windows drive.
fn scheme(url: &str) -> Option<&str> {
    let (name, _) = url.split_once(':')?;
    let is_scheme = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    is_scheme.then_some(name)
}

fn file_path(url: &str) -> Result<String> {
    let rest = url.trim_start_matches("file:");
    let Some(authority) = rest.strip_prefix("//") else {
        if rest.contains(['?', '#']) {
            return Err(Error::invalid(format!(
                "url: {:?} has parameters; give options instead (a path may hold ? and #)",
                shown(url)
            )));
        }
        return Ok(rest.to_string());
    };
    let path = authority.strip_prefix("localhost").unwrap_or(authority);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(Error::invalid(format!(
            "url: {:?} is not a local file URL; give \"file:app.db\" or \"file:///abs/app.db\"",
            shown(url)
        )));
    }
    let broken = || Error::invalid(format!("url: {:?} has a broken % escape", shown(url)));
    let decoded = percent_decode(path).ok_or_else(broken)?;
    Ok(without_drive_slash(&decoded).to_string())
}

/// `/C:/app.db` of a file URL is `C:/app.db`.
fn without_drive_slash(path: &str) -> &str {
    let bytes = path.as_bytes();
    let drive =
        cfg!(windows) && bytes.get(2) == Some(&b':') && bytes.get(1).is_some_and(u8::is_ascii_alphabetic);
    if drive { path.trim_start_matches('/') } else { path }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let file = |url: &str| match Location::parse(url).unwrap() {
            Location::File(path) => path.to_str().unwrap().to_string(),
            Location::Memory => "memory".into(),
        };
        assert_eq!(file("./app.db"), "./app.db");
        assert_eq!(file("app.db"), "app.db");
        assert_eq!(file("/abs/app.db"), "/abs/app.db");
        assert_eq!(file("file:dir/app.db"), "dir/app.db");
        assert_eq!(file("file:///abs/a%20b.db"), "/abs/a b.db");
        assert_eq!(file(":memory:"), "memory");
        assert_eq!(file("C:/app.db"), "C:/app.db");
    }

    #[test]
    fn refusals() {
        for url in [
            "",
            "file:",
            "postgres://x",
            "file://host/x",
            "file:///a%zz",
            "a\0b",
            "file:///a?mode=ro",
            "file:a?mode=ro",
        ] {
            assert_eq!(Location::parse(url).unwrap_err().code, Code::InvalidArgument, "{url}");
        }
        let error = Location::parse("libsql://user:secret@host/db?authToken=secret").unwrap_err();
        assert_eq!(error.code, Code::Unsupported);
        for url in [
            "libsql://user:secret@host/db?authToken=secret",
            "file:app.db?authToken=secret",
            "file:///app.db?authToken=secret",
            "file://user:secret@host/app.db",
            "file:///app%zz.db#secret",
        ] {
            let Error { message, .. } = Location::parse(url).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
