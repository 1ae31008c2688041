//! Watches, live feeds and loops of consumers, all called watches here, and which of them a change wakes. The
//! log is read once for all of them, and each is woken only for its own keys. A watch is clean while none of
//! its keys has changed after its position. One that is not clean reads the log itself, from the change
//! before the one that woke it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::config::ChangeLog;
use crate::base::error::Result;
use crate::base::limits::{
    MAX_ALL_BACKLOGS_KEYS, MAX_BACKLOG_KEYS, MAX_INLINE_LOG_ROWS, MAX_WATCH_BATCH_KEYS,
};
use crate::codec::key::{for_each_beginning, is_under};
use crate::engine::answer::Answer;
use crate::store::rows::changes::ChangeScan;
use crate::store::{Flow, ReadTxn, Want};

/// How far a watch of a key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The key alone.
    Exact,
    /// The key and the keys under it.
    Tree,
    /// The keys under it.
    Under,
}

/// One key, or prefix, that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The encoded key; empty with `Under`: all.
    pub key: Vec<u8>,
    /// How far it reaches.
    pub reach: Reach,
}

impl Target {
    /// Whether it takes a key.
    #[must_use]
    pub fn takes(&self, key: &[u8]) -> bool {
        match self.reach {
            Reach::Exact => key == self.key,
            Reach::Tree => key == self.key || is_under(key, &self.key),
            Reach::Under => is_under(key, &self.key),
        }
    }
}

/// The watches of one `Kv`.
#[derive(Debug, Default)]
pub struct Followers {
    state: Mutex<FollowersState>,
}

#[derive(Debug, Default)]
struct FollowersState {
    /// Every change up to this one was checked for the clean watches; `None` while there are none.
    position: Option<i64>,
    targets: HashMap<Vec<u8>, Vec<(u32, Reach)>>,
    watches: HashMap<u32, Mark>,
    /// How many of them are clean.
    clean: usize,
    /// How many of them keep a backlog.
    backlogs: usize,
    last_id: u32,
}

#[derive(Debug)]
struct Mark {
    /// The watch need not read the log up to this change.
    position: i64,
    clean: bool,
    keeps_backlog: bool,
}

/// A live feed, or the loop of a consumer, among the watches until it is dropped. It keeps its position
/// itself.
#[derive(Debug)]
pub struct Follower {
    /// Its number.
    pub id: u32,
    followers: Arc<Followers>,
    target: Target,
}

impl Follower {
    /// Follows the keys under a prefix; empty: all.
    #[must_use]
    pub fn of(followers: Arc<Followers>, prefix: Vec<u8>) -> Self {
        let target = Target { key: prefix, reach: Reach::Under };
        let id = followers.add(std::slice::from_ref(&target), false);
        Self { id, followers, target }
    }

    /// See `Followers::passed`.
    #[must_use]
    pub fn passed(&self) -> i64 {
        self.followers.passed(self.id)
    }

    /// See `Followers::settle`.
    #[must_use]
    pub fn settle(&self, position: i64) -> bool {
        self.followers.settle(self.id, position)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.followers.remove(self.id, std::slice::from_ref(&self.target));
    }
}

impl Followers {
    /// Adds a watch, not clean yet; gives its number. `keeps_backlog`: it shares `MAX_ALL_BACKLOGS_KEYS`.
    pub fn add(&self, targets: &[Target], keeps_backlog: bool) -> u32 {
        let mut state = self.state.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.backlogs += usize::from(keeps_backlog);
        state.watches.insert(id, Mark { position: 0, clean: false, keeps_backlog });
        for target in targets {
            state.targets.entry(target.key.clone()).or_default().push((id, target.reach));
        }
        id
    }

    /// Removes a watch.
    pub fn remove(&self, id: u32, targets: &[Target]) {
        let mut state = self.state.lock();
        if let Some(mark) = state.watches.remove(&id) {
            state.clean -= usize::from(mark.clean);
            state.backlogs -= usize::from(mark.keeps_backlog);
        }
        for target in targets {
            if let Some(at_key) = state.targets.get_mut(&target.key) {
                at_key.retain(|(other, _)| *other != id);
                if at_key.is_empty() {
                    state.targets.remove(&target.key);
                }
            }
        }
    }

