//! A watch: a position in the change log and the keys up to it that are still to be delivered, without
//! values. Each step gives one batch: the current state, page by page, then the changed keys, each once, with
//! its current value.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use self::state::{Listed, announce, is_full, list};
use self::walk::Backlog;
use super::feed::check_logged;
use super::followers::{Followers, Reach, Target};
use crate::base::error::{Error, Result};
use crate::base::limits::{
    MAX_BACKLOG_KEYS, MAX_BUFFER_KEYS, MAX_INLINE_LOG_ROWS, MAX_LOG_ROWS, MAX_WATCH_BATCH_BYTES,
    MAX_WATCH_BATCH_KEYS, MAX_WATCHED_KEYS,
};
use crate::codec::key::for_each_beginning;
use crate::codec::page::{BATCH_AGAIN, BATCH_INITIAL, BATCH_PRESENT, BATCH_RESET, Page, Tail};
use crate::codec::stamp::Stamp;
use crate::engine::answer::Answer;
use crate::store::rows::changes::{ChangeLogState, ChangeScan};
use crate::store::{Flow, ReadJob, ReadTxn, Want};

mod state;
mod walk;

/// The options of a watch.
#[derive(Debug, Clone)]
pub struct WatchRequest {
    /// The watched keys and prefixes.
    pub targets: Vec<Target>,
    /// Deliver the current state first.
    pub emit_initial: bool,
    /// Resume after this commit instead.
    pub from: Option<String>,
    /// At most so many changed keys in a batch.
    pub buffer_keys: Option<usize>,
    /// Beyond that, drop the newest keys, not the oldest.
    pub drop_newest: bool,
}

impl WatchRequest {
    /// Checks the limits.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
    pub fn validate(&self) -> Result<()> {
        if self.targets.len() > MAX_WATCHED_KEYS {
            return Err(Error::limit(self.targets.len(), MAX_WATCHED_KEYS, "keys").at("keys"));
        }
        if self.buffer_keys.is_some_and(|keys| !(1..=MAX_BUFFER_KEYS).contains(&keys)) {
            let message = format!("give a whole number from 1 to {MAX_BUFFER_KEYS}");
            return Err(Error::invalid(message).at("bufferSize"));
        }
        match &self.from {
            Some(stamp) if Stamp::parse(stamp).is_none() => {
                Err(Error::invalid("it is no versionstamp; give the versionstamp of a batch").at("from"))
            }
            _ => Ok(()),
        }
    }
}

/// Up to so many targets, each is compared with a key.
const FEW_TARGETS: usize = 8;

/// A watch.
#[derive(Debug)]
pub struct Watch {
    /// Its number among the followers.
    pub id: u32,
    followers: Arc<Followers>,
    targets: Vec<Target>,
    /// The index in `targets` by key; empty if they are few.
    by_key: HashMap<Vec<u8>, usize>,
    buffer_keys: Option<usize>,
    drop_newest: bool,
    position: Mutex<WatchPosition>,
}

/// The position of a watch.
#[derive(Debug)]
struct WatchPosition {
    phase: Phase,
    /// Keys that the walk has passed and that are not delivered yet.
    backlog: Backlog,
    /// All commits up to this one are delivered.
    token: String,
    /// Keys dropped since the last batch.
    dropped: usize,
}

#[derive(Debug, Clone)]
enum Phase {
    /// It has not begun. `late`: beginning it failed, so it may have missed changes since.
    Start { emit_initial: bool, from: Option<String>, late: bool },
    /// It delivers the current state: from this target on, after this key.
    State { target: usize, after: Option<Vec<u8>>, reset: bool, reported: bool },
    /// It delivers changes.
    Changes,
}

impl Watch {
    /// A watch that has not begun.
    #[must_use]
    pub fn new(request: WatchRequest, followers: Arc<Followers>) -> Self {
        let targets = without_repeats(request.targets);
        let id = followers.add(&targets, true);
        let places = targets.iter().enumerate().map(|(position, target)| (target.key.clone(), position));
        let by_key = places.filter(|_| targets.len() > FEW_TARGETS).collect();
        let phase = Phase::Start { emit_initial: request.emit_initial, from: request.from, late: false };
        let position = Mutex::new(WatchPosition {
            phase,
            backlog: Backlog::after(0, ""),
            token: String::new(),
            dropped: 0,
        });
        let (buffer_keys, drop_newest) = (request.buffer_keys, request.drop_newest);
        Self { id, followers, targets, by_key, buffer_keys, drop_newest, position }
    }

    /// Ends it.
    pub fn stop(&self) {
        self.followers.remove(self.id, &self.targets);
    }

    /// The number of log rows walked since it began. For tests.
    #[must_use]
    pub fn rows_walked(&self) -> u64 {
        self.position.lock().backlog.rows
    }

