//! JavaScript values to the core's types, straight through Node-API: a key costs one call a part and no object.
//!
//! All `unsafe` of such conversions is here, which is why this file is long.
//!
//! Invariant of every `unsafe` here: `env` and the values belong to the call that is running, on its thread.

use std::ptr;
use std::sync::Arc;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, ValueType, sys};
use num_bigint::{BigInt, BigUint, Sign};
use num_traits::ToPrimitive;

use super::wording::{refused_key, refused_part};
use crate::base::duration;
use crate::base::error::{Error, Result};
use crate::base::limits::{MAX_KEY_BIGINT_BYTES, MAX_KEY_PARTS};
use crate::codec::key::KeyWriter;
use crate::codec::value::Counter;
use crate::engine::get::Keys;
use crate::engine::query::filter::Filter;
use crate::engine::range::Selector;

/// Texts up to this size are read in one call, without asking for their length first.
const SHORT_TEXT_BYTES: usize = 512;
/// What Node-API puts in place of a lone surrogate.
const REPLACEMENT: &str = "\u{fffd}";
/// What a key is.
pub const KEYS: &str = "give an array of parts, such as [\"users\", 1]";
/// What a key is made of.
pub const PARTS: &str = "give Uint8Array, string, number, bigint or boolean";

/// A value that is looked into by hand.
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

fn kind_name(env: Env, value: Raw) -> &'static str {
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

/// Whether it is `undefined`: what is not given. `null` is refused where it has no meaning.
pub fn is_absent(env: Env, value: Raw) -> bool {
    kind(env, value) == ValueType::Undefined
}

fn array_length(env: Env, value: Raw) -> Option<u32> {
    let mut is_array = false;
    let mut length = 0;
    // SAFETY: see above.
    unsafe {
        sys::napi_is_array(env.raw(), value.0, &raw mut is_array);
        is_array.then(|| sys::napi_get_array_length(env.raw(), value.0, &raw mut length))?;
    }
    Some(length)
}

fn element(env: Env, array: Raw, index: u32) -> Raw {
    let mut value = ptr::null_mut();
    // SAFETY: see above; a hole is `undefined`.
    unsafe { sys::napi_get_element(env.raw(), array.0, index, &raw mut value) };
    Raw(value)
}

/// Encodes a key of at least one part; errors name it `name`.
pub fn key(env: Env, value: Raw, name: &str, out: &mut Vec<u8>) -> Result<()> {
    if prefix(env, value, name, out)? == 0 {
        return Err(Error::invalid(format!("{name}: it is empty; give 1 to {MAX_KEY_PARTS} parts")));
    }
    Ok(())
}

/// Encodes keys, one after another. `many`: errors name the place of the key.
pub fn keys(env: Env, values: Raw, many: bool, out: &mut Keys) -> Result<()> {
    let length = array_length(env, values).unwrap_or(0);
    (0..length).try_for_each(|index| {
        let encoded = out.push_with(|bytes| key(env, element(env, values, index), "key", bytes));
        encoded.map_err(|error| if many { error.at(&format!("keys[{index}]: ")) } else { error })
    })
}

/// Encodes a key that may be empty; tells its number of parts.
pub fn prefix(env: Env, value: Raw, name: &str, out: &mut Vec<u8>) -> Result<u32> {
    let Some(length) = array_length(env, value) else {
        let refused = match kind(env, value) {
            ValueType::Object => refused_key(env, value),
            _ => format!("{} is not a key; {KEYS}", kind_name(env, value)),
        };
        return Err(Error::invalid(format!("{name}: {refused}")));
    };
    let begin = out.len();
    let mut writer = KeyWriter::new(out);
    let written = (0..length).try_for_each(|index| part(env, element(env, value, index), index, &mut writer));
    if let Err(error) = written {
        out.truncate(begin);
        return Err(Error { message: error.message.replacen("key", name, 1), ..error });
    }
    Ok(length)
}

