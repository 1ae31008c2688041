//! A watch: a position in the change log, and no values. Each step reads on from there and gives one batch: the present
//! state, page by page, then what changed, each key once, as it stands now.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::Answer;
use super::feed::check_logged;
use super::hub::{Hub, Reach, Target};
use super::page::Page;
use super::range::after_key;
use crate::codec::key;
use crate::codec::stamp::Stamp;
use crate::error::{Error, Result};
use crate::limits::{
    MAX_BUFFER_KEYS, MAX_INLINE_BYTES, MAX_INLINE_LOG_ROWS, MAX_LOG_ROWS, MAX_PAGE_BYTES,
    MAX_WATCH_BATCH_KEYS, MAX_WATCHED_KEYS,
};
use crate::store::log::{LogScan, LogState};
use crate::store::{Flow, ReadTxn, Scan};

/// What a user says of a watch.
#[derive(Debug, Clone)]
pub struct WatchRequest {
    /// What is watched.
    pub targets: Vec<Target>,
    /// Tell the present state first.
    pub emit_initial: bool,
    /// Go on after this commit instead.
    pub from: Option<String>,
    /// The most changed keys of a batch.
    pub buffer_keys: Option<usize>,
    /// Beyond that the newest ones are dropped, not the oldest.
    pub drop_newest: bool,
}

impl WatchRequest {
    /// Refuses what is over a limit.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
    pub fn validate(&self) -> Result<()> {
        if self.targets.len() > MAX_WATCHED_KEYS {
            return Err(Error::limit("keys", self.targets.len(), MAX_WATCHED_KEYS, "keys"));
        }
        if self.buffer_keys.is_some_and(|keys| !(1..=MAX_BUFFER_KEYS).contains(&keys)) {
            return Err(Error::invalid(format!(
                "bufferSize: give a whole number from 1 to {MAX_BUFFER_KEYS}"
            )));
        }
        match &self.from {
            Some(stamp) if Stamp::parse(stamp).is_none() => {
                Err(Error::invalid("from: it is no versionstamp; give the versionstamp of a batch"))
            }
            _ => Ok(()),
        }
    }
}

/// The batch is part of the present state.
const INITIAL: u8 = 1;
/// The present state begins anew.
const RESET: u8 = 2;
/// There is a batch; else the watch is at the end of the log.
const BATCH: u8 = 4;
/// Nothing was found so far: ask again.
const AGAIN: u8 = 8;

/// A watch.
#[derive(Debug)]
pub struct Watch {
    /// Its number in the hub.
    pub id: u32,
    hub: Arc<Hub>,
    targets: Vec<Target>,
    buffer_keys: Option<usize>,
    drop_newest: bool,
    place: Mutex<Place>,
}

/// Where a watch stands.
#[derive(Debug)]
struct Place {
    phase: Phase,
    /// Changes up to this one are told.
    position: i64,
    /// So are all commits up to this one.
    token: String,
    /// Keys that were left out since the last batch.
    dropped: usize,
}

#[derive(Debug, Clone)]
enum Phase {
    /// It has not begun.
    Start { emit_initial: bool, from: Option<String> },
    /// It tells the present state: from this target on, after this key.
    State { target: usize, after: Option<Vec<u8>>, reset: bool, told: bool },
    /// It tells what changes.
    Changes,
}

impl Watch {
    /// A watch that has not begun.
    #[must_use]
    pub fn new(request: WatchRequest, hub: Arc<Hub>) -> Self {
        let targets = without_repeats(request.targets);
        let id = hub.add(&targets);
        let phase = Phase::Start { emit_initial: request.emit_initial, from: request.from };
        let place = Mutex::new(Place { phase, position: 0, token: String::new(), dropped: 0 });
        let (buffer_keys, drop_newest) = (request.buffer_keys, request.drop_newest);
        Self { id, hub, targets, buffer_keys, drop_newest, place }
    }

    /// Ends it.
    pub fn stop(&self) {
        self.hub.remove(self.id, &self.targets);
    }

