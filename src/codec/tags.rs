//! Tags in JSON text: whether JavaScript can make a value of each (`lib/value/decode.ts`; both pass a table
//! in `testdata/`). A RegExp and a `Float16Array` count as valid: some runtime can make them.

use std::borrow::Cow;

use super::json_text::{Json, Member, elements, every_with, members, parse};

/// The member that makes an object a tag.
pub const TAG: &[u8] = b"__type";
/// The member of a reference that has the number.
pub const REF: &[u8] = b"ref";
/// A date is at most so far from the epoch.
const MAX_DATE_MS: f64 = 8.64e15;
/// The members of an error that JavaScript hides.
pub const HIDDEN_FIELDS: [&[u8]; 4] = [b"cause", b"errors", b"error", b"suppressed"];

/// Why no value can be made of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A newer version may have written it.
    Unknown,
    /// Nobody has.
    Damaged,
}

/// Whether a value can be made of every tag.
///
/// # Errors
/// That of the first tag that has one.
pub fn check(text: &[u8]) -> Result<(), Fault> {
    let mut fault = Fault::Damaged;
    let is_sound = |tag: &[u8]| match members(tag).map_or(Err(Fault::Damaged), |members| check_tag(&members))
    {
        Ok(()) => true,
        Err(met) => {
            fault = met;
            false
        }
    };
    if every_with(text, TAG, &mut { is_sound }) { Ok(()) } else { Err(fault) }
}

fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// A member's text; of several with a name the last counts.
pub fn own<'a>(members: &[Member<'a>], name: &[u8]) -> Option<&'a [u8]> {
    members.iter().rev().find(|member| member.name.as_ref() == name).map(|member| member.value)
}

fn check_values(members: &[Member<'_>]) -> Result<(), Fault> {
    members.iter().try_for_each(|member| check(member.value))
}

fn check_tag(members: &[Member<'_>]) -> Result<(), Fault> {
    let tag = text_of(own(members, TAG)).ok_or(Fault::Damaged)?;
    let value = own(members, b"value");
    let is_sound = match tag.as_ref() {
        b"undefined" | b"hole" => true,
        b"number" => is_special_number(value),
        b"bigint" => text_of(value).is_some_and(|digits| is_integer(&digits)),
        b"u64" => text_of(value).is_some_and(|digits| is_u64(&digits)),
        b"date" => value.and_then(parse).is_some_and(|value| match value {
            Json::Null => true,
            Json::Number(ms) => ms.fract() == 0.0 && ms.abs() <= MAX_DATE_MS,
            _ => false,
        }),
        b"regexp" => is_regexp(value, own(members, b"flags"), own(members, b"lastIndex")),
        b"bytes" => text_of(value).is_some_and(|text| bytes_of_base64(&text).is_some()),
        b"typedarray" => is_view(value, own(members, b"kind")),
        b"boxed" => value.is_some_and(is_primitive),
        b"map" => {
            let pairs = value.and_then(list).ok_or(Fault::Damaged)?;
            return pairs.into_iter().try_for_each(check_pair);
        }
        b"set" => {
            let members = value.and_then(list).ok_or(Fault::Damaged)?;
            return members.into_iter().try_for_each(check);
        }
        b"error" => return check_error(&value.and_then(object).ok_or(Fault::Damaged)?),
        // What a reference leads to is looked at once all that is before it is known: `graph.rs`.
        b"object" => match own(members, REF) {
            Some(number) => number_of(number).is_some(),
            None => return check_values(&value.and_then(object).ok_or(Fault::Damaged)?),
        },
        _ => return Err(Fault::Unknown),
    };
    if is_sound { Ok(()) } else { Err(Fault::Damaged) }
}

/// The number that a reference has, if it can be one.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn number_of(text: &[u8]) -> Option<usize> {
    match parse(text)? {
        Json::Number(number) if (0.0..=f64::from(u32::MAX)).contains(&number) && number.fract() == 0.0 => {
            Some(number as usize)
        }
        _ => None,
    }
}

fn is_special_number(text: Option<&[u8]>) -> bool {
    text_of(text).is_some_and(|text| [&b"NaN"[..], b"Infinity", b"-Infinity", b"-0"].contains(&&*text))
}

/// What can be boxed: as JSON has it, or a tag of a number or a bigint.
fn is_primitive(text: &[u8]) -> bool {
    match parse(text) {
        Some(Json::String(_) | Json::Number(_) | Json::Bool(_)) => true,
        Some(Json::Object(_)) => is_tag_of(&[b"number", b"bigint"], text),
        _ => false,
    }
}

fn is_tag_of(types: &[&[u8]], text: &[u8]) -> bool {
    let tag = members(text).and_then(|members| text_of(own(&members, TAG)));
    tag.is_some_and(|tag| types.contains(&&*tag)) && check(text).is_ok()
}

fn list(text: &[u8]) -> Option<Vec<&[u8]>> {
    if first_byte(text) == Some(b'[') { elements(text) } else { None }
}

fn object(text: &[u8]) -> Option<Vec<Member<'_>>> {
    if first_byte(text) == Some(b'{') { members(text) } else { None }
}

