//! Tags in JSON text: whether JavaScript can make a value of each (`lib/value/decode.ts`; both pass a table
//! in `testdata/`). A RegExp and a `Float16Array` count as valid: some runtime can make them.

use std::borrow::Cow;

use super::json_text::{Json, Member, elements, every_with, members, parse};

/// The member that makes an object a tag.
const TAG: &[u8] = b"__type";
/// A date is at most so far from the epoch.
const MAX_DATE_MS: f64 = 8.64e15;
/// The members of an error that JavaScript hides.
const HIDDEN_FIELDS: [&[u8]; 4] = [b"cause", b"errors", b"error", b"suppressed"];

/// Whether a value can be made of every tag.
#[must_use]
pub fn are_sound(text: &[u8]) -> bool {
    every_with(text, TAG, &mut |tag| members(tag).is_some_and(|members| is_sound(&members)))
}

fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// A member's text; of several with a name the last counts.
fn own<'a>(members: &[Member<'a>], name: &[u8]) -> Option<&'a [u8]> {
    members.iter().rev().find(|member| member.name.as_ref() == name).map(|member| member.value)
}

fn values_are_sound(members: &[Member<'_>]) -> bool {
    members.iter().all(|member| are_sound(member.value))
}

fn is_sound(members: &[Member<'_>]) -> bool {
    let Some(tag) = text_of(own(members, TAG)) else { return false };
    let value = own(members, b"value");
    match tag.as_ref() {
        b"undefined" => true,
        b"number" => text_of(value)
            .is_some_and(|text| [&b"NaN"[..], b"Infinity", b"-Infinity", b"-0"].contains(&&*text)),
        b"bigint" => text_of(value).is_some_and(|digits| is_integer(&digits)),
        b"u64" => text_of(value).is_some_and(|digits| is_u64(&digits)),
        b"date" => value.and_then(parse).is_some_and(|value| match value {
            Json::Null => true,
            Json::Number(ms) => ms.fract() == 0.0 && ms.abs() <= MAX_DATE_MS,
            _ => false,
        }),
        b"regexp" => is_regexp(value, own(members, b"flags"), own(members, b"lastIndex")),
        b"map" => value.and_then(list).is_some_and(|pairs| pairs.into_iter().all(is_pair)),
        b"set" => value.and_then(list).is_some_and(|members| members.into_iter().all(are_sound)),
        b"bytes" => text_of(value).is_some_and(|text| bytes_of_base64(&text).is_some()),
        b"typedarray" => is_view(value, own(members, b"kind")),
        b"error" => value.and_then(object).is_some_and(|fields| is_error(&fields)),
        b"object" => value.and_then(object).is_some_and(|members| values_are_sound(&members)),
        _ => false,
    }
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
        Some(Json::Object(_)) => {
            let tag = members(text).and_then(|members| text_of(own(&members, TAG)));
            tag.as_deref() == Some(b"number") && are_sound(text)
        }
        _ => false,
    };
    text_of(source).is_some()
        && text_of(flags).is_some_and(|flags| flags.iter().all(u8::is_ascii_lowercase))
        && last_index.is_none_or(is_index)
}

fn is_pair(text: &[u8]) -> bool {
    list(text).is_some_and(|pair| pair.len() == 2 && pair.into_iter().all(are_sound))
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

fn is_error(fields: &[Member<'_>]) -> bool {
    let field = |name: &[u8]| own(fields, name).filter(|text| parse(text) != Some(Json::Null));
    text_of(own(fields, b"name")).is_some()
        && is_optional_text(own(fields, b"message"))
        && is_optional_text(own(fields, b"stack"))
        && is_optional_text(field(b"class"))
        && field(b"members").is_none_or(|text| object(text).is_some_and(|members| values_are_sound(&members)))
        && HIDDEN_FIELDS.iter().all(|name| own(fields, name).is_none_or(are_sound))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        damaged: Vec<String>,
        sound: Vec<String>,
    }

    #[test]
    fn what_javascript_makes_a_value_of() {
        let table: Table = serde_json::from_str(include_str!("../../testdata/tags.json")).unwrap();
        for (texts, are) in [(table.damaged, false), (table.sound, true)] {
            for text in texts {
                let map = format!(r#"{{"__type":"map","value":[[{text},1]]}}"#);
                for around in [text.clone(), format!(r#"[1,{{"a":{text}}}]"#), format!(" [ {text} ] "), map] {
                    assert_eq!(are_sound(around.as_bytes()), are, "{around}");
                }
            }
        }
    }
}