    /// Takes its place in the log, once: what is committed after this is told.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the log is off, those of the store.
    pub fn begin(&self, txn: &mut dyn ReadTxn) -> Result<()> {
        let mut place = self.place.lock();
        let log = txn.log_state()?;
        check_logged(&log)?;
        let Phase::Start { emit_initial, from } = place.phase.clone() else { return Ok(()) };
        place.position = log.head;
        place.token.clone_from(&log.newest_stamp);
        place.phase = match from {
            // A commit of after the newest one is of another store, or of one that was restored since.
            Some(from) if from < log.trimmed_stamp || from > log.newest_stamp => Phase::from_the_state(true),
            Some(from) => {
                place.position = position_after(txn, &log, &from)?;
                place.token = from;
                Phase::Changes
            }
            None if emit_initial => Phase::from_the_state(false),
            None => Phase::Changes,
        };
        Ok(())
    }

    /// Reads the next batch; its tail is `[flags,versionstamp,dropped]`.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the log is off, those of the store. The watch stands where it stood.
    pub fn step(&self, txn: &mut dyn ReadTxn, inline: bool) -> Result<Answer> {
        self.begin(txn)?;
        let mut place = self.place.lock();
        let log = txn.log_state()?;
        check_logged(&log)?;
        if matches!(place.phase, Phase::Changes) && place.position + 1 < log.first {
            place.reset(&log);
        }
        match place.phase.clone() {
            Phase::State { target, after, reset, told } => {
                self.state(txn, &mut place, inline, StatePlace { target, after, reset, told })
            }
            _ => self.changes(txn, &mut place, inline, &log),
        }
    }

    /// One page of the present state.
    fn state(
        &self,
        txn: &mut dyn ReadTxn,
        place: &mut Place,
        inline: bool,
        mut at: StatePlace,
    ) -> Result<Answer> {
        let mut page = Page::with_capacity(1024);
        while let Some(target) = self.targets.get(at.target) {
            if is_full(&page) {
                break;
            }
            match list(txn, target, at.after.take(), &mut page, inline)? {
                Listed::TakesLong => return Ok(Answer::TakesLong),
                Listed::Until(last) => at.after = Some(last),
                Listed::All => at.target += 1,
            }
        }
        let flags = BATCH | INITIAL | if at.reset && !at.told { RESET } else { 0 };
        let is_end = at.target >= self.targets.len();
        if is_end && page.is_empty() && at.told {
            place.phase = Phase::Changes;
            return Ok(place.nothing(AGAIN));
        }
        place.phase = if is_end {
            Phase::Changes
        } else {
            Phase::State { target: at.target, after: at.after, reset: at.reset, told: true }
        };
        Ok(if is_end { place.batch(page, flags) } else { part_of_the_state(page, flags) })
    }

    /// What changed after the position.
    fn changes(
        &self,
        txn: &mut dyn ReadTxn,
        place: &mut Place,
        inline: bool,
        log: &LogState,
    ) -> Result<Answer> {
        if place.position >= log.head {
            let clean = self.hub.settle(self.id, place.position);
            return Ok(place.nothing(if clean { 0 } else { AGAIN }));
        }
        let found = self.find(txn, place, inline)?;
        let is_end = found.position >= log.head;
        if inline && !is_end && (found.keys.is_empty() || self.buffer_keys.is_some()) {
            return Ok(Answer::TakesLong);
        }
        if found.keys.is_empty() {
            place.position = found.position;
            place.token = if is_end { log.newest_stamp.clone() } else { found.token };
            let clean = is_end && self.hub.settle(self.id, place.position);
            return Ok(place.nothing(if clean { 0 } else { AGAIN }));
        }
        let (keys, dropped) = self.choose(found.keys);
        let mut page = Page::with_capacity(1024);
        let now = txn.now_ms();
        let mut cut = None;
        for key in keys {
            if self.buffer_keys.is_none() && page.size_bytes() >= MAX_PAGE_BYTES {
                cut = Some(key);
                break;
            }
            let mut withheld = false;
            txn.get(&key.key, if inline { MAX_INLINE_BYTES } else { usize::MAX }, &mut |row| {
                let live = row.filter(|row| row.is_live(now));
                withheld = live.is_some_and(|row| row.withheld);
                if withheld { Ok(()) } else { page.push_watched(&key.key, live.as_ref()) }
            })?;
            if withheld || (inline && page.size_bytes() > MAX_INLINE_BYTES) {
                return Ok(Answer::TakesLong);
            }
        }
        place.dropped += dropped;
        match cut {
            Some(key) => {
                place.position = key.first_seq - 1;
                place.token = found.tokens.get(key.token).cloned().unwrap_or_else(|| place.token.clone());
            }
            None => {
                place.position = found.position;
                place.token = if is_end { log.newest_stamp.clone() } else { found.token };
            }
        }
        Ok(place.batch(page, BATCH))
    }

