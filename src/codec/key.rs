//! The key codec: the tuple encoding of `docs/format.md`. Comparing two encodings byte by byte compares
//! the keys, and a prefix of parts is a prefix of bytes.

use std::borrow::Cow;
use std::ops::Range;

use num_bigint::{BigInt, BigUint, Sign};

use crate::base::error::{Error, Place, Result};
use crate::base::limits::{
    MAX_KEY_BIGINT_BYTES, MAX_KEY_BYTES_PART_BYTES, MAX_KEY_PARTS, MAX_KEY_STRING_UNITS,
};

const BYTES: u8 = 0x01;
const STRING: u8 = 0x02;
const NUMBER: u8 = 0x08;
const LONG_NEGATIVE: u8 = 0x0b;
const ZERO: u8 = 0x14;
const LONG_POSITIVE: u8 = 0x1d;
const FALSE: u8 = 0x26;
const TRUE: u8 = 0x27;

const END: u8 = 0x00;
const ESCAPED: u8 = 0xff;
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;
const SIGN_BIT: u64 = 1 << 63;
/// Magnitudes of up to this many bytes have their length in the tag.
const SHORT_BIGINT_BYTES: usize = 8;

/// One part of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    /// A `Uint8Array`.
    Bytes(Cow<'a, [u8]>),
    /// A string.
    String(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A bigint.
    BigInt(BigInt),
    /// A boolean.
    Bool(bool),
}

/// Builds an encoding part by part, and refuses invalid parts. The caller names the key in errors.
#[derive(Debug)]
pub struct KeyWriter<'a> {
    out: &'a mut Vec<u8>,
    parts: usize,
}

impl<'a> KeyWriter<'a> {
    /// Appends a key to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, parts: 0 }
    }

    /// Appends one part.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` for the number of parts or the size of this one.
    pub fn push(&mut self, part: &Part<'_>) -> Result<()> {
        match part {
            Part::Bytes(bytes) => self.bytes(bytes),
            Part::String(text) => self.string(text),
            Part::Number(number) => self.number(*number),
            Part::BigInt(int) => {
                let (sign, magnitude) = int.to_bytes_be();
                self.bigint(sign == Sign::Minus, &magnitude)
            }
            Part::Bool(flag) => self.bool(*flag),
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.parts += 1;
        if self.parts > MAX_KEY_PARTS {
            return Err(Error::limit(self.parts, MAX_KEY_PARTS, "parts"));
        }
        Ok(())
    }

    /// Appends a `Uint8Array`.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.begin()?;
        if bytes.len() > MAX_KEY_BYTES_PART_BYTES {
            return Err(self.too_long(bytes.len(), MAX_KEY_BYTES_PART_BYTES, "bytes"));
        }
        self.escaped(BYTES, bytes);
        Ok(())
    }

    /// Appends a string.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn string(&mut self, text: &str) -> Result<()> {
        self.begin()?;
        // A text has at most as many UTF-16 units as UTF-8 bytes: only a long one needs counting.
        if text.len() > MAX_KEY_STRING_UNITS {
            let units = text.encode_utf16().count();
            if units > MAX_KEY_STRING_UNITS {
                return Err(self.too_long(units, MAX_KEY_STRING_UNITS, "UTF-16 code units"));
            }
        }
        self.escaped(STRING, text.as_bytes());
        Ok(())
    }

    /// Appends a number.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn number(&mut self, number: f64) -> Result<()> {
        self.begin()?;
        let bits = if number.is_nan() { CANONICAL_NAN } else { number.to_bits() };
        let ordered = if bits & SIGN_BIT == 0 { bits | SIGN_BIT } else { !bits };
        self.out.push(NUMBER);
        self.out.extend_from_slice(&ordered.to_be_bytes());
        Ok(())
    }

    /// Appends a bigint of a big-endian magnitude.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn bigint(&mut self, negative: bool, magnitude: &[u8]) -> Result<()> {
        self.begin()?;
        let leading = magnitude.iter().take_while(|byte| **byte == 0).count();
        let bytes = magnitude.get(leading..).unwrap_or_default();
        let Ok(length) = u16::try_from(bytes.len()) else {
            return Err(self.too_long(bytes.len(), MAX_KEY_BIGINT_BYTES, "bytes"));
        };
        if bytes.len() > MAX_KEY_BIGINT_BYTES {
            return Err(self.too_long(bytes.len(), MAX_KEY_BIGINT_BYTES, "bytes"));
        }
        let long = bytes.len() > SHORT_BIGINT_BYTES;
        #[allow(clippy::cast_possible_truncation)]
        let tag = match (long, negative) {
            (true, false) => LONG_POSITIVE,
            (true, true) => LONG_NEGATIVE,
            (false, false) => ZERO + length as u8,
            (false, true) => ZERO - length as u8,
        };
        let mask = if negative { 0xff } else { 0x00 };
        self.out.push(tag);
        if long {
            self.out.extend(length.to_be_bytes().map(|byte| byte ^ mask));
        }
        self.out.extend(bytes.iter().map(|byte| byte ^ mask));
        Ok(())
    }

    /// Appends a boolean.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED`.
    pub fn bool(&mut self, flag: bool) -> Result<()> {
        self.begin()?;
        self.out.push(if flag { TRUE } else { FALSE });
        Ok(())
    }

    fn escaped(&mut self, tag: u8, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 2);
        self.out.push(tag);
        let mut rest = bytes;
        while let Some(zero) = rest.iter().position(|byte| *byte == END) {
            let (head, tail) = rest.split_at(zero);
            self.out.extend_from_slice(head);
            self.out.extend_from_slice(&[END, ESCAPED]);
            rest = tail.get(1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
        self.out.push(END);
    }

    fn too_long(&self, size: usize, limit: usize, unit: &str) -> Error {
        Error::limit(size, limit, unit).at(Place::element(self.parts - 1))
    }
}

