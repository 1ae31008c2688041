//! Reads on a connection, inside a transaction that the caller opened.

use std::ops::Range;

use crate::base::clock::{Gap, Moment};
use crate::base::config::ChangeLog;
use crate::base::error::{Error, Result};
use crate::store::local::sqlite::Db;
use crate::store::local::sqlite::Rows;
use crate::store::rows::released::{Released, ReleasedNames};
use crate::store::sql::Sql;
use crate::store::{Flow, Info, ReadTxn, Row, Scan, Visit};

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

    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let mut rows = self.db.statement(Sql::Get)?.query(&[key.into(), max_value_bytes.into()])?;
        if !rows.next()? {
            return visit(None);
        }
        visit(Some(found(key, &rows, max_value_bytes)?))
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
        show(&mut rows, if scan.keys_only { usize::MAX } else { scan.max_value_bytes }, visit)
    }

    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        count(self.db, Sql::Count, range, self.now_ms)
    }

    fn last_number(&mut self) -> Result<i64> {
        let mut rows = self.db.statement(Sql::Sequence)?.query(&[])?;
        rows.next()?;
        Ok(rows.int(0))
    }

    fn released_since(&mut self, number: i64) -> Result<Option<ReleasedNames>> {
        Ok(self.released()?.and_then(|released| released.since(number)))
    }

    fn info(&mut self) -> Result<Info> {
        let mut rows = self.db.statement(Sql::Info)?.query(&[])?;
        rows.next()?;
        Ok(Info {
            sqlite_version: rows.text(0)?.to_string(),
            schema_version: rows.int(1),
            database_id: rows.text(2)?.to_string(),
            change_log: change_log(&rows, 3)?.as_str().to_string(),
            retention_ms: rows.int(4),
            size_bytes: rows.int(5),
            dead_letter_retention_ms: rows.optional_int(6),
        })
    }
}

impl LocalRead<'_> {
    /// The row `released`; `None` if it cannot be read.
    pub fn released(&mut self) -> Result<Option<Released>> {
        let mut rows = self.db.statement(Sql::Released)?.query(&[])?;
        if !rows.next()? {
            return Ok(Some(Released::default()));
        }
        Ok(rows.stored_text(0).ok().and_then(Released::parse))
    }
}

/// The entry of a key, as `Sql::Get` gives it: its value is NULL where it is withheld. In a damaged file it
/// may be NULL, too, and is not withheld from a read that takes any.
pub fn found<'a>(key: &'a [u8], rows: &'a Rows<'_>, max_value_bytes: usize) -> Result<Row<'a>> {
    Ok(Row {
        key,
        versionstamp: rows.text(0)?,
        expires_at: rows.optional_int(1),
        encoding: encoding(rows.int(2)),
        withheld: max_value_bytes != usize::MAX && rows.is_null(3),
        value: rows.blob(3),
    })
}

/// Shows entries, as `Sql::Scan` gives them, until `visit` has enough.
pub fn show(
    rows: &mut Rows<'_>,
    max_value_bytes: usize,
    visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>,
) -> Result<()> {
    while rows.next()? {
        if visit(found(rows.blob(4), rows, max_value_bytes)?)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// A column as an encoding.
pub fn encoding(column: i64) -> u8 {
    u8::try_from(column).unwrap_or(u8::MAX)
}

/// The mode of the change log, as the file says it.
pub fn change_log(rows: &Rows<'_>, column: i32) -> Result<ChangeLog> {
    ChangeLog::parse(rows.text(column)?).map_err(|_| {
        Error::corrupt(
            "the file's kv_meta has an unknown change_log; open the file with the option changeLog",
        )
    })
}

/// Counts the entries of a range, as `sql` does.
pub fn count(db: &mut Db, sql: Sql, range: &Range<Vec<u8>>, now_ms: i64) -> Result<u64> {
    let params = [range.start.as_slice().into(), range.end.as_slice().into(), now_ms.into()];
    let mut rows = db.statement(sql)?.query(&params)?;
    rows.next()?;
    Ok(u64::try_from(rows.int(0)).unwrap_or(0))
}
