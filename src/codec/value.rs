//! Stored values, as far as the core looks into them: counters, the outer brackets of arrays, and whether one
//! can be read at all.

use num_bigint::BigInt;
use num_traits::FromPrimitive;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::graph::{self, Graph, GraphWriter};
use super::json_text::elements;
use super::tags::{self, Fault};
use crate::base::error::{Code, Error, Result};
use crate::base::limits::MAX_COUNTER_BYTES;

/// JSON text with nothing to revive.
pub const JSON: u8 = 0;
/// JSON text with tagged members.
pub const TAGGED_JSON: u8 = 1;
/// The bytes of a `Uint8Array`.
pub const BYTES: u8 = 2;
/// A `KvU64`: 8 bytes, little-endian.
pub const U64: u8 = 3;
/// What V8 has serialised, and nobody here can decode: it is stored for others.
pub const V8: u8 = 4;

/// Digits that are read as a number: more than `MAX_COUNTER_BYTES` have, and not many more.
const MAX_COUNTER_DIGITS: usize = MAX_COUNTER_BYTES * 5 / 2;

/// A stored number that mutations can do arithmetic on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counter {
    /// A bigint.
    Int(BigInt),
    /// A `KvU64`, which wraps.
    U64(u64),
}

#[derive(Deserialize)]
struct Tagged<'a> {
    #[serde(rename = "__type")]
    tag: &'a str,
    value: &'a str,
}

impl Counter {
    /// Reads a stored counter: a bigint, an integer number, or a `KvU64`.
    ///
    /// # Errors
    /// `TYPE_MISMATCH` for anything else; `LIMIT_EXCEEDED` for one of far too many digits; those of `check`.
    pub fn decode(encoding: u8, bytes: &[u8]) -> Result<Self> {
        let read = match encoding {
            JSON => integer_number(bytes).map(Self::Int),
            TAGGED_JSON => tagged_integer(bytes)?.map(Self::Int),
            U64 => bytes.try_into().ok().map(|bytes| Self::U64(u64::from_le_bytes(bytes))),
            _ => None,
        };
        let Some(counter) = read else {
            check_changeable(encoding, bytes)?;
            return Err(mismatch("is not a bigint, an integer number or a KvU64"));
        };
        Ok(counter)
    }

    /// The encoding and the bytes that are stored.
    #[must_use]
    pub fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Int(int) => (TAGGED_JSON, format!(r#"{{"__type":"bigint","value":"{int}"}}"#).into_bytes()),
            Self::U64(int) => (U64, int.to_le_bytes().to_vec()),
        }
    }
}

fn mismatch(what: &str) -> Error {
    Error::new(Code::TypeMismatch, format!("the stored value {what}"))
}

fn integer_number(bytes: &[u8]) -> Option<BigInt> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0).then(|| BigInt::from_f64(number)).flatten()
}

fn tagged_integer(bytes: &[u8]) -> Result<Option<BigInt>> {
    let Ok(tagged) = serde_json::from_slice::<Tagged<'_>>(bytes) else { return Ok(None) };
    match (tagged.tag, tagged.value) {
        ("bigint", text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.len() > MAX_COUNTER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(
                    Error::limit(bytes_of(digits.len()), MAX_COUNTER_BYTES, "bytes").at("stored counter")
                );
            }
            Ok(text.parse().ok())
        }
        ("number", "-0") => Ok(Some(BigInt::from(0))),
        _ => Ok(None),
    }
}

/// The bytes of a number of so many digits, up to one that its first digits decide on.
fn bytes_of(digits: usize) -> usize {
    /// The binary logarithm of 10, in thousandths.
    const BITS: usize = 3322;
    (digits.saturating_mul(BITS) / 1000).div_ceil(8)
}

/// An array as JSON text, in one of the two JSON encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayText {
    /// `JSON` or `TAGGED_JSON`.
    pub encoding: u8,
    /// `[…]`
    pub text: Vec<u8>,
}

impl ArrayText {
    /// The empty array, used for a missing one.
    #[must_use]
    pub fn empty() -> Self {
        Self { encoding: JSON, text: b"[]".to_vec() }
    }

    /// Takes a stored array.
    ///
    /// # Errors
    /// `TYPE_MISMATCH` for anything else; those of `check`.
    pub fn decode(encoding: u8, bytes: &[u8]) -> Result<Self> {
        check_changeable(encoding, bytes)?;
        let brackets = bytes.first() == Some(&b'[') && bytes.last() == Some(&b']') && bytes.len() >= 2;
        if encoding > TAGGED_JSON || !brackets {
            return Err(mismatch("is not an array"));
        }
        Ok(Self { encoding, text: bytes.to_vec() })
    }

    /// This array followed by another. A plain text holds no tag by accident (the encoder escapes them), so
    /// it may become part of a tagged one as it is. What leads back to either array leads to the new one.
    ///
    /// # Errors
    /// Those of `GraphWriter`, where there are references.
    pub fn join(mut self, other: &Self) -> Result<Self> {
        let encoding = self.encoding.max(other.encoding);
        let has_references =
            |one: &Self| one.encoding == TAGGED_JSON && graph::may_have_references(&one.text);
        if has_references(&self) || has_references(other) {
            return Ok(Self { encoding, text: joined(&self.text, &other.text)? });
        }
        // An empty one that somebody wrote by hand may hold spaces: `[ ]` followed by `[1]` is `[1]`, not
        // `[ ,1]`.
        if self.is_empty() || other.is_empty() {
            let text = if self.is_empty() { other.text.clone() } else { self.text };
            return Ok(Self { encoding, text });
        }
        self.encoding = encoding;
        self.text.pop();
        self.text.push(b',');
        self.text.extend_from_slice(other.text.get(1..).unwrap_or_default());
        Ok(self)
    }

