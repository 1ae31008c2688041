//! The commit engine: checks, then mutations in order, all or nothing. It decides on what is stored; the store applies the steps.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::arithmetic::apply as calculate;
use super::draft::{Draft, Known, Value};
use super::patch::{Encoded, merge};
use super::{Check, Commit, Mutation, Outcome, Reply, Stamping, check_value_bytes};
use crate::base::config::Durability;
use crate::base::error::{Code, Error, Place, Result};
use crate::codec::key;
use crate::codec::key::KeyWriter;
use crate::codec::key_json::preview_key;
use crate::codec::value::{ArrayText, Counter};
use crate::engine::query::filter::Filter;
use crate::engine::query::matching::for_each_match;
use crate::engine::query::unique;
use crate::engine::queue::settle::{Undelivered, set_aside};
use crate::store::rows::queue::{Damaged, Standing};
use crate::store::{Batch, Expiry, Next, PutKey, ReadTxn, Refusal, Step, StepResult, Verdict, WriteJob};

/// Stands for a versionstamp that is not issued yet: it is as long as one, and after all that were.
const STAND_IN: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// What a mutation replies, once its steps are applied.
#[derive(Debug)]
enum Pending {
    /// This.
    Known(Reply),
    /// How many entries its steps removed.
    Deleted,
    /// What its only step gave.
    Step,
}

/// A mutation's steps end here, and it replies so.
#[derive(Debug)]
struct Decided {
    end: usize,
    reply: Pending,
}

/// Decides on the mutations of a commit, in order.
struct Decision<'d, 'a> {
    seen: &'d mut dyn ReadTxn,
    batch: &'d mut Batch<'a>,
    /// `None` if no mutation reads what another one has written.
    draft: Option<Draft<'a>>,
    room: &'a [Room],
    /// Messages that have a deduplication key of the commit, and whose ids cannot be read.
    damaged: Vec<Damaged>,
}

/// An entry that has expired, and that makes room in a unique index for another one.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    key: Vec<u8>,
    holder: Vec<u8>,
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
                let joined = if *front { values.clone().join(&old) } else { old.join(values) };
                let length = joined.len();
                self.replace(key, joined.encoding, joined.text, *expires_in_ms)?;
                Ok(Pending::Known(Reply::Count(length)))
            }
            Mutation::Patch { key, patch, expires_in_ms } => {
                let stored = self.stored(key, Encoded::decode)?;
                let merged = merge(stored.as_ref(), patch);
                self.replace(key, merged.encoding, merged.bytes, *expires_in_ms)?;
                Ok(Pending::Known(Reply::Done))
            }
            Mutation::Touch { key, expires_in_ms } => {
                self.batch.push(Step::Expire(key, *expires_in_ms));
                Ok(Pending::Step)
            }
            Mutation::Enqueue(message) => {
                if let Some(key) = &message.deduplication_key
                    && let Some(Standing::Damaged(one)) = self.seen.standing_message(&message.queue, key)?
                {
                    self.damaged.push(one);
                }
                self.batch.push(message.step());
                Ok(Pending::Step)
            }
        }
    }

    /// What is at a key.
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

    /// Writes what was made of an entry; it keeps its time to live, unless it gets another one.
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
        // The first key may be above what it has an index for.
        let rest = key::successor(&range.start)..range.end.clone();
        if range.contains(&range.start) {
            self.seen.get(&range.start, usize::MAX, &mut |row| {
                let live = row.filter(|row| row.is_live(now));
                let matching = live.filter(|row| filter.matches(row.encoding, row.value, now));
                keys.extend(matching.map(|row| row.key.to_vec()));
                Ok(())
            })?;
        }
        if !rest.is_empty() {
            for_each_match(self.seen, &rest, filter, &mut |key| keys.push(key.to_vec()))?;
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

/// A key as the store will have it, but for the versionstamp.
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

fn failed_checks(seen: &mut dyn ReadTxn, checks: &[Check]) -> Result<Vec<(usize, Option<String>)>> {
    let now = seen.now_ms();
    let mut failed = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        seen.get(&check.key, 0, &mut |row| {
            let stands = row.filter(|row| row.is_live(now)).map(|row| row.versionstamp);
            if stands != check.versionstamp.as_deref() {
                failed.push((index, stands.map(str::to_string)));
            }
            Ok(())
        })?;
    }
    Ok(failed)
}

/// Told how a commit ended, once.
pub type Done = Box<dyn FnOnce(Result<Outcome>) + Send>;

