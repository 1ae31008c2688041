//! Counters: sum, max and min, exact for bigints of any size.

use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

use crate::codec::value::Counter;
use crate::error::{Error, Result};

/// What a counter mutation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Adds.
    Sum,
    /// Keeps the larger.
    Max,
    /// Keeps the smaller.
    Min,
}

/// The counter after a mutation. A missing one starts a sum at 0, and becomes the operand of a max or min.
///
/// # Errors
/// `INVALID_ARGUMENT` if a `KvU64` meets an operand that is not an unsigned 64-bit integer.
pub fn apply(operation: Arithmetic, stored: Option<Counter>, operand: &BigInt) -> Result<Counter> {
    match stored {
        None => Ok(Counter::Int(operand.clone())),
        Some(Counter::Int(int)) => Ok(Counter::Int(match operation {
            Arithmetic::Sum => int + operand,
            Arithmetic::Max => int.max(operand.clone()),
            Arithmetic::Min => int.min(operand.clone()),
        })),
        Some(Counter::U64(int)) => {
            let operand = unsigned(operand)?;
            Ok(Counter::U64(match operation {
                Arithmetic::Sum => int.wrapping_add(operand),
                Arithmetic::Max => int.max(operand),
                Arithmetic::Min => int.min(operand),
            }))
        }
    }
}

fn unsigned(operand: &BigInt) -> Result<u64> {
    operand.to_u64().ok_or_else(|| {
        let what = if operand.sign() == Sign::Minus { "negative" } else { "over 2^64 - 1" };
        Error::invalid(format!("value: the stored counter is a KvU64, and the operand is {what}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beyond_machine_words() {
        let huge: BigInt = BigInt::from(1) << 200;
        let sum = apply(Arithmetic::Sum, Some(Counter::Int(huge.clone())), &BigInt::from(-1)).unwrap();
        assert_eq!(sum, Counter::Int(huge - 1i32));
    }

    #[test]
    fn a_u64_wraps_and_stays_unsigned() {
        let wrapped = apply(Arithmetic::Sum, Some(Counter::U64(u64::MAX)), &BigInt::from(2)).unwrap();
        assert_eq!(wrapped, Counter::U64(1));
        assert!(apply(Arithmetic::Sum, Some(Counter::U64(1)), &BigInt::from(-1)).is_err());
        assert!(apply(Arithmetic::Max, Some(Counter::U64(1)), &(BigInt::from(1) << 64)).is_err());
    }
}
