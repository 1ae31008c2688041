//! Entries that match a filter: those that an index gives, or each of a range.

use std::ops::Range;

use super::filter::Filter;
use super::plan;
use crate::base::error::Result;
use crate::base::limits::{
    MAX_INDEXED_KEYS, MAX_INLINE_BYTES, MAX_INLINE_FILTERED_ROWS, MAX_INLINE_INDEXED_KEYS, MAX_PAGE_BYTES,
};
use crate::engine::answer::Answer;
use crate::engine::page::Page;
use crate::engine::read::ListQuery;
use crate::store::rows::index::IndexedEntry;
use crate::store::{Flow, ReadTxn, Scan};

/// What an index gives for a filter.
pub enum Indexed {
    /// Every entry that can match, in order.
    Entries(Vec<IndexedEntry>),
    /// More than are worth it.
    TooMany,
    /// No index serves it.
    Not,
}

/// Asks the indexes. `inline`: for less.
///
/// # Errors
/// Those of the store.
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

/// A page of the entries that an index gave, and that match.
///
/// # Errors
/// Those of the store.
pub fn list_indexed(
    txn: &mut dyn ReadTxn,
    query: &ListQuery,
    filter: &Filter,
    found: &[IndexedEntry],
    inline: bool,
) -> Result<Answer> {
    let before = |key: &[u8]| found.partition_point(|entry| entry.key.as_slice() < key);
    let mut left = found.get(before(&query.range.start)..before(&query.range.end)).unwrap_or_default().iter();
    let (now, mut page) = (txn.now_ms(), Page::with_capacity(1024));
    page.checks_values = query.checks_values;
    let (most_rows, most_bytes) =
        if inline { (MAX_INLINE_FILTERED_ROWS, MAX_INLINE_BYTES) } else { (usize::MAX, usize::MAX) };
    let (mut looked, mut looked_bytes) = (0, 0);
    while let Some(entry) = if query.reverse { left.next_back() } else { left.next() } {
        page.unsure = looked >= most_rows || looked_bytes >= most_bytes;
        if !page.unsure {
            txn.get_indexed(entry, most_bytes, &mut |row| {
                let Some(row) = row.filter(|row| row.is_live(now)) else { return Ok(()) };
                page.unsure = row.withheld;
                looked_bytes += row.value.len();
                if row.withheld || !filter.matches(row.encoding, row.value, now) {
                    return Ok(());
                }
                page.more = page.len() == query.limit || page.size_bytes() >= MAX_PAGE_BYTES;
                if page.more { Ok(()) } else { page.push_listed(&row, query.prefix_bytes, query.keys_only) }
            })?;
        }
        page.more |= page.unsure;
        if page.more {
            break;
        }
        page.passed(&entry.key);
        looked += 1;
    }
    if page.unsure && looked == 0 {
        return Ok(Answer::TakesLong);
    }
    page.finish();
    Ok(Answer::Page(page))
}

/// Counts the entries of a range that match.
///
/// # Errors
/// Those of the store.
pub fn count_matching(txn: &mut dyn ReadTxn, range: &Range<Vec<u8>>, filter: &Filter) -> Result<u64> {
    let mut count = 0;
    for_each_match(txn, range, filter, &mut |_| count += 1)?;
    Ok(count)
}

/// Shows the keys of a range whose entries match.
///
/// # Errors
/// Those of the store.
pub fn for_each_match(
    txn: &mut dyn ReadTxn,
    range: &Range<Vec<u8>>,
    filter: &Filter,
    visit: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let now = txn.now_ms();
    if let Indexed::Entries(entries) = indexed(txn, range, filter, false)? {
        return entries.iter().try_for_each(|entry| {
            txn.get_indexed(entry, usize::MAX, &mut |row| {
                let live = row.filter(|row| row.is_live(now));
                if live.is_some_and(|row| filter.matches(row.encoding, row.value, now)) {
                    visit(&entry.key);
                }
                Ok(())
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
