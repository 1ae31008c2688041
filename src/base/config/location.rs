//! The location of a store: the meaning of a URL or a path. Texts that evidently mean no file of that name
//! are refused (`templates.rs`: names that a program made by mistake).

use std::path::PathBuf;

use super::templates::{Slip, slip};
use crate::base::error::{Code, Error, Result, short};

/// The location of a store's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An embedded libSQL file.
    File(PathBuf),
    /// Memory, private to its opener.
    Memory,
}

/// The advice for a text of no other form.
const FORMS: &str = "give \"file:app.db\", a path, or \":memory:\"";
const FILE_FORMS: &str = "give \"backup.db\", or another path";
/// Names of memory and of files that last no longer than it, in other databases, between or behind colons.
const MEMORY_NAMES: [&str; 7] = ["memory", "mem", "inmemory", "in-memory", "temp", "tmp", "temporary"];

impl Location {
    /// Reads a URL or a path; the caller names it in errors.
    ///
    /// ```
    /// use keyval::base::config::Location;
    /// assert_eq!(Location::parse("file:app.db").unwrap(), Location::File("app.db".into()));
    /// assert_eq!(Location::parse(":memory:").unwrap(), Location::Memory);
    /// assert!(Location::parse("libsql://host").is_err());
    /// ```
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for neither, `UNSUPPORTED` for a server.
    pub fn parse(url: &str) -> Result<Self> {
        Self::read(url, FORMS)
    }

    /// `forms`: the advice how to write a location.
    fn read(url: &str, forms: &str) -> Result<Self> {
        if url == ":memory:" || url == "file::memory:" {
            return Ok(Self::Memory);
        }
        refuse_framed(url, forms)?;
        refuse_memory_like(url)?;
        let scheme = scheme(url).map(str::to_ascii_lowercase);
        let path = match scheme.as_deref() {
            None => path_of(url)?,
            Some("file") => file_path(url.get("file:".len()..).unwrap_or_default(), url)?,
            Some("libsql" | "http" | "https" | "ws" | "wss") => {
                let message =
                    format!("{} is a server; this version opens files and \":memory:\"", preview_url(url));
                return Err(Error::new(Code::Unsupported, message));
            }
            Some(other) => {
                return Err(Error::invalid(format!("the scheme {:?} is not known; {forms}", short(other))));
            }
        };
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(format!("the path is empty or holds a NUL; {forms}")));
        }
        refuse_mistaken(&path)?;
        refuse_no_text(&path, forms)?;
        Ok(Self::File(path.into()))
    }

    /// Reads a URL or a path of a file alone.
    ///
    /// # Errors
    /// The same, and `INVALID_ARGUMENT` for memory.
    pub fn parse_file(url: &str) -> Result<PathBuf> {
        match Self::read(url, FILE_FORMS) {
            Ok(Self::File(path)) => Ok(path),
            Ok(Self::Memory) => Err(Error::invalid(format!("it must be a file; {FILE_FORMS}"))),
            Err(_) if means_memory(url) => {
                Err(Error::invalid(format!("{:?} seems to mean memory; {FILE_FORMS}", preview_url(url))))
            }
            Err(error) => Err(error),
        }
    }
}

/// A URL without its possible secrets: user, query and fragment.
fn preview_url(url: &str) -> String {
    let open = without_parameters(url);
    let preview = match open.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
        None => open.to_string(),
    };
    short(&preview).into_owned()
}

fn without_parameters(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Refuses quotation marks and blanks around a text, as in a file of settings.
fn refuse_framed(url: &str, forms: &str) -> Result<()> {
    let bare = url.trim();
    if bare.is_empty() && !url.is_empty() {
        return Err(Error::invalid(format!("it is only white space; {forms}")));
    }
    if bare != url {
        return Err(Error::invalid(format!(
            "it begins or ends with white space; give {:?}",
            preview_url(bare)
        )));
    }
    for quote in ['"', '\'', '`'] {
        if let Some(inner) = url.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Err(Error::invalid(format!("it is in quotes; give {} without them", preview_url(inner))));
        }
    }
    Ok(())
}

/// Refuses the text that JavaScript makes of other values, alone or as a name within the path.
fn refuse_no_text(path: &str, forms: &str) -> Result<()> {
    let Some(Slip { name, meant }) = slip(path, is_separator) else { return Ok(()) };
    let within = if name == path { String::new() } else { format!(" in {:?}", short(path)) };
    Err(Error::invalid(format!(
        "{:?}{within} is what JavaScript makes of something that is no text; {forms}; a file of this name is {meant:?}",
        short(name)
    )))
}

fn is_separator(c: char) -> bool {
    c == '/' || (cfg!(windows) && c == '\\')
}

