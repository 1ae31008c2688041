//! A key as JSON text, so that a page of entries crosses into JavaScript as one text. Parts that JSON has no
//! form for are small objects: `{"b":"<base64>"}`, `{"i":"<decimal>"}`, `{"n":"NaN"}`.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::key::{Part, Parts};
use crate::base::error::Result;

/// Appends the key's JSON; true if a part is one of the small objects.
///
/// # Errors
/// `CORRUPT` if the bytes are no key.
pub fn write(key: &[u8], out: &mut Vec<u8>) -> Result<bool> {
    let mut tagged = false;
    out.push(b'[');
    for (index, part) in Parts::new(key).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        tagged |= write_part(&part?, out);
    }
    out.push(b']');
    Ok(tagged)
}

/// Appends what follows a prefix: a single part as that part, any other number as an array.
///
/// # Errors
/// `CORRUPT` if the bytes are no key.
pub fn write_suffix(suffix: &[u8], out: &mut Vec<u8>) -> Result<bool> {
    let mut parts = Parts::new(suffix);
    match parts.next() {
        Some(part) if parts.is_empty() => Ok(write_part(&part?, out)),
        _ => write(suffix, out),
    }
}

fn write_part(part: &Part<'_>, out: &mut Vec<u8>) -> bool {
    match part {
        Part::String(text) => {
            write_string(text, out);
            false
        }
        Part::Number(number) if number.is_finite() => {
            write_number(*number, out);
            false
        }
        Part::Bool(flag) => {
            out.extend_from_slice(if *flag { b"true" } else { b"false" });
            false
        }
        Part::Number(number) => tag(out, 'n', non_finite(*number)),
        Part::BigInt(int) => tag(out, 'i', &int.to_string()),
        Part::Bytes(bytes) => tag(out, 'b', &BASE64_STANDARD.encode(bytes)),
    }
}

fn tag(out: &mut Vec<u8>, name: char, text: &str) -> bool {
    out.extend_from_slice(format!("{{\"{name}\":\"{text}\"}}").as_bytes());
    true
}

fn non_finite(number: f64) -> &'static str {
    match number {
        n if n.is_nan() => "NaN",
        n if n > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Appends a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Whether JSON has these bytes of a text as they are. Eight at a time, since every versionstamp comes by
/// here.
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    /// The high bit of a byte that is less than `limit`, at least where none below it is.
    fn less(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let odd = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let quotes = less(word ^ (ONES * u64::from(b'"')), 1);
        let escapes = less(word ^ (ONES * u64::from(b'\\')), 1);
        (less(word, 0x20) | quotes | escapes) & HIGH
    };
    let (words, rest) = bytes.as_chunks();
    // The last eight look at what is left once more; of a shorter text there are none.
    match bytes.last_chunk() {
        Some(last) => words.iter().fold(odd(last), |found, word| found | odd(word)) == 0,
        None => !rest.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')),
    }
}

fn write_number(number: f64, out: &mut Vec<u8>) {
    // Whole numbers, the usual ids, need no floating-point formatting; -0 keeps its sign as "-0.0".
    #[allow(clippy::cast_possible_truncation)]
    let whole = number as i64;
    #[allow(clippy::cast_precision_loss)]
    let is_whole =
        whole as f64 == number && whole.unsigned_abs() < 1 << 53 && (whole != 0 || number.is_sign_positive());
    if is_whole {
        let _ = serde_json::to_writer(out, &whole);
    } else {
        let _ = serde_json::to_writer(out, &number);
    }
}

/// A text as a JSON string.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut out = Vec::new();
    write_string(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Characters of a key in a message.
const PREVIEW_CHARS: usize = 80;

/// The beginning of a key, for a message.
#[must_use]
pub fn preview_key(key: &[u8]) -> String {
    let mut json = Vec::new();
    let _ = write(key, &mut json);
    let text = String::from_utf8_lossy(&json);
    match text.char_indices().nth(PREVIEW_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::key::encode;

    fn json(parts: &[Part<'_>]) -> (String, bool) {
        let mut out = Vec::new();
        let tagged = write(&encode(parts).unwrap(), &mut out).unwrap();
        (String::from_utf8(out).unwrap(), tagged)
    }

    #[test]
    fn plain_parts() {
        let parts =
            [Part::String("a\"\u{1}é".into()), Part::Number(12.0), Part::Number(-0.0), Part::Bool(true)];
        assert_eq!(json(&parts), (r#"["a\"\u0001é",12,-0.0,true]"#.into(), false));
    }

    /// Seen to fail: where bytes with a high bit counted, where a text of less than eight was not looked at,
    /// and where 0x1f was let through.
    #[test]
    fn what_json_escapes_is_found_at_every_place() {
        let fill = ["a", "\u{7f}", " ", "!", "#", "[", "]", "é", "\u{ffff}"];
        for length in 0..40 {
            for fill in fill {
                let plain = fill.repeat(length);
                assert!(is_plain(plain.as_bytes()), "{plain}");
                for odd in ['"', '\\', '\0', '\u{1f}', '\n'] {
                    for at in plain.char_indices().map(|(at, _)| at).chain([plain.len()]) {
                        let (before, after) = plain.split_at(at);
                        assert!(!is_plain(format!("{before}{odd}{after}").as_bytes()), "{odd:?} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_follows_a_prefix() {
        let key = encode(&[Part::Bool(true), Part::Number(7.0), Part::String("a".into())]).unwrap();
        let text = |suffix: &[u8]| {
            let mut out = Vec::new();
            write_suffix(suffix, &mut out).map(|_| String::from_utf8(out).unwrap())
        };
        assert_eq!(text(&key).unwrap(), r#"[true,7,"a"]"#);
        assert_eq!(text(&key[1..]).unwrap(), r#"[7,"a"]"#);
        assert_eq!(text(&key[10..]).unwrap(), r#""a""#);
        assert_eq!(text(&[]).unwrap(), "[]");
        assert!(text(&[0xff]).is_err());
    }

    #[test]
    fn tagged_parts() {
        let parts =
            [Part::Bytes(vec![0, 255].into()), Part::BigInt((-7).into()), Part::Number(f64::NEG_INFINITY)];
        assert_eq!(json(&parts), (r#"[{"b":"AP8="},{"i":"-7"},{"n":"-Infinity"}]"#.into(), true));
    }
}
