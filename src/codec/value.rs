//! Stored values, as far as the core looks into them: counters, the outer brackets of arrays, and whether one
//! can be read at all.

use num_bigint::BigInt;
use num_traits::FromPrimitive;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::tags;
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
            check(encoding, bytes)?;
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
        check(encoding, bytes)?;
        let brackets = bytes.first() == Some(&b'[') && bytes.last() == Some(&b']') && bytes.len() >= 2;
        if encoding > TAGGED_JSON || !brackets {
            return Err(mismatch("is not an array"));
        }
        Ok(Self { encoding, text: bytes.to_vec() })
    }

    /// This array followed by another. A plain text holds no tag by accident (the encoder escapes them), so
    /// it may become part of a tagged one as it is.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        let encoding = self.encoding.max(other.encoding);
        // An empty one that somebody wrote by hand may hold spaces: `[ ]` followed by `[1]` is `[1]`, not
        // `[ ,1]`.
        if self.is_empty() || other.is_empty() {
            let text = if self.is_empty() { other.text.clone() } else { self.text };
            return Self { encoding, text };
        }
        self.encoding = encoding;
        self.text.pop();
        self.text.push(b',');
        self.text.extend_from_slice(other.text.get(1..).unwrap_or_default());
        self
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
        TAGGED_JSON if !tags::are_sound(bytes) => {
            Err(Error::corrupt("the stored value has a tag that is damaged"))
        }
        U64 if bytes.len() != size_of::<u64>() => {
            Err(Error::corrupt("the stored value is a KvU64 that is not 8 bytes"))
        }
        JSON | TAGGED_JSON | BYTES | U64 => Ok(()),
        other => Err(Error::new(
            Code::Unsupported,
            format!("the stored value has the encoding {other}, which this version does not read"),
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
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_nested_too_deep() {
        let nested = |levels: usize, open: &str, close: &str| {
            format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
        };
        for (open, close) in [("[", "]"), ("{\"x\":", "}"), ("[\"]}\\\"]]\",", "]"), ("[{},{\"a\":", "}]")] {
            let levels = MAX_DEPTH / open.matches(['[', '{']).count().clamp(1, 2);
            let levels = if open.starts_with("[{") { levels } else { MAX_DEPTH };
            assert!(!is_too_deep(JSON, &nested(levels, open, close)), "{open}");
            assert!(is_too_deep(JSON, &nested(levels + 1, open, close)), "{open}");
            assert!(is_too_deep(JSON, &nested(200_000, open, close)), "{open}");
        }
        assert!(!is_too_deep(JSON, format!("[{}1]", "[],{},\"[[{\",".repeat(1000)).as_bytes()));
    }

    /// Seen to fail: each bracket of a tag counted as a level, or none was counted.
    #[test]
    fn what_is_tagged_and_nested_too_deep() {
        let nested = |levels: usize, open: &str, close: &str| {
            format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
        };
        let map = (r#"{"__type":"map","value":[["k","#, "]]}");
        assert!(!is_too_deep(TAGGED_JSON, &nested(101, map.0, map.1)));
        for (open, close) in [map, ("[", "]"), (r#"{"x":"#, "}"), (r#"{"__type":"object","value":"#, "}")] {
            assert!(!is_too_deep(TAGGED_JSON, &nested(101, open, close)), "{open}");
            assert!(is_too_deep(TAGGED_JSON, &nested(200_000, open, close)), "{open}");
        }
        assert!(is_too_deep(TAGGED_JSON, &nested(205, "[", "]")));
    }

    #[test]
    fn what_cannot_be_read() {
        let code = |encoding: u8, text: &[u8]| check(encoding, text).err().map(|error| error.code);
        for (encoding, text) in
            [(JSON, b"{\"a\":[1]}".as_slice()), (TAGGED_JSON, b"1"), (BYTES, b"x"), (U64, b"12345678")]
        {
            assert_eq!(code(encoding, text), None);
        }
        for text in ["", "{\"a\":1", "[1,2]],[", "[1],[2]", "1 1", "word"] {
            assert_eq!(code(JSON, text.as_bytes()), Some(Code::Corrupt), "{text}");
            assert_eq!(code(TAGGED_JSON, text.as_bytes()), Some(Code::Corrupt), "{text}");
        }
        assert_eq!(code(U64, b"1234567"), Some(Code::Corrupt));
        assert_eq!(code(9, b"1"), Some(Code::Unsupported));
    }

    #[test]
    fn counters() {
        let int = |text: &str| Counter::decode(JSON, text.as_bytes()).ok();
        assert_eq!(int("12"), Some(Counter::Int(12.into())));
        assert_eq!(int("1e+21"), Some(Counter::Int("1000000000000000000000".parse().unwrap())));
        for text in ["1.5", "\"1\"", "null", "true", "[]", "inf", "NaN", ""] {
            assert_eq!(int(text), None, "{text}");
        }
        let big = Counter::Int(BigInt::from(-1) << 200);
        let (encoding, bytes) = big.encode();
        assert_eq!(Counter::decode(encoding, &bytes).unwrap(), big);
        assert_eq!(Counter::decode(U64, &5u64.to_le_bytes()).unwrap(), Counter::U64(5));
        assert!(Counter::decode(U64, b"short").is_err());
        assert!(Counter::decode(TAGGED_JSON, br#"{"__type":"date","value":"5"}"#).is_err());
        assert!(Counter::decode(BYTES, b"12").is_err());
    }

    /// Seen to fail: without the look at the number of digits it had not ended after 45 s.
    #[test]
    fn a_counter_of_far_too_many_digits_is_not_read_as_a_number() {
        for sign in ["", "-"] {
            let text = format!(r#"{{"__type":"bigint","value":"{sign}{}"}}"#, "9".repeat(8_000_000));
            let error = Counter::decode(TAGGED_JSON, text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "stored counter: 3322000 bytes are over the limit of 2048 bytes");
        }
        let text = format!(r#"{{"__type":"bigint","value":"{}x"}}"#, "9".repeat(8_000));
        assert_eq!(Counter::decode(TAGGED_JSON, text.as_bytes()).unwrap_err().code, Code::Corrupt);
    }

    fn array(value: &Value) -> ArrayText {
        ArrayText { encoding: JSON, text: value.to_string().into_bytes() }
    }

    #[test]
    fn arrays() {
        let (a, b) = (json!([1, "a,]\\\"", [2, 3]]), json!([{ "x": [1, 2] }, null]));
        let joined = array(&a).join(&array(&b));
        assert_eq!(
            serde_json::from_slice::<Value>(&joined.text).unwrap(),
            json!([1, "a,]\\\"", [2, 3], { "x": [1, 2] }, null])
        );
        assert_eq!(joined.len(), 5);
        assert_eq!(ArrayText::decode(JSON, b"[ ]").unwrap().join(&array(&a)).text, array(&a).text);
        assert_eq!(array(&a).join(&ArrayText::decode(JSON, b"[\n]").unwrap()).text, array(&a).text);
        assert_eq!(ArrayText::empty().join(&array(&a)).text, array(&a).text);
        assert_eq!(array(&a).join(&ArrayText::empty()).text, array(&a).text);
        assert_eq!(ArrayText::empty().len(), 0);
        assert!(ArrayText::decode(JSON, b"{}").is_err());
        assert!(ArrayText::decode(BYTES, b"[]").is_err());
    }

    proptest! {
        #[test]
        fn length_is_the_parsed_length(members in prop::collection::vec("[\\[\\]{},\"\\\\a]{0,6}", 0..6)) {
            prop_assert_eq!(array(&json!(members)).len(), members.len() as u64);
        }
    }
}
