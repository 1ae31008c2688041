//! Lists: pages of the entries of a range, or of those that match a filter.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::PREFETCHED_ENTRIES;
use super::filter::Filter;
use super::matching::{Indexed, indexed};
use super::range::after_key;
use crate::base::error::Result;
use crate::base::limits::{MAX_FILTERED_ROWS, MAX_INLINE_BYTES, MAX_INLINE_FILTERED_ROWS, MAX_PAGE_BYTES};
use crate::codec::page::{Page, TYPICAL_ENTRY_BYTES, Tail};
use crate::engine::answer::{Answer, INLINE_BUDGET, entry_of};
use crate::store::rows::index::IndexedEntry;
use crate::store::{Flow, ReadTxn, Scan, Want};

/// A list, or the rest of one.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Encoded keys.
    pub range: Range<Vec<u8>>,
    /// The size of the common encoded prefix, which the caller knows.
    pub prefix_bytes: usize,
    /// From the end.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
    /// Entries in a page, at most.
    pub limit: usize,
    /// Only entries that match.
    pub filter: Option<Arc<Filter>>,
    /// The candidates that an index gave for the filter: the pages share them.
    pub found: IndexHits,
    /// See `Page::checks_values`.
    pub checks_values: bool,
}

/// The entries that an index gave, in order; `None` if the range is read instead.
pub type IndexHits = Arc<OnceLock<Option<Vec<IndexedEntry>>>>;

impl ListQuery {
    /// The list after a page.
    #[must_use]
    pub fn after(&self, last: &[u8]) -> Self {
        Self { range: after_key(self.range.clone(), last, self.reverse), ..self.clone() }
    }
}

/// Answers a list. `inline`: on a thread that must not block.
pub fn list(txn: &mut dyn ReadTxn, query: &ListQuery, inline: bool) -> Result<Answer> {
    if let Some(filter) = &query.filter {
        if query.found.get().is_none() {
            match indexed(txn, &query.range, filter, inline)? {
                Indexed::Entries(entries) => drop(query.found.set(Some(entries))),
                Indexed::TooMany if inline => return Ok(Answer::WouldBlock),
                Indexed::TooMany | Indexed::Not => drop(query.found.set(None)),
            }
        }
        match query.found.get() {
            Some(Some(entries)) => return list_indexed(txn, query, filter, entries, inline),
            _ if inline => return Ok(Answer::WouldBlock),
            _ => {}
        }
    }
    let scan = Scan {
        range: query.range.clone(),
        reverse: query.reverse,
        // A filter looks at values.
        keys_only: query.keys_only && query.filter.is_none(),
        // One row more shows whether there is another page.
        limit: query.filter.as_ref().map_or(query.limit + 1, |_| usize::MAX >> 1),
        max_value_bytes: if inline { MAX_INLINE_BYTES } else { usize::MAX },
        within: inline.then_some(INLINE_BUDGET),
    };
    let capacity =
        (scan.limit.min(query.limit) * TYPICAL_ENTRY_BYTES).min(MAX_PAGE_BYTES + MAX_PAGE_BYTES / 8);
    let mut page = Page::with_capacity(capacity);
    page.checks_values = query.checks_values;
    let (now, mut looked) = (txn.now_ms(), 0);
    txn.scan(&scan, &mut |row| {
        if let Some(filter) = &query.filter
            && !filter.matches(row.encoding, row.value, now)
        {
            looked += 1;
            page.more = looked >= MAX_FILTERED_ROWS;
            page.unsure = page.more;
            page.passed(row.key);
            return Ok(if page.more { Flow::Stop } else { Flow::Continue });
        }
        page.more = row.withheld || page.len() == query.limit || page.size_bytes() >= MAX_PAGE_BYTES;
        if page.more {
            return Ok(Flow::Stop);
        }
        page.push_listed(&entry_of(&row), query.prefix_bytes, query.keys_only)?;
        Ok(Flow::Continue)
    })?;
    if page.more && page.is_empty() && inline {
        return Ok(Answer::WouldBlock);
    }
    page.finish(Tail::List);
    Ok(Answer::Page(page))
}

/// A page of the entries that an index gave, and that match.
fn list_indexed(
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
    // Most candidates of an index match, and are wanted for the page.
    let (mut announced, at_a_time) = (0, query.limit.saturating_add(1).min(PREFETCHED_ENTRIES));
    while let Some(entry) = if query.reverse { left.next_back() } else { left.next() } {
        if looked == announced {
            announced += at_a_time;
            let wants = |one| Want::IndexedEntry(one, most_bytes);
            let (first, next) = (std::iter::once(entry), left.clone());
            if query.reverse {
                txn.prefetch(&mut first.chain(next.rev()).take(at_a_time).map(wants));
            } else {
                txn.prefetch(&mut first.chain(next).take(at_a_time).map(wants));
            }
        }
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
                if page.more {
                    Ok(())
                } else {
                    page.push_listed(&entry_of(&row), query.prefix_bytes, query.keys_only)
                }
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
        return Ok(Answer::WouldBlock);
    }
    page.finish(Tail::List);
    Ok(Answer::Page(page))
}
