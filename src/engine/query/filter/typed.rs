//! Values as filters compare them: the meaning of tags, and how two values compare.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use super::decimal::Decimal;
use crate::codec::json_text::Json;
use crate::codec::tags::TAG;
use crate::codec::value::{BYTES, TAGGED_JSON, U64};
use base64::prelude::{BASE64_STANDARD, Engine};

/// A stored value, or an operand.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed<'a> {
    /// `null`
    Null,
    /// `undefined` within an object: as good as absent.
    Undefined,
    /// A boolean.
    Bool(bool),
    /// A number; NaN and the infinities too.
    Number(f64),
    /// A bigint, or a `KvU64`.
    BigInt(Decimal<'a>),
    /// A string, WTF-8.
    String(Cow<'a, [u8]>),
    /// Milliseconds since the epoch; NaN for an invalid date.
    Date(f64),
    /// A `Uint8Array`.
    Bytes(Cow<'a, [u8]>),
    /// An array.
    Array(Vec<Typed<'a>>),
    /// A plain object.
    Object(Vec<(Cow<'a, [u8]>, Typed<'a>)>),
    /// Anything else: equal only to the same text.
    Opaque(Json<'a>),
}

impl<'a> Typed<'a> {
    /// A stored value that is not JSON.
    #[must_use]
    pub fn of_bytes(encoding: u8, bytes: &'a [u8]) -> Option<Self> {
        match encoding {
            BYTES => Some(Self::Bytes(Cow::Borrowed(bytes))),
            U64 => bytes.try_into().ok().map(|bytes| Self::BigInt(u64::from_le_bytes(bytes).into())),
            _ => None,
        }
    }

    /// The value of a JSON text; in tagged JSON, tags are interpreted.
    #[must_use]
    pub fn of(json: Json<'a>, encoding: u8) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(flag),
            Json::Number(number) => Self::Number(number),
            Json::String(text) => Self::String(text),
            Json::Array(elements) => {
                Self::Array(elements.into_iter().map(|one| Self::of(one, encoding)).collect())
            }
            Json::Object(members) => match members.first() {
                Some((name, _)) if encoding == TAGGED_JSON && name.as_ref() == TAG => Self::of_tag(members),
                _ => Self::of_members(members, encoding),
            },
        }
    }

    fn of_members(members: Vec<(Cow<'a, [u8]>, Json<'a>)>, encoding: u8) -> Self {
        Self::Object(members.into_iter().map(|(name, one)| (name, Self::of(one, encoding))).collect())
    }

    fn of_tag(members: Vec<(Cow<'a, [u8]>, Json<'a>)>) -> Self {
        let tag = match members.first() {
            Some((_, Json::String(tag))) => tag.clone(),
            _ => return Self::Opaque(Json::Object(members)),
        };
        let value = members.iter().find(|(name, _)| name.as_ref() == b"value").map(|(_, value)| value);
        let text = match value {
            Some(Json::String(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let scalar = match (tag.as_ref(), text) {
            (b"undefined" | b"hole", _) => Some(Self::Undefined),
            (b"bigint" | b"u64", Some(digits)) => {
                Decimal::parse(digits).map(|int| Self::BigInt(int.into_owned()))
            }
            (b"number", Some(number)) => number.parse().ok().map(Self::Number),
            (b"date", _) => match value {
                Some(Json::Number(ms)) => Some(Self::Date(*ms)),
                _ => Some(Self::Date(f64::NAN)),
            },
            (b"bytes", Some(base64)) => {
                BASE64_STANDARD.decode(base64).ok().map(|bytes| Self::Bytes(bytes.into()))
            }
            _ => None,
        };
        match (scalar, tag.as_ref()) {
            (Some(scalar), _) => scalar,
            (None, b"object") => match members.into_iter().nth(1) {
                Some((_, Json::Object(own))) => Self::of_members(own, TAGGED_JSON),
                // A reference that was not put in its place.
                Some((name, number)) => Self::Opaque(Json::Object(vec![(name, number)])),
                None => Self::Null,
            },
            _ => Self::Opaque(Json::Object(members)),
        }
    }

    /// Whether two values are equal: numbers and bigints numerically, a date with its milliseconds; NaN
    /// equals nothing.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Undefined, Self::Undefined) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Opaque(one), Self::Opaque(two)) => one == two,
            (Self::Array(one), Self::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.equals(two))
            }
            (Self::Object(one), Self::Object(two)) => {
                let by_name: HashMap<&[u8], &Self> =
                    two.iter().map(|(name, value)| (name.as_ref(), value)).collect();
                let has =
                    |name: &[u8], value: &Self| by_name.get(name).is_some_and(|other| other.equals(value));
                one.len() == two.len() && one.iter().all(|(name, value)| has(name, value))
            }
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two values that have one: numbers and bigints numerically, dates with dates and
    /// milliseconds, strings by code point.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::String(one), Self::String(two)) => Some(one.cmp(two)),
            (Self::BigInt(one), Self::BigInt(two)) => Some(one.cmp(two)),
            (Self::BigInt(one), Self::Number(two)) => one.compare(*two),
            (Self::Number(one), Self::BigInt(two)) => two.compare(*one).map(Ordering::reverse),
            (Self::Number(one) | Self::Date(one), Self::Number(two) | Self::Date(two)) => {
                one.partial_cmp(two)
            }
            _ => None,
        }
    }

    /// Whether it has an order at all.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::String(_) | Self::BigInt(_) | Self::Number(_) | Self::Date(_))
    }

    /// Whether it is a RegExp, or an array or object that holds one.
    #[must_use]
    pub fn holds_regexp(&self) -> bool {
        match self {
            Self::Opaque(Json::Object(members)) => {
                matches!(members.first(), Some((_, Json::String(tag))) if tag.as_ref() == b"regexp")
            }
            Self::Array(elements) => elements.iter().any(Self::holds_regexp),
            Self::Object(members) => members.iter().any(|(_, value)| value.holds_regexp()),
            _ => false,
        }
    }

    /// The same, for as long as one likes.
    #[must_use]
    pub fn into_owned(self) -> Typed<'static> {
        match self {
            Self::Null => Typed::Null,
            Self::Undefined => Typed::Undefined,
            Self::Bool(flag) => Typed::Bool(flag),
            Self::Number(number) => Typed::Number(number),
            Self::BigInt(int) => Typed::BigInt(int.into_owned()),
            Self::String(text) => Typed::String(text.into_owned().into()),
            Self::Date(ms) => Typed::Date(ms),
            Self::Bytes(bytes) => Typed::Bytes(bytes.into_owned().into()),
            Self::Array(elements) => Typed::Array(elements.into_iter().map(Self::into_owned).collect()),
            Self::Object(members) => {
                let own =
                    |(name, value): (Cow<'_, [u8]>, Self)| (name.into_owned().into(), value.into_owned());
                Typed::Object(members.into_iter().map(own).collect())
            }
            Self::Opaque(json) => Typed::Opaque(owned_json(json)),
        }
    }
}

fn owned_json(json: Json<'_>) -> Json<'static> {
    match json {
        Json::Null => Json::Null,
        Json::Bool(flag) => Json::Bool(flag),
        Json::Number(number) => Json::Number(number),
        Json::String(text) => Json::String(text.into_owned().into()),
        Json::Array(elements) => Json::Array(elements.into_iter().map(owned_json).collect()),
        Json::Object(members) => {
            let own =
                |(name, value): (Cow<'_, [u8]>, Json<'_>)| (name.into_owned().into(), owned_json(value));
            Json::Object(members.into_iter().map(own).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_bigints() {
        let big = |text: &str| Typed::BigInt(Decimal::parse(text).unwrap().into_owned());
        let number = Typed::Number;
        assert_eq!(
            big("9007199254740993").compare(&number(9_007_199_254_740_992.0)),
            Some(Ordering::Greater)
        );
        assert_eq!(number(2.5).compare(&big("2")), Some(Ordering::Greater));
        assert_eq!(number(-2.5).compare(&big("-2")), Some(Ordering::Less));
        assert_eq!(number(f64::INFINITY).compare(&big("99999999999999999999")), Some(Ordering::Greater));
        assert_eq!(number(f64::NAN).compare(&big("1")), None);
        assert!(number(-0.0).equals(&number(0.0)) && number(3.0).equals(&big("3")));
        assert!(!number(f64::NAN).equals(&number(f64::NAN)));
        assert!(!Typed::Null.equals(&Typed::Undefined));
    }
}
