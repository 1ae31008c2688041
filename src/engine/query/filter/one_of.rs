//! The operands of an `$in`. Strings and numbers are looked up, so that a thousand of them cost no more than
//! a few.

use std::collections::HashSet;

use super::operand::Operand;
use super::typed::Typed;

/// Values; one of them must be equal.
#[derive(Debug, Clone, Default)]
pub struct OneOf {
    /// Only a string equals a string.
    texts: HashSet<Vec<u8>>,
    /// In order; no NaN, which equals nothing.
    numbers: Vec<f64>,
    others: Vec<Operand>,
}

impl OneOf {
    /// Sorts operands by what they can be equal to.
    #[must_use]
    pub fn of(operands: Vec<Operand>) -> Self {
        let mut among = Self::default();
        for operand in operands {
            match operand {
                Operand::Value(Typed::String(text)) => drop(among.texts.insert(text.into_owned())),
                Operand::Value(Typed::Number(number)) if number.is_nan() => {}
                Operand::Value(Typed::Number(number)) => among.numbers.push(number),
                other => among.others.push(other),
            }
        }
        among.numbers.sort_by(f64::total_cmp);
        among
    }

    /// Whether a value is equal to one of them.
    #[must_use]
    pub fn has(&self, value: &Typed<'_>, now_ms: i64) -> bool {
        let in_numbers = match value {
            Typed::String(text) => return self.texts.contains(text.as_ref()),
            Typed::Number(number) | Typed::Date(number) => self.has_number(*number),
            Typed::BigInt(_) => self.numbers.iter().any(|number| value.equals(&Typed::Number(*number))),
            _ => false,
        };
        in_numbers || self.others.iter().any(|operand| operand.equals(value, now_ms))
    }

    fn has_number(&self, number: f64) -> bool {
        let from = self.numbers.partition_point(|one| *one < number);
        self.numbers.get(from).is_some_and(|one| *one == number)
    }

    /// All of them.
    pub fn operands(&self) -> impl Iterator<Item = Operand> {
        let texts = self.texts.iter().map(|text| Typed::String(text.clone().into()));
        let numbers = self.numbers.iter().map(|number| Typed::Number(*number));
        texts.chain(numbers).map(Operand::Value).chain(self.others.iter().cloned())
    }
}
