//! The operand that a value is compared with.

use std::cmp::Ordering;

use super::typed::Typed;

/// The operand that a value is compared with.
#[derive(Debug, Clone)]
pub enum Operand {
    /// A value.
    Value(Typed<'static>),
    /// The store's time, and so many milliseconds more.
    Now(f64),
}

impl Operand {
    /// Whether a value equals the operand.
    pub fn equals(&self, value: &Typed<'_>, now_ms: i64) -> bool {
        match self {
            Self::Value(operand) => value.equals(operand),
            Self::Now(_) => self.order(value, now_ms) == Some(Ordering::Equal),
        }
    }

    /// The order of a value and the operand.
    #[allow(clippy::cast_precision_loss)]
    pub fn order(&self, value: &Typed<'_>, now_ms: i64) -> Option<Ordering> {
        match self {
            Self::Value(operand) => value.compare(operand),
            Self::Now(offset_ms) => value.compare(&Typed::Date(now_ms as f64 + offset_ms)),
        }
    }
}