    /// Reads the log from the position on and gathers the keys that changed.
    fn find(&self, txn: &mut dyn ReadTxn, place: &Place, inline: bool) -> Result<Found> {
        let limit = if inline { MAX_INLINE_LOG_ROWS } else { MAX_LOG_ROWS };
        let most = self.buffer_keys.map_or(MAX_WATCH_BATCH_KEYS, |_| usize::MAX);
        let mut found = Found::new(place);
        txn.scan_log(LogScan { after: place.position, limit, values: false }, &mut |change| {
            if found.keys.len() >= most && !found.places.contains_key(change.key) {
                return Ok(Flow::Stop);
            }
            found.pass(change.versionstamp);
            if self.targets.iter().any(|target| target.takes(change.key)) {
                found.note(change.key, change.seq);
            }
            found.position = change.seq;
            Ok(Flow::Continue)
        })?;
        Ok(found)
    }

    /// What is told of the changed keys, and how many are not.
    fn choose(&self, mut keys: Vec<Changed>) -> (Vec<Changed>, usize) {
        let Some(most) = self.buffer_keys else { return (keys, 0) };
        let dropped = keys.len().saturating_sub(most);
        if dropped > 0 {
            keys.sort_unstable_by_key(|key| key.last_seq);
            if self.drop_newest {
                keys.truncate(most);
            } else {
                keys.drain(..dropped);
            }
        }
        (keys, dropped)
    }
}

impl Place {
    fn reset(&mut self, log: &LogState) {
        self.position = log.head;
        self.token.clone_from(&log.newest_stamp);
        self.phase = Phase::from_the_state(true);
    }

    fn batch(&mut self, mut page: Page, flags: u8) -> Answer {
        let tail = format!("[{flags},\"{}\",{}]", self.token, std::mem::take(&mut self.dropped));
        page.finish_with(&tail);
        Answer::Page(page)
    }

    fn nothing(&self, flags: u8) -> Answer {
        let mut page = Page::with_capacity(64);
        page.finish_with(&format!("[{flags},\"\",0]"));
        Answer::Page(page)
    }
}

/// Who has seen only a part of the state can resume nowhere but before everything.
fn part_of_the_state(mut page: Page, flags: u8) -> Answer {
    let before_everything = Stamp { ms: 0, counter: 0, node: 0 };
    page.finish_with(&format!("[{flags},\"{before_everything}\",0]"));
    Answer::Page(page)
}

impl Phase {
    fn from_the_state(reset: bool) -> Self {
        Self::State { target: 0, after: None, reset, told: false }
    }
}

struct StatePlace {
    target: usize,
    after: Option<Vec<u8>>,
    reset: bool,
    told: bool,
}

/// A key that changed.
struct Changed {
    key: Vec<u8>,
    first_seq: i64,
    last_seq: i64,
    /// The commit before its first change, in `Found::tokens`.
    token: usize,
}

