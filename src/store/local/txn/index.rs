//! Indexes on a connection: read, walked, searched, made and removed.

use super::read::{LocalRead, found, show};
use super::write::LocalWrite;
use crate::base::error::{Error, Result};
use crate::codec::key::is_under;
use crate::store::local::schema::index_row::row_of;
use crate::store::local::schema::objects::Objects;
use crate::store::local::sqlite::{Param, Rows};
use crate::store::rows::index::{
    Define, Definition, IndexKind, IndexRow, IndexValue, IndexedEntry, OrderedIndex, OrderedScan,
    SearchIndex, SearchScan,
};
use crate::store::sql::Sql;
use crate::store::sql::indexes::{ORDERED, objects_of};
use crate::store::sql::ordered_index::{self, scan_sql};
use crate::store::sql::search_index::{fill, kept_objects, table_of};
use crate::store::{ConflictingEntry, Flow, IndexRead, ReadTxn, Row, Step, StepResult, Visit};

impl IndexRead for LocalRead<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        let mut rows = self.db.statement(Sql::Indexes)?.query(&[])?;
        let mut indexes = Vec::new();
        while rows.next()? {
            indexes.push(row_of(&rows)?);
        }
        Ok(indexes)
    }

    fn is_intact(&mut self, id: i64, index: &Definition) -> Result<bool> {
        let mut found = Objects::read(&self.db.connection)?;
        let mut objects = objects_of(id, index).into_iter();
        Ok(objects.all(|object| found.take(&object).is_some_and(|stored| stored.is_made_as(&object))))
    }

    fn scan_index(&mut self, scan: &OrderedScan, visit: &mut dyn FnMut(IndexedEntry)) -> Result<()> {
        // Entries that the index cannot judge are marked in it, and always among the candidates.
        for is_marked in [false, true] {
            let (sql, values) = scan_sql(scan, is_marked);
            let mut params: Vec<Param<'_>> =
                vec![scan.range.start.as_slice().into(), scan.range.end.as_slice().into(), scan.limit.into()];
            params.extend(values.iter().map(param));
            let mut rows = self.db.made(sql)?.query(&params)?;
            while rows.next()? {
                visit(IndexedEntry { key: rows.blob(0).to_vec(), row: rows.int(1) });
            }
        }
        Ok(())
    }

    fn get_indexed(&mut self, entry: &IndexedEntry, max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let key = entry.key.as_slice();
        let params = [key.into(), max_value_bytes.into(), entry.row.into()];
        let mut rows = self.db.statement(Sql::GetAt)?.query(&params)?;
        if rows.next()? {
            return visit(Some(found(key, &rows, max_value_bytes)?));
        }
        drop(rows);
        // It was deleted. It may have been set again, or another program's VACUUM has moved it.
        self.get(key, max_value_bytes, visit)
    }

    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let columns = "e.versionstamp, e.expires_at, e.encoding, CASE WHEN length(e.value) <= ?7 THEN e.value END, e.key";
        let mut rows = self.ranked(columns, scan, i64::MAX as usize, Some(scan.max_value_bytes.into()))?;
        show(&mut rows, scan.max_value_bytes, visit)
    }

    fn rank(
        &mut self,
        scan: &SearchScan,
        limit: usize,
        visit: &mut dyn FnMut(IndexedEntry, &str),
    ) -> Result<()> {
        let mut rows = self.ranked("e.versionstamp, e.rowid, e.key", scan, limit, None)?;
        while rows.next()? {
            visit(IndexedEntry { key: rows.blob(2).to_vec(), row: rows.int(1) }, rows.text(0)?);
        }
        Ok(())
    }

    fn is_match(&mut self, scan: &SearchScan, key: &[u8]) -> Result<bool> {
        let table = table_of(scan.id);
        let row = "(SELECT rowid FROM kv_entries WHERE key = ?2)";
        let sql = format!("SELECT 1 FROM {table} WHERE {table} MATCH ?1 AND rowid = {row}");
        self.db.made(sql)?.query(&[scan.expression.as_str().into(), key.into()])?.next()
    }
}