/// A commit on its way through the writer.
pub struct CommitJob {
    commit: Commit,
    durability: Durability,
    room: Vec<Room>,
    decided: SmallVec<[Decided; 1]>,
    /// Whether what was decided is no more than that damaged messages are set aside. Then comes the commit.
    sets_aside: bool,
    undelivered: Undelivered,
    outcome: Option<Outcome>,
    done: Option<Done>,
}

impl CommitJob {
    /// A commit that tells `done`.
    #[must_use]
    pub fn new(commit: Commit, durability: Durability, done: Done) -> Self {
        Self {
            commit,
            durability,
            room: Vec::new(),
            decided: SmallVec::new(),
            sets_aside: false,
            undelivered: Undelivered::default(),
            outcome: None,
            done: Some(done),
        }
    }

    fn finish_with(&mut self, result: Result<Outcome>) {
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

fn lost() -> Error {
    Error {
        outcome_unknown: true,
        ..Error::new(Code::Unavailable, "the writer ended before it could say how the commit went")
    }
}

/// The same error with its mutation and its key. A message has no key.
fn located(error: Error, commit: &Commit, index: usize) -> Error {
    let mutation = commit.mutations.get(index).filter(|one| !matches!(one, Mutation::Enqueue(_)));
    let error = match mutation {
        Some(mutation) => error.at(Place::entry(preview_key(mutation.key()))),
        None => error,
    };
    if commit.mutations.len() > 1 { error.at(("mutations", index)) } else { error }
}

impl WriteJob for CommitJob {
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let Self { commit, room, decided, sets_aside, undelivered, outcome, .. } = self;
        decided.clear();
        *sets_aside = false;
        *outcome = None;
        let conflicts = failed_checks(seen, &commit.checks)?;
        if !conflicts.is_empty() {
            *outcome = Some(Outcome::Conflict(conflicts));
            return Ok(());
        }
        let commit = &*commit;
        batch.stamping = commit.stamping;
        if commit.stamping == Stamping::Never {
            return Ok(());
        }
        let drafted = commit.mutations.len() > 1 && commit.mutations.iter().any(Mutation::reads_entries);
        let mut decision =
            Decision { seen, batch, draft: drafted.then(Draft::default), room, damaged: Vec::new() };
        decided.reserve_exact(commit.mutations.len());
        for (index, mutation) in commit.mutations.iter().enumerate() {
            let reply = decision.mutate(mutation).map_err(|error| located(error, commit, index))?;
            decided.push(Decided { end: decision.batch.steps.len(), reply });
        }
        let damaged = decision.damaged;
        if !damaged.is_empty() {
            *sets_aside = true;
            *batch = Batch::default();
            set_aside(batch, damaged, undelivered);
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        if self.sets_aside {
            return self.undelivered.refused(refusal);
        }
        let index = self.decided.iter().take_while(|decided| decided.end <= refusal.step).count();
        let key = refusal.key.clone();
        let holder = unique::expired_holder(refusal).map_err(|error| located(error, &self.commit, index))?;
        self.room.push(Room { key, holder });
        Ok(())
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        if self.outcome.is_some() {
            return Ok(Next::Done);
        }
        if self.sets_aside {
            return Ok(Next::Again);
        }
        let changes_alone = || !self.commit.mutations.iter().any(Mutation::writes_value);
        let versionstamp = match self.commit.stamping {
            Stamping::IfChanged if changes_alone() => None,
            _ => verdict.stamp,
        };
        let mut results = verdict.results.into_iter();
        let (mut replies, mut begin) = (Vec::with_capacity(self.decided.len()), 0);
        for Decided { end, reply } in self.decided.drain(..) {
            let steps = results.by_ref().take(end - begin);
            begin = end;
            replies.push(match reply {
                Pending::Known(reply) => {
                    steps.for_each(drop);
                    reply
                }
                Pending::Deleted => Reply::Count(steps.map(|step| step.count()).sum()),
                Pending::Step => steps.last().map_or(Reply::Done, reply_of),
            });
        }
        self.outcome = Some(Outcome::Committed { versionstamp, replies });
        Ok(Next::Done)
    }

    fn finish(mut self: Box<Self>, result: Result<()>) {
        let outcome = self.outcome.take();
        self.finish_with(result.and_then(|()| outcome.ok_or_else(lost)));
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

fn reply_of(result: StepResult) -> Reply {
    match result {
        StepResult::Id(id) => Reply::Id(id),
        StepResult::Flag(found) => Reply::Found(found),
        StepResult::Count(count) => Reply::Count(count),
        StepResult::Done | StepResult::Lease { .. } | StepResult::Swept { .. } => Reply::Done,
    }
}

impl Drop for CommitJob {
    fn drop(&mut self) {
        self.finish_with(Err(lost()));
    }
}
