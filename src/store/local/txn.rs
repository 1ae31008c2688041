//! Reads and one operation's writes on a connection, inside a transaction that the caller opened.

use std::ops::Range;

use super::genuine::refuse_last_numbers;
use super::schema::{LAST_NUMBER, Settings, used_up};
use super::sql::{Db, Sql};
use super::sqlite::{Param, Rows};
use crate::clock::{Gap, Moment};
use crate::codec::stamp::Stamp;
use crate::config::ChangeLog;
use crate::error::Result;
use crate::store::{
    ChangeKind, Flow, Found, Info, Notice, ReadTxn, Removed, RemovedCount, Row, Scan, Visit, WriteTxn,
    is_live,
};

/// A read on a connection.
#[derive(Debug)]
pub struct LocalRead<'a> {
    /// The connection.
    pub db: &'a mut Db,
    /// By the store's clock.
    pub now_ms: i64,
    /// The newest step of that clock.
    pub gap: Gap,
}

impl<'a> LocalRead<'a> {
    /// A read at a time.
    pub fn new(db: &'a mut Db, Moment { now_ms, gap }: Moment) -> Self {
        Self { db, now_ms, gap }
    }
}

impl ReadTxn for LocalRead<'_> {
    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn end_of_lease(&self, until_ms: i64) -> i64 {
        self.gap.end_of(until_ms)
    }

    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let mut rows = self.db.statement(Sql::Get)?.query(&[key.into(), max_value_bytes.into()])?;
        if !rows.next()? {
            return visit(None);
        }
        visit(Some(found(key, &rows)?))
    }

    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let sql = match (scan.keys_only, scan.reverse) {
            (false, false) => Sql::Scan,
            (false, true) => Sql::ScanReverse,
            (true, false) => Sql::ScanKeys,
            (true, true) => Sql::ScanKeysReverse,
        };
        let Range { start, end } = &scan.range;
        let bounds = [start.as_slice().into(), end.as_slice().into(), self.now_ms.into(), scan.limit.into()];
        let [start, end, now, limit] = bounds;
        let with_values = [start, end, now, limit, scan.max_value_bytes.into()];
        let params = if scan.keys_only { &bounds[..] } else { &with_values[..] };
        let mut rows = self.db.statement(sql)?.query_within(scan.within, params)?;
        show(&mut rows, visit)
    }

    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        count(self.db, Sql::Count, range, self.now_ms)
    }

    fn last_number(&mut self) -> Result<i64> {
        let mut rows = self.db.statement(Sql::Sequence)?.query(&[])?;
        rows.next()?;
        Ok(rows.int(0))
    }

    fn info(&mut self) -> Result<Info> {
        let mut rows = self.db.statement(Sql::Info)?.query(&[])?;
        rows.next()?;
        Ok(Info {
            sqlite_version: rows.text(0)?.to_string(),
            schema_version: rows.int(1),
            database_id: rows.text(2)?.to_string(),
            change_log: rows.text(3)?.to_string(),
            retention_ms: rows.int(4),
            size_bytes: rows.int(5),
            dead_letter_retention_ms: rows.optional_int(6),
        })
    }
}

/// The entry of a key, as `Sql::Get` gives it.
pub fn found<'a>(key: &'a [u8], rows: &'a Rows<'_>) -> Result<Row<'a>> {
    Ok(Row {
        key,
        versionstamp: rows.text(0)?,
        expires_at: rows.optional_int(1),
        encoding: encoding(rows.int(2)),
        withheld: rows.int(3) != 0,
        value: rows.blob(4),
    })
}

