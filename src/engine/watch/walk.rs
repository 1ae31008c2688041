//! A walk along the change log: which keys changed, and how they stand now.

use std::collections::HashMap;

use super::Place;
use crate::engine::page::Page;
use crate::error::Result;
use crate::limits::MAX_INLINE_BYTES;
use crate::store::log::{Change, LogScan, LogState};
use crate::store::{ChangeKind, Flow, ReadTxn};

/// A key that changed, by the last of its changes that was walked past.
pub struct Changed {
    pub key: Vec<u8>,
    pub last_seq: i64,
    last_stamp: String,
    deleted: bool,
    /// The commit before that, in `Found::tokens`.
    pub token: usize,
}

/// Appends how a key stands now, unless the part of the log that is still to be read tells of a later change of it: then it
/// is told there, once. False: its value is for another thread.
pub fn tell(
    txn: &mut dyn ReadTxn,
    changed: &Changed,
    is_end: bool,
    page: &mut Page,
    inline: bool,
) -> Result<bool> {
    let now = txn.now_ms();
    let mut withheld = false;
    txn.get(&changed.key, if inline { MAX_INLINE_BYTES } else { usize::MAX }, &mut |row| {
        let live = row.filter(|row| row.is_live(now));
        withheld = live.is_some_and(|row| row.withheld);
        let has_changed = live.map_or(!changed.deleted, |row| row.versionstamp > changed.last_stamp.as_str());
        let is_told_later = has_changed && !is_end;
        if withheld || is_told_later { Ok(()) } else { page.push_watched(&changed.key, live.as_ref()) }
    })?;
    let is_large = inline && page.size_bytes() > MAX_INLINE_BYTES;
    Ok(!withheld && !is_large)
}

/// What a walk along the log gathered.
pub struct Found {
    pub keys: Vec<Changed>,
    places: HashMap<Vec<u8>, usize>,
    /// Commits before the ones that changed something here.
    pub tokens: Vec<String>,
    /// The last change that was walked past.
    pub position: i64,
    /// The commit before the one that is being walked through: it is whole.
    pub token: String,
    current: String,
}

impl Found {
    pub fn new(place: &Place) -> Self {
        Self {
            keys: Vec::new(),
            places: HashMap::new(),
            tokens: Vec::new(),
            position: place.position,
            token: place.token.clone(),
            current: place.token.clone(),
        }
    }

    /// Walks past a change of a commit.
    pub fn pass(&mut self, versionstamp: &str) {
        if versionstamp != self.current {
            self.token = std::mem::replace(&mut self.current, versionstamp.to_string());
        }
    }

    pub fn note(&mut self, change: &Change<'_>) {
        if self.tokens.last() != Some(&self.token) {
            self.tokens.push(self.token.clone());
        }
        let changed = Changed {
            key: change.key.to_vec(),
            last_seq: change.seq,
            last_stamp: change.versionstamp.to_string(),
            deleted: change.kind == ChangeKind::Delete,
            token: self.tokens.len() - 1,
        };
        match self.places.get(change.key).and_then(|place| self.keys.get_mut(*place)) {
            Some(known) => *known = changed,
            None => {
                self.places.insert(change.key.to_vec(), self.keys.len());
                self.keys.push(changed);
            }
        }
    }
}

/// The position after a commit: a search in the log, which is in the order of commits.
pub fn position_after(txn: &mut dyn ReadTxn, log: &LogState, stamp: &str) -> Result<i64> {
    let (mut low, mut high) = (log.first - 1, log.head);
    // Changes up to `low` are of the commit or older, those after `high` are newer.
    while low < high {
        let middle = low + (high - low) / 2;
        let mut older = false;
        txn.scan_log(LogScan { after: middle, limit: 1, values: false }, &mut |change| {
            older = change.versionstamp <= stamp;
            Ok(Flow::Stop)
        })?;
        if older {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
