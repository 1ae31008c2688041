//! Counters: sum, max and min, exact for bigints.

use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

use crate::base::error::{At, Code, Error, Result};
use crate::base::limits::MAX_COUNTER_BYTES;
use crate::codec::value::Counter;

/// The kind of a counter mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Adds.
    Sum,
    /// Keeps the larger.
    Max,
    /// Keeps the smaller.
    Min,
}

/// The counter after a mutation. A missing counter starts a sum at 0, and becomes the operand of a max or
/// min. The kind of number is that of the stored counter, else that of the operand.
///
/// # Errors
/// `LIMIT_EXCEEDED` for numbers that are too large; `TYPE_MISMATCH` if a `KvU64` meets a counter that is
/// none; `INVALID_ARGUMENT` if a stored `KvU64` meets an operand that is not an unsigned 64-bit integer.
pub fn apply(operation: Arithmetic, stored: Option<Counter>, operand: &Counter) -> Result<Counter> {
    check_size(operand).at("value")?;
    stored.as_ref().map_or(Ok(()), check_size).at("stored counter")?;
    match (stored, operand) {
        (None, operand) => Ok(operand.clone()),
        (Some(Counter::Int(int)), Counter::Int(operand)) => {
            let result = Counter::Int(match operation {
                Arithmetic::Sum => int + operand,
                Arithmetic::Max => int.max(operand.clone()),
                Arithmetic::Min => int.min(operand.clone()),
            });
            check_size(&result).at("result")?;
            Ok(result)
        }
        (Some(Counter::Int(_)), Counter::U64(_)) => {
            Err(Error::new(Code::TypeMismatch, "the stored value is not a KvU64, and the operand is one"))
        }
        (Some(Counter::U64(int)), Counter::Int(operand)) => Ok(wrapping(operation, int, unsigned(operand)?)),
        (Some(Counter::U64(int)), Counter::U64(operand)) => Ok(wrapping(operation, int, *operand)),
    }
}

fn check_size(counter: &Counter) -> Result<()> {
    let Counter::Int(int) = counter else { return Ok(()) };
    let bytes = usize::try_from(int.bits().div_ceil(8)).unwrap_or(usize::MAX);
    if bytes > MAX_COUNTER_BYTES { Err(Error::limit(bytes, MAX_COUNTER_BYTES, "bytes")) } else { Ok(()) }
}

fn wrapping(operation: Arithmetic, int: u64, operand: u64) -> Counter {
    Counter::U64(match operation {
        Arithmetic::Sum => int.wrapping_add(operand),
        Arithmetic::Max => int.max(operand),
        Arithmetic::Min => int.min(operand),
    })
}

fn unsigned(operand: &BigInt) -> Result<u64> {
    operand.to_u64().ok_or_else(|| {
        let what = if operand.sign() == Sign::Minus { "negative" } else { "over 2^64 - 1" };
        Error::invalid(format!("the stored counter is a KvU64, and the operand is {what}")).at("value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen to fail: without limits, the rows that are over one.
    ///
    /// The table that JavaScript's commits and transactions pass too (`__test__/suites/commits/counters.js`).
    const CASES: &str = include_str!("../../../testdata/counters.json");

    /// `"int:5"`, `"u64:5"`.
    fn counter(text: &str) -> Counter {
        match text.split_once(':').unwrap() {
            ("u64", digits) => Counter::U64(digits.parse().unwrap()),
            (_, digits) => Counter::Int(digits.parse().unwrap()),
        }
    }

    #[test]
    fn every_case_of_the_table() {
        let cases: Vec<Vec<Option<String>>> = serde_json::from_str(CASES).unwrap();
        assert!(cases.len() > 30);
        for case in cases {
            let [operation, stored, operand, expected, message] =
                [0, 1, 2, 3, 4].map(|at| case.get(at).cloned().flatten());
            let operation = match operation.unwrap().as_str() {
                "sum" => Arithmetic::Sum,
                "max" => Arithmetic::Max,
                _ => Arithmetic::Min,
            };
            let result = apply(operation, stored.as_deref().map(counter), &counter(&operand.unwrap()));
            let expected = expected.unwrap();
            match result {
                Ok(result) => assert_eq!(result, counter(&expected), "{case:?}"),
                Err(error) => {
                    assert_eq!(
                        (error.code.as_str(), error.to_string()),
                        (&*expected, message.unwrap()),
                        "{case:?}"
                    );
                }
            }
        }
    }
}
