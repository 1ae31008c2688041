//! One operation's steps on a connection, inside a transaction that the caller opened. Those of entries and
//! of the change log are here; those of messages, leases and indexes are beside their reads.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::net_changes::{NetChange, NetChanges, PriorState};
use super::read::{LocalRead, count};
use crate::base::clock::Moment;
use crate::base::config::ChangeLog;
use crate::base::error::{Code, Error, Result};
use crate::codec::key::KeyWriter;
use crate::codec::stamp::Stamp;
use crate::store::local::schema::numbers::refuse_last_numbers;
use crate::store::local::schema::settings::Settings;
use crate::store::local::sqlite::Db;
use crate::store::local::sqlite::{Param, Rows};
use crate::store::rows::index::Define;
use crate::store::sql::Sql;
use crate::store::sql::schema::{LAST_NUMBER, used_up};
use crate::store::{
    Batch, ChangeKind, Check, Expiry, FailedCheck, Notice, PutKey, ReadTxn, Refusal, Row, Stamping, Step,
    StepResult, Verdict, is_live,
};

/// One operation's writes.
#[derive(Debug)]
pub struct LocalWrite<'a> {
    /// The connection, in a write transaction.
    pub read: LocalRead<'a>,
    /// The file's settings; the clock is the newest stamp of before this operation.
    pub settings: Settings,
    /// This operation's stamp, once it is issued, and its text while it is needed.
    issued: Option<Stamp>,
    text: String,
    /// The notice to deliver once it is committed.
    pub notice: Notice,
    define: Define,
    /// The log has a key of a commit once. `None`: there is one step, which is logged at once.
    net: Option<NetChanges>,
}

/// Why steps were not applied.
#[derive(Debug)]
pub enum Failed {
    /// A unique index refused a step.
    Refused(Refusal),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The results that an operation leaves for its group.
pub struct Written {
    /// The settings, with its stamp.
    pub settings: Settings,
    /// The operation's notice.
    pub notice: Notice,
}

impl<'a> LocalWrite<'a> {
    /// The writes of an operation that has written nothing yet.
    pub fn new(db: &'a mut Db, moment: Moment, settings: Settings, define: Define) -> Self {
        let read = LocalRead::new(db, moment);
        Self { read, settings, issued: None, text: String::new(), notice: Notice::NONE, define, net: None }
    }

    /// Logs what is not logged yet; gives what is to be kept of an operation that has ended well.
    pub fn end(mut self) -> Result<Written> {
        if let Some(net) = self.net.take() {
            net.logged().try_for_each(|(key, kind)| self.log_stored(key, kind))?;
        }
        let clock = self.issued.unwrap_or(self.settings.clock);
        Ok(Written { settings: Settings { clock, ..self.settings }, notice: self.notice })
    }

    /// The versionstamp of this operation's commit; issued when it is first asked for.
    fn stamp(&mut self) -> &str {
        issue(&mut self.issued, &mut self.text, &self.settings, self.read.now_ms)
    }

    fn text_of_stamp(&mut self) -> &mut String {
        self.stamp();
        &mut self.text
    }

    fn failed_checks(&mut self, checks: &[Check]) -> Result<Vec<FailedCheck>> {
        let (now_ms, mut failed) = (self.read.now_ms, Vec::new());
        for (place, check) in checks.iter().enumerate() {
            self.read.get(&check.key, 0, &mut |row| {
                let current = row.filter(|row| row.is_live(now_ms)).map(|row| row.versionstamp);
                if current != check.versionstamp.as_deref() {
                    failed.push((place, current.map(str::to_string)));
                }
                Ok(())
            })?;
        }
        Ok(failed)
    }

