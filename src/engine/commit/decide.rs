//! Decides on the mutations of a commit: their reads, and their steps.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::arithmetic::apply as calculate;
use super::draft::{Draft, Known, Value};
use super::patch::{Encoded, merge};
use super::{Commit, Mutation, Reply, check_value_bytes};
use crate::base::error::{Error, Place, Result};
use crate::codec::key;
use crate::codec::key::KeyWriter;
use crate::codec::key_json::preview_key;
use crate::codec::value::{ArrayText, Counter};
use crate::engine::query::filter::Filter;
use crate::engine::query::matching::for_each_match;
use crate::store::rows::queue::{Damaged, Duplicate};
use crate::store::{Batch, Expiry, PutKey, ReadTxn, Step, Want};

/// A placeholder for a versionstamp that is not issued yet: of the same length, and after all issued ones.
const STAND_IN: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// The reply of a mutation, once its steps are applied.
#[derive(Debug)]
pub enum Pending {
    /// This reply.
    Known(Reply),
    /// The number of entries that its steps deleted.
    Deleted,
    /// The result of its only step.
    Step,
}

/// The end of a mutation's steps, and its reply.
#[derive(Debug)]
pub struct Decided {
    /// The number of steps up to there.
    pub end: usize,
    /// See `Pending`.
    pub reply: Pending,
}

/// Decides on the mutations of a commit, in order.
struct Decision<'d, 'a> {
    seen: &'d mut dyn ReadTxn,
    batch: &'d mut Batch<'a>,
    /// `None` if no mutation reads what another one has written.
    draft: Option<Draft<'a>>,
    room: &'a [Room],
    /// Messages with a deduplication key of the commit and unreadable ids.
    damaged: Vec<Damaged>,
}

/// An expired entry that makes room in a unique index for another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Room {
    /// The key of the other one.
    pub key: Vec<u8>,
    /// The key of the expired entry.
    pub holder: Vec<u8>,
}

impl<'a> Decision<'_, 'a> {
    fn mutate(&mut self, mutation: &'a Mutation) -> Result<Pending> {
        match mutation {
            Mutation::Set { key, stamped, encoding, value, expires_in_ms } => {
                let key = if *stamped { PutKey::Stamped(key) } else { PutKey::Known(Cow::Borrowed(key)) };
                let expiry = expires_in_ms.map_or(Expiry::Never, Expiry::In);
                self.put(key, Value { encoding: *encoding, bytes: Cow::Borrowed(value) }, expiry)?;
                Ok(Pending::Known(Reply::Done))
            }
            Mutation::Delete(key) => {
                self.delete(PutKey::Known(Cow::Borrowed(key)))?;
                Ok(Pending::Deleted)
            }
            Mutation::DeleteRange(range) => {
                self.batch.push(Step::DeleteRange(range));
                if let Some(draft) = &mut self.draft {
                    draft.delete_range(range);
                }
                Ok(Pending::Deleted)
            }
            Mutation::DeleteMatching(range, filter) => {
                self.delete_matching(range, filter)?;
                Ok(Pending::Deleted)
            }
            Mutation::Arithmetic { key, operation, operand, expires_in_ms } => {
                let stored = self.stored(key, Counter::decode)?;
                let counter = calculate(*operation, stored, operand)?;
                let (encoding, bytes) = counter.encode();
                self.replace(key, encoding, bytes, *expires_in_ms)?;
                Ok(Pending::Known(Reply::Counter(counter)))
            }
            Mutation::Append { key, front, values, expires_in_ms } => {
                let old = self.stored(key, ArrayText::decode)?.unwrap_or_else(ArrayText::empty);
                let joined = if *front { values.clone().join(&old) } else { old.join(values) }?;
                let length = joined.len();
                self.replace(key, joined.encoding, joined.text, *expires_in_ms)?;
                Ok(Pending::Known(Reply::Count(length)))
            }
            Mutation::Patch { key, patch, expires_in_ms } => {
                let stored = self.stored(key, Encoded::decode)?;
                let merged = merge(stored.as_ref(), patch)?;
                self.replace(key, merged.encoding, merged.bytes, *expires_in_ms)?;
                Ok(Pending::Known(Reply::Done))
            }
            Mutation::Touch { key, expires_in_ms } => {
                self.batch.push(Step::Expire(key, *expires_in_ms));
                Ok(Pending::Step)
            }
            Mutation::Enqueue(message) => {
                if let Some(key) = &message.deduplication_key
                    && let Some(Duplicate::Damaged(one)) = self.seen.duplicate_message(&message.queue, key)?
                {
                    self.damaged.push(one);
                }
                self.batch.push(message.step());
                Ok(Pending::Step)
            }
        }
    }

    /// The current value of a key.
    fn stored<T>(&mut self, key: &[u8], decode: impl Fn(u8, &[u8]) -> Result<T>) -> Result<Option<T>> {
        match self.draft.as_ref().map_or(Known::Nothing, |draft| draft.known(key)) {
            Known::Value(value) => return decode(value.encoding, &value.bytes).map(Some),
            Known::Absent => return Ok(None),
            Known::Nothing => {}
        }
        let (now, mut stored) = (self.seen.now_ms(), None);
        self.seen.get(key, usize::MAX, &mut |row| {
            if let Some(row) = row.filter(|row| row.is_live(now)) {
                stored = Some(decode(row.encoding, row.value)?);
            }
            Ok(())
        })?;
        Ok(stored)
    }

    /// Writes an entry's new value; its time to live is kept, unless there is a new one.
    fn replace(
        &mut self,
        key: &'a [u8],
        encoding: u8,
        bytes: Vec<u8>,
        expires_in_ms: Option<i64>,
    ) -> Result<()> {
        check_value_bytes(bytes.len())?;
        let expiry = expires_in_ms.map_or(Expiry::Keep, Expiry::In);
        self.put(PutKey::Known(Cow::Borrowed(key)), Value { encoding, bytes: Cow::Owned(bytes) }, expiry)
    }

    fn put(&mut self, key: PutKey<'a>, value: Value<'a>, expiry: Expiry) -> Result<()> {
        if self.draft.is_some() || !self.room.is_empty() || matches!(key, PutKey::Stamped(_)) {
            let full = full_key(&key)?;
            self.make_room(&full);
            if let Some(draft) = &mut self.draft {
                draft.put(full, key.clone(), value.clone());
            }
        }
        self.batch.push(Step::Put { key, encoding: value.encoding, value: value.bytes, expiry });
        Ok(())
    }

    fn make_room(&mut self, key: &[u8]) {
        for Room { holder, .. } in self.room.iter().filter(|room| room.key == key) {
            self.batch.push(Step::SweepRange(Cow::Owned(holder.clone()..key::successor(holder))));
        }
    }

    fn delete(&mut self, key: PutKey<'a>) -> Result<()> {
        if let Some(draft) = &mut self.draft {
            draft.delete(full_key(&key)?, key.clone());
        }
        self.batch.push(Step::Delete(key));
        Ok(())
    }

    fn delete_matching(&mut self, range: &'a Range<Vec<u8>>, filter: &Filter) -> Result<()> {
        let (mut keys, now) = (Vec::new(), self.seen.now_ms());
        // The first key may be the prefix itself, which has no entry in the index.
        let rest = key::successor(&range.start)..range.end.clone();
        let has_first = range.contains(&range.start);
        if has_first {
            self.seen.prefetch(&mut std::iter::once(Want::Entry(&range.start, usize::MAX)));
        }
        if !rest.is_empty() {
            for_each_match(self.seen, &rest, filter, &mut |key| keys.push(key.to_vec()))?;
        }
        if has_first {
            self.seen.get(&range.start, usize::MAX, &mut |row| {
                let live = row.filter(|row| row.is_live(now));
                if live.is_some_and(|row| filter.matches(row.encoding, row.value, now)) {
                    keys.insert(0, range.start.clone());
                }
                Ok(())
            })?;
        }
        let mut written = Vec::new();
        if let Some(draft) = &mut self.draft {
            keys.retain(|key| matches!(draft.known(key), Known::Nothing));
            written = draft.delete_matching(range, filter, now);
        }
        let stored = keys.into_iter().map(|key| PutKey::Known(Cow::Owned(key)));
        stored.chain(written).try_for_each(|key| self.delete(key))
    }
}

