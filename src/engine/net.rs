//! The change log tells each key of a commit once, with what the commit as a whole did to it.

use std::collections::HashMap;

use crate::config::ChangeLog;
use crate::error::Result;
use crate::store::{ChangeKind, Found, Row, WriteTxn};

/// What was at a key when the commit first changed it, and what the commit leaves there.
#[derive(Debug, Clone, Copy)]
pub struct NetChange {
    /// There was a row, live or expired: its end was not told yet.
    pub was_stored: bool,
    /// It was live.
    pub was_live: bool,
    /// There is a row now.
    pub is_stored: bool,
}

impl NetChange {
    /// An entry was written, where this was.
    #[must_use]
    pub fn put(found: Found) -> Self {
        Self { was_stored: found != Found::Nothing, was_live: found == Found::Live, is_stored: true }
    }

    /// An entry was removed.
    #[must_use]
    pub fn removed(was_live: bool) -> Self {
        Self { was_stored: true, was_live, is_stored: false }
    }

    /// How it is told; `None` for a key that came and went within the commit.
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

    /// What is to be told, in order.
    pub fn told(&self) -> impl Iterator<Item = (&[u8], ChangeKind)> {
        self.order.iter().filter_map(|(key, change)| Some((key.as_slice(), change.kind()?)))
    }

    /// Writes what is to be told into the log.
    ///
    /// # Errors
    /// Those of the store.
    pub fn log(&self, txn: &mut dyn WriteTxn) -> Result<()> {
        self.told().try_for_each(|(key, kind)| match kind {
            ChangeKind::Delete => txn.log(key, kind, None),
            ChangeKind::Create | ChangeKind::Update => log_put(txn, key, kind),
        })
    }
}

fn log_put(txn: &mut dyn WriteTxn, key: &[u8], kind: ChangeKind) -> Result<()> {
    if txn.change_log() != ChangeLog::Values {
        return txn.log(key, kind, None);
    }
    let mut stored = (0, Vec::new());
    txn.get(key, usize::MAX, &mut |row| {
        stored = row.map(|row| (row.encoding, row.value.to_vec())).unwrap_or_default();
        Ok(())
    })?;
    let (encoding, value) = stored;
    let row = Row { key, versionstamp: "", expires_at: None, encoding, value: &value, withheld: false };
    txn.log(key, kind, Some(&row))
}
