//! Versionstamps: a UUIDv7 in text whose random bits are a counter and the database's own bits, so that the
//! order of the texts is the order of the commits.

use std::fmt;

/// Milliseconds that a UUIDv7 has room for.
const MS_BITS: u32 = 48;
const NODE_BITS: u32 = 42;
const VERSION_7: u128 = 0x7 << 76;
const VARIANT: u128 = 0b10 << 62;

/// The state of a database's clock: the last versionstamp that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Milliseconds since the epoch, never less than those of the stamp before.
    pub ms: u64,
    /// Tells apart the commits of one millisecond.
    pub counter: u32,
    /// 42 bits that are constant for a database.
    pub node: u64,
}

impl Stamp {
    /// The stamp that follows, at a time that may have stepped back.
    #[must_use]
    pub fn next(self, now_ms: i64) -> Self {
        let now = u64::try_from(now_ms).unwrap_or(0).min((1 << MS_BITS) - 1);
        if now > self.ms {
            return Self { ms: now, counter: 0, ..self };
        }
        match self.counter.checked_add(1) {
            Some(counter) => Self { counter, ..self },
            None => Self { ms: self.ms + 1, counter: 0, ..self },
        }
    }

    /// Whether it is of the last millisecond that there is room for: none follows for long.
    #[must_use]
    pub fn is_last(self) -> bool {
        self.ms >= (1 << MS_BITS) - 1
    }

    /// Reads a stamp's text; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bits = uuid::Uuid::try_parse(text).ok()?.as_u128();
        let high = u32::try_from((bits >> 64) & 0xfff).ok()?;
        let low = u32::try_from((bits >> NODE_BITS) & 0xf_ffff).ok()?;
        let stamp = Self {
            ms: u64::try_from(bits >> (128 - MS_BITS)).ok()?,
            counter: high << 20 | low,
            node: u64::try_from(bits & ((1 << NODE_BITS) - 1)).ok()?,
        };
        (stamp.text() == text).then_some(stamp)
    }

    /// Its text, as `to_string` gives it, but allocated once.
    #[must_use]
    pub fn text(self) -> String {
        self.uuid().as_hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
    }

    fn uuid(self) -> uuid::Uuid {
        let high = u128::from(self.counter >> 20);
        let low = u128::from(self.counter & 0xf_ffff);
        let node = u128::from(self.node) & ((1 << NODE_BITS) - 1);
        let bits = u128::from(self.ms) << (128 - MS_BITS)
            | VERSION_7
            | high << 64
            | VARIANT
            | low << NODE_BITS
            | node;
        uuid::Uuid::from_u128(bits)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid().as_hyphenated().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_a_uuid_v7() {
        let text = Stamp { ms: 1_700_000_000_000, counter: 0xabc_de123, node: 42 }.to_string();
        let uuid = uuid::Uuid::parse_str(&text).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(text.len(), 36);
    }

    #[test]
    fn a_clock_that_steps_back_still_goes_on() {
        let first = Stamp { ms: 5000, counter: u32::MAX, node: 1 };
        assert_eq!(first.next(10), Stamp { ms: 5001, counter: 0, node: 1 });
        assert_eq!(first.next(5001), Stamp { ms: 5001, counter: 0, node: 1 });
        assert_eq!(Stamp { counter: 3, ..first }.next(-1), Stamp { counter: 4, ..first });
    }

    proptest! {
        #[test]
        fn text_order_is_commit_order(ms in 0u64..1 << 47, counter: u32, node in 0u64..1 << 42, now in 0i64..1 << 47) {
            let stamp = Stamp { ms, counter, node };
            let next = stamp.next(now);
            prop_assert!(next.to_string() > stamp.to_string());
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        }
    }
}
