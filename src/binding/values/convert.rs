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
use crate::base::error::{At, Error, Place, Result};
use crate::base::limits::{MAX_COUNTER_BYTES, MAX_KEY_BIGINT_BYTES, MAX_KEY_PARTS, check_name};
use crate::codec::key::KeyWriter;
use crate::codec::stamp::Stamp;
use crate::codec::value::Counter;
use crate::engine::get::Keys;
use crate::engine::query::filter::Filter;
use crate::engine::query::range::Selector;

/// The character that Node-API puts in place of a lone surrogate.
const REPLACEMENT: &str = "\u{fffd}";

/// Encodes a key of at least one part; the caller names it in errors.
pub fn key(env: Env, value: Raw, out: &mut Vec<u8>) -> Result<()> {
    if prefix(env, value, out)? == 0 { Err(empty_key()) } else { Ok(()) }
}

/// The error of a key without parts.
pub fn empty_key() -> Error {
    Error::invalid(format!("it is empty; give 1 to {MAX_KEY_PARTS} parts"))
}

/// Encodes keys, one after another. `many`: errors name the place of the key.
pub fn keys(env: Env, values: Raw, many: bool, out: &mut Keys) -> Result<()> {
    let length = array_length(env, values).unwrap_or(0);
    (0..length).try_for_each(|index| {
        let encoded = out.push_with(|bytes| key(env, element(env, values, index), bytes)).at("key");
        if many { encoded.at(("keys", index as usize)) } else { encoded }
    })
}

/// Encodes a key that may be empty, and gives its number of parts; the caller names it in errors.
pub fn prefix(env: Env, value: Raw, out: &mut Vec<u8>) -> Result<u32> {
    let Some(length) = array_length(env, value) else {
        let refused = match kind(env, value) {
            ValueType::Object => refused_key(env, value),
            _ => format!("{} is not a key; {KEYS}", kind_name(env, value)),
        };
        return Err(Error::invalid(refused));
    };
    let begin = out.len();
    let mut writer = KeyWriter::new(out);
    let written =
        (0..length).try_for_each(|index| part(env, element(env, value, index), index as usize, &mut writer));
    if let Err(error) = written {
        out.truncate(begin);
        return Err(error);
    }
    Ok(length)
}

/// Encodes the `prefix` of a call into bytes of its own.
pub fn own_prefix(env: Env, value: Raw) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    prefix(env, value, &mut out).map(|_| out).at("prefix")
}

fn part(env: Env, value: Raw, index: usize, writer: &mut KeyWriter<'_>) -> Result<()> {
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
            let words = bigint_words(env, value, MAX_KEY_BIGINT_BYTES);
            let (negative, magnitude) = words.map_err(|error| error.at(Place::element(index)))?;
            writer.bigint(negative, &magnitude)
        }
        _ => match bytes(env, value) {
            Some(bytes) => writer.bytes(bytes),
            None if kind(env, value) == ValueType::Object => {
                Err(Error::invalid(refused_part(env, value)).at(Place::element(index)))
            }
            None => {
                let message = format!("{} is not a key part; {PARTS}", kind_name(env, value));
                Err(Error::invalid(message).at(Place::element(index)))
            }
        },
    }
}

fn string_part(env: Env, value: Raw, text: &str, index: usize, writer: &mut KeyWriter<'_>) -> Result<()> {
    if text.contains(REPLACEMENT) && has_lone_surrogate(env, value) {
        return Err(lone_surrogate().at(Place::element(index)));
    }
    writer.string(text)
}

fn lone_surrogate() -> Error {
    Error::invalid("the string has a lone surrogate, which UTF-8 cannot hold")
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
            return Err(Error::limit(size, limit, "bytes"));
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
    let integer = integer(env, value).at("value")?;
    if !is_u64 {
        return Ok(Counter::Int(integer));
    }
    let small =
        integer.to_u64().ok_or_else(|| Error::invalid("a KvU64 is from 0 to 2^64 - 1")).at("value")?;
    Ok(Counter::U64(small))
}

/// A bigint, or a number that is an integer.
fn integer(env: Env, value: Raw) -> Result<BigInt> {
    match kind(env, value) {
        ValueType::BigInt => {
            let (negative, magnitude) = bigint_words(env, value, MAX_COUNTER_BYTES)?;
            let sign = if negative { Sign::Minus } else { Sign::Plus };
            Ok(BigInt::from_biguint(sign, BigUint::from_bytes_be(&magnitude)))
        }
        ValueType::Number => {
            let operand = number(env, value);
            let whole =
                (operand.fract() == 0.0).then(|| num_traits::FromPrimitive::from_f64(operand)).flatten();
            whole.ok_or_else(|| {
                Error::invalid(format!("{operand} is not an integer; give a bigint or an integer"))
            })
        }
        _ => Err(Error::invalid(format!(
            "{} is not an integer; give a bigint or an integer",
            kind_name(env, value)
        ))),
    }
}

/// A duration; `None` if it is not given. The caller names it in errors.
pub fn duration(env: Env, value: Raw) -> Result<Option<i64>> {
    match kind(env, value) {
        ValueType::Undefined => Ok(None),
        ValueType::Number => duration::from_ms(number(env, value)).map(Some),
        ValueType::String => duration::parse(&long_text(env, value)?).map(Some),
        _ => Err(Error::invalid(format!(
            "{} is not a duration; give a number of milliseconds or a string such as \"30s\"",
            kind_name(env, value)
        ))),
    }
}

