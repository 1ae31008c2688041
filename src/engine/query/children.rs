//! The distinct next parts under a prefix, found by skipping: a scan goes on while each row is another child;
//! where it is not, the next scan begins behind the child. So a child costs two rows and a scan at most,
//! however much is under it.

use std::ops::Range;

use super::range::END_OF_KEYS;
use crate::base::error::Result;
use crate::base::limits::MAX_INLINE_SCAN_STEPS;
use crate::codec::key;
use crate::codec::key::Parts;
use crate::engine::answer::{Answer, Child, ChildCount};
use crate::store::{Budget, Flow, ReadTxn, Row, Scan};

/// Children that the JavaScript thread looks for; of more the reader thread does.
const MAX_INLINE_CHILDREN: usize = 100;
/// The budget of a scan there: one begins at each child, and expired entries are skipped.
const INLINE_BUDGET: Budget = Budget::Steps(MAX_INLINE_SCAN_STEPS / 50);
/// Entries of a child are counted so far, unless all are asked for.
const COUNTED_ENTRIES: u64 = 1000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ChildrenQuery {
    /// The encoded prefix; an empty one has the first parts of all keys as its children.
    pub prefix: Vec<u8>,
    /// The encoded key of the child to go on behind.
    pub after: Option<Vec<u8>>,
    /// At most so many.
    pub limit: usize,
    /// Whether entries are counted.
    pub counts: Counts,
}

/// Whether the entries of a child are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Not at all.
    None,
    /// Up to 1000.
    Some,
    /// All of them.
    All,
}

/// Answers it. `inline`: on a thread that must not block.
pub fn children(txn: &mut dyn ReadTxn, query: &ChildrenQuery, inline: bool) -> Result<Answer> {
    if inline && (query.counts != Counts::None || query.limit > MAX_INLINE_CHILDREN) {
        return Ok(Answer::WouldBlock);
    }
    let within = inline.then_some(INLINE_BUDGET);
    let (mut found, more) = find(query, &mut |range, limit, visit| {
        let scan =
            Scan { range, reverse: false, keys_only: true, limit, max_value_bytes: usize::MAX, within };
        txn.scan(&scan, visit)
    })?;
    for child in &mut found {
        child.count = match query.counts {
            Counts::None => None,
            _ if !child.has_children => Some(ChildCount::Exactly(1)),
            Counts::All => Some(ChildCount::Exactly(txn.count(&key::tree(&child.key))?)),
            Counts::Some => Some(count_some(txn, key::tree(&child.key))?),
        };
    }
    Ok(Answer::Children { children: found, more })
}

fn count_some(txn: &mut dyn ReadTxn, range: Range<Vec<u8>>) -> Result<ChildCount> {
    let mut count = 0;
    let scan = Scan {
        range,
        reverse: false,
        keys_only: true,
        limit: usize::try_from(COUNTED_ENTRIES).unwrap_or(usize::MAX).saturating_add(1),
        max_value_bytes: usize::MAX,
        within: None,
    };
    txn.scan(&scan, &mut |_| {
        count += 1;
        Ok(Flow::Continue)
    })?;
    Ok(if count > COUNTED_ENTRIES {
        ChildCount::MoreThan(COUNTED_ENTRIES)
    } else {
        ChildCount::Exactly(count)
    })
}

