//! The subscribers of a store. After a group of operations it calls those that have asked for it; for a
//! notice, those that monitor. The others cost nothing, however many they are.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Notice;

/// Receives notices, and the end of what it has asked for.
pub type Wake = Arc<dyn Fn(&Notice) + Send + Sync>;

/// The subscribers of a store.
#[derive(Default)]
pub struct Wakes {
    state: Mutex<WakesState>,
}

#[derive(Default)]
struct WakesState {
    subscribers: BTreeMap<u64, Wake>,
    last: u64,
    /// Those to call next, whatever has happened.
    asked: BTreeSet<u64>,
    /// Those to call for each notice.
    monitoring: BTreeSet<u64>,
}

impl WakesState {
    fn remove(&mut self, id: u64) -> Option<Wake> {
        self.asked.remove(&id);
        self.monitoring.remove(&id);
        self.subscribers.remove(&id)
    }
}

impl Wakes {
    /// Calls `wake` as the subscription asks for, until that is dropped.
    pub fn subscribe(self: &Arc<Self>, wake: Wake) -> Subscription {
        let mut state = self.state.lock();
        state.last += 1;
        let id = state.last;
        state.subscribers.insert(id, wake);
        drop(state);
        Subscription { wakes: Arc::clone(self), id }
    }

    /// Calls those that have asked for it and, if there is a notice, those that monitor. One that panics is
    /// not called again. They may subscribe, ask and end meanwhile.
    pub fn wake(&self, notice: &Notice) {
        let mut state = self.state.lock();
        let mut called = std::mem::take(&mut state.asked);
        if *notice != Notice::NONE {
            called.extend(&state.monitoring);
        }
        let wakes: Vec<_> = called.iter().map(|id| (*id, state.subscribers.get(id).cloned())).collect();
        drop(state);
        for (id, wake) in wakes {
            if let Some(wake) = wake
                && catch_unwind(AssertUnwindSafe(|| wake(notice))).is_err()
            {
                let removed = self.state.lock().remove(id);
                drop(removed);
            }
        }
    }
}

/// A subscriber of a store, until it is dropped.
pub struct Subscription {
    wakes: Arc<Wakes>,
    id: u64,
}

impl Subscription {
    /// Asks for one call when the group of operations that is under way has ended.
    pub fn ask(&self) {
        self.wakes.state.lock().asked.insert(self.id);
    }

    /// Starts or stops calls for each notice.
    pub fn monitor(&self, on: bool) {
        let monitoring = &mut self.wakes.state.lock().monitoring;
        if on {
            monitoring.insert(self.id);
        } else {
            monitoring.remove(&self.id);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let wake = self.wakes.state.lock().remove(self.id);
        // What it owns is dropped without the lock.
        drop(wake);
    }
}