fn text_of(text: Option<&[u8]>) -> Option<Cow<'_, [u8]>> {
    match text.and_then(parse)? {
        Json::String(text) => Some(text),
        _ => None,
    }
}

/// Absent, or a string.
fn is_optional_text(text: Option<&[u8]>) -> bool {
    text.is_none_or(|text| text_of(Some(text)).is_some())
}

fn is_integer(digits: &[u8]) -> bool {
    let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
    let is_number = unsigned.first().is_some_and(|first| (b'1'..=b'9').contains(first))
        && unsigned.iter().all(u8::is_ascii_digit);
    is_number || digits == b"0"
}

fn is_u64(digits: &[u8]) -> bool {
    is_integer(digits) && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u64>().is_ok())
}

fn is_regexp(source: Option<&[u8]>, flags: Option<&[u8]>, last_index: Option<&[u8]>) -> bool {
    let is_index = |text: &[u8]| match parse(text) {
        Some(Json::Number(_) | Json::Null) => true,
        Some(Json::Object(_)) => is_tag_of(&[b"number"], text),
        _ => false,
    };
    text_of(source).is_some()
        && text_of(flags).is_some_and(|flags| flags.iter().all(u8::is_ascii_lowercase))
        && last_index.is_none_or(is_index)
}

fn check_pair(text: &[u8]) -> Result<(), Fault> {
    let pair = list(text).filter(|pair| pair.len() == 2).ok_or(Fault::Damaged)?;
    pair.into_iter().try_for_each(check)
}

/// The number of bytes of a base64 text, if it is their canonical encoding.
fn bytes_of_base64(text: &[u8]) -> Option<usize> {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = text.get(..text.len() - padding)?;
    let last = digits.iter().copied().map(digit_of_base64).try_fold(0, |_, digit| digit)?;
    // The bits of the last digit that no byte has.
    let spare = match padding {
        0 => 0,
        1 => 0b11,
        _ => 0b1111,
    };
    (text.len().is_multiple_of(4) && last & spare == 0).then(|| text.len() / 4 * 3 - padding)
}

fn digit_of_base64(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn is_view(value: Option<&[u8]>, kind: Option<&[u8]>) -> bool {
    let (Some(text), Some(kind)) = (text_of(value), text_of(kind)) else { return false };
    let element = match kind.as_ref() {
        b"ArrayBuffer" | b"DataView" | b"Int8Array" | b"Uint8ClampedArray" => 1,
        b"Int16Array" | b"Uint16Array" | b"Float16Array" => 2,
        b"Int32Array" | b"Uint32Array" | b"Float32Array" => 4,
        b"Float64Array" | b"BigInt64Array" | b"BigUint64Array" => 8,
        _ => return false,
    };
    bytes_of_base64(&text).is_some_and(|bytes| bytes.is_multiple_of(element))
}

fn check_error(fields: &[Member<'_>]) -> Result<(), Fault> {
    let field = |name: &[u8]| own(fields, name).filter(|text| parse(text) != Some(Json::Null));
    let members = match field(b"members") {
        Some(text) => object(text).ok_or(Fault::Damaged)?,
        None => Vec::new(),
    };
    let is_sound = text_of(own(fields, b"name")).is_some()
        && is_optional_text(own(fields, b"message"))
        && is_optional_text(own(fields, b"stack"))
        && is_optional_text(field(b"class"));
    if !is_sound {
        return Err(Fault::Damaged);
    }
    HIDDEN_FIELDS.iter().filter_map(|name| own(fields, name)).try_for_each(check)?;
    check_values(&members)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::codec::graph::are_references_sound;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Table {
        damaged: Vec<String>,
        unknown: Vec<String>,
        sound: Vec<String>,
        of_whole: Whole,
    }

    #[derive(Deserialize)]
    struct Whole {
        damaged: Vec<String>,
        sound: Vec<String>,
    }

    fn table() -> Table {
        serde_json::from_str(include_str!("../../testdata/tags.json")).unwrap()
    }

    #[test]
    fn what_javascript_makes_a_value_of() {
        let table = table();
        for (texts, is) in [
            (table.damaged, Err(Fault::Damaged)),
            (table.unknown, Err(Fault::Unknown)),
            (table.sound, Ok(())),
        ] {
            for text in texts {
                let map = format!(r#"{{"__type":"map","value":[[{text},1]]}}"#);
                for around in [text.clone(), format!(r#"[1,{{"a":{text}}}]"#), format!(" [ {text} ] "), map] {
                    assert_eq!(looked_at(around.as_bytes()), is, "{around}");
                }
            }
        }
    }

    fn looked_at(text: &[u8]) -> Result<(), Fault> {
        check(text)?;
        if are_references_sound(text) { Ok(()) } else { Err(Fault::Damaged) }
    }

    /// Texts whose references depend on what is around them.
    #[test]
    fn what_javascript_makes_references_of() {
        let Table { of_whole, .. } = table();
        for (texts, is) in [(of_whole.damaged, Err(Fault::Damaged)), (of_whole.sound, Ok(()))] {
            for text in texts {
                assert_eq!(looked_at(text.as_bytes()), is, "{text}");
            }
        }
    }
}
