//! Reads: gets, lists and counts here, the others where they belong. The same code answers on the JavaScript thread, where it gives up on what takes long, and
//! on the reader thread.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::answer::Answer;
use super::awaited::Awaited;
use super::changes::feed::ChangesQuery;
use super::changes::followers::Hub;
use super::changes::watch::Watch;
use super::changes::{consumer, feed};
use super::page::Page;
use super::query::filter::Filter;
use super::query::matching::{Indexed, count_matching, indexed, list_indexed};
use super::query::search::SearchQuery;
use super::query::{indexes, plan, search};
use super::queue::dead_letters;
use super::range::{END_OF_KEYS, after_key};
use super::{awaited, lock};
use crate::base::error::Result;
use crate::base::limits::{
    MAX_FILTERED_ROWS, MAX_INLINE_BYTES, MAX_INLINE_KEYS, MAX_INLINE_SCAN_STEPS, MAX_PAGE_BYTES,
};
use crate::base::metrics::Operation;
use crate::store::rows::index::IndexedEntry;
use crate::store::rows::queue::{DeadLetterScan, QueueStats};
use crate::store::{Access, Flow, Info, Patience, ReadTxn, Scan};

/// See `MAX_INLINE_SCAN_STEPS`.
pub const INLINE_PATIENCE: Patience = Patience::Steps(MAX_INLINE_SCAN_STEPS);
/// Room for an entry in a page's text, so that a page grows seldom.
const TYPICAL_ENTRY_BYTES: usize = 256;

/// Encoded keys, one after another.
#[derive(Debug, Default, Clone)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// See `Page::checks_values`.
    pub checks_values: bool,
}

impl Keys {
    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends a key that `write` encodes; nothing, if it fails.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let begin = self.bytes.len();
        let result = write(&mut self.bytes);
        match result {
            Ok(()) => self.ends.push(self.bytes.len()),
            Err(_) => self.bytes.truncate(begin),
        }
        result
    }

    /// Forgets all keys, and keeps the memory.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

/// A list, or what is left of it.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Encoded keys.
    pub range: Range<Vec<u8>>,
    /// The size of the encoded prefix that all of them begin with and the caller knows.
    pub prefix_bytes: usize,
    /// From the end.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
    /// Entries of a page.
    pub limit: usize,
    /// Only entries that match.
    pub filter: Option<Arc<Filter>>,
    /// What an index gave for the filter, once it was asked: the pages share it.
    pub found: Found,
    /// See `Page::checks_values`.
    pub checks_values: bool,
}

/// The entries that an index gave, in order; `None` if the range is read instead.
pub type Found = Arc<OnceLock<Option<Vec<IndexedEntry>>>>;

impl ListQuery {
    /// The list after a page.
    #[must_use]
    pub fn after(&self, last: &[u8]) -> Self {
        Self { range: after_key(self.range.clone(), last, self.reverse), ..self.clone() }
    }
}

/// A read.
#[derive(Debug, Clone)]
pub enum Request {
    /// What stands at these keys.
    Get(Keys),
    /// One page.
    List(ListQuery),
    /// How many live entries, of those that match.
    Count(Range<Vec<u8>>, Option<Arc<Filter>>),
    /// A page of the change feed.
    Changes(ChangesQuery),
    /// The newest change.
    Head,
    /// The next batch of a watch.
    Watch(Arc<Watch>),
    /// Which watches changes concern.
    News(Arc<Hub>),
    /// When a queue has something to do.
    QueueDue(String),
    /// When what is waited for has something to do.
    Dues(Arc<Awaited>),
    /// How many messages, of one queue or of all.
    QueueStats(Option<String>),
    /// Dead letters.
    DeadLetters(DeadLetterScan),
    /// One dead letter.
    DeadLetter(String),
    /// Who holds a lock.
    Lock(String),
    /// Where a consumer stands.
    Consumer(String),
    /// All indexes.
    Indexes,
    /// How a filter would be answered.
    Explain(Range<Vec<u8>>, Arc<Filter>),
    /// A page of a search.
    Search(Box<SearchQuery>),
    /// What the store is, and how much is in it.
    Info,
}

impl Request {
    /// What it looks at.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Self::Get(keys) if keys.len() > 1 => Access::Points,
            Self::Get(_) => Access::Point,
            // An index gives the entries, which are read one by one.
            Self::List(ListQuery { filter: Some(_), .. }) => Access::Points,
            Self::List(_) | Self::Count(..) => Access::Range,
            _ => Access::Tables,
        }
    }
}

impl Request {
    /// What it counts as, and how often.
    #[must_use]
    pub fn counts_as(&self) -> (Operation, u64) {
        match self {
            Self::Get(keys) => (Operation::Get, keys.len() as u64),
            Self::List(_) => (Operation::List, 1),
            Self::Count(..) => (Operation::Count, 1),
            Self::Search(_) => (Operation::Search, 1),
            Self::Changes(_) | Self::Head | Self::Watch(_) | Self::News(_) => (Operation::Changes, 1),
            Self::QueueDue(_) | Self::Dues(_) => (Operation::Queue, 1),
            _ => (Operation::Other, 1),
        }
    }
}

