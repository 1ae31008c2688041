//! Gets: the entries of some keys.

use super::answer::{Answer, entry_of};
use crate::base::error::Result;
use crate::base::limits::{MAX_INLINE_BYTES, MAX_INLINE_KEYS};
use crate::codec::page::{Page, TYPICAL_ENTRY_BYTES, Tail};
use crate::store::{ReadTxn, Want};

/// Encoded keys, one after another.
#[derive(Debug, Default, Clone)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// See `Page::checks_values`.
    pub checks_values: bool,
    /// Without values.
    pub keys_only: bool,
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

    /// Appends a key that `write` encodes; nothing if `write` fails.
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

/// Answers a get. `inline`: on a thread that must not block.
pub fn get(txn: &mut dyn ReadTxn, keys: &Keys, inline: bool) -> Result<Answer> {
    if inline && keys.len() > MAX_INLINE_KEYS {
        return Ok(Answer::WouldBlock);
    }
    let now = txn.now_ms();
    let max_value_bytes = match (keys.keys_only, inline) {
        (true, _) => 0,
        (false, true) => MAX_INLINE_BYTES,
        (false, false) => usize::MAX,
    };
    let mut page = Page::with_capacity(keys.len() * TYPICAL_ENTRY_BYTES);
    page.checks_values = keys.checks_values;
    let mut withheld = false;
    if keys.len() > 1 {
        txn.prefetch(&mut keys.iter().map(|key| Want::Entry(key, max_value_bytes)));
    }
    for key in keys.iter() {
        txn.get(key, max_value_bytes, &mut |row| {
            let live = row.filter(|row| row.is_live(now));
            withheld |= !keys.keys_only && live.is_some_and(|row| row.withheld);
            page.push_known(live.as_ref().map(entry_of), keys.keys_only);
            Ok(())
        })?;
        if withheld || (inline && page.size_bytes() > MAX_INLINE_BYTES && keys.len() > 1) {
            return Ok(Answer::WouldBlock);
        }
    }
    page.finish(Tail::List);
    Ok(Answer::Page(page))
}