type Visit<'a> = &'a mut dyn FnMut(Row<'_>) -> Result<Flow>;
/// Shows the live entries of a range, so many at most.
type ScanRange<'a> = &'a mut dyn FnMut(Range<Vec<u8>>, usize, Visit<'_>) -> Result<()>;

/// The children, and whether there are more of them.
fn find(query: &ChildrenQuery, scan: ScanRange<'_>) -> Result<(Vec<Child>, bool)> {
    let all = key::descendants(&query.prefix);
    let all = if query.prefix.is_empty() { Vec::new()..vec![END_OF_KEYS] } else { all };
    let mut next = Some(match &query.after {
        Some(child) => key::tree(child).end.max(all.start),
        None => all.start,
    });
    let (mut found, mut more) = (Vec::<Child>::new(), false);
    while let Some(start) = next.take() {
        // One row more shows whether there are others, and one whether there is something under the last.
        let limit = query.limit - found.len() + 2;
        scan(start..all.end.clone(), limit, &mut |row| {
            let child = child_of(row.key, query.prefix.len())?;
            if let Some(last) = found.last_mut().filter(|last| last.key == child) {
                last.has_children = true;
            } else if found.len() == query.limit {
                more = true;
                return Ok(Flow::Stop);
            } else {
                let has_entry = child.len() == row.key.len();
                found.push(Child { key: child.to_vec(), has_entry, has_children: !has_entry, count: None });
                if has_entry {
                    return Ok(Flow::Continue);
                }
            }
            next = Some(key::tree(child).end);
            Ok(Flow::Stop)
        })?;
    }
    Ok((found, more))
}

/// The beginning of a key that is the prefix and one more part.
fn child_of(key: &[u8], prefix_bytes: usize) -> Result<&[u8]> {
    let mut parts = Parts::new(key.get(prefix_bytes..).unwrap_or_default());
    parts.next().transpose()?;
    let length = key.len() - parts.rest_bytes();
    Ok(key.get(..length).unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::key::{Part, encode};

    /// A sorted list of keys, and what was read of it.
    struct Keys {
        keys: Vec<Vec<u8>>,
        scans: usize,
        rows: usize,
    }

    impl Keys {
        fn of(keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
            let mut keys: Vec<_> = keys.into_iter().collect();
            keys.sort();
            Self { keys, scans: 0, rows: 0 }
        }

        fn find(&mut self, prefix: &[u8], after: Option<Vec<u8>>, limit: usize) -> (Vec<Child>, bool) {
            let query = ChildrenQuery { prefix: prefix.to_vec(), after, limit, counts: Counts::None };
            find(&query, &mut |range, limit, visit| {
                self.scans += 1;
                for key in self.keys.iter().filter(|key| range.contains(*key)).take(limit) {
                    self.rows += 1;
                    let (versionstamp, value) = ("", &[][..]);
                    let row =
                        Row { key, versionstamp, expires_at: None, encoding: 0, withheld: false, value };
                    if visit(row)? == Flow::Stop {
                        break;
                    }
                }
                Ok(())
            })
            .unwrap()
        }
    }

    fn key(parts: &[u32]) -> Vec<u8> {
        encode(&parts.iter().map(|part| Part::Number(f64::from(*part))).collect::<Vec<_>>()).unwrap()
    }

    /// Seen to fail: with a scan that goes on along the rows of a child.
    #[test]
    fn a_child_costs_two_rows_and_a_scan_at_most() {
        let deep = (0..20).flat_map(|child| (0..10_000).map(move |at| key(&[1, child, at])));
        let mut keys = Keys::of(deep);
        let (found, more) = keys.find(&key(&[1]), None, 100);
        assert_eq!((found.len(), more), (20, false));
        assert_eq!((keys.scans, keys.rows), (21, 20));

        let mut keys =
            Keys::of((0..20).flat_map(|child| [key(&[1, child]), key(&[1, child, 0]), key(&[1, child, 1])]));
        let (found, _) = keys.find(&key(&[1]), None, 100);
        assert!(found.iter().all(|child| child.has_entry && child.has_children));
        assert_eq!((keys.scans, keys.rows), (21, 40));

        let mut keys = Keys::of((0..1000).map(|child| key(&[1, child])));
        let (found, more) = keys.find(&key(&[1]), None, 100);
        assert_eq!((found.len(), more), (100, true));
        assert!(found.iter().all(|child| child.has_entry && !child.has_children));
        assert_eq!((keys.scans, keys.rows), (1, 101));
    }

    #[test]
    fn pages_of_any_size_are_all_children() {
        let all = [&[1][..], &[1, 1], &[1, 2, 1], &[1, 2, 2], &[1, 3], &[1, 3, 5, 5], &[1, 4], &[2], &[2, 1]];
        let mut keys = Keys::of(all.map(key));
        let expected = [(1, true, false), (2, false, true), (3, true, true), (4, true, false)].map(
            |(part, has_entry, has_children)| Child {
                key: key(&[1, part]),
                has_entry,
                has_children,
                count: None,
            },
        );
        for limit in 1..6 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (page, more) = keys.find(&key(&[1]), after, limit);
                assert!(page.len() == limit || !more);
                after = page.last().map(|child| child.key.clone());
                found.extend(page);
                if !more {
                    break;
                }
            }
            assert_eq!(found, expected, "{limit}");
        }
        let first_parts: Vec<_> = keys.find(&[], None, 9).0.into_iter().map(|child| child.key).collect();
        assert_eq!(first_parts, [key(&[1]), key(&[2])]);
    }
}