    /// The number of members, without parsing them.
    #[must_use]
    pub fn len(&self) -> u64 {
        let mut scan = Brackets::default();
        let commas = self.text.iter().filter(|byte| scan.is_outer_comma(**byte)).count() as u64;
        if self.is_empty() { 0 } else { commas + 1 }
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.iter().filter(|byte| !byte.is_ascii_whitespace()).count() == 2
    }
}

/// The elements of two arrays in one text.
fn joined(one: &[u8], other: &[u8]) -> Result<Vec<u8>> {
    let damaged = || Error::corrupt("the stored value has a tag that is damaged");
    let mut writer = GraphWriter::default();
    writer.begin();
    writer.out.push(b'[');
    for text in [one.trim_ascii(), other.trim_ascii()] {
        writer.record_as(text, 0);
        let graph = Graph::of(text).ok_or_else(damaged)?;
        for element in elements(text).ok_or_else(damaged)? {
            if writer.out.len() > 1 {
                writer.out.push(b',');
            }
            writer.value(element, &graph, 1)?;
        }
    }
    writer.out.push(b']');
    Ok(writer.out)
}

/// Levels of nesting that no value has: values nest at most 100 deep, and an append puts them one deeper.
/// JavaScript refuses the same, where it looks.
const MAX_DEPTH: usize = 201;
/// The same in brackets of tagged text but for those of the tags: a level of a map has two, and a tag may
/// hold an object.
const MAX_TAGGED_DEPTH: usize = 204;
/// The same with those of the tags.
const MAX_BRACKETS: usize = 4 * MAX_DEPTH;
/// How a tag begins: the encoder puts its member first.
const TAG_BEGINS: &[u8] = b"{\"__type\"";

/// Refuses an unreadable stored value. A value to be changed or matched is checked as a whole, so that
/// nothing is changed, overwritten or deleted because of damaged content.
///
/// # Errors
/// `CORRUPT`; `UNSUPPORTED` for an encoding that this version does not know.
pub fn check(encoding: u8, bytes: &[u8]) -> Result<()> {
    match encoding {
        JSON | TAGGED_JSON if !is_json(bytes) => Err(Error::corrupt("the stored value is not valid JSON")),
        JSON | TAGGED_JSON if is_too_deep(encoding, bytes) => {
            Err(Error::corrupt("the stored value is nested over 200 levels deep"))
        }
        TAGGED_JSON => check_tags(bytes),
        U64 if bytes.len() != size_of::<u64>() => {
            Err(Error::corrupt("the stored value is a KvU64 that is not 8 bytes"))
        }
        JSON | BYTES | U64 => Ok(()),
        V8 => Err(Error::new(
            Code::Unsupported,
            "the stored value is in V8's own format (encoding 4), which this version does not read",
        )),
        other => Err(Error::new(
            Code::Unsupported,
            format!("the stored value has the encoding {other}, which this version does not read"),
        )),
    }
}

/// The same for what a mutation is to change.
///
/// # Errors
/// `TYPE_MISMATCH` for what V8 has serialised; those of `check`.
pub fn check_changeable(encoding: u8, bytes: &[u8]) -> Result<()> {
    if encoding == V8 {
        return Err(mismatch("is in V8's own format (encoding 4), which no mutation can change"));
    }
    check(encoding, bytes)
}

fn check_tags(text: &[u8]) -> Result<()> {
    match tags::check(text) {
        Ok(()) if graph::are_references_sound(text) => Ok(()),
        Ok(()) | Err(Fault::Damaged) => Err(Error::corrupt("the stored value has a tag that is damaged")),
        Err(Fault::Unknown) => Err(Error::new(
            Code::Unsupported,
            "the stored value has a tag that this version does not know; a newer version wrote it, or the value is \
             damaged",
        )),
    }
}

/// Whether a text is one value of JSON.
#[must_use]
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Whether a JSON text is nested deeper than any value that was accepted.
#[must_use]
pub fn is_too_deep(encoding: u8, text: &[u8]) -> bool {
    // `[` and `{` differ in one bit. Most texts have not so many of them, and are not looked at byte by byte.
    let opens = |text: &[u8]| text.iter().filter(|byte| **byte | 0x20 == b'{').count();
    if text.len() <= 2 * MAX_DEPTH || opens(text) <= MAX_DEPTH {
        return false;
    }
    let (mut scan, mut tags) = (Brackets::default(), Vec::new());
    text.iter().enumerate().any(|(at, byte)| {
        let before = scan.depth;
        scan.is_outer_comma(*byte);
        if encoding == JSON {
            return scan.depth > MAX_DEPTH;
        }
        if scan.depth > before && text.get(at..).is_some_and(|rest| rest.starts_with(TAG_BEGINS)) {
            tags.push(scan.depth);
        }
        if scan.depth < before && tags.last() == Some(&before) {
            tags.pop();
        }
        scan.depth > MAX_BRACKETS || scan.depth > MAX_TAGGED_DEPTH + tags.len()
    })
}

#[derive(Default)]
struct Brackets {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    fn is_outer_comma(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        byte == b',' && self.depth == 1
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
