//! The commit engine: checks, then mutations in order, all or nothing, one versionstamp, one net row of the change
//! log a key.

use std::ops::Range;

use super::arithmetic::apply as calculate;
use super::commit::{Check, Commit, Mutation, Outcome, Reply, Stamping, check_value_bytes};
use super::enqueue::enqueue;
use super::filter::Filter;
use super::matching::for_each_match;
use super::net::{NetChange, NetChanges};
use super::patch::{Encoded, merge};
use super::unique::{self, Holder};
use crate::codec::key::{self, KeyWriter};
use crate::codec::key_json;
use crate::codec::value::{ArrayText, Counter};
use crate::config::Durability;
use crate::error::{Code, Error, Result};
use crate::store::{ChangeKind, Found, Row, WriteJob, WriteTxn};

/// Applies a commit in a transaction.
///
/// # Errors
/// `TYPE_MISMATCH`, `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`, those of the store. The caller undoes what was written.
pub fn apply(txn: &mut dyn WriteTxn, commit: &Commit) -> Result<Outcome> {
    let conflicts = failed_checks(txn, &commit.checks)?;
    if !conflicts.is_empty() {
        return Ok(Outcome::Conflict(conflicts));
    }
    if commit.stamping == Stamping::Never {
        return Ok(Outcome::Committed { versionstamp: Some(txn.newest_stamp()), replies: Vec::new() });
    }
    let alone = commit.mutations.len() == 1;
    let mut run = Run { txn, net: (!alone).then(NetChanges::default), stamp: None };
    if commit.stamping == Stamping::Always || commit.mutations.iter().any(Mutation::writes_value) {
        run.stamp = Some(run.txn.stamp()?);
    }
    let mut replies = Vec::with_capacity(commit.mutations.len());
    for (index, mutation) in commit.mutations.iter().enumerate() {
        let reply =
            run.mutate(mutation).map_err(|error| error.at(&place(mutation, (!alone).then_some(index))));
        replies.push(reply?);
    }
    let stamp = run.finish()?;
    Ok(Outcome::Committed { versionstamp: stamp, replies })
}

/// Where in a commit an error is; `index` if it has several mutations. A message has no key.
fn place(mutation: &Mutation, index: Option<usize>) -> String {
    let number = index.map(|index| format!("mutations[{index}]"));
    let key = (!matches!(mutation, Mutation::Enqueue(_))).then(|| format!("key {}", shown(mutation.key())));
    match (number, key) {
        (Some(number), Some(key)) => format!("{number}, {key}: "),
        (Some(one), None) | (None, Some(one)) => format!("{one}: "),
        (None, None) => String::new(),
    }
}

fn failed_checks(txn: &mut dyn WriteTxn, checks: &[Check]) -> Result<Vec<(usize, Option<String>)>> {
    let now = txn.now_ms();
    let mut failed = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        txn.get(&check.key, 0, &mut |row| {
            let stands = row.filter(|row| row.is_live(now)).map(|row| row.versionstamp);
            if stands != check.versionstamp.as_deref() {
                failed.push((index, stands.map(str::to_string)));
            }
            Ok(())
        })?;
    }
    Ok(failed)
}

/// The most of a key that a message shows.
const SHOWN_CHARS: usize = 80;

/// The beginning of a key, for a message.
#[must_use]
pub fn shown(key: &[u8]) -> String {
    let mut json = Vec::new();
    let _ = key_json::write(key, &mut json);
    let text = String::from_utf8_lossy(&json);
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// What a mutation reads before it writes.
struct Stored<T> {
    value: Option<T>,
    expires_at: Option<i64>,
}

struct Run<'a> {
    txn: &'a mut dyn WriteTxn,
    /// `None` if the only mutation notes its change itself.
    net: Option<NetChanges>,
    stamp: Option<String>,
}