    /// Applies steps in order, if the checks hold.
    pub fn apply(&mut self, batch: &Batch<'_>) -> std::result::Result<Verdict, Failed> {
        let failed = self.failed_checks(batch.checks)?;
        if !failed.is_empty() {
            return Ok(Verdict { failed, ..Verdict::default() });
        }
        let steps = batch.steps.as_slice();
        if batch.stamping == Stamping::Always || steps.iter().any(|step| matches!(step, Step::Put { .. })) {
            self.stamp();
        }
        if steps.len() > 1 && self.net.is_none() {
            self.net = Some(NetChanges::default());
        }
        let mut results = SmallVec::with_capacity(steps.len());
        for (place, step) in steps.iter().enumerate() {
            match (self.step(step), step) {
                (Ok(result), _) => results.push(result),
                (Err(error), Step::Put { key, encoding, value, .. }) if error.code == Code::Conflict => {
                    let key = self.key_of(key)?.into_owned();
                    let holder = self.read.unique_holder(self.define, &key, *encoding, value)?;
                    return Err(Failed::Refused(Refusal { step: place, key, holder, error }));
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
        let stamp = match batch.stamping {
            Stamping::Never => Some(self.settings.clock.text()),
            Stamping::Always | Stamping::IfChanged => {
                self.issued.is_some().then(|| std::mem::take(self.text_of_stamp()))
            }
        };
        Ok(Verdict { stamp, results, failed })
    }

    fn step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        match step {
            Step::Put { key, encoding, value, expiry } => {
                let key = self.key_of(key)?;
                self.put(&key, *encoding, value, *expiry).map(|()| StepResult::Done)
            }
            Step::Expire(key, ms) => self.expire(key, *ms).map(StepResult::Flag),
            Step::Delete(key) => {
                let key = self.key_of(key)?;
                self.delete(&key).map(StepResult::Count)
            }
            Step::DeleteRange(range) => self.delete_range(range).map(StepResult::Count),
            Step::SweepExpired(limit) => {
                let params = [self.read.now_ms.into(), (*limit).into()];
                self.sweep(Sql::Sweep, &params).map(StepResult::Count)
            }
            Step::SweepRange(range) => {
                let (start, end) = (range.start.as_slice(), range.end.as_slice());
                let params = [self.read.now_ms.into(), start.into(), end.into()];
                self.sweep(Sql::SweepRange, &params).map(StepResult::Count)
            }
            Step::TrimChanges { in_use_ms, limit } => {
                self.trim_old(*in_use_ms, *limit).map(StepResult::Count)
            }
            Step::TrimChangesTo(seq, limit) => {
                self.trim(AFTER_EVERY_STAMP, *seq, *limit).map(StepResult::Count)
            }
            Step::PutLock { .. } | Step::DeleteLock(_) | Step::SweepLocks(_) => self.lock_step(step),
            Step::PutConsumer { .. } | Step::DeleteConsumer(_) => self.consumer_step(step),
            Step::CreateSearchIndex(..) | Step::CreateOrderedIndex(..) | Step::RemoveIndex(_) => {
                self.index_step(step)
            }
            of_messages => self.message_step(of_messages),
        }
    }

    fn key_of<'k>(&mut self, key: &'k PutKey<'_>) -> Result<Cow<'k, [u8]>> {
        match key {
            PutKey::Known(key) => Ok(Cow::Borrowed(key)),
            PutKey::Stamped(key) => {
                let mut stamped = key.to_vec();
                KeyWriter::new(&mut stamped).string(self.stamp())?;
                Ok(Cow::Owned(stamped))
            }
        }
    }

    fn put(&mut self, key: &[u8], encoding: u8, value: &[u8], expiry: Expiry) -> Result<()> {
        let now_ms = self.read.now_ms;
        let stamp = issue(&mut self.issued, &mut self.text, &self.settings, now_ms);
        let db = &mut *self.read.db;
        let expires_at = if let Expiry::In(ms) = expiry { Some(now_ms + ms) } else { None };
        let update = if expiry == Expiry::Keep { Sql::UpdateKeeping } else { Sql::Update };
        let columns = [key.into(), stamp.into(), expires_at.into(), i64::from(encoding).into(), value.into()];
        let [a, b, c, d, e] = columns;
        db.statement(update)?.run(&[a, b, c, d, e, now_ms.into()])?;
        let found = if db.connection.changes() > 0 {
            PriorState::Live
        } else {
            db.statement(Sql::Insert)?.run(&columns)?;
            if db.connection.changes() > 0 {
                PriorState::Nothing
            } else {
                db.statement(Sql::Update)?.run(&[a, b, c, d, e, i64::MIN.into()])?;
                PriorState::Expired
            }
        };
        match &mut self.net {
            Some(net) => net.note(key, NetChange::put(found)),
            None => self.log(key, found.change(), Some((encoding, value)))?,
        }
        Ok(())
    }

    fn expire(&mut self, key: &[u8], ms: i64) -> Result<bool> {
        let (now_ms, db) = (self.read.now_ms, &mut *self.read.db);
        db.statement(Sql::SetExpiry)?.run(&[key.into(), (now_ms + ms).into(), now_ms.into()])?;
        Ok(db.connection.changes() > 0)
    }

    /// Whether it was live, as a count.
    fn delete(&mut self, key: &[u8]) -> Result<u64> {
        let now_ms = self.read.now_ms;
        let mut rows = self.read.db.statement(Sql::Delete)?.query(&[key.into()])?;
        if !rows.next()? {
            return Ok(0);
        }
        let live = is_live(rows.optional_int(0), now_ms);
        // The change is made whole by running to the end.
        while rows.next()? {}
        drop(rows);
        match &mut self.net {
            Some(net) => net.note(key, NetChange::deleted(live)),
            None => self.log(key, ChangeKind::Delete, None)?,
        }
        Ok(u64::from(live))
    }

    fn delete_range(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        let (start, end) = (range.start.as_slice(), range.end.as_slice());
        if self.net.is_none() {
            return self.delete_range_logged(range);
        }
        let deleted = self.deleted(Sql::DeleteRangeReturning, &[start.into(), end.into()])?;
        if let Some(net) = &mut self.net {
            deleted.iter().for_each(|(key, live)| net.note(key, NetChange::deleted(*live)));
        }
        Ok(deleted.iter().filter(|(_, live)| *live).count() as u64)
    }

    /// All in SQL.
    fn delete_range_logged(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        let (start, end) = (range.start.as_slice(), range.end.as_slice());
        let issued = self.issued;
        let expired = count(self.read.db, Sql::CountExpired, range, self.read.now_ms)?;
        if self.settings.change_log != ChangeLog::Off {
            let stamp = issue(&mut self.issued, &mut self.text, &self.settings, self.read.now_ms);
            append(self.read.db, Sql::LogDeletedRange, &[start.into(), end.into(), stamp.into()])?;
        }
        self.read.db.statement(Sql::DeleteRange)?.run(&[start.into(), end.into()])?;
        let total = self.read.db.connection.changes();
        if total == 0 {
            // Nothing was noted under the stamp: it need not be written down either.
            self.issued = issued;
            self.text.clear();
        } else if self.settings.change_log != ChangeLog::Off {
            self.notice |= Notice::CHANGES;
        }
        Ok(total.saturating_sub(expired))
    }

    /// Appends to the change log, if there is one; `stored`: encoding and value of what is at the key now.
    fn log(&mut self, key: &[u8], kind: ChangeKind, stored: Option<(u8, &[u8])>) -> Result<()> {
        if self.settings.change_log == ChangeLog::Off {
            return Ok(());
        }
        self.notice |= Notice::CHANGES;
        let stamp = issue(&mut self.issued, &mut self.text, &self.settings, self.read.now_ms);
        let kept = stored.filter(|_| self.settings.change_log == ChangeLog::Values);
        let encoding = Param::Int(kept.map(|(encoding, _)| i64::from(encoding)));
        let value = kept.map_or(Param::Int(None), |(_, value)| value.into());
        let op = match kind {
            ChangeKind::Create => "create",
            ChangeKind::Update => "update",
            ChangeKind::Delete => "delete",
        };
        let params = [key.into(), op.into(), stamp.into(), encoding, value];
        append(self.read.db, Sql::LogChange, &params)
    }

    /// The same; what is at the key is read, if the log wants it.
    fn log_stored(&mut self, key: &[u8], kind: ChangeKind) -> Result<()> {
        if kind == ChangeKind::Delete || self.settings.change_log != ChangeLog::Values {
            return self.log(key, kind, None);
        }
        let mut stored = (0, Vec::new());
        self.read.get(key, usize::MAX, &mut |row: Option<Row<'_>>| {
            stored = row.map(|row| (row.encoding, row.value.to_vec())).unwrap_or_default();
            Ok(())
        })?;
        self.log(key, kind, Some((stored.0, &stored.1)))
    }

    fn sweep(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        let deleted = self.deleted(sql, params)?;
        for (key, live) in &deleted {
            match &mut self.net {
                Some(net) => net.note(key, NetChange::deleted(*live)),
                None => self.log(key, ChangeKind::Delete, None)?,
            }
        }
        Ok(deleted.len() as u64)
    }

    /// The keys that a statement removes, and whether each was live.
    fn deleted(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<(Vec<u8>, bool)>> {
        let now_ms = self.read.now_ms;
        let mut rows = self.read.db.statement(sql)?.query(params)?;
        let mut deleted = Vec::new();
        while rows.next()? {
            deleted.push((rows.blob(0).to_vec(), is_live(rows.optional_int(1), now_ms)));
        }
        Ok(deleted)
    }

    fn trim_old(&mut self, in_use_ms: i64, limit: usize) -> Result<u64> {
        let now_ms = self.read.now_ms;
        let ms = u64::try_from(now_ms - self.settings.retention_ms).unwrap_or(0);
        let before = Stamp { ms, counter: 0, node: 0 }.text();
        let in_use_since = now_ms - in_use_ms;
        let mut rows: Rows<'_> =
            self.read.db.statement(Sql::OldestPosition)?.query(&[in_use_since.into()])?;
        rows.next()?;
        let position = rows.optional_int(0).unwrap_or(i64::MAX);
        drop(rows);
        self.trim(&before, position, limit)
    }

    fn trim(&mut self, before_stamp: &str, up_to: i64, limit: usize) -> Result<u64> {
        let db = &mut *self.read.db;
        let mut rows =
            db.statement(Sql::TrimCut)?.query(&[before_stamp.into(), up_to.into(), limit.into()])?;
        if !rows.next()? {
            return Ok(0);
        }
        let (cut, stamp) = (rows.int(0), rows.text(1)?.to_string());
        drop(rows);
        db.statement(Sql::SetTrimmed)?.run(&[stamp.as_str().into()])?;
        db.statement(Sql::TrimChanges)?.run(&[cut.into()])?;
        Ok(db.connection.changes())
    }

    /// The next number of a series in which none comes twice: order of messages, tokens of locks and leases.
    pub fn next_number(&mut self) -> i64 {
        self.settings.sequence += 1;
        self.settings.sequence
    }

    /// Runs a statement; gives how many rows it changed.
    pub fn run(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        let db = &mut *self.read.db;
        db.statement(sql)?.run(params)?;
        Ok(db.connection.changes())
    }
}

/// Adds to the change log, with numbers that a reader gets past. SQLite says of a log without a next number
/// that the disk is full.
fn append(db: &mut Db, sql: Sql, params: &[Param<'_>]) -> Result<()> {
    let added = db.statement(sql)?.run(params);
    added.or_else(|error| refuse_last_numbers(&db.connection).and(Err(error)))?;
    // If nothing was added, the last row id is that of another table.
    let is_used_up = db.connection.changes() > 0 && db.connection.last_rowid() >= LAST_NUMBER;
    if is_used_up { Err(used_up()) } else { Ok(()) }
}

fn issue<'a>(issued: &mut Option<Stamp>, text: &'a mut String, settings: &Settings, now_ms: i64) -> &'a str {
    let stamp = issued.get_or_insert_with(|| settings.clock.next(now_ms));
    if text.is_empty() {
        *text = stamp.text();
    }
    text
}

/// Sorts after every versionstamp.
const AFTER_EVERY_STAMP: &str = "g";