/// Shows entries, as `Sql::Scan` gives them, until `visit` has enough.
pub fn show(rows: &mut Rows<'_>, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
    while rows.next()? {
        if visit(found(rows.blob(5), rows)?)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// A column as an encoding.
pub fn encoding(column: i64) -> u8 {
    u8::try_from(column).unwrap_or(u8::MAX)
}

fn count(db: &mut Db, sql: Sql, range: &Range<Vec<u8>>, now_ms: i64) -> Result<u64> {
    let params = [range.start.as_slice().into(), range.end.as_slice().into(), now_ms.into()];
    let mut rows = db.statement(sql)?.query(&params)?;
    rows.next()?;
    Ok(u64::try_from(rows.int(0)).unwrap_or(0))
}

/// One operation's writes.
#[derive(Debug)]
pub struct LocalWrite<'a> {
    /// The connection, in a write transaction.
    pub read: LocalRead<'a>,
    /// The file's settings; the clock is the newest stamp of before this operation.
    pub settings: Settings,
    /// This operation's stamp, once it is issued.
    pub issued: Option<Stamp>,
    /// Whom it concerns when it is committed.
    pub notice: Notice,
}

impl ReadTxn for LocalWrite<'_> {
    fn now_ms(&self) -> i64 {
        self.read.now_ms
    }

    fn end_of_lease(&self, until_ms: i64) -> i64 {
        self.read.end_of_lease(until_ms)
    }

    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        self.read.get(key, max_value_bytes, visit)
    }

    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        self.read.scan(scan, visit)
    }

    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        self.read.count(range)
    }

    fn last_number(&mut self) -> Result<i64> {
        Ok(self.settings.sequence)
    }

    fn info(&mut self) -> Result<Info> {
        self.read.info()
    }
}

