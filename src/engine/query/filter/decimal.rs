//! Whole numbers of any size as decimal digits, for comparison in linear time: conversion to binary takes
//! quadratic time.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A whole number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    /// Without zeros in front; zero has none.
    digits: Cow<'a, str>,
}

impl<'a> Decimal<'a> {
    /// Reads a sign, if there is one, and digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (minus, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        Some(Self { negative: minus && !digits.is_empty(), digits: digits.into() })
    }

    /// The whole part of a finite number, exactly.
    fn trunc(number: f64) -> Decimal<'static> {
        let text = format!("{:.0}", number.trunc());
        Decimal::parse(&text).map_or(Decimal { negative: false, digits: "".into() }, Decimal::into_owned)
    }

    /// The same, for as long as one likes.
    #[must_use]
    pub fn into_owned(self) -> Decimal<'static> {
        Decimal { negative: self.negative, digits: self.digits.into_owned().into() }
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> Option<f64> {
        let size: f64 = if self.digits.is_empty() { 0.0 } else { self.digits.parse().ok()? };
        Some(if self.negative { -size } else { size })
    }

    /// The order of it and a double, exactly; `None` for NaN.
    #[must_use]
    pub fn compare(&self, number: f64) -> Option<Ordering> {
        if number.is_nan() {
            return None;
        }
        if number.is_infinite() {
            return Some(if number > 0.0 { Ordering::Less } else { Ordering::Greater });
        }
        let fraction = 0.0.partial_cmp(&number.fract())?;
        Some(self.cmp(&Self::trunc(number)).then(fraction))
    }
}

impl From<u64> for Decimal<'_> {
    fn from(number: u64) -> Self {
        let digits = if number == 0 { String::new() } else { number.to_string() };
        Self { negative: false, digits: digits.into() }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let sizes =
            || self.digits.len().cmp(&other.digits.len()).then_with(|| self.digits.cmp(&other.digits));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => sizes(),
            (true, true) => sizes().reverse(),
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use num_traits::{FromPrimitive, ToPrimitive};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_whole_number_is_refused() {
        for text in ["", "-", "+", "--1", "1.5", "1e3", "0x10", " 1", "1_000", "١"] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
        for (text, same) in [("-0", "0"), ("+7", "7"), ("-007", "-7"), ("000", "0")] {
            assert_eq!(Decimal::parse(text), Decimal::parse(same), "{text:?}");
        }
    }

    /// As a `BigInt`, a million digits took 3 s to read, and four million sixteen times as long.
    #[test]
    fn a_number_of_millions_of_digits_is_read_and_compared_at_once() {
        let long = "9".repeat(4_000_000);
        let (one, two) = (Decimal::parse(&long).unwrap(), Decimal::parse(&long).unwrap());
        assert_eq!(one.cmp(&two), Ordering::Equal);
        assert_eq!(one.compare(f64::MAX), Some(Ordering::Greater));
        assert_eq!(one.to_f64(), Some(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn it_compares_as_binary_does(one in "[-+]?[0-9]{1,40}", two in "[-+]?[0-9]{1,40}", bits: u64, near in -3i64..3) {
            let big = |text: &str| text.trim_start_matches('+').parse::<BigInt>().unwrap();
            let (a, b) = (Decimal::parse(&one).unwrap(), Decimal::parse(&two).unwrap());
            prop_assert_eq!(a.cmp(&b), big(&one).cmp(&big(&two)));
            prop_assert_eq!(a.to_f64().map(f64::to_bits), big(&one).to_f64().map(f64::to_bits));
            let number = f64::from_bits(bits);
            if let Some(whole) = BigInt::from_f64(number.trunc()) {
                let text = (whole.clone() + near).to_string();
                let expected = BigInt::from(near).cmp(&0.into()).then(0.0.partial_cmp(&number.fract()).unwrap());
                prop_assert_eq!(Decimal::parse(&text).unwrap().compare(number), Some(expected));
            }
        }
    }
}