    /// Takes its position in the log, once: later commits are delivered.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the log is off, those of the store.
    pub fn begin(&self, txn: &mut dyn ReadTxn) -> Result<()> {
        let log = logged(txn)?;
        self.position.lock().begin(txn, &log)
    }

    /// Reads the next batch; its tail is `Tail::Batch`.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the log is off, those of the store. The watch keeps its position.
    pub fn step(&self, txn: &mut dyn ReadTxn, inline: bool) -> Result<Answer> {
        if !inline {
            self.prefetch(txn);
        }
        let log = logged(txn)?;
        let mut position = self.position.lock();
        position.begin(txn, &log)?;
        if matches!(position.phase, Phase::Changes) {
            position.backlog.skip_to(self.followers.passed(self.id));
            if position.backlog.position + 1 < log.first {
                position.reset(&log);
            }
        }
        match position.phase.clone() {
            Phase::State { target, after, reset, reported } => {
                self.state(txn, &mut position, inline, StatePosition { target, after, reset, reported })
            }
            _ => self.changes(txn, &mut position, inline, &log),
        }
    }

    /// Announces the first reads of the next batch.
    fn prefetch(&self, txn: &mut dyn ReadTxn) {
        let position = self.position.lock();
        let after = position.backlog.position.max(self.followers.passed(self.id));
        let walks = matches!(position.phase, Phase::Changes).then(|| Want::Changes(walk_of(after, false)));
        txn.prefetch(&mut walks.into_iter().chain([Want::ChangeLogState]));
    }

    /// One page of the current state.
    fn state(
        &self,
        txn: &mut dyn ReadTxn,
        position: &mut WatchPosition,
        inline: bool,
        mut at: StatePosition,
    ) -> Result<Answer> {
        let mut page = Page::with_capacity(1024);
        announce(txn, self.targets.get(at.target..).unwrap_or_default(), at.after.as_deref(), inline);
        while let Some(target) = self.targets.get(at.target) {
            if is_full(&page) {
                break;
            }
            match list(txn, target, at.after.take(), &mut page, inline)? {
                Listed::WouldBlock => return Ok(Answer::WouldBlock),
                Listed::Until(last) => at.after = Some(last),
                Listed::All => at.target += 1,
            }
        }
        let flags = BATCH_PRESENT | BATCH_INITIAL | if at.reset && !at.reported { BATCH_RESET } else { 0 };
        let is_end = at.target >= self.targets.len();
        if is_end && page.is_empty() && at.reported {
            position.phase = Phase::Changes;
            return Ok(position.nothing(BATCH_AGAIN));
        }
        position.phase = if is_end {
            Phase::Changes
        } else {
            Phase::State { target: at.target, after: at.after, reset: at.reset, reported: true }
        };
        Ok(if is_end { position.batch(page, flags) } else { part_of_the_state(page, flags) })
    }

    /// A batch of changed keys that are not delivered yet.
    fn changes(
        &self,
        txn: &mut dyn ReadTxn,
        position: &mut WatchPosition,
        inline: bool,
        log: &ChangeLogState,
    ) -> Result<Answer> {
        // With `bufferSize` nothing stays in the backlog: keys that are not delivered are dropped.
        let room = self.buffer_keys.map_or_else(|| self.followers.backlog_keys(), |_| MAX_BACKLOG_KEYS);
        self.walk(txn, &mut position.backlog, room, log.head, inline)?;
        let is_end = position.backlog.position >= log.head;
        if inline && !is_end && !position.backlog.is_full(room) {
            return Ok(Answer::WouldBlock);
        }
        if let Some(most) = self.buffer_keys {
            position.dropped += position.backlog.keep(most, self.drop_newest);
        }
        let mut page = Page::with_capacity(64);
        let mut looked = 0;
        let most = if self.buffer_keys.is_some() { usize::MAX } else { MAX_WATCH_BATCH_KEYS };
        position.backlog.prefetch(txn, most, inline);
        for changed in position.backlog.iter() {
            if self.buffer_keys.is_none() && is_batch_full(&page) {
                break;
            }
            let is_long = inline && looked >= MAX_INLINE_LOG_ROWS && self.buffer_keys.is_none();
            if is_long || !position.backlog.report(txn, changed, is_end, &mut page, inline)? {
                return Ok(Answer::WouldBlock);
            }
            looked += 1;
        }
        position.backlog.forget_first(looked);
        let is_all = is_end && position.backlog.is_empty();
        let token = if is_all { &log.newest_stamp } else { position.backlog.token() };
        // The backlog knows commits by their rows, but the last delivered commit may have left none.
        if *token > *position.token {
            position.token = token.to_string();
        }
        if !page.is_empty() {
            return Ok(position.batch(page, BATCH_PRESENT));
        }
        let clean = is_all && self.followers.settle(self.id, position.backlog.position);
        Ok(position.nothing(if clean { 0 } else { BATCH_AGAIN }))
    }