impl WriteTxn for LocalWrite<'_> {
    fn stamp(&mut self) -> Result<String> {
        let stamp = self.issued.get_or_insert_with(|| self.settings.clock.next(self.read.now_ms));
        Ok(stamp.to_string())
    }

    fn newest_stamp(&self) -> String {
        self.settings.clock.to_string()
    }

    fn change_log(&self) -> ChangeLog {
        self.settings.change_log
    }

    fn retention_ms(&self) -> i64 {
        self.settings.retention_ms
    }

    fn dead_letter_retention_ms(&self) -> Option<i64> {
        self.settings.dead_letter_retention_ms
    }

    fn put(&mut self, row: &Row<'_>) -> Result<Found> {
        let Row { key, versionstamp, expires_at, encoding, value, .. } = *row;
        let columns =
            [key.into(), versionstamp.into(), expires_at.into(), i64::from(encoding).into(), value.into()];
        let [a, b, c, d, e] = columns;
        let db = &mut *self.read.db;
        db.statement(Sql::Update)?.run(&[a, b, c, d, e, self.read.now_ms.into()])?;
        if db.connection.changes() > 0 {
            return Ok(Found::Live);
        }
        db.statement(Sql::Insert)?.run(&columns)?;
        if db.connection.changes() > 0 {
            return Ok(Found::Nothing);
        }
        db.statement(Sql::Update)?.run(&[a, b, c, d, e, i64::MIN.into()])?;
        Ok(Found::Expired)
    }

    fn set_expiry(&mut self, key: &[u8], expires_at: i64) -> Result<bool> {
        let db = &mut *self.read.db;
        db.statement(Sql::SetExpiry)?.run(&[key.into(), expires_at.into(), self.read.now_ms.into()])?;
        Ok(db.connection.changes() > 0)
    }

    fn remove(&mut self, key: &[u8]) -> Result<Option<Removed>> {
        let now_ms = self.read.now_ms;
        let mut rows = self.read.db.statement(Sql::Remove)?.query(&[key.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        let live = is_live(rows.optional_int(0), now_ms);
        // The change is made whole by running to the end.
        while rows.next()? {}
        Ok(Some(Removed { key: key.to_vec(), live }))
    }

    fn remove_range(&mut self, range: &Range<Vec<u8>>) -> Result<Vec<Removed>> {
        let params = [range.start.as_slice().into(), range.end.as_slice().into()];
        self.removed(Sql::RemoveRange, &params)
    }

    fn remove_range_logged(&mut self, range: &Range<Vec<u8>>) -> Result<RemovedCount> {
        let (start, end) = (range.start.as_slice(), range.end.as_slice());
        let issued = self.issued;
        let expired = count(self.read.db, Sql::CountExpired, range, self.read.now_ms)?;
        if self.settings.change_log != ChangeLog::Off {
            let stamp = self.stamp()?;
            self.append(Sql::LogRange, &[start.into(), end.into(), stamp.as_str().into()])?;
        }
        self.read.db.statement(Sql::DropRange)?.run(&[start.into(), end.into()])?;
        let total = self.read.db.connection.changes();
        if total == 0 {
            // Nothing was noted under the stamp: it need not be written down either.
            self.issued = issued;
        } else if self.settings.change_log != ChangeLog::Off {
            self.notice |= Notice::CHANGES;
        }
        Ok(RemovedCount { live: total.saturating_sub(expired), total })
    }

    fn log(&mut self, key: &[u8], kind: ChangeKind, row: Option<&Row<'_>>) -> Result<()> {
        if self.settings.change_log == ChangeLog::Off {
            return Ok(());
        }
        self.notice |= Notice::CHANGES;
        let stamp = self.stamp()?;
        let kept = row.filter(|_| self.settings.change_log == ChangeLog::Values);
        let encoding = Param::Int(kept.map(|row| i64::from(row.encoding)));
        let value = kept.map_or(Param::Int(None), |row| row.value.into());
        let op = match kind {
            ChangeKind::Create => "create",
            ChangeKind::Update => "update",
            ChangeKind::Delete => "delete",
        };
        self.append(Sql::Log, &[key.into(), op.into(), stamp.as_str().into(), encoding, value])
    }

    fn sweep_expired(&mut self, limit: usize) -> Result<u64> {
        self.sweep(Sql::Sweep, &[self.read.now_ms.into(), limit.into()])
    }

    fn sweep_range(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        let (start, end) = (range.start.as_slice(), range.end.as_slice());
        self.sweep(Sql::SweepRange, &[self.read.now_ms.into(), start.into(), end.into()])
    }

    fn trim_log(&mut self, before_ms: i64, in_use_since_ms: i64, limit: usize) -> Result<u64> {
        let ms = u64::try_from(before_ms).unwrap_or(0);
        let before = Stamp { ms, counter: 0, node: 0 }.to_string();
        let mut rows = self.read.db.statement(Sql::OldestPosition)?.query(&[in_use_since_ms.into()])?;
        rows.next()?;
        let position = rows.optional_int(0).unwrap_or(i64::MAX);
        drop(rows);
        self.trim(&before, position, limit)
    }

    fn trim_log_to(&mut self, seq: i64, limit: usize) -> Result<u64> {
        self.trim(AFTER_EVERY_STAMP, seq, limit)
    }

    fn next_number(&mut self) -> i64 {
        self.settings.sequence += 1;
        self.settings.sequence
    }
}

/// Sorts after every versionstamp.
const AFTER_EVERY_STAMP: &str = "g";

impl LocalWrite<'_> {
    /// Adds to the change log, with numbers that a reader gets past. SQLite says of a log without a next number that the disk is
    /// full.
    fn append(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<()> {
        let db = &mut *self.read.db;
        let added = db.statement(sql)?.run(params);
        added.or_else(|error| refuse_last_numbers(&db.connection).and(Err(error)))?;
        // Where nothing was added, the last row is one of another table.
        let is_used_up = db.connection.changes() > 0 && db.connection.last_rowid() >= LAST_NUMBER;
        if is_used_up { Err(used_up()) } else { Ok(()) }
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
        db.statement(Sql::TrimLog)?.run(&[cut.into()])?;
        Ok(db.connection.changes())
    }

    fn sweep(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        let removed = self.removed(sql, params)?;
        for one in &removed {
            self.log(&one.key, ChangeKind::Delete, None)?;
        }
        Ok(removed.len() as u64)
    }

    fn removed(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Removed>> {
        let now_ms = self.read.now_ms;
        let mut rows = self.read.db.statement(sql)?.query(params)?;
        let mut removed = Vec::new();
        while rows.next()? {
            removed.push(Removed { key: rows.blob(0).to_vec(), live: is_live(rows.optional_int(1), now_ms) });
        }
        Ok(removed)
    }
}