/// The encoding of a whole key.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
///
/// ```
/// use keyval::codec::key::{Part, decode, encode};
/// let key = [Part::String("users".into()), Part::Number(123.0)];
/// let bytes = encode(&key).unwrap();
/// assert_eq!(bytes.len(), 7 + 9);
/// assert_eq!(decode(&bytes).unwrap(), key);
/// ```
pub fn encode(parts: &[Part<'_>]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut writer = KeyWriter::new(&mut out);
    parts.iter().try_for_each(|part| writer.push(part))?;
    Ok(out)
}

/// The parts of an encoding.
///
/// # Errors
/// `CORRUPT` if it is none.
pub fn decode(bytes: &[u8]) -> Result<Vec<Part<'_>>> {
    if bytes.is_empty() {
        return Err(corrupt_key());
    }
    Parts::new(bytes).collect()
}

/// Whether this is the encoding of a key that is within the limits.
#[must_use]
pub fn is_key(bytes: &[u8]) -> bool {
    decode(bytes).and_then(|parts| encode(&parts)).is_ok_and(|again| again == bytes)
}

fn corrupt_key() -> Error {
    Error::corrupt("a stored key is damaged: it does not follow the key encoding")
}

/// Walks the parts of an encoding.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Walks `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether every part was walked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How much is still to be walked.
    #[must_use]
    pub fn rest_bytes(&self) -> usize {
        self.rest.len()
    }

    fn part(&mut self, tag: u8) -> Option<Part<'a>> {
        match tag {
            BYTES => Some(Part::Bytes(self.unescape()?)),
            STRING => match self.unescape()? {
                Cow::Borrowed(bytes) => Some(Part::String(std::str::from_utf8(bytes).ok()?.into())),
                Cow::Owned(bytes) => Some(Part::String(String::from_utf8(bytes).ok()?.into())),
            },
            NUMBER => Some(Part::Number(self.number()?)),
            LONG_NEGATIVE..=LONG_POSITIVE => Some(Part::BigInt(self.bigint(tag)?)),
            FALSE => Some(Part::Bool(false)),
            TRUE => Some(Part::Bool(true)),
            _ => None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length)?;
        self.rest = tail;
        Some(head)
    }

    fn unescape(&mut self) -> Option<Cow<'a, [u8]>> {
        let mut owned: Vec<u8> = Vec::new();
        loop {
            let head = self.take(self.rest.iter().position(|byte| *byte == END)?)?;
            self.take(1)?;
            let escaped = self.rest.first() == Some(&ESCAPED);
            if !escaped && owned.is_empty() {
                return Some(Cow::Borrowed(head));
            }
            owned.extend_from_slice(head);
            if !escaped {
                return Some(Cow::Owned(owned));
            }
            owned.push(END);
            self.take(1)?;
        }
    }

    fn number(&mut self) -> Option<f64> {
        let ordered = u64::from_be_bytes(self.take(8)?.try_into().ok()?);
        let bits = if ordered & SIGN_BIT == 0 { !ordered } else { ordered ^ SIGN_BIT };
        let number = f64::from_bits(bits);
        (!number.is_nan() || bits == CANONICAL_NAN).then_some(number)
    }

    fn bigint(&mut self, tag: u8) -> Option<BigInt> {
        let negative = tag < ZERO;
        let mask = if negative { 0xff } else { 0x00 };
        let long = tag == LONG_POSITIVE || tag == LONG_NEGATIVE;
        let length = if long {
            let [high, low] = self.take(2)?.try_into().ok()?;
            usize::from(u16::from_be_bytes([high ^ mask, low ^ mask]))
        } else {
            usize::from(tag.abs_diff(ZERO))
        };
        let bytes: Vec<u8> = self.take(length)?.iter().map(|byte| byte ^ mask).collect();
        // One encoding a number, or equal keys would differ on disk.
        let canonical = bytes.first() != Some(&0)
            && (if long { length > SHORT_BIGINT_BYTES && length <= MAX_KEY_BIGINT_BYTES } else { true });
        let sign = if negative { Sign::Minus } else { Sign::Plus };
        canonical.then(|| BigInt::from_biguint(sign, BigUint::from_bytes_be(&bytes)))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let tag = *self.take(1)?.first()?;
        let part = self.part(tag);
        if part.is_none() {
            self.rest = &[];
        }
        Some(part.ok_or_else(corrupt_key))
    }
}