/// What a walk along the log gathered.
struct Found {
    keys: Vec<Changed>,
    places: HashMap<Vec<u8>, usize>,
    /// Commits before the ones that changed something here.
    tokens: Vec<String>,
    /// The last change that was walked past.
    position: i64,
    /// The commit before the one that is being walked through: it is whole.
    token: String,
    current: String,
}

impl Found {
    fn new(place: &Place) -> Self {
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
    fn pass(&mut self, versionstamp: &str) {
        if versionstamp != self.current {
            self.token = std::mem::replace(&mut self.current, versionstamp.to_string());
        }
    }

    fn note(&mut self, key: &[u8], seq: i64) {
        if let Some(known) = self.places.get(key).and_then(|place| self.keys.get_mut(*place)) {
            known.last_seq = seq;
            return;
        }
        if self.tokens.last() != Some(&self.token) {
            self.tokens.push(self.token.clone());
        }
        self.places.insert(key.to_vec(), self.keys.len());
        let token = self.tokens.len() - 1;
        self.keys.push(Changed { key: key.to_vec(), first_seq: seq, last_seq: seq, token });
    }
}

/// The position after a commit: a search in the log, which is in the order of commits.
fn position_after(txn: &mut dyn ReadTxn, log: &LogState, stamp: &str) -> Result<i64> {
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

/// Targets that are not told by another one already.
fn without_repeats(targets: Vec<Target>) -> Vec<Target> {
    let mut seen = HashSet::new();
    let trees: Vec<Target> = targets.iter().filter(|target| target.reach != Reach::Exact).cloned().collect();
    let covered = |target: &Target| trees.iter().any(|tree| tree != target && tree.takes(&target.key));
    targets.into_iter().filter(|target| seen.insert(target.key.clone()) && !covered(target)).collect()
}

fn is_full(page: &Page) -> bool {
    page.len() >= MAX_WATCH_BATCH_KEYS || page.size_bytes() >= MAX_PAGE_BYTES
}

enum Listed {
    /// The target ends here.
    All,
    /// The page is full; it goes on after this key.
    Until(Vec<u8>),
    TakesLong,
}

/// Appends what stands at a target. An exact key is told also where nothing stands.
fn list(
    txn: &mut dyn ReadTxn,
    target: &Target,
    after: Option<Vec<u8>>,
    page: &mut Page,
    inline: bool,
) -> Result<Listed> {
    let max_value_bytes = if inline { MAX_INLINE_BYTES } else { usize::MAX };
    let mut withheld = false;
    if target.reach == Reach::Exact {
        let now = txn.now_ms();
        txn.get(&target.key, max_value_bytes, &mut |row| {
            let live = row.filter(|row| row.is_live(now));
            withheld = live.is_some_and(|row| row.withheld);
            if withheld { Ok(()) } else { page.push_watched(&target.key, live.as_ref()) }
        })?;
        return Ok(if withheld { Listed::TakesLong } else { Listed::All });
    }
    let range = match after {
        Some(last) => after_key(range_of(target), &last, false),
        None => range_of(target),
    };
    let limit = MAX_WATCH_BATCH_KEYS + 1;
    let scan = Scan { range, reverse: false, keys_only: false, limit, max_value_bytes };
    let (mut last, mut full) = (Vec::new(), false);
    txn.scan(&scan, &mut |row| {
        full = is_full(page);
        withheld = row.withheld;
        if withheld || full {
            return Ok(Flow::Stop);
        }
        page.push_watched(row.key, Some(&row))?;
        last = row.key.to_vec();
        Ok(Flow::Continue)
    })?;
    Ok(match (withheld, full) {
        (true, false) => Listed::TakesLong,
        (_, true) => Listed::Until(last),
        _ => Listed::All,
    })
}

fn range_of(target: &Target) -> Range<Vec<u8>> {
    match target.reach {
        Reach::Under if target.key.is_empty() => Vec::new()..vec![0xff],
        Reach::Under => key::descendants(&target.key),
        _ => key::tree(&target.key),
    }
}
