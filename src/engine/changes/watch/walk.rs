//! A walk along the change log: the keys that changed and are still to be delivered, and their current
//! values.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::limits::{MAX_BACKLOG_BYTES, MAX_BACKLOG_KEYS, MAX_INLINE_BYTES};
use crate::codec::page::Page;
use crate::engine::answer::entry_of;
use crate::store::rows::changes::Change;
use crate::store::{ChangeKind, ReadTxn, Want};

/// Keys that changed and are still to be delivered, in the order of their first undelivered change. Each row
/// of the log is walked once; changes during a slow callback are merged into the waiting keys. It is bounded:
/// when it is full, the walk pauses, and later changes wait in the log.
#[derive(Debug)]
pub struct Backlog {
    keys: VecDeque<Changed>,
    /// The number of each key: how many keys were added before it since the backlog was empty.
    numbers: HashMap<Arc<[u8]>, usize>,
    /// The number of the first key.
    first: usize,
    key_bytes: usize,
    /// Changes up to this one were walked.
    pub position: i64,
    /// The last commit that was walked completely.
    whole: Arc<str>,
    current: Arc<str>,
    /// The number of log rows walked, for tests.
    pub rows: u64,
}

#[derive(Debug)]
pub struct Changed {
    key: Arc<[u8]>,
    /// The commit before its first change.
    before: Arc<str>,
    last_seq: i64,
    deleted: bool,
}

impl Backlog {
    /// An empty backlog, walked up to a change of this commit.
    pub fn after(position: i64, stamp: &str) -> Self {
        let whole: Arc<str> = stamp.into();
        Self {
            keys: VecDeque::new(),
            numbers: HashMap::new(),
            first: 0,
            key_bytes: 0,
            position,
            current: Arc::clone(&whole),
            whole,
            rows: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it has this many keys, or their share of `MAX_BACKLOG_BYTES`.
    pub fn is_full(&self, room: usize) -> bool {
        let room_bytes = MAX_BACKLOG_BYTES * room / MAX_BACKLOG_KEYS;
        self.keys.len() >= room || self.key_bytes >= room_bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = &Changed> {
        self.keys.iter()
    }

    /// Announces the reads of `report` for the first keys.
    pub fn prefetch(&self, txn: &mut dyn ReadTxn, most: usize, inline: bool) {
        let entries = self.keys.iter().take(most);
        txn.prefetch(&mut entries.map(|changed| Want::Entry(&changed.key, most_bytes(inline))));
    }

    /// Skips changes up to a number, which do not concern the watch.
    pub fn skip_to(&mut self, position: i64) {
        self.position = self.position.max(position);
    }

    /// Walks past the next change; notes its key if it concerns the watch.
    pub fn pass(&mut self, change: &Change<'_>, concerns: bool) {
        if change.versionstamp != &*self.current {
            self.whole = std::mem::replace(&mut self.current, change.versionstamp.into());
        }
        if concerns {
            self.note(change);
        }
        self.position = change.seq;
        self.rows += 1;
    }

    fn note(&mut self, change: &Change<'_>) {
        let deleted = change.kind == ChangeKind::Delete;
        let place = self.numbers.get(change.key).map(|number| number - self.first);
        if let Some(known) = place.and_then(|place| self.keys.get_mut(place)) {
            known.last_seq = change.seq;
            known.deleted = deleted;
            return;
        }
        let key: Arc<[u8]> = change.key.into();
        self.key_bytes += key.len();
        self.numbers.insert(Arc::clone(&key), self.first + self.keys.len());
        self.keys.push_back(Changed { key, before: Arc::clone(&self.whole), last_seq: change.seq, deleted });
    }

    /// Removes the first keys, which were delivered.
    pub fn forget_first(&mut self, count: usize) {
        for Changed { key, .. } in self.keys.drain(..count.min(self.keys.len())) {
            self.numbers.remove(&key);
            self.key_bytes -= key.len();
            self.first += 1;
        }
        if self.keys.is_empty() {
            // This frees the memory of a long backlog.
            (self.keys, self.numbers, self.first) = (VecDeque::new(), HashMap::new(), 0);
        }
    }

    /// Keeps `most` keys, those with the newest last changes or the oldest; returns how many it dropped.
    pub fn keep(&mut self, most: usize, oldest: bool) -> usize {
        let dropped = self.keys.len().saturating_sub(most);
        if dropped == 0 {
            return 0;
        }
        let mut seqs: Vec<i64> = self.keys.iter().map(|changed| changed.last_seq).collect();
        seqs.sort_unstable();
        let bound = seqs.get(if oldest { most } else { dropped }).copied().unwrap_or(0);
        self.keys.retain(|changed| (changed.last_seq < bound) == oldest);
        self.numbers =
            self.keys.iter().zip(0..).map(|(changed, number)| (Arc::clone(&changed.key), number)).collect();
        self.key_bytes = self.keys.iter().map(|changed| changed.key.len()).sum();
        self.first = 0;
        dropped
    }

    /// The newest commit up to which everything is delivered.
    pub fn token(&self) -> &str {
        self.keys.front().map_or(&self.whole, |changed| &changed.before)
    }

    /// Appends the current value of a key, unless the part of the log that is still to be walked has a later
    /// change of it: then it is delivered there, once. False: its value is too large to be read on this
    /// thread.
    pub fn report(
        &self,
        txn: &mut dyn ReadTxn,
        changed: &Changed,
        is_end: bool,
        page: &mut Page,
        inline: bool,
    ) -> Result<bool> {
        let now = txn.now_ms();
        let mut withheld = false;
        txn.get(&changed.key, most_bytes(inline), &mut |row| {
            let live = row.filter(|row| row.is_live(now));
            withheld = live.is_some_and(|row| row.withheld);
            let has_changed = live.map_or(!changed.deleted, |row| row.versionstamp > &*self.current);
            let is_reported_later = has_changed && !is_end;
            if withheld || is_reported_later {
                return Ok(());
            }
            page.push_watched(&changed.key, live.as_ref().map(entry_of).as_ref())
        })?;
        let is_large = inline && page.size_bytes() > MAX_INLINE_BYTES;
        Ok(!withheld && !is_large)
    }
}

fn most_bytes(inline: bool) -> usize {
    if inline { MAX_INLINE_BYTES } else { usize::MAX }
}
