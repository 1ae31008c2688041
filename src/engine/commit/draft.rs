//! The effects of a commit's earlier mutations, for later ones that read the same keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::engine::query::filter::Filter;
use crate::store::PutKey;

/// A value in one of its encodings.
#[derive(Debug, Clone)]
pub struct Value<'a> {
    /// See `codec::value`.
    pub encoding: u8,
    /// Its bytes.
    pub bytes: Cow<'a, [u8]>,
}

struct Entry<'a> {
    key: PutKey<'a>,
    value: Option<Value<'a>>,
}

/// An entry, as far as the commit determines it.
pub enum Known<'d, 'a> {
    /// Nothing: the stored entry counts.
    Nothing,
    /// It is absent.
    Absent,
    /// It has this value.
    Value(&'d Value<'a>),
}

/// The entries that a commit has touched so far.
#[derive(Default)]
pub struct Draft<'a> {
    /// By the encoded key; a key that ends with the versionstamp has the placeholder.
    entries: HashMap<Vec<u8>, Entry<'a>>,
    ranges: Vec<&'a Range<Vec<u8>>>,
}

impl<'a> Draft<'a> {
    /// The known state of a key.
    pub fn known(&self, key: &[u8]) -> Known<'_, 'a> {
        match self.entries.get(key) {
            Some(Entry { value: Some(value), .. }) => Known::Value(value),
            Some(_) => Known::Absent,
            None if self.ranges.iter().any(|range| is_in(range, key)) => Known::Absent,
            None => Known::Nothing,
        }
    }

    /// An entry is written; `full`: its key with a versionstamp.
    pub fn put(&mut self, full: Vec<u8>, key: PutKey<'a>, value: Value<'a>) {
        self.entries.insert(full, Entry { key, value: Some(value) });
    }

    /// An entry is removed.
    pub fn delete(&mut self, full: Vec<u8>, key: PutKey<'a>) {
        self.entries.insert(full, Entry { key, value: None });
    }

    /// A range is removed.
    pub fn delete_range(&mut self, range: &'a Range<Vec<u8>>) {
        for (_, entry) in self.entries.iter_mut().filter(|(key, _)| is_in(range, key)) {
            entry.value = None;
        }
        self.ranges.push(range);
    }

    /// Deletes the matching entries of a range, of those that the commit has written; returns them in key
    /// order.
    pub fn delete_matching(
        &mut self,
        range: &Range<Vec<u8>>,
        filter: &Filter,
        now_ms: i64,
    ) -> Vec<PutKey<'a>> {
        let mut deleted = Vec::new();
        for (full, entry) in self.entries.iter_mut().filter(|(key, _)| is_in(range, key)) {
            let matches = |value: &Value<'_>| filter.matches(value.encoding, &value.bytes, now_ms);
            if entry.value.as_ref().is_some_and(matches) {
                entry.value = None;
                deleted.push((full.clone(), entry.key.clone()));
            }
        }
        deleted.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        deleted.into_iter().map(|(_, key)| key).collect()
    }
}

fn is_in(range: &Range<Vec<u8>>, key: &[u8]) -> bool {
    range.start.as_slice() <= key && key < range.end.as_slice()
}