    /// Continues the walk along the log while the backlog has room.
    fn walk(
        &self,
        txn: &mut dyn ReadTxn,
        backlog: &mut Backlog,
        room: usize,
        head: i64,
        inline: bool,
    ) -> Result<()> {
        if backlog.is_full(room) || backlog.position >= head {
            return Ok(());
        }
        txn.scan_changes(walk_of(backlog.position, inline), &mut |change| {
            backlog.pass(&change, self.takes(change.key));
            Ok(if backlog.is_full(room) { Flow::Stop } else { Flow::Continue })
        })
    }

    /// Whether the watch takes a key. Many targets are looked up by the prefixes of the key; few are
    /// compared.
    fn takes(&self, key: &[u8]) -> bool {
        if self.by_key.is_empty() {
            return self.targets.iter().any(|target| target.takes(key));
        }
        let mut takes = false;
        for_each_beginning(key, |beginning| {
            let target = self.by_key.get(beginning).and_then(|position| self.targets.get(*position));
            takes |= target.is_some_and(|target| target.takes(key));
        });
        takes
    }
}

/// Begins a watch that the caller already has. If this fails, the watch begins with its first batch, which
/// delivers the current state, since commits in between may have been missed.
pub struct BeginRead(pub Arc<Watch>);

impl ReadJob for BeginRead {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        self.0.begin(txn)
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        if ran.is_err()
            && let Phase::Start { late, .. } = &mut self.0.position.lock().phase
        {
            *late = true;
        }
    }
}

fn walk_of(after: i64, inline: bool) -> ChangeScan {
    ChangeScan { after, limit: if inline { MAX_INLINE_LOG_ROWS } else { MAX_LOG_ROWS }, values: false }
}

/// The state of the log, which must be on. Read before the position is locked: the first read of a snapshot
/// may wait for another process, and the event loop must not wait for a lock held meanwhile.
fn logged(txn: &mut dyn ReadTxn) -> Result<ChangeLogState> {
    let log = txn.change_log_state()?;
    check_logged(&log)?;
    Ok(log)
}

impl WatchPosition {
    fn begin(&mut self, txn: &mut dyn ReadTxn, log: &ChangeLogState) -> Result<()> {
        let Phase::Start { emit_initial, from, late } = self.phase.clone() else { return Ok(()) };
        self.move_to(log.head, log.newest_stamp.clone());
        self.phase = match from {
            // A commit newer than the newest is of another store, or of a store that was restored since.
            Some(from) if from < log.trimmed_stamp || from > log.newest_stamp => Phase::from_the_state(true),
            Some(from) => {
                self.move_to(txn.position_after(log, &from)?, from);
                Phase::Changes
            }
            None if emit_initial || late => Phase::from_the_state(late && !emit_initial),
            None => Phase::Changes,
        };
        Ok(())
    }

    fn move_to(&mut self, position: i64, token: String) {
        self.backlog = Backlog::after(position, &token);
        self.token = token;
    }

    fn reset(&mut self, log: &ChangeLogState) {
        self.move_to(log.head, log.newest_stamp.clone());
        self.phase = Phase::from_the_state(true);
    }

    fn batch(&mut self, mut page: Page, flags: u8) -> Answer {
        let dropped = std::mem::take(&mut self.dropped) as u64;
        page.finish(Tail::Batch { flags, token: &self.token, dropped });
        Answer::Page(page)
    }

    fn nothing(&self, flags: u8) -> Answer {
        let mut page = Page::with_capacity(64);
        page.finish(Tail::Batch { flags, token: "", dropped: 0 });
        Answer::Page(page)
    }
}

fn is_batch_full(page: &Page) -> bool {
    page.len() >= MAX_WATCH_BATCH_KEYS || page.size_bytes() >= MAX_WATCH_BATCH_BYTES
}

/// A watch that has delivered only part of the state can resume only from the beginning.
fn part_of_the_state(mut page: Page, flags: u8) -> Answer {
    let before_everything = Stamp { ms: 0, counter: 0, node: 0 }.to_string();
    page.finish(Tail::Batch { flags, token: &before_everything, dropped: 0 });
    Answer::Page(page)
}

impl Phase {
    fn from_the_state(reset: bool) -> Self {
        Self::State { target: 0, after: None, reset, reported: false }
    }
}

struct StatePosition {
    target: usize,
    after: Option<Vec<u8>>,
    reset: bool,
    reported: bool,
}

/// The targets that no other target covers.
fn without_repeats(targets: Vec<Target>) -> Vec<Target> {
    let mut seen = HashSet::new();
    let trees: Vec<Target> = targets.iter().filter(|target| target.reach != Reach::Exact).cloned().collect();
    let covered = |target: &Target| trees.iter().any(|tree| tree != target && tree.takes(&target.key));
    targets.into_iter().filter(|target| seen.insert(target.key.clone()) && !covered(target)).collect()
}