impl Run<'_> {
    fn mutate(&mut self, mutation: &Mutation) -> Result<Reply> {
        match mutation {
            Mutation::Set { key, stamped, encoding, value, expires_in_ms } => {
                let expires_at = self.expires_at(*expires_in_ms);
                if *stamped {
                    self.put(&self.stamped_key(key)?, *encoding, value, expires_at)?;
                } else {
                    self.put(key, *encoding, value, expires_at)?;
                }
                Ok(Reply::Done)
            }
            Mutation::Delete(key) => self.delete(key).map(Reply::Count),
            Mutation::DeleteRange(range) => self.delete_range(range).map(Reply::Count),
            Mutation::DeleteMatching(range, filter) => self.delete_matching(range, filter).map(Reply::Count),
            Mutation::Arithmetic { key, operation, operand, expires_in_ms } => {
                let stored = self.stored(key, Counter::decode)?;
                let counter = calculate(*operation, stored.value, operand)?;
                let (encoding, value) = counter.encode();
                let expires_at = self.expires_at(*expires_in_ms).or(stored.expires_at);
                self.put(key, encoding, &value, expires_at)?;
                Ok(Reply::Counter(counter))
            }
            Mutation::Splice { key, front, values, expires_in_ms } => {
                let stored = self.stored(key, ArrayText::decode)?;
                let old = stored.value.unwrap_or_else(ArrayText::empty);
                let joined = if *front { values.clone().join(&old) } else { old.join(values) };
                check_value_bytes(joined.text.len())?;
                let expires_at = self.expires_at(*expires_in_ms).or(stored.expires_at);
                self.put(key, joined.encoding, &joined.text, expires_at)?;
                Ok(Reply::Count(joined.len()))
            }
            Mutation::Patch { key, patch, expires_in_ms } => {
                let stored =
                    self.stored(key, |encoding, bytes| Ok(Encoded { encoding, bytes: bytes.to_vec() }))?;
                let merged = merge(stored.value.as_ref(), patch);
                check_value_bytes(merged.bytes.len())?;
                let expires_at = self.expires_at(*expires_in_ms).or(stored.expires_at);
                self.put(key, merged.encoding, &merged.bytes, expires_at)?;
                Ok(Reply::Done)
            }
            Mutation::Touch { key, expires_in_ms } => {
                let expires_at = self.txn.now_ms() + expires_in_ms;
                self.txn.set_expiry(key, expires_at).map(Reply::Found)
            }
            Mutation::Enqueue(message) => enqueue(self.txn, message).map(Reply::Id),
        }
    }

    fn expires_at(&self, expires_in_ms: Option<i64>) -> Option<i64> {
        expires_in_ms.map(|ms| self.txn.now_ms() + ms)
    }

    fn stamped_key(&self, key: &[u8]) -> Result<Vec<u8>> {
        let mut stamped = key.to_vec();
        KeyWriter::new(&mut stamped).string(self.stamp.as_deref().unwrap_or_default())?;
        Ok(stamped)
    }

    fn stored<T>(&mut self, key: &[u8], decode: impl Fn(u8, &[u8]) -> Result<T>) -> Result<Stored<T>> {
        let now = self.txn.now_ms();
        let mut stored = Stored { value: None, expires_at: None };
        self.txn.get(key, usize::MAX, &mut |row| {
            if let Some(row) = row.filter(|row| row.is_live(now)) {
                stored = Stored { value: Some(decode(row.encoding, row.value)?), expires_at: row.expires_at };
            }
            Ok(())
        })?;
        Ok(stored)
    }

    fn put(&mut self, key: &[u8], encoding: u8, value: &[u8], expires_at: Option<i64>) -> Result<()> {
        let versionstamp = self.stamp.clone().unwrap_or_default();
        let versionstamp = versionstamp.as_str();
        let row = Row { key, versionstamp, expires_at, encoding, value, withheld: false };
        let found = match self.txn.put(&row) {
            Err(error) if error.code == Code::Conflict => self.put_unique(&row, error)?,
            found => found?,
        };
        let Some(net) = &mut self.net else { return self.txn.log(key, found.change(), Some(&row)) };
        net.note(key, NetChange::put(found));
        Ok(())
    }

    /// A unique index refused an entry.
    fn put_unique(&mut self, row: &Row<'_>, refused: Error) -> Result<Found> {
        match unique::holder(self.txn, row, refused)? {
            Holder::Expired(key) => self.delete(&key)?,
            Holder::Live(error) => return Err(error),
        };
        // Another index may refuse it too.
        match self.txn.put(row) {
            Err(error) if error.code == Code::Conflict => self.put_unique(row, error),
            found => found,
        }
    }

    fn delete(&mut self, key: &[u8]) -> Result<u64> {
        let Some(removed) = self.txn.remove(key)? else { return Ok(0) };
        match &mut self.net {
            Some(net) => net.note(key, NetChange::removed(removed.live)),
            None => self.txn.log(key, ChangeKind::Delete, None)?,
        }
        Ok(u64::from(removed.live))
    }

    fn delete_range(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        let Some(net) = &mut self.net else { return Ok(self.txn.remove_range_logged(range)?.live) };
        let removed = self.txn.remove_range(range)?;
        for one in &removed {
            net.note(&one.key, NetChange::removed(one.live));
        }
        Ok(removed.iter().filter(|one| one.live).count() as u64)
    }

    /// What matches is known before anything goes: a scan must not meet its own deletions.
    fn delete_matching(&mut self, range: &Range<Vec<u8>>, filter: &Filter) -> Result<u64> {
        let (mut keys, now) = (Vec::new(), self.txn.now_ms());
        // The first key may be above what it has an index for.
        let rest = key::successor(&range.start)..range.end.clone();
        if range.contains(&range.start) {
            self.txn.get(&range.start, usize::MAX, &mut |row| {
                let live = row.filter(|row| row.is_live(now));
                keys.extend(
                    live.filter(|row| filter.matches(row.encoding, row.value, now))
                        .map(|row| row.key.to_vec()),
                );
                Ok(())
            })?;
        }
        if !rest.is_empty() {
            for_each_match(self.txn, &rest, filter, &mut |key| keys.push(key.to_vec()))?;
        }
        keys.iter().try_fold(0, |count, key| Ok(count + self.delete(key)?))
    }

    /// Writes the net changes; gives the stamp, if there is one.
    fn finish(mut self) -> Result<Option<String>> {
        self.net.take().unwrap_or_default().log(self.txn)?;
        Ok(self.stamp)
    }
}

/// Told how a commit ended, once.
pub type Done = Box<dyn FnOnce(Result<Outcome>) + Send>;

/// A commit on its way through the writer.
pub struct CommitJob {
    commit: Commit,
    durability: Durability,
    outcome: Option<Outcome>,
    done: Option<Done>,
}

impl CommitJob {
    /// A commit that tells `done`.
    #[must_use]
    pub fn new(commit: Commit, durability: Durability, done: Done) -> Self {
        Self { commit, durability, outcome: None, done: Some(done) }
    }

    fn tell(&mut self, result: Result<Outcome>) {
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

impl WriteJob for CommitJob {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        self.outcome = None;
        self.outcome = Some(apply(txn, &self.commit)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, result: Result<()>) {
        let outcome = self.outcome.take();
        self.tell(result.and_then(|()| outcome.ok_or_else(lost)));
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Drop for CommitJob {
    fn drop(&mut self) {
        self.tell(Err(lost()));
    }
}
