//! Searches: turns a query into an FTS5 expression, and pages through the results.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::PREFETCHED_ENTRIES;
use super::definition::{Tokenizer, tokenizer_of};
use super::filter::Filter;
use crate::base::error::{Error, Result};
use crate::base::limits::{
    MAX_INLINE_BYTES, MAX_INLINE_FILTERED_ROWS, MAX_INLINE_SEARCH_MS, MAX_PAGE_BYTES, MAX_PAGE_ENTRIES,
    MAX_QUERY_WORDS, MAX_RANKED_KEYS,
};
use crate::codec::key;
use crate::codec::page::{Page, Tail};
use crate::engine::answer::{Answer, entry_of};
use crate::store::rows::index::{IndexKind, IndexRow, IndexedEntry, SearchScan};
use crate::store::{Budget, Flow, ReadTxn, Row, Want};

/// See `MAX_INLINE_SEARCH_MS`.
const INLINE_BUDGET: Budget = Budget::Time(Duration::from_millis(MAX_INLINE_SEARCH_MS));

/// A search, or the rest of one.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// The encoded prefix.
    pub prefix: Vec<u8>,
    /// The keys under it.
    pub range: Range<Vec<u8>>,
    /// The query, as typed.
    pub words: String,
    /// Only entries that match this too.
    pub filter: Option<Arc<Filter>>,
    /// Matches already passed, returned or not.
    pub offset: usize,
    /// Entries still wanted.
    pub wanted: usize,
    /// The hits, if they are more than a page: the pages share them.
    pub ranked: Arc<Mutex<Ranked>>,
}

/// Ranked matches for many pages: finding and sorting them costs as much for one page as for all.
#[derive(Debug, Default)]
pub struct Ranked {
    /// The number of matches before them.
    offset: usize,
    entries: Vec<IndexedEntry>,
    /// There may be more after them.
    is_full: bool,
    /// The newest of their versionstamps: an entry with a newer one was written since, and may no longer
    /// match.
    newest: String,
}

impl Ranked {
    fn holds(&self, offset: usize) -> bool {
        (self.offset..self.end()).contains(&offset)
    }

    fn end(&self) -> usize {
        self.offset + self.entries.len()
    }
}

/// Typed words as an FTS5 expression: every word must occur, and none is an operator. `None`: there is no
/// word.
fn expression(words: &str, tokenizer: Tokenizer) -> Option<String> {
    let mut seen = HashSet::new();
    let words: Vec<String> = words
        .split(|letter: char| letter == '\0' || tokenizer.is_blank(letter))
        // A word without a letter or digit usually has no token. Repeated words are dropped, since the time
        // of FTS5's parser grows with the square of their number.
        .filter(|word| word.chars().any(char::is_alphanumeric) && seen.insert(*word))
        .take(MAX_QUERY_WORDS)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Reads a page of a search; its tail is `[offset,more]`. `inline`: only if that is fast enough for the
/// calling thread.
///
/// # Errors
/// `INVALID_ARGUMENT` if no index serves it, those of the store.
pub fn page(txn: &mut dyn ReadTxn, query: &SearchQuery, inline: bool) -> Result<Answer> {
    if inline && query.filter.is_some() {
        return Ok(Answer::WouldBlock);
    }
    let index = index_of(txn, &query.prefix)?;
    let mut reading = Reading::new(query, txn.now_ms(), inline);
    let Some(expression) = expression(&query.words, tokenizer_of(&index)?) else {
        return Ok(reading.answer());
    };
    let (max_value_bytes, within) =
        if inline { (MAX_INLINE_BYTES, Some(INLINE_BUDGET)) } else { (usize::MAX, None) };
    let (range, offset) = (query.range.clone(), query.offset);
    let scan = SearchScan { id: index.id, expression, range, offset, max_value_bytes, within };
    let mut ranked = query.ranked.lock();
    if !ranked.holds(offset) {
        if offset == 0 && (inline || query.wanted <= MAX_PAGE_ENTRIES) {
            reading.as_they_come(txn, &scan)?;
            if reading.is_all() {
                return Ok(reading.answer());
            }
        }
        if inline {
            return Ok(Answer::WouldBlock);
        }
        reading = Reading::new(query, txn.now_ms(), inline);
        *ranked = rank(txn, &scan, query)?;
    }
    reading.ranked(txn, &scan, &ranked)?;
    Ok(reading.answer())
}

/// The index of the longest prefix that holds the entries of this one.
fn index_of(txn: &mut dyn ReadTxn, prefix: &[u8]) -> Result<IndexRow> {
    let serves = |of: &[u8]| of == prefix || key::is_under(prefix, of);
    let indexes = txn.indexes()?.into_iter().filter(|index| index.kind == IndexKind::Search);
    indexes.filter(|index| serves(&index.prefix)).max_by_key(|index| index.prefix.len()).ok_or_else(|| {
        let message = "there is no search index of this prefix, or of one above it; call createIndex(prefix, { fields }) once";
        Error::invalid(message).at("prefix")
    })
}

/// A page that is being read.
struct Reading<'a> {
    query: &'a SearchQuery,
    now_ms: i64,
    inline: bool,
    page: Page,
    /// Matches already passed, returned or not.
    offset: usize,
    /// The next read is too long for the JavaScript thread.
    takes_long: bool,
}