/// Other ways to write `:memory:`, of SQLite and by mistake, would each make a file of that name.
fn refuse_memory_like(url: &str) -> Result<()> {
    if !means_memory(url) {
        return Ok(());
    }
    // The parameters are not printed: without a word of them, what is shown could be what is to be given.
    if url.contains(['?', '#']) {
        let message = "has parameters, which memory does not take; leave them out: give \":memory:\" alone. It is private to its Kv, so share the Kv, or a file";
        return Err(Error::invalid(format!("{:?} {message}", preview_url(url))));
    }
    let message = "give \":memory:\" alone, which takes no folder and no parameters and is private to its Kv";
    Err(Error::invalid(format!("{:?} seems to mean memory; {message}", preview_url(url))))
}

fn means_memory(url: &str) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    let (named, parameters) = lower.split_once(['?', '#']).unwrap_or((&lower, ""));
    let last = named.rsplit(['/', '\\']).next().unwrap_or_default();
    let last = last.strip_prefix("file:").unwrap_or(last);
    let is_named = last.contains(':') && MEMORY_NAMES.contains(&last.trim_matches(':'));
    let is_asked = scheme(named) == Some("file") && parameters.split('&').any(|one| one == "mode=memory");
    is_named || is_asked || lower == "memory"
}

/// The scheme, if there is one; a single letter is a Windows drive.
fn scheme(url: &str) -> Option<&str> {
    let (name, _) = url.split_once(':')?;
    let is_scheme = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    is_scheme.then_some(name)
}

fn parameters_of(url: &str) -> Error {
    Error::invalid(format!(
        "{:?} has parameters; give options instead (a path may hold ? and #)",
        preview_url(url)
    ))
}

/// A path may hold `?`; what follows it must not look like SQLite's parameters.
fn path_of(url: &str) -> Result<String> {
    let parameter = url.split_once('?').and_then(|(_, rest)| rest.split_once('='));
    match parameter {
        Some((name, _))
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
        {
            Err(parameters_of(url))
        }
        _ => Ok(url.to_string()),
    }
}

/// The path of a `file:` URL; `rest` is what follows the scheme.
fn file_path(rest: &str, url: &str) -> Result<String> {
    let Some(authority) = rest.strip_prefix("//") else {
        if rest.contains(['?', '#']) {
            return Err(parameters_of(url));
        }
        if has_escape(rest) {
            let message =
                "has a % escape, which is read in \"file:///abs/app.db\" alone; give a path without escapes";
            return Err(Error::invalid(format!("{:?} {message}", preview_url(url))));
        }
        return Ok(rest.to_string());
    };
    let path = authority.strip_prefix("localhost").unwrap_or(authority);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(Error::invalid(format!(
            "{:?} is not a local file URL; give \"file:app.db\" or \"file:///abs/app.db\"",
            preview_url(url)
        )));
    }
    let broken = || Error::invalid(format!("{:?} has a broken % escape", preview_url(url)));
    let decoded = percent_decode(path).ok_or_else(broken)?;
    Ok(without_drive_slash(&decoded).to_string())
}

fn has_escape(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    parts.any(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// Refuses paths that would be taken literally but mean something else: shells expand them, or other systems
/// have them.
fn refuse_mistaken(path: &str) -> Result<()> {
    let preview = short(path);
    // A URL of a file puts a slash before what was meant to be expanded.
    let begin = path.trim_start_matches(is_separator);
    let (first, has_more) = begin.split_once(is_separator).map_or((begin, false), |(first, _)| (first, true));
    if first == "~" || (has_more && first.starts_with('~')) {
        let message = "begins with ~, which only a shell expands; give join(os.homedir(), \"app.db\")";
        return Err(Error::invalid(format!("{preview:?} {message}")));
    }
    if first.contains("${") || is_variable(first) || is_windows_variable(path) {
        let message = "begins with a variable, which nothing expands here; give the path that it stands for, \
                       or ./ before a name that is meant so";
        return Err(Error::invalid(format!("{preview:?} {message}")));
    }
    if !cfg!(windows) && is_drive(path) {
        return Err(Error::invalid(format!("{preview:?} is a path of Windows; give one of this system")));
    }
    let last = path.rsplit(is_separator).next().unwrap_or_default();
    if ["", ".", ".."].contains(&last) {
        let inside = format!("{}/app.db", short(path.trim_end_matches(is_separator)));
        return Err(Error::invalid(format!(
            "{preview:?} names a folder; give a file in it, such as {inside:?}"
        )));
    }
    Ok(())
}

/// `$HOME`, `$DB`.
fn is_variable(name: &str) -> bool {
    name.strip_prefix('$').is_some_and(is_name)
}

/// `%APPDATA%`, alone or before a folder.
fn is_windows_variable(path: &str) -> bool {
    let Some((name, rest)) = path.strip_prefix('%').and_then(|rest| rest.split_once('%')) else {
        return false;
    };
    is_name(name) && (rest.is_empty() || rest.starts_with(['/', '\\']))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '(' || c == ')')
}

/// `C:\app.db`, `C:/app.db`.
fn is_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
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
#[path = "location_tests.rs"]
mod tests;
