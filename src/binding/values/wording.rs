//! Names an object that was given as a part of a key, and the remedy. It is inspected once it is refused, and
//! errors of its getters and traps are ignored.
//!
//! Invariant of every `unsafe` here: `env` and the values belong to the call that is running, on its thread.

use std::ptr;

use napi::{Env, ValueType, sys};

use super::raw::{Raw, kind, text_bytes};
use crate::base::error::short;

/// The form of a key.
pub const KEYS: &str = "give an array of parts, such as [\"users\", 1]";
/// The types of a key's parts.
pub const PARTS: &str = "give Uint8Array, string, number, bigint or boolean";

const AWAIT: &str = "await it first";

/// `a Promise is not a key part; await it first`
pub fn refused_part(env: Env, value: Raw) -> String {
    let name = class_name(env, value);
    let instead = match name.as_str() {
        "Date" if is_invalid_date(env, value) => "give date.getTime() or date.toISOString() of a valid one",
        "Date" => "give date.getTime() or date.toISOString()",
        "Array" => "give its elements as parts, as in [\"users\", ...ids]",
        "KvU64" => "give its value, which is a bigint",
        "KvNow" => "give Number(kv.now()) or Date.now()",
        "KvUuidPlaceholder" => "it goes into keys that are set, where its value is made",
        "KvVersionstampPlaceholder" => "it goes into keys that are set, as their last part",
        "Promise" => AWAIT,
        "URL" => "give url.href",
        "String" | "Number" | "Boolean" | "BigInt" => "give the primitive, value.valueOf()",
        "RegExp" => "give regexp.source",
        // Only of a proxy: a Uint8Array itself would be a part.
        "Uint8Array" => {
            return "a proxy of a Uint8Array is not a key part; give the Uint8Array itself".into();
        }
        "ArrayBuffer" => "give new Uint8Array(buffer)",
        "DataView" | "Int8Array" | "Uint8ClampedArray" | "Int16Array" | "Uint16Array" | "Int32Array"
        | "Uint32Array" | "Float16Array" | "Float32Array" | "Float64Array" | "BigInt64Array"
        | "BigUint64Array" => "give a Uint8Array of its bytes",
        _ => PARTS,
    };
    let what = if is_invalid_date(env, value) { "an invalid Date".into() } else { called(&name) };
    format!("{what} is not a key part; {instead}")
}

/// `a Map is not a key; give an array of parts, such as ["users", 1]`
pub fn refused_key(env: Env, value: Raw) -> String {
    let name = class_name(env, value);
    let instead = if name == "Promise" { AWAIT } else { KEYS };
    format!("{} is not a key; {instead}", called(&name))
}

/// With its article.
fn called(name: &str) -> String {
    let name = short(name);
    match name.as_ref() {
        "" | "Object" => "an object".into(),
        "Array" => "an array".into(),
        "KvNow" => "kv.now()".into(),
        "KvUuidPlaceholder" => "kv.uuidv7()".into(),
        "KvVersionstampPlaceholder" => "kv.commitVersionstamp()".into(),
        name if name.starts_with(['A', 'E', 'I', 'O']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

fn is_invalid_date(env: Env, value: Raw) -> bool {
    date_ms(env, value).is_some_and(f64::is_nan)
}

/// The tag of a built-in class, or the name of any other; empty for what tells neither.
fn class_name(env: Env, value: Raw) -> String {
    if date_ms(env, value).is_some() {
        return "Date".into();
    }
    let mut is_array = false;
    // SAFETY: see above.
    unsafe { sys::napi_is_array(env.raw(), value.0, &raw mut is_array) };
    if is_array {
        return "Array".into();
    }
    let tag = tag_symbol(env).and_then(|symbol| text_of(env, property(env, value, symbol)?));
    tag.or_else(|| text_of(env, named(env, named(env, value, c"constructor")?, c"name")?)).unwrap_or_default()
}

fn tag_symbol(env: Env) -> Option<Raw> {
    let mut global = ptr::null_mut();
    // SAFETY: see above.
    unsafe { sys::napi_get_global(env.raw(), &raw mut global) };
    named(env, named(env, Raw(global), c"Symbol")?, c"toStringTag")
}

fn text_of(env: Env, value: Raw) -> Option<String> {
    let is_text = kind(env, value) == ValueType::String;
    is_text.then(|| String::from_utf8_lossy(&text_bytes(env, value)).into_owned())
}

/// Milliseconds of a `Date`.
fn date_ms(env: Env, value: Raw) -> Option<f64> {
    let (mut is_date, mut ms) = (false, f64::NAN);
    // SAFETY: see above.
    unsafe {
        sys::napi_is_date(env.raw(), value.0, &raw mut is_date);
        if is_date {
            sys::napi_get_date_value(env.raw(), value.0, &raw mut ms);
        }
    }
    is_date.then_some(ms)
}

fn named(env: Env, object: Raw, name: &std::ffi::CStr) -> Option<Raw> {
    let mut found = ptr::null_mut();
    // SAFETY: see above; the name ends with a zero.
    let status = unsafe { sys::napi_get_named_property(env.raw(), object.0, name.as_ptr(), &raw mut found) };
    got(env, status, found)
}

fn property(env: Env, object: Raw, name: Raw) -> Option<Raw> {
    let mut found = ptr::null_mut();
    // SAFETY: see above.
    let status = unsafe { sys::napi_get_property(env.raw(), object.0, name.0, &raw mut found) };
    got(env, status, found)
}

fn got(env: Env, status: sys::napi_status, found: sys::napi_value) -> Option<Raw> {
    if status == sys::Status::napi_ok && !found.is_null() {
        return Some(Raw(found));
    }
    let (mut pending, mut thrown) = (false, ptr::null_mut());
    // SAFETY: see above.
    unsafe {
        sys::napi_is_exception_pending(env.raw(), &raw mut pending);
        if pending {
            sys::napi_get_and_clear_last_exception(env.raw(), &raw mut thrown);
        }
    }
    None
}
