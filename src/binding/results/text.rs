//! The core's results to JavaScript: JSON texts, bytes beside them, and errors with a code.

use napi::bindgen_prelude::{ToNapiValue, TypeName, Uint8Array};
use napi::{ValueType, sys};

use crate::base::error::{Error, SystemError};
use crate::codec::key_json::{json_string, write_string};
use crate::codec::value::Counter;
use crate::engine::commit::{Outcome, Reply};
use crate::store::{BackupEvent, Notice};

/// An error that JavaScript sees with its `code`.
pub type Thrown = napi::Error<&'static str>;

/// Makes an error that is thrown at the caller.
pub fn thrown(error: Error) -> Thrown {
    let mut thrown = Thrown::new(error.code.as_str(), error.to_string());
    if let Some(source) = error.system() {
        thrown.set_cause(napi::Error::from_reason(source_json(source)));
    }
    thrown
}

/// The system's error as `lib/shared/errors.ts` reads it:
/// `{"message":…,"errno":…,"sqlite":…,"operation":…,"path":…}`.
fn source_json(source: &SystemError) -> String {
    let SystemError { message, errno, sqlite, operation, path } = source;
    serde_json::json!({ "message": message, "errno": errno, "sqlite": sqlite, "operation": operation, "path": path })
        .to_string()
}

/// UTF-8 text as a JavaScript string. ASCII, the usual case, is copied without decoding.
pub struct Text(pub Vec<u8>);

impl ToNapiValue for Text {
    unsafe fn to_napi_value(env: sys::napi_env, text: Self) -> napi::Result<sys::napi_value> {
        let mut value = std::ptr::null_mut();
        let length = text.0.len().try_into().unwrap_or(isize::MAX);
        let start = text.0.as_ptr().cast();
        // SAFETY: the text is passed with its length; `env` belongs to the running call.
        let status = unsafe {
            if text.0.is_ascii() {
                sys::napi_create_string_latin1(env, start, length, &raw mut value)
            } else {
                sys::napi_create_string_utf8(env, start, length, &raw mut value)
            }
        };
        if status == sys::Status::napi_ok {
            Ok(value)
        } else {
            Err(napi::Error::new(napi::Status::from(status), "no memory for a string"))
        }
    }
}

impl TypeName for Text {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

/// A text, with the bytes that belong to it if there are any.
pub enum Packet {
    /// It went to the reader thread.
    Later,
    /// `text`
    Text(Text),
    /// `[text, bytes]`
    Pair(Text, Uint8Array),
    /// `[text, bytes, page, …]`
    Mail(Vec<u8>, Vec<u8>, Vec<Vec<u8>>),
}

impl Packet {
    /// A text and its bytes.
    pub fn new(text: Vec<u8>, bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::Text(Text(text)) } else { Self::Pair(Text(text), bytes.into()) }
    }
}

impl ToNapiValue for Packet {
    unsafe fn to_napi_value(env: sys::napi_env, packet: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: `env` belongs to the running call.
        unsafe {
            match packet {
                Self::Later => ToNapiValue::to_napi_value(env, ()),
                Self::Text(text) => ToNapiValue::to_napi_value(env, text),
                Self::Pair(text, bytes) => array(env, text, bytes, Vec::new()),
                Self::Mail(text, bytes, pages) => array(env, Text(text), bytes.into(), pages),
            }
        }
    }
}

/// `[text, bytes, page, …]`
///
/// # Safety
/// `env` belongs to the running call.
unsafe fn array(
    env: sys::napi_env,
    text: Text,
    bytes: Uint8Array,
    pages: Vec<Vec<u8>>,
) -> napi::Result<sys::napi_value> {
    let mut array = std::ptr::null_mut();
    // SAFETY: as the caller promises.
    unsafe {
        sys::napi_create_array_with_length(env, pages.len() + 2, &raw mut array);
        sys::napi_set_element(env, array, 0, ToNapiValue::to_napi_value(env, text)?);
        sys::napi_set_element(env, array, 1, ToNapiValue::to_napi_value(env, bytes)?);
        for (index, page) in (2..).zip(pages) {
            sys::napi_set_element(env, array, index, ToNapiValue::to_napi_value(env, Text(page))?);
        }
    }
    Ok(array)
}