    /// How many undelivered keys each watch may keep.
    pub fn backlog_keys(&self) -> usize {
        let backlogs = self.state.lock().backlogs.max(1);
        (MAX_ALL_BACKLOGS_KEYS / backlogs).clamp(MAX_WATCH_BATCH_KEYS, MAX_BACKLOG_KEYS)
    }

    /// A watch has delivered everything up to a position. False if the shared reading is further by now: then
    /// the watch reads the log itself.
    pub fn settle(&self, id: u32, position: i64) -> bool {
        let mut state = self.state.lock();
        let known = *state.position.get_or_insert(position);
        let FollowersState { watches, clean, .. } = &mut *state;
        let Some(mark) = watches.get_mut(&id) else { return false };
        let was_clean = std::mem::replace(&mut mark.clean, known <= position);
        mark.position = mark.position.max(position);
        *clean = *clean + usize::from(mark.clean) - usize::from(was_clean);
        mark.clean
    }

    /// Up to this change the log has nothing for a watch beyond its backlog: it need not read these rows
    /// itself, and misses nothing if they are trimmed.
    #[must_use]
    pub fn passed(&self, id: u32) -> i64 {
        let state = self.state.lock();
        let Some(mark) = state.watches.get(&id) else { return 0 };
        let looked = state.position.filter(|_| mark.clean).unwrap_or(0);
        mark.position.max(looked)
    }

    /// Reads the new changes: the answer names the watches that are no longer clean.
    pub fn wakeups(&self, txn: &mut dyn ReadTxn) -> Result<Answer> {
        let Some(known) = self.state.lock().looked_up_to() else {
            return Ok(Answer::Wakeups { more: false, ids: Vec::new() });
        };
        let scan = |after| ChangeScan { after, limit: MAX_INLINE_LOG_ROWS, values: false };
        txn.prefetch(&mut [Want::ChangeLogState, Want::Changes(scan(known))].into_iter());
        // Before the lock: the first read of a snapshot may wait for another process, and the event loop
        // waits for the lock.
        let log = txn.change_log_state()?;
        let mut state = self.state.lock();
        let Some(after) = state.looked_up_to() else {
            return Ok(Answer::Wakeups { more: false, ids: Vec::new() });
        };
        let mut woken = Vec::new();
        if after + 1 < log.first || log.mode == ChangeLog::Off {
            // Changes were trimmed before they were read, or are no longer logged: every watch must find out
            // itself.
            state.wake_all(after, &mut woken);
            state.position = Some(log.head);
            return Ok(Answer::Wakeups { more: false, ids: woken });
        }
        let mut position = after;
        txn.scan_changes(scan(after), &mut |change| {
            state.wake(change.key, change.seq, &mut woken);
            position = change.seq;
            Ok(Flow::Continue)
        })?;
        state.position = Some(position);
        Ok(Answer::Wakeups { more: position < log.head, ids: woken })
    }
}

impl FollowersState {
    /// The last change that was checked for the clean watches; `None` while there are none.
    fn looked_up_to(&mut self) -> Option<i64> {
        if self.clean == 0 {
            self.position = None;
        }
        self.position
    }

    fn wake(&mut self, key: &[u8], seq: i64, woken: &mut Vec<u32>) {
        let Self { targets, watches, clean, .. } = self;
        for_each_beginning(key, |beginning| {
            let Some(at_key) = targets.get(beginning) else { return };
            let whole = beginning.len() == key.len();
            for (id, reach) in at_key {
                let takes = match reach {
                    Reach::Exact => whole,
                    Reach::Tree => true,
                    Reach::Under => !whole,
                };
                if takes
                    && let Some(mark) = watches.get_mut(id)
                    && mark.clean
                    && seq > mark.position
                {
                    (mark.clean, mark.position) = (false, seq - 1);
                    *clean -= 1;
                    woken.push(*id);
                }
            }
        });
    }

    fn wake_all(&mut self, looked: i64, woken: &mut Vec<u32>) {
        for (id, mark) in &mut self.watches {
            if mark.clean {
                (mark.clean, mark.position) = (false, mark.position.max(looked));
                woken.push(*id);
            }
        }
        self.clean = 0;
    }
}