/// Answers a read. `inline`: on a thread that must not be held.
///
/// # Errors
/// Those of the store.
pub fn answer(txn: &mut dyn ReadTxn, request: &Request, inline: bool) -> Result<Answer> {
    match request {
        Request::Get(keys) => get(txn, keys, inline),
        Request::List(query) => list(txn, query, inline),
        Request::Count(..) | Request::QueueStats(_) | Request::Info if inline => Ok(Answer::TakesLong),
        Request::Count(range, None) => txn.count(range).map(Answer::Count),
        Request::Count(range, Some(filter)) => count_matching(txn, range, filter).map(Answer::Count),
        Request::Changes(query) => feed::page(txn, query, inline),
        Request::Head => feed::head(txn),
        Request::Watch(watch) => watch.step(txn, inline),
        Request::News(hub) => hub.news(txn),
        Request::QueueDue(queue) => queue_due(txn, queue),
        Request::Dues(awaited) => awaited::dues(txn, awaited, inline),
        Request::QueueStats(queue) => queue_stats(txn, queue.as_deref()),
        Request::DeadLetters(scan) => dead_letters::list(txn, scan),
        Request::DeadLetter(id) => dead_letters::get(txn, id),
        Request::Lock(name) => lock::status(txn, name),
        Request::Consumer(name) => consumer::status(txn, name),
        Request::Indexes => indexes::list(txn),
        Request::Explain(..) if inline => Ok(Answer::TakesLong),
        Request::Explain(range, filter) => plan::explain(txn, range, filter),
        Request::Search(query) => search::page(txn, query, inline),
        Request::Info => info(txn),
    }
}

/// `[sqlite,schema,database,changeLog,retention,bytes,entries,deadLetterRetention]`
fn info(txn: &mut dyn ReadTxn) -> Result<Answer> {
    let entries = txn.count(&(Vec::new()..vec![END_OF_KEYS]))?;
    let info = txn.info()?;
    let Info { sqlite_version, schema_version, database_id, change_log, retention_ms, size_bytes, .. } = info;
    let letters_ms = info.dead_letter_retention_ms.map_or("null".into(), |ms| ms.to_string());
    Ok(Answer::json(format!(
        "[\"{sqlite_version}\",{schema_version},\"{database_id}\",\"{change_log}\",{retention_ms},{size_bytes},{entries},{letters_ms}]"
    )))
}

fn queue_due(txn: &mut dyn ReadTxn, queue: &str) -> Result<Answer> {
    let due = txn.queue_due(queue)?;
    Ok(Answer::json(due.map_or("null".into(), |ms| ms.to_string())))
}

fn queue_stats(txn: &mut dyn ReadTxn, queue: Option<&str>) -> Result<Answer> {
    let QueueStats { pending, processing, dead } = txn.queue_stats(queue)?;
    Ok(Answer::json(format!("[{pending},{processing},{dead}]")))
}

fn get(txn: &mut dyn ReadTxn, keys: &Keys, inline: bool) -> Result<Answer> {
    if inline && keys.len() > MAX_INLINE_KEYS {
        return Ok(Answer::TakesLong);
    }
    let now = txn.now_ms();
    let max_value_bytes = if inline { MAX_INLINE_BYTES } else { usize::MAX };
    let mut page = Page::with_capacity(keys.len() * TYPICAL_ENTRY_BYTES);
    page.checks_values = keys.checks_values;
    let mut withheld = false;
    for key in keys.iter() {
        txn.get(key, max_value_bytes, &mut |row| {
            let live = row.filter(|row| row.is_live(now));
            withheld |= live.is_some_and(|row| row.withheld);
            page.push_known(live);
            Ok(())
        })?;
        if withheld || (inline && page.size_bytes() > MAX_INLINE_BYTES && keys.len() > 1) {
            return Ok(Answer::TakesLong);
        }
    }
    page.finish();
    Ok(Answer::Page(page))
}

fn list(txn: &mut dyn ReadTxn, query: &ListQuery, inline: bool) -> Result<Answer> {
    if let Some(filter) = &query.filter {
        if query.found.get().is_none() {
            match indexed(txn, &query.range, filter, inline)? {
                Indexed::Entries(entries) => drop(query.found.set(Some(entries))),
                Indexed::TooMany if inline => return Ok(Answer::TakesLong),
                Indexed::TooMany | Indexed::Not => drop(query.found.set(None)),
            }
        }
        match query.found.get() {
            Some(Some(entries)) => return list_indexed(txn, query, filter, entries, inline),
            _ if inline => return Ok(Answer::TakesLong),
            _ => {}
        }
    }
    let scan = Scan {
        range: query.range.clone(),
        reverse: query.reverse,
        // A filter looks at values.
        keys_only: query.keys_only && query.filter.is_none(),
        // One row more tells whether there is more.
        limit: query.filter.as_ref().map_or(query.limit + 1, |_| usize::MAX >> 1),
        max_value_bytes: if inline { MAX_INLINE_BYTES } else { usize::MAX },
        within: inline.then_some(INLINE_PATIENCE),
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
        page.push_listed(&row, query.prefix_bytes, query.keys_only)?;
        Ok(Flow::Continue)
    })?;
    if page.more && page.is_empty() && inline {
        return Ok(Answer::TakesLong);
    }
    page.finish();
    Ok(Answer::Page(page))
}