fn part(env: Env, value: Raw, index: u32, writer: &mut KeyWriter<'_>) -> Result<()> {
    match kind(env, value) {
        ValueType::String => {
            let mut buffer = [0; SHORT_TEXT_BYTES];
            match short_text(env, value, &mut buffer) {
                Some(text) => string_part(env, value, text, index, writer),
                None => string_part(env, value, &long_text(env, value)?, index, writer),
            }
        }
        ValueType::Number => writer.number(number(env, value)),
        ValueType::Boolean => {
            let mut flag = false;
            // SAFETY: see above.
            unsafe { sys::napi_get_value_bool(env.raw(), value.0, &raw mut flag) };
            writer.bool(flag)
        }
        ValueType::BigInt => {
            let (negative, magnitude) = bigint_words(env, value, MAX_KEY_BIGINT_BYTES)
                .map_err(|error| error.at(&format!("key[{index}]")))?;
            writer.bigint(negative, &magnitude)
        }
        _ => match bytes(env, value) {
            Some(bytes) => writer.bytes(bytes),
            None if kind(env, value) == ValueType::Object => {
                Err(Error::invalid(format!("key[{index}]: {}", refused_part(env, value))))
            }
            None => {
                let what = kind_name(env, value);
                Err(Error::invalid(format!("key[{index}]: {what} is not a key part; {PARTS}")))
            }
        },
    }
}

fn string_part(env: Env, value: Raw, text: &str, index: u32, writer: &mut KeyWriter<'_>) -> Result<()> {
    if text.contains(REPLACEMENT) && has_lone_surrogate(env, value) {
        return Err(Error::invalid(format!(
            "key[{index}]: the string has a lone surrogate, which UTF-8 cannot hold"
        )));
    }
    writer.string(text)
}