/// A key as it will be stored, with the placeholder for the versionstamp.
fn full_key(key: &PutKey<'_>) -> Result<Vec<u8>> {
    match key {
        PutKey::Known(key) => Ok(key.to_vec()),
        PutKey::Stamped(key) => {
            let mut full = key.to_vec();
            KeyWriter::new(&mut full).string(STAND_IN)?;
            Ok(full)
        }
    }
}

/// Decides on the mutations, in order; returns the damaged messages to set aside before them.
pub fn mutate<'a>(
    commit: &'a Commit,
    room: &'a [Room],
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    decided: &mut SmallVec<[Decided; 1]>,
) -> Result<Vec<Damaged>> {
    let is_one = commit.mutations.len() == 1;
    if !is_one {
        seen.prefetch(&mut commit.mutations.iter().flat_map(wants));
    }
    let drafted = !is_one && commit.mutations.iter().any(Mutation::reads_entries);
    let mut decision =
        Decision { seen, batch, draft: drafted.then(Draft::default), room, damaged: Vec::new() };
    decided.reserve_exact(commit.mutations.len());
    for (index, mutation) in commit.mutations.iter().enumerate() {
        let reply = decision.mutate(mutation).map_err(|error| located(error, commit, index))?;
        decided.push(Decided { end: decision.batch.steps.len(), reply });
    }
    Ok(decision.damaged)
}

/// The first reads of a mutation.
fn wants(mutation: &Mutation) -> impl Iterator<Item = Want<'_>> {
    let entry = |key| Want::Entry(key, usize::MAX);
    let (first, second) = match mutation {
        Mutation::Arithmetic { key, .. } | Mutation::Append { key, .. } | Mutation::Patch { key, .. } => {
            (Some(entry(key)), None)
        }
        Mutation::DeleteMatching(range, _) => {
            let begin = range.contains(&range.start).then(|| entry(&range.start));
            (begin, Some(Want::Indexes))
        }
        Mutation::Enqueue(message) => {
            let key = message.deduplication_key.as_deref();
            (key.map(|key| Want::DuplicateMessage(&message.queue, key)), None)
        }
        _ => (None, None),
    };
    first.into_iter().chain(second)
}

/// The same error with its mutation and its key. A message has no key.
pub fn located(error: Error, commit: &Commit, index: usize) -> Error {
    let mutation = commit.mutations.get(index).filter(|one| !matches!(one, Mutation::Enqueue(_)));
    let error = match mutation {
        Some(mutation) => error.at(Place::entry(preview_key(mutation.key()))),
        None => error,
    };
    if commit.mutations.len() > 1 { error.at(("mutations", index)) } else { error }
}