impl LocalRead<'_> {
    /// The entry that has the values which a unique index would have for a value; it may have expired.
    pub fn unique_holder(
        &mut self,
        define: Define,
        key: &[u8],
        encoding: u8,
        value: &[u8],
    ) -> Result<Option<ConflictingEntry>> {
        for row in self.indexes()? {
            let under = row.prefix.is_empty() || is_under(key, &row.prefix);
            if row.kind != IndexKind::Ordered || !under {
                continue;
            }
            if let Definition::Ordered(index) = define(&row)?
                && index.unique
                && let Some(key) = self.holder_in(&index, key, encoding, value)?
            {
                let (now, mut is_live) = (self.now_ms, false);
                self.get(&key, 0, &mut |row| {
                    is_live = row.is_some_and(|row| row.is_live(now));
                    Ok(())
                })?;
                return Ok(Some(ConflictingEntry { key, is_live }));
            }
        }
        Ok(None)
    }

    fn holder_in(
        &mut self,
        index: &OrderedIndex,
        key: &[u8],
        encoding: u8,
        value: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let sql = ordered_index::holder_sql(index);
        let mut statement = self.db.connection.prepare(&sql)?;
        let mut rows = statement.query(&[value.into(), i64::from(encoding).into(), key.into()])?;
        Ok(if rows.next()? { Some(rows.blob(0).to_vec()) } else { None })
    }

    /// The live entries that match, best first, by these columns; `?7` is free.
    fn ranked<'a>(
        &'a mut self,
        columns: &str,
        scan: &'a SearchScan,
        limit: usize,
        column_param: Option<Param<'a>>,
    ) -> Result<Rows<'a>> {
        let table = table_of(scan.id);
        // FTS5 sorts its own rows; the entries are read when they are asked for.
        let sql = format!(
            "SELECT {columns}
             FROM {table} CROSS JOIN kv_entries AS e ON e.rowid = {table}.rowid
             WHERE {table} MATCH ?1 AND e.key >= ?2 AND e.key < ?3 AND (e.expires_at IS NULL OR e.expires_at > ?4)
             ORDER BY {table}.rank LIMIT ?6 OFFSET ?5"
        );
        let mut params: Vec<Param<'a>> = vec![
            scan.expression.as_str().into(),
            scan.range.start.as_slice().into(),
            scan.range.end.as_slice().into(),
            self.now_ms.into(),
            scan.offset.into(),
            limit.into(),
        ];
        params.extend(column_param);
        self.db.made(sql)?.query_within(scan.within, &params)
    }
}

impl LocalWrite<'_> {
    fn note_index(&mut self, id: i64, prefix: &[u8], kind: &str, spec: &str) -> Result<()> {
        let now = self.read.now_ms.into();
        self.run(Sql::InsertIndex, &[id.into(), prefix.into(), kind.into(), spec.into(), now]).map(drop)
    }

    fn define(&mut self, sql: &str) -> Result<()> {
        self.read.db.connection.prepare(sql)?.run(&[])
    }
}

impl LocalWrite<'_> {
    /// A step of indexes.
    pub fn index_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        match step {
            Step::CreateSearchIndex(id, index) => self.create_search(*id, index),
            Step::CreateOrderedIndex(id, index) => self.create_ordered(*id, index),
            Step::RemoveIndex(index) => self.drop_index(index),
            _ => Err(Error::corrupt("a step of another kind")),
        }
        .map(|()| StepResult::Done)
    }

    fn create_search(&mut self, id: i64, index: &SearchIndex) -> Result<()> {
        self.note_index(id, &index.prefix, "search", &index.spec)?;
        kept_objects(id, index).iter().try_for_each(|object| self.define(&object.sql))?;
        self.define(&fill(id, index))
    }

    fn create_ordered(&mut self, id: i64, index: &OrderedIndex) -> Result<()> {
        self.note_index(id, &index.prefix, ORDERED, &index.spec)?;
        ordered_index::objects(id, index).iter().try_for_each(|object| self.define(&object.sql))
    }

    fn drop_index(&mut self, index: &IndexRow) -> Result<()> {
        self.run(Sql::RemoveIndex, &[index.id.into()])?;
        let id = index.id;
        if index.kind == IndexKind::Ordered {
            self.define(&format!("DROP INDEX IF EXISTS kv_ordered_{id}"))?;
            return self.define(&format!("DROP INDEX IF EXISTS kv_unique_{id}"));
        }
        let table = table_of(id);
        for when in ["insert", "update", "delete"] {
            self.define(&format!("DROP TRIGGER IF EXISTS {table}_{when}"))?;
        }
        self.define(&format!("DROP TABLE IF EXISTS {table}"))
    }
}

fn param(value: &IndexValue) -> Param<'_> {
    match value {
        IndexValue::Number(number) => Param::Real(*number),
        IndexValue::Text(text) => text.as_str().into(),
        IndexValue::AfterText => Param::Blob(&[]),
        IndexValue::Flag(false) => Param::Blob(ordered_index::FALSE),
        IndexValue::Flag(true) => Param::Blob(ordered_index::TRUE),
    }
}