fn has_lone_surrogate(env: Env, value: Raw) -> bool {
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

fn short_text(env: Env, value: Raw, buffer: &mut [u8; SHORT_TEXT_BYTES]) -> Option<&str> {
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

fn long_text(env: Env, value: Raw) -> Result<String> {
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

fn number(env: Env, value: Raw) -> f64 {
    let mut number = 0.0;
    // SAFETY: see above.
    unsafe { sys::napi_get_value_double(env.raw(), value.0, &raw mut number) };
    number
}

/// The bytes of a `Uint8Array`, good until JavaScript runs again.
fn bytes<'a>(env: Env, value: Raw) -> Option<&'a [u8]> {
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

/// Sign and big-endian magnitude of a bigint of at most `limit` bytes.
fn bigint_words(env: Env, value: Raw, limit: usize) -> Result<(bool, Vec<u8>)> {
    let mut count = 0;
    let mut sign = 0;
    // SAFETY: see above; `words` has the length that it is passed with.
    let words = unsafe {
        sys::napi_get_value_bigint_words(
            env.raw(),
            value.0,
            ptr::null_mut(),
            &raw mut count,
            ptr::null_mut(),
        );
        let size = count.saturating_mul(8);
        if size > limit.saturating_add(8) {
            return Err(Error::limit("", size, limit, "bytes"));
        }
        let mut words = vec![0u64; count];
        sys::napi_get_value_bigint_words(
            env.raw(),
            value.0,
            &raw mut sign,
            &raw mut count,
            words.as_mut_ptr(),
        );
        words
    };
    Ok((sign != 0, words.iter().rev().flat_map(|word| word.to_be_bytes()).collect()))
}

/// A counter's operand: the bigint of a `KvU64`, or an integer.
pub fn operand(env: Env, value: Raw, is_u64: bool) -> Result<Counter> {
    let integer = integer(env, value)?;
    if !is_u64 {
        return Ok(Counter::Int(integer));
    }
    let small = integer.to_u64().ok_or_else(|| Error::invalid("value: a KvU64 is from 0 to 2^64 - 1"))?;
    Ok(Counter::U64(small))
}

/// A bigint, or a number that is an integer.
fn integer(env: Env, value: Raw) -> Result<BigInt> {
    match kind(env, value) {
        ValueType::BigInt => {
            let (negative, magnitude) = bigint_words(env, value, crate::base::limits::MAX_VALUE_BYTES / 4)
                .map_err(|error| error.at("value"))?;
            let sign = if negative { Sign::Minus } else { Sign::Plus };
            Ok(BigInt::from_biguint(sign, BigUint::from_bytes_be(&magnitude)))
        }
        ValueType::Number => {
            let operand = number(env, value);
            let whole =
                (operand.fract() == 0.0).then(|| num_traits::FromPrimitive::from_f64(operand)).flatten();
            whole.ok_or_else(|| {
                Error::invalid(format!("value: {operand} is not an integer; give a bigint or an integer"))
            })
        }
        _ => Err(Error::invalid(format!(
            "value: {} is not an integer; give a bigint or an integer",
            kind_name(env, value)
        ))),
    }
}

/// A duration; `None` if it is not given.
pub fn duration(env: Env, value: Raw, name: &str) -> Result<Option<i64>> {
    match kind(env, value) {
        ValueType::Undefined => Ok(None),
        ValueType::Number => duration::from_ms(number(env, value), name).map(Some),
        ValueType::String => duration::parse(&long_text(env, value)?, name).map(Some),
        _ => Err(Error::invalid(format!(
            "{name}: {} is not a duration; give a number of milliseconds or a string such as \"30s\"",
            kind_name(env, value)
        ))),
    }
}

/// A duration, or `Some(None)` for null; `None` if it is not given.
pub fn duration_or_null(env: Env, value: Raw, name: &str) -> Result<Option<Option<i64>>> {
    match kind(env, value) {
        ValueType::Null => Ok(Some(None)),
        _ => duration(env, value, name).map(|ms| ms.map(Some)),
    }
}

/// A time to live; `None` if it is not given.
pub fn expires_in(env: Env, value: Raw) -> Result<Option<i64>> {
    match duration(env, value, "expiresIn")? {
        Some(0) => Err(Error::invalid("expiresIn: 0 ms; give more than 0")),
        ms => Ok(ms),
    }
}

/// The versionstamp of a check: a text, or `null` for absent.
pub fn versionstamp(env: Env, value: Raw) -> Result<Option<String>> {
    match kind(env, value) {
        ValueType::Null => Ok(None),
        ValueType::String => long_text(env, value).map(Some),
        _ => Err(Error::invalid(format!(
            "versionstamp: {} is not one; give the versionstamp of an entry, or null for an absent key",
            kind_name(env, value)
        ))),
    }
}

/// A text; errors name it `name`.
pub fn text(env: Env, value: Raw, name: &str) -> Result<String> {
    if kind(env, value) != ValueType::String {
        return Err(Error::invalid(format!("{name}: {} is not a string", kind_name(env, value))));
    }
    let text = long_text(env, value)?;
    if text.contains(REPLACEMENT) && has_lone_surrogate(env, value) {
        let message = format!("{name}: the string has a lone surrogate, which UTF-8 cannot hold");
        return Err(Error::invalid(message));
    }
    Ok(text)
}

/// A whole number; errors name it `name`.
pub fn whole_number(env: Env, value: Raw, name: &str) -> Result<i64> {
    #[allow(clippy::cast_possible_truncation)]
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    let number = (kind(env, value) == ValueType::Number).then(|| number(env, value)).and_then(whole);
    number.ok_or_else(|| Error::invalid(format!("{name}: {} is not a whole number", kind_name(env, value))))
}

/// A text that is not given by being `undefined`; errors name it `name`.
pub fn optional_text(env: Env, value: Raw, name: &str) -> Result<Option<String>> {
    if is_absent(env, value) { Ok(None) } else { text(env, value, name).map(Some) }
}

/// A filter, as `lib/api/query/filter.ts` writes it; `None` if it is not given.
pub fn filter(env: Env, value: Raw) -> Result<Option<Arc<Filter>>> {
    let given = !is_absent(env, value);
    given.then(|| crate::engine::query::filter::parse(&text_bytes(env, value)).map(Arc::new)).transpose()
}

/// The elements of an array, each made by `one`, whose errors name its place.
pub fn list<T>(env: Env, values: Raw, name: &str, one: impl Fn(Raw, &str) -> Result<T>) -> Result<Vec<T>> {
    let Some(length) = array_length(env, values) else {
        return Err(Error::invalid(format!("{name}: {} is not an array", kind_name(env, values))));
    };
    (0..length).map(|index| one(element(env, values, index), &format!("{name}[{index}]"))).collect()
}

/// The encoding of a key.
pub fn one_key(env: Env, value: Raw) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    key(env, value, "key", &mut out)?;
    Ok(out)
}

/// A selector of three keys, each of which may be missing.
pub fn selector(env: Env, prefix: Raw, start: Raw, end: Raw) -> Result<Selector> {
    let bound = |value: Raw, name: &str| {
        if is_absent(env, value) {
            return Ok(None);
        }
        let mut out = Vec::new();
        self::prefix(env, value, name, &mut out).map(|_| Some(out))
    };
    Ok(Selector { prefix: bound(prefix, "prefix")?, start: bound(start, "start")?, end: bound(end, "end")? })
}