impl<'a> Reading<'a> {
    fn new(query: &'a SearchQuery, now_ms: i64, inline: bool) -> Self {
        let (mut page, offset) = (Page::with_capacity(1024), query.offset);
        page.checks_values = true;
        Self { query, now_ms, inline, page, offset, takes_long: false }
    }

    /// Reads matches as they are found.
    fn as_they_come(&mut self, txn: &mut dyn ReadTxn, scan: &SearchScan) -> Result<()> {
        txn.search(scan, &mut |row| {
            self.take(&row)?;
            Ok(if self.is_over() { Flow::Stop } else { Flow::Continue })
        })
    }

    /// Reads matches that were found before.
    fn ranked(&mut self, txn: &mut dyn ReadTxn, scan: &SearchScan, ranked: &Ranked) -> Result<()> {
        let most = if self.inline { MAX_INLINE_FILTERED_ROWS } else { usize::MAX };
        let entries = ranked.entries.get(self.offset - ranked.offset..).unwrap_or_default();
        let at_a_time = self.query.wanted.saturating_add(1).min(PREFETCHED_ENTRIES);
        for some in entries.get(..most.min(entries.len())).unwrap_or_default().chunks(at_a_time) {
            txn.prefetch(&mut some.iter().map(|one| Want::IndexedEntry(one, scan.max_value_bytes)));
            for (looked, entry) in some.iter().enumerate() {
                let from_here = some.get(looked..).unwrap_or_default();
                self.known(txn, scan, entry, from_here, &ranked.newest)?;
                if self.is_over() {
                    break;
                }
            }
            if self.is_over() {
                break;
            }
        }
        self.page.more |= self.offset < ranked.end() || ranked.is_full;
        Ok(())
    }

    /// An entry that matched when it was ranked; `from_here`: it and the entries after it.
    fn known(
        &mut self,
        txn: &mut dyn ReadTxn,
        scan: &SearchScan,
        entry: &IndexedEntry,
        from_here: &[IndexedEntry],
        newest: &str,
    ) -> Result<()> {
        let (now, mut is_rewritten) = (self.now_ms, false);
        txn.get_indexed(entry, scan.max_value_bytes, &mut |row| match row.filter(|row| row.is_live(now)) {
            Some(row) if row.versionstamp > newest => {
                is_rewritten = true;
                Ok(())
            }
            Some(row) => self.take(&row),
            None => {
                self.offset += 1;
                Ok(())
            }
        })?;
        self.takes_long |= is_rewritten && self.inline;
        if !is_rewritten || self.takes_long {
            return Ok(());
        }
        // If one entry was written since, others probably were.
        txn.prefetch(
            &mut from_here
                .iter()
                .flat_map(|one| [Want::Match(scan, &one.key), Want::Entry(&one.key, scan.max_value_bytes)]),
        );
        if !txn.is_match(scan, &entry.key)? {
            self.offset += 1;
            return Ok(());
        }
        txn.get(&entry.key, scan.max_value_bytes, &mut |row| row.map_or(Ok(()), |row| self.take(&row)))
    }

    /// Takes a match, if there is room for it.
    fn take(&mut self, row: &Row<'_>) -> Result<()> {
        let limit = self.query.wanted.min(MAX_PAGE_ENTRIES);
        self.page.more = self.page.len() == limit || self.page.size_bytes() >= MAX_PAGE_BYTES;
        self.takes_long = row.withheld && !self.page.more;
        if self.is_over() {
            return Ok(());
        }
        self.offset += 1;
        let filter = self.query.filter.as_ref();
        if filter.is_none_or(|filter| filter.matches(row.encoding, row.value, self.now_ms)) {
            self.page.push_listed(&entry_of(row), 0, false)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.page.more || self.takes_long
    }

    /// Nothing more is wanted.
    fn is_all(&self) -> bool {
        !self.is_over() || self.page.len() == self.query.wanted
    }

    fn answer(mut self) -> Answer {
        if self.takes_long && self.offset == self.query.offset {
            return Answer::WouldBlock;
        }
        let place = i64::try_from(self.offset).unwrap_or(i64::MAX);
        self.page.finish(Tail::From { place, more: self.page.more });
        Answer::Page(self.page)
    }
}

/// The ranked matches from an offset on.
fn rank(txn: &mut dyn ReadTxn, scan: &SearchScan, query: &SearchQuery) -> Result<Ranked> {
    let most = if query.filter.is_some() { MAX_RANKED_KEYS } else { query.wanted.min(MAX_RANKED_KEYS) };
    let mut ranked = Ranked { offset: scan.offset, ..Ranked::default() };
    txn.rank(scan, most, &mut |entry, versionstamp| {
        if versionstamp > ranked.newest.as_str() {
            ranked.newest = versionstamp.to_string();
        }
        ranked.entries.push(entry);
    })?;
    ranked.is_full = ranked.entries.len() == most;
    Ok(ranked)
}
