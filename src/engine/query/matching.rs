//! Entries that match a filter, out of the candidates of an index or out of a range.

use std::ops::Range;

use super::PREFETCHED_ENTRIES;
use super::filter::Filter;
use super::plan;
use crate::base::error::Result;
use crate::base::limits::{MAX_INDEXED_KEYS, MAX_INLINE_INDEXED_KEYS};
use crate::store::rows::index::IndexedEntry;
use crate::store::{Flow, ReadTxn, Scan, Want};

/// The candidates that an index gives for a filter.
pub enum Indexed {
    /// Every entry that can match, in order.
    Entries(Vec<IndexedEntry>),
    /// More candidates than are worth it.
    TooMany,
    /// No index applies.
    Not,
}

/// Asks the indexes for candidates; `inline`: for fewer of them.
pub fn indexed(
    txn: &mut dyn ReadTxn,
    range: &Range<Vec<u8>>,
    filter: &Filter,
    inline: bool,
) -> Result<Indexed> {
    let Some(plan) = plan::plan(txn, range, filter)? else { return Ok(Indexed::Not) };
    let most = if inline { MAX_INLINE_INDEXED_KEYS } else { MAX_INDEXED_KEYS };
    Ok(plan::entries_of(txn, &plan, most)?.map_or(Indexed::TooMany, Indexed::Entries))
}

/// Counts the entries of a range that match.
pub fn count_matching(txn: &mut dyn ReadTxn, range: &Range<Vec<u8>>, filter: &Filter) -> Result<u64> {
    let mut count = 0;
    for_each_match(txn, range, filter, &mut |_| count += 1)?;
    Ok(count)
}

/// Shows the keys of a range whose entries match.
pub fn for_each_match(
    txn: &mut dyn ReadTxn,
    range: &Range<Vec<u8>>,
    filter: &Filter,
    visit: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let now = txn.now_ms();
    if let Indexed::Entries(entries) = indexed(txn, range, filter, false)? {
        return entries.chunks(PREFETCHED_ENTRIES).try_for_each(|entries| {
            txn.prefetch(&mut entries.iter().map(|entry| Want::IndexedEntry(entry, usize::MAX)));
            entries.iter().try_for_each(|entry| {
                txn.get_indexed(entry, usize::MAX, &mut |row| {
                    let live = row.filter(|row| row.is_live(now));
                    if live.is_some_and(|row| filter.matches(row.encoding, row.value, now)) {
                        visit(&entry.key);
                    }
                    Ok(())
                })
            })
        });
    }
    let scan = Scan {
        range: range.clone(),
        reverse: false,
        keys_only: false,
        limit: usize::MAX >> 1,
        max_value_bytes: usize::MAX,
        within: None,
    };
    txn.scan(&scan, &mut |row| {
        if filter.matches(row.encoding, row.value, now) {
            visit(row.key);
        }
        Ok(Flow::Continue)
    })
}
