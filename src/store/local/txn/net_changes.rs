//! The change log has one row a key and commit: the net effect of the commit on the key.

use std::collections::HashMap;

use crate::store::ChangeKind;

/// The state of a key before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorState {
    /// A live entry.
    Live,
    /// One that has expired: absent, but its deletion was not logged yet.
    Expired,
    /// Nothing.
    Nothing,
}

impl PriorState {
    /// How a write over it is logged.
    #[must_use]
    pub fn change(self) -> ChangeKind {
        if self == Self::Live { ChangeKind::Update } else { ChangeKind::Create }
    }
}

/// The state of a key when the commit first changed it, and the state that the commit leaves.
#[derive(Debug, Clone, Copy)]
pub struct NetChange {
    /// There was a row, live or expired: its end is not logged yet.
    pub was_stored: bool,
    /// It was live.
    pub was_live: bool,
    /// There is a row now.
    pub is_stored: bool,
}

impl NetChange {
    /// An entry was written, where this was.
    #[must_use]
    pub fn put(found: PriorState) -> Self {
        Self {
            was_stored: found != PriorState::Nothing,
            was_live: found == PriorState::Live,
            is_stored: true,
        }
    }

    /// An entry was removed.
    #[must_use]
    pub fn deleted(was_live: bool) -> Self {
        Self { was_stored: true, was_live, is_stored: false }
    }

    /// Its kind in the log; `None` for a key that came and went within the commit.
    #[must_use]
    pub fn kind(self) -> Option<ChangeKind> {
        match (self.is_stored, self.was_live) {
            (true, true) => Some(ChangeKind::Update),
            (true, false) => Some(ChangeKind::Create),
            (false, _) => self.was_stored.then_some(ChangeKind::Delete),
        }
    }
}

/// The changes of a commit of several mutations, a key once, in the order of the first change.
#[derive(Debug, Default)]
pub struct NetChanges {
    order: Vec<(Vec<u8>, NetChange)>,
    places: HashMap<Vec<u8>, usize>,
}

impl NetChanges {
    /// Notes one change; what was there counts at the first one of a key.
    pub fn note(&mut self, key: &[u8], change: NetChange) {
        let known = self.places.get(key).and_then(|place| self.order.get_mut(*place));
        if let Some((_, net)) = known {
            net.is_stored = change.is_stored;
        } else {
            self.places.insert(key.to_vec(), self.order.len());
            self.order.push((key.to_vec(), change));
        }
    }

    /// The rows to be logged, in order.
    pub fn logged(&self) -> impl Iterator<Item = (&[u8], ChangeKind)> {
        self.order.iter().filter_map(|(key, change)| Some((key.as_slice(), change.kind()?)))
    }
}