impl TypeName for Packet {
    fn type_name() -> &'static str {
        "string | [string, Uint8Array, ...string[]] | undefined"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

/// Appends a commit's outcome: `["<stamp>",[replies]]`, or `{"conflicts":[check,stamp,…]}`.
pub fn write_outcome(outcome: &Outcome, out: &mut Vec<u8>) {
    match outcome {
        Outcome::Committed { versionstamp, replies } => {
            out.push(b'[');
            write_stamp(versionstamp.as_deref(), out);
            out.extend_from_slice(b",[");
            for (index, reply) in replies.iter().enumerate() {
                write_comma(index, out);
                write_reply(reply, out);
            }
            out.extend_from_slice(b"]]");
        }
        Outcome::Conflict(conflicts) => {
            out.extend_from_slice(b"{\"conflicts\":[");
            for (index, (check, stamp)) in conflicts.iter().enumerate() {
                write_comma(index, out);
                out.extend_from_slice(format!("{check},").as_bytes());
                write_stamp(stamp.as_deref(), out);
            }
            out.extend_from_slice(b"]}");
        }
    }
}

/// Appends an event of a backup: `[copied,total]`, or `{"bytes":…,"versionstamp":"…"}`.
pub fn write_backup_event(event: &BackupEvent, out: &mut Vec<u8>) {
    let text = match event {
        BackupEvent::Progress(progress) => format!("[{},{}]", progress.copied_bytes, progress.total_bytes),
        BackupEvent::Done(backup) => {
            format!("{{\"bytes\":{},\"versionstamp\":\"{}\"}}", backup.bytes, backup.versionstamp)
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends a notice as the letter 0: `0,0,[bits,[queue,looks,…],[consumer,…]]`.
pub fn write_notice(notice: &Notice, first: bool, out: &mut Vec<u8>) {
    let comma = if first { "" } else { "," };
    let queues: Vec<_> =
        notice.queues().map(|(name, looks)| format!("{},{looks}", json_string(name))).collect();
    let consumers: Vec<_> = notice.consumers().map(json_string).collect();
    let (bits, queues, consumers) = (notice.bits(), queues.join(","), consumers.join(","));
    out.extend_from_slice(format!("{comma}0,0,[{bits},[{queues}],[{consumers}]]").as_bytes());
}

fn write_comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn write_stamp(stamp: Option<&str>, out: &mut Vec<u8>) {
    match stamp {
        Some(stamp) => write_string(stamp, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_reply(reply: &Reply, out: &mut Vec<u8>) {
    let text = match reply {
        Reply::Done => "null".to_string(),
        Reply::Count(count) => count.to_string(),
        Reply::Found(found) => found.to_string(),
        Reply::Id(id) => format!("{{\"id\":{}}}", json_string(id)),
        Reply::Counter(Counter::Int(int)) => format!("{{\"i\":\"{int}\"}}"),
        Reply::Counter(Counter::U64(int)) => format!("{{\"u\":\"{int}\"}}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends an error: `{"code":"…","message":"…","unknown":false}`, with the `source` that it has.
pub fn write_error(error: &Error, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"code\":\"{}\",\"message\":", error.code.as_str()).as_bytes());
    write_string(&error.to_string(), out);
    out.extend_from_slice(format!(",\"unknown\":{}", error.outcome_unknown).as_bytes());
    if let Some(source) = error.system() {
        out.extend_from_slice(format!(",\"source\":{}", source_json(source)).as_bytes());
    }
    out.push(b'}');
}
