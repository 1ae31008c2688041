//! The row `released` of `kv_meta`: the queues whose messages and the consumers whose leases the last commits
//! released, so that another process reads these alone, however many it waits for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The most names, and bytes of them, that are kept: the row must stay in one page with the others.
const KEPT_NAMES: usize = 32;
const KEPT_BYTES: usize = 900;
/// The bytes of a name's quotes and number.
const BYTES_OF_NUMBER: usize = 12;
/// The longest text that is read: every byte of the names could be escaped.
const LONGEST_TEXT: usize = 8 * KEPT_BYTES;

/// Names, each with the number (`ReadTxn::last_number`) of the last commit that released something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Names of commits up to this number may be left out.
    after: i64,
    /// Of a stored message: it was given back, or unblocked when the one before it of its ordering key ended.
    queues: BTreeMap<String, i64>,
    /// Of a lease: it was given back, or its consumer was deleted.
    consumers: BTreeMap<String, i64>,
}

/// Names of both kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleasedNames {
    /// See `Released`.
    pub queues: BTreeSet<String>,
    /// See `Released`.
    pub consumers: BTreeSet<String>,
}

impl Released {
    /// For a file whose row cannot be read: the commits up to a number are not known.
    #[must_use]
    pub fn unknown_up_to(number: i64) -> Self {
        Self { after: number, ..Self::default() }
    }

    /// Parses the stored text; `None` if `text` would not write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST_TEXT {
            return None;
        }
        serde_json::from_str(text).ok()
    }

    /// The text to store.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Adds the names of a commit whose last number this is; they replace the oldest if there are too many.
    pub fn add<'n>(
        &mut self,
        number: i64,
        queues: impl Iterator<Item = &'n str>,
        consumers: impl Iterator<Item = &'n str>,
    ) {
        self.queues.extend(queues.map(|name| (name.to_string(), number)));
        self.consumers.extend(consumers.map(|name| (name.to_string(), number)));
        let names = || self.queues.iter().chain(&self.consumers);
        let mut kept: Vec<_> = names().map(|(name, number)| (*number, name.len())).collect();
        kept.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        let mut bytes = 0;
        let first_left_out = kept.iter().enumerate().find(|(place, (_, length))| {
            bytes += length + BYTES_OF_NUMBER;
            *place >= KEPT_NAMES || bytes > KEPT_BYTES
        });
        if let Some((_, (number, _))) = first_left_out {
            self.after = *number;
            self.queues.retain(|_, of| *of > self.after);
            self.consumers.retain(|_, of| *of > self.after);
        }
    }

    /// The names of the commits after a number; `None` if some of them were replaced.
    #[must_use]
    pub fn since(self, number: i64) -> Option<ReleasedNames> {
        let names = |of: BTreeMap<String, i64>| {
            of.into_iter().filter(|(_, of)| *of > number).map(|(name, _)| name).collect()
        };
        (self.after <= number)
            .then(|| ReleasedNames { queues: names(self.queues), consumers: names(self.consumers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(released: &mut Released, number: i64, queues: &[String]) {
        released.add(number, queues.iter().map(String::as_str), ["c"].into_iter());
    }

    fn queues_since(released: &Released, number: i64) -> Option<Vec<String>> {
        let names = released.clone().since(number)?;
        assert_eq!(names.consumers.len(), 1);
        Some(names.queues.into_iter().collect())
    }

    fn names(count: usize, length: usize) -> Vec<String> {
        (0..count).map(|name| format!("{name:0length$}")).collect()
    }

    #[test]
    fn tells_the_names_of_the_commits_after_a_number() {
        let mut released = Released::default();
        assert_eq!(released.clone().since(0), Some(ReleasedNames::default()));
        added(&mut released, 3, &["a".into(), "b".into()]);
        added(&mut released, 5, &["a".into(), "\"\n".into()]);
        released = Released::parse(&released.text()).unwrap();
        assert_eq!(queues_since(&released, 0).unwrap(), ["\"\n", "a", "b"]);
        assert_eq!(queues_since(&released, 3).unwrap(), ["\"\n", "a"]);
        assert_eq!(released.since(5), Some(ReleasedNames::default()));
        for text in ["", "7", "{}", "{\"after\":0,\"queues\":{\"a\":\"b\"},\"consumers\":{}}"] {
            assert_eq!(Released::parse(text), None, "{text}");
        }
        assert_eq!(Released::parse(&" ".repeat(LONGEST_TEXT + 1)), None);
    }

    /// A reader that has not seen the names that were left out must be able to notice it.
    #[test]
    fn knows_where_names_are_left_out() {
        let cases = [(KEPT_NAMES, 5), (3, KEPT_BYTES / 2), (1, KEPT_BYTES), (KEPT_NAMES * 10, 5)];
        for (count, length) in cases {
            let mut released = Released::default();
            added(&mut released, 1, &["old".into()]);
            assert_eq!(queues_since(&released, 0).unwrap(), ["old"]);
            added(&mut released, 2, &names(count, length));
            assert_eq!(released.clone().since(0), None, "{count} of {length}");
            assert_eq!(released.clone().since(1), None, "{count} of {length}");
            added(&mut released, 3, &["new".into()]);
            assert_eq!(queues_since(&released, 2).unwrap(), ["new"]);
            assert!(released.text().len() < 1024, "{}", released.text());
        }
        // The same names again and again take no more room.
        let mut released = Released::default();
        for number in 1..100 {
            added(&mut released, number, &names(KEPT_NAMES - 1, 5));
        }
        assert_eq!(queues_since(&released, 0).unwrap(), names(KEPT_NAMES - 1, 5));
    }
}