/// The encodings of a key's descendants.
#[must_use]
pub fn descendants(key: &[u8]) -> Range<Vec<u8>> {
    with_suffix(key, 0x00)..with_suffix(key, 0xff)
}

/// Whether a key is a descendant of another; every key is one of the empty encoding. (An encoding can begin
/// with that of a sibling: `"t\0"` does with that of `"t"`, and goes on with `ff`.)
#[must_use]
pub fn is_under(key: &[u8], prefix: &[u8]) -> bool {
    key.strip_prefix(prefix).is_some_and(|rest| rest.first().is_some_and(|byte| *byte != ESCAPED))
}

/// The encodings of a key and its descendants.
#[must_use]
pub fn tree(key: &[u8]) -> Range<Vec<u8>> {
    key.to_vec()..with_suffix(key, 0xff)
}

/// The least encoding that sorts after this one.
#[must_use]
pub fn successor(key: &[u8]) -> Vec<u8> {
    with_suffix(key, 0x00)
}

fn with_suffix(key: &[u8], byte: u8) -> Vec<u8> {
    let mut bound = Vec::with_capacity(key.len() + 1);
    bound.extend_from_slice(key);
    bound.push(byte);
    bound
}

/// Splits a key into its beginnings: the empty one, then part by part up to the whole key.
pub fn for_each_beginning(key: &[u8], mut visit: impl FnMut(&[u8])) {
    visit(&[]);
    let mut parts = Parts::new(key);
    while let Some(Ok(_)) = parts.next() {
        visit(key.get(..key.len() - parts.rest_bytes()).unwrap_or_default());
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
