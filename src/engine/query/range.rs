//! Selectors: from a prefix, a start and an end to a range of encoded keys.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::codec::{cursor, key};

/// The end of all keys: no encoding begins with this byte.
pub const END_OF_KEYS: u8 = 0xff;

/// A selector of encoded keys.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// Only descendants of this key; an empty one is everything.
    pub prefix: Option<Vec<u8>>,
    /// Inclusive.
    pub start: Option<Vec<u8>>,
    /// Exclusive.
    pub end: Option<Vec<u8>>,
}

impl Selector {
    /// The range of the selector.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it names nothing, or bounds that are outside of its prefix or the wrong way
    /// round.
    pub fn range(&self) -> Result<Range<Vec<u8>>> {
        if self.prefix.is_none() && self.start.is_none() && self.end.is_none() {
            let message = "it is empty; give prefix, start or end ({ prefix: [] } is everything)";
            return Err(Error::invalid(message).at("selector"));
        }
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let all = if prefix.is_empty() { Vec::new()..vec![END_OF_KEYS] } else { key::descendants(prefix) };
        for (name, bound) in [("start", &self.start), ("end", &self.end)] {
            if bound.as_ref().is_some_and(|bound| !bound.starts_with(prefix)) {
                return Err(Error::invalid("it is not under the prefix").at(name));
            }
        }
        let start = self.start.clone().map_or(all.start.clone(), |start| start.max(all.start));
        let end = self.end.clone().unwrap_or(all.end);
        if let Some(given) = &self.start
            && given > &end
        {
            return Err(Error::invalid("it is after end").at("start"));
        }
        Ok(start..end)
    }

    /// The rest of its range behind a key, or behind bytes between keys; in reverse, what is before.
    ///
    /// # Errors
    /// As `range`; `INVALID_ARGUMENT` if it is not under the prefix.
    pub fn range_behind(&self, after: &[u8], reverse: bool) -> Result<Range<Vec<u8>>> {
        let range = self.range()?;
        if !after.starts_with(self.prefix.as_deref().unwrap_or_default()) {
            return Err(Error::invalid("it is not under the prefix").at("after"));
        }
        Ok(if reverse {
            let end = range.end.min(after.to_vec()).max(range.start.clone());
            range.start..end
        } else {
            let start = range.start.max(key::successor(after)).min(range.end.clone());
            start..range.end
        })
    }
}

/// The rest of a range after a cursor.
///
/// # Errors
/// `INVALID_ARGUMENT` for a cursor that is damaged or of another list.
pub fn after_cursor(range: Range<Vec<u8>>, cursor: &str, reverse: bool) -> Result<Range<Vec<u8>>> {
    if cursor.is_empty() {
        return Ok(range);
    }
    let last = cursor::decode(cursor, reverse)?;
    if !range.contains(&last) {
        return Err(Error::invalid("it is of another list; pass a cursor of the same selector").at("cursor"));
    }
    Ok(after_key(range, &last, reverse))
}

/// The rest of a range after a key.
#[must_use]
pub fn after_key(range: Range<Vec<u8>>, last: &[u8], reverse: bool) -> Range<Vec<u8>> {
    if reverse { range.start..last.to_vec() } else { key::successor(last)..range.end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::key::{Part, encode};

    fn key(parts: &[&str]) -> Vec<u8> {
        encode(&parts.iter().map(|part| Part::String((*part).into())).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_prefix_is_its_descendants() {
        let range = Selector { prefix: Some(key(&["t", "1"])), ..Selector::default() }.range().unwrap();
        assert!(range.contains(&key(&["t", "1", "x"])));
        assert!(!range.contains(&key(&["t", "1"])));
        assert!(!range.contains(&key(&["t", "10"])));
        assert!(!range.contains(&key(&["t", "1\0"])));
    }

    #[test]
    fn behind_a_key_no_bound_is_left() {
        let (start, end) = (Some(key(&["t", "c"])), Some(key(&["t", "g"])));
        let selector = Selector { prefix: Some(key(&["t"])), start, end };
        let holds = |after: &[u8], reverse, part| {
            selector.range_behind(after, reverse).unwrap().contains(&key(&["t", part]))
        };
        for (after, reverse, inside) in [
            ("e", false, "f"),
            ("e", true, "c"),
            ("a", false, "cf"),
            ("a", true, ""),
            ("x", false, ""),
            ("x", true, "cf"),
        ] {
            for part in ["b", "c", "e", "f", "g"] {
                let after = key(&["t", after]);
                let is_inside = match (inside, part) {
                    ("", _) | (_, "b" | "g") => false,
                    ("cf", _) => true,
                    (inside, part) => inside == part,
                };
                assert_eq!(holds(&after, reverse, part), is_inside, "{part} {inside} {reverse}");
            }
        }
        assert!(selector.range_behind(&key(&["u"]), false).is_err());
        // Bytes between the keys: behind "d" and before all that begins with it.
        let mut raw = key(&["t", "e"]);
        raw.pop();
        assert!(holds(&raw, false, "e") && !holds(&raw, true, "e") && holds(&raw, true, "c"));
    }

    #[test]
    fn refusals() {
        assert!(Selector::default().range().is_err());
        let outside = Selector { prefix: Some(key(&["a"])), start: Some(key(&["b"])), end: None };
        assert!(outside.range().unwrap_err().to_string().starts_with("start: "));
        let reversed = Selector { prefix: None, start: Some(key(&["b"])), end: Some(key(&["a"])) };
        assert!(reversed.range().unwrap_err().message.contains("after end"));
        let everything = Selector { prefix: Some(Vec::new()), ..Selector::default() };
        let foreign = cursor::encode(&key(&["zz"]), false);
        let range = Selector { prefix: Some(key(&["a"])), ..Selector::default() }.range().unwrap();
        assert!(after_cursor(range, &foreign, false).is_err());
        assert!(after_cursor(everything.range().unwrap(), &foreign, false).is_ok());
    }
}
