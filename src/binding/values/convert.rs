//! JavaScript values to the core's types, straight through Node-API: a key costs one call a part and no
//! object.
//!
//! Invariant of every `unsafe` here: `env` and the values belong to the call that is running, on its thread.

use std::ptr;
use std::sync::Arc;

use napi::{Env, ValueType, sys};
use num_bigint::{BigInt, BigUint, Sign};
use num_traits::ToPrimitive;

use super::raw::{
    Raw, SHORT_TEXT_BYTES, array_length, bytes, element, has_lone_surrogate, is_absent, kind, kind_name,
    long_text, member, number, short_text, text_bytes,
};
use super::wording::{KEYS, PARTS, refused_key, refused_part};
use crate::base::duration;
use crate::base::error::{Error, Result};
use crate::base::limits::{MAX_KEY_BIGINT_BYTES, MAX_KEY_PARTS, check_name};
use crate::codec::key::KeyWriter;
use crate::codec::value::Counter;
use crate::engine::get::Keys;
use crate::engine::query::filter::Filter;
use crate::engine::query::range::Selector;

/// What Node-API puts in place of a lone surrogate.
const REPLACEMENT: &str = "\u{fffd}";

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

/// Encodes the `prefix` of a call into bytes of its own.
pub fn own_prefix(env: Env, value: Raw) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    prefix(env, value, "prefix", &mut out).map(|_| out)
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

/// The name of a lock or a consumer.
pub fn name(env: Env, value: Raw) -> Result<String> {
    let name = text(env, value, "name")?;
    check_name(&name, "name").map(|()| name)
}

/// The selector of an object's `prefix`, `start` and `end`.
pub fn selector(env: Env, range: Raw) -> Result<Selector> {
    let bound = |member_name, name: &str| {
        let value = member(env, range, member_name);
        if is_absent(env, value) {
            return Ok(None);
        }
        let mut out = Vec::new();
        self::prefix(env, value, name, &mut out).map(|_| Some(out))
    };
    Ok(Selector {
        prefix: bound(c"prefix", "prefix")?,
        start: bound(c"start", "start")?,
        end: bound(c"end", "end")?,
    })
}
