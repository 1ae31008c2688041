//! Raw values of JavaScript, straight through Node-API: their types and contents.
//!
//! Invariant of every `unsafe` here: `env` and the values belong to the call that is running, on its thread.

use std::ffi::CStr;
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, ValueType, sys};

use crate::base::error::{Error, Result};

/// Texts up to this size are read in one call, without asking for their length first.
pub const SHORT_TEXT_BYTES: usize = 512;

/// A value that is read by hand.
#[derive(Clone, Copy)]
pub struct Raw(pub sys::napi_value);

impl FromNapiValue for Raw {
    unsafe fn from_napi_value(_: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        Ok(Self(value))
    }
}

impl TypeName for Raw {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Raw {}

/// The type of a value.
pub fn kind(env: Env, value: Raw) -> ValueType {
    let mut kind = 0;
    // SAFETY: see above.
    unsafe { sys::napi_typeof(env.raw(), value.0, &raw mut kind) };
    ValueType::from(kind)
}

/// The name of a value's type in an error.
pub fn kind_name(env: Env, value: Raw) -> &'static str {
    match kind(env, value) {
        ValueType::Undefined => "undefined",
        ValueType::Null => "null",
        ValueType::Boolean => "a boolean",
        ValueType::Number => "a number",
        ValueType::String => "a string",
        ValueType::Symbol => "a symbol",
        ValueType::Function => "a function",
        ValueType::BigInt => "a bigint",
        _ => "an object",
    }
}

/// Whether it is `undefined`, that is, not given. `null` is refused if it has no meaning.
pub fn is_absent(env: Env, value: Raw) -> bool {
    kind(env, value) == ValueType::Undefined
}

/// The number of elements of an array; `None`: it is none.
pub fn array_length(env: Env, value: Raw) -> Option<u32> {
    let mut is_array = false;
    let mut length = 0;
    // SAFETY: see above.
    unsafe {
        sys::napi_is_array(env.raw(), value.0, &raw mut is_array);
        is_array.then(|| sys::napi_get_array_length(env.raw(), value.0, &raw mut length))?;
    }
    Some(length)
}

/// An element of an array.
pub fn element(env: Env, array: Raw, index: u32) -> Raw {
    let mut value = ptr::null_mut();
    // SAFETY: see above; a hole is `undefined`.
    unsafe { sys::napi_get_element(env.raw(), array.0, index, &raw mut value) };
    Raw(value)
}

/// Whether a string has half of a surrogate pair.
pub fn has_lone_surrogate(env: Env, value: Raw) -> bool {
    let mut length = 0;
    // SAFETY: see above; the buffer has room for the terminating zero.
    unsafe {
        sys::napi_get_value_string_utf16(env.raw(), value.0, ptr::null_mut(), 0, &raw mut length);
        let mut units = vec![0u16; length + 1];
        sys::napi_get_value_string_utf16(
            env.raw(),
            value.0,
            units.as_mut_ptr(),
            units.len(),
            &raw mut length,
        );
        units.truncate(length);
        String::from_utf16(&units).is_err()
    }
}

/// A string that fits the buffer; `None`: it may not.
pub fn short_text(env: Env, value: Raw, buffer: &mut [u8; SHORT_TEXT_BYTES]) -> Option<&str> {
    let mut length = 0;
    // SAFETY: see above; Node-API writes at most the buffer's length, zero included.
    unsafe {
        sys::napi_get_value_string_utf8(
            env.raw(),
            value.0,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut length,
        );
    }
    // A text that may have been cut (a character has up to 4 bytes) is read again, whole.
    let whole = length < SHORT_TEXT_BYTES - 4;
    buffer.get(..length).filter(|_| whole).and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// A string of any length.
pub fn long_text(env: Env, value: Raw) -> Result<String> {
    String::from_utf8(text_bytes(env, value)).map_err(|_| Error::invalid("a string is not valid Unicode"))
}

/// A string as UTF-8.
pub fn text_bytes(env: Env, value: Raw) -> Vec<u8> {
    let mut buffer = [0; SHORT_TEXT_BYTES];
    if let Some(text) = short_text(env, value, &mut buffer) {
        return text.as_bytes().to_vec();
    }
    let mut length = 0;
    // SAFETY: see above; the buffer has room for the terminating zero.
    unsafe {
        sys::napi_get_value_string_utf8(env.raw(), value.0, ptr::null_mut(), 0, &raw mut length);
        let mut bytes = vec![0u8; length + 1];
        sys::napi_get_value_string_utf8(
            env.raw(),
            value.0,
            bytes.as_mut_ptr().cast(),
            bytes.len(),
            &raw mut length,
        );
        bytes.truncate(length);
        bytes
    }
}

/// A value's data: the text of a string, the bytes of a `Uint8Array`.
pub fn data(env: Env, value: Raw) -> Vec<u8> {
    bytes(env, value).map_or_else(|| text_bytes(env, value), <[u8]>::to_vec)
}

/// A number.
pub fn number(env: Env, value: Raw) -> f64 {
    let mut number = 0.0;
    // SAFETY: see above.
    unsafe { sys::napi_get_value_double(env.raw(), value.0, &raw mut number) };
    number
}

/// The bytes of a `Uint8Array`, good until JavaScript runs again.
pub fn bytes<'a>(env: Env, value: Raw) -> Option<&'a [u8]> {
    const UINT8: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
    let mut is_typed = false;
    let (mut kind, mut length, mut start, mut buffer, mut offset) =
        (0, 0, ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: see above; the pointer is good for `length` bytes.
    unsafe {
        sys::napi_is_typedarray(env.raw(), value.0, &raw mut is_typed);
        if !is_typed {
            return None;
        }
        sys::napi_get_typedarray_info(
            env.raw(),
            value.0,
            &raw mut kind,
            &raw mut length,
            &raw mut start,
            &raw mut buffer,
            &raw mut offset,
        );
        if kind != UINT8 {
            return None;
        }
        if start.is_null() || length == 0 {
            return Some(&[]);
        }
        Some(std::slice::from_raw_parts(start.cast::<u8>(), length))
    }
}

/// A member of an object; `undefined` where there is none. JavaScript gives an object where a call has many
/// arguments, but not for `set` and its like: each member costs a call of Node-API.
pub fn member(env: Env, object: Raw, name: &CStr) -> Raw {
    let mut value = ptr::null_mut();
    // SAFETY: see above; of what is no object Node-API gives nothing, which every reader takes for
    // `undefined`.
    unsafe { sys::napi_get_named_property(env.raw(), object.0, name.as_ptr(), &raw mut value) };
    Raw(value)
}

/// A boolean of `lib/native/`, which has checked it.
pub fn flag(env: Env, value: Raw) -> bool {
    let mut flag = false;
    // SAFETY: see above.
    unsafe { sys::napi_get_value_bool(env.raw(), value.0, &raw mut flag) };
    flag
}

/// A whole number of `lib/native/`, which has checked it.
#[allow(clippy::cast_possible_truncation)]
pub fn int64(env: Env, value: Raw) -> i64 {
    number(env, value) as i64
}

/// A count of `lib/native/`, which has checked it.
pub fn count(env: Env, value: Raw) -> usize {
    usize::try_from(int64(env, value)).unwrap_or(0)
}

/// A string whose lone surrogates are replaced.
pub fn lossy_text(env: Env, value: Raw) -> String {
    String::from_utf8_lossy(&text_bytes(env, value)).into_owned()
}