/// A duration, or `Some(None)` for null; `None` if it is not given.
pub fn duration_or_null(env: Env, value: Raw) -> Result<Option<Option<i64>>> {
    match kind(env, value) {
        ValueType::Null => Ok(Some(None)),
        _ => duration(env, value).map(|ms| ms.map(Some)),
    }
}

/// A duration that must be given.
pub fn needed_duration(env: Env, value: Raw) -> Result<i64> {
    duration(env, value)?.ok_or_else(|| Error::invalid("it is missing; give a duration"))
}

/// A time to live; `None` if it is not given. The caller names it in errors.
pub fn time_to_live(env: Env, value: Raw) -> Result<Option<i64>> {
    match duration(env, value) {
        Ok(Some(0)) => Err(Error::invalid("0 ms; give more than 0")),
        ms => ms,
    }
}

/// A time to live by its usual name; `None` if it is not given.
pub fn expires_in(env: Env, value: Raw) -> Result<Option<i64>> {
    time_to_live(env, value).at("expiresIn")
}

/// The versionstamp of a check: a text, or `null` for absent.
pub fn versionstamp(env: Env, value: Raw) -> Result<Option<String>> {
    let what = match kind(env, value) {
        ValueType::Null => return Ok(None),
        ValueType::String => {
            let text = long_text(env, value)?;
            if Stamp::parse(&text).is_some() || is_denos_stamp(&text) {
                return Ok(Some(text));
            }
            "the text"
        }
        _ => kind_name(env, value),
    };
    let message = format!("{what} is not one; give the versionstamp of an entry, or null for an absent key");
    Err(Error::invalid(message).at("versionstamp"))
}

/// A versionstamp of Deno KV: no entry here has it, so a check with it fails, as with any other wrong
/// versionstamp.
fn is_denos_stamp(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A text; the caller names it in errors.
pub fn text(env: Env, value: Raw) -> Result<String> {
    if kind(env, value) != ValueType::String {
        return Err(Error::invalid(format!("{} is not a string", kind_name(env, value))));
    }
    let text = long_text(env, value)?;
    if text.contains(REPLACEMENT) && has_lone_surrogate(env, value) {
        return Err(lone_surrogate());
    }
    Ok(text)
}

/// A whole number; the caller names it in errors.
pub fn whole_number(env: Env, value: Raw) -> Result<i64> {
    #[allow(clippy::cast_possible_truncation)]
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    let number = (kind(env, value) == ValueType::Number).then(|| number(env, value)).and_then(whole);
    number.ok_or_else(|| Error::invalid(format!("{} is not a whole number", kind_name(env, value))))
}

/// An optional text; errors name it `name`.
pub fn optional_text(env: Env, value: Raw, name: &'static str) -> Result<Option<String>> {
    if is_absent(env, value) { Ok(None) } else { text(env, value).map(Some).at(name) }
}

/// A filter, as `lib/api/query/filter.ts` writes it; `None` if it is not given.
pub fn filter(env: Env, value: Raw) -> Result<Option<Arc<Filter>>> {
    let given = !is_absent(env, value);
    given.then(|| crate::engine::query::filter::parse(&text_bytes(env, value)).map(Arc::new)).transpose()
}

/// The elements of an array, each made by `one`; errors name the array and the place in it.
pub fn list<T>(env: Env, values: Raw, name: &'static str, one: impl Fn(Raw) -> Result<T>) -> Result<Vec<T>> {
    elements(env, values).at(name)?.map(|(index, value)| one(value).at((name, index))).collect()
}

/// The elements of an array, with their numbers; the caller names it in errors.
pub fn elements(env: Env, values: Raw) -> Result<impl Iterator<Item = (usize, Raw)>> {
    let not_one = || Error::invalid(format!("{} is not an array", kind_name(env, values)));
    let length = array_length(env, values).ok_or_else(not_one)?;
    Ok((0..length).map(move |index| (index as usize, element(env, values, index))))
}

/// The encoding of a key.
pub fn one_key(env: Env, value: Raw) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    key(env, value, &mut out).at("key")?;
    Ok(out)
}

/// The name of a lock or a consumer.
pub fn name(env: Env, value: Raw) -> Result<String> {
    text(env, value).and_then(|name| check_name(&name).map(|()| name)).at("name")
}

/// A bound of a range: the encoding of a key, or bytes as they are.
pub fn bound_bytes(env: Env, value: Raw) -> Result<Vec<u8>> {
    if let Some(bytes) = bytes(env, value) {
        return Ok(bytes.to_vec());
    }
    let mut out = Vec::new();
    prefix(env, value, &mut out).map(|_| out)
}

fn prefix_of(env: Env, range: Raw) -> Result<Option<Vec<u8>>> {
    let value = member(env, range, c"prefix");
    if is_absent(env, value) { Ok(None) } else { own_prefix(env, value).map(Some) }
}

/// The selector of an object's `prefix`, `start` and `end`.
pub fn selector(env: Env, range: Raw) -> Result<Selector> {
    let bound = |member_name, name: &'static str| {
        let value = member(env, range, member_name);
        if is_absent(env, value) {
            return Ok(None);
        }
        bound_bytes(env, value).map(Some).at(name)
    };
    Ok(Selector {
        prefix: prefix_of(env, range)?,
        start: bound(c"start", "start")?,
        end: bound(c"end", "end")?,
    })
}
