//! Indexes on a connection. An ordered one is a partial expression index (`ordered.rs`), a search index an FTS5 table, kept by triggers, so that every writer keeps it, whenever it opened the
//! file. The table holds no text of its own (`content=''`); its rows are those of `kv_entries` by their rowid.

use super::ordered;
use super::ordered::scan_sql;
use super::read::{LocalRead, found, show};
use super::write::LocalWrite;
use crate::base::error::{Error, Result};
use crate::store::local::schema::objects::{Object, Objects};
use crate::store::local::sqlite::{Param, Rows};
use crate::store::rows::index::{
    Definition, IndexKind, IndexRow, IndexValue, IndexedEntry, OrderedIndex, OrderedScan, SearchIndex,
    SearchScan,
};
use crate::store::sql::Sql;
use crate::store::{Flow, IndexRead, ReadTxn, Row, Step, StepResult, Visit};

/// An index, as `Sql::Indexes` gives it.
pub fn row_of(rows: &Rows<'_>) -> Result<IndexRow> {
    Ok(IndexRow {
        id: rows.int(0),
        prefix: rows.blob(1).to_vec(),
        kind: if rows.text(4)? == ORDERED { IndexKind::Ordered } else { IndexKind::Search },
        spec: rows.text(2)?.to_string(),
        created_at: rows.int(3),
    })
}

impl IndexRead for LocalRead<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        let mut rows = self.db.statement(Sql::Indexes)?.query(&[])?;
        let mut indexes = Vec::new();
        while rows.next()? {
            indexes.push(row_of(&rows)?);
        }
        Ok(indexes)
    }

    fn stands(&mut self, id: i64, index: &Definition) -> Result<bool> {
        let mut found = Objects::read(&self.db.connection)?;
        let mut objects = objects_of(id, index).into_iter();
        Ok(objects.all(|object| found.take(&object).is_some_and(|stands| stands.is_made_as(&object))))
    }

    fn scan_index(&mut self, scan: &OrderedScan, visit: &mut dyn FnMut(IndexedEntry)) -> Result<()> {
        // What the index cannot judge is marked there, and always among what is found.
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
            return visit(Some(found(key, &rows)?));
        }
        drop(rows);
        // It was deleted. It may have been set again, or another program's VACUUM has moved it.
        self.get(key, max_value_bytes, visit)
    }

    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let columns = "e.versionstamp, e.expires_at, e.encoding, length(e.value) > ?7,
            CASE WHEN length(e.value) <= ?7 THEN e.value END, e.key";
        let mut rows = self.ranked(columns, scan, i64::MAX as usize, Some(scan.max_value_bytes.into()))?;
        show(&mut rows, visit)
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

    fn unique_holder(
        &mut self,
        index: &OrderedIndex,
        key: &[u8],
        encoding: u8,
        value: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let sql = ordered::holder_sql(index);
        let mut statement = self.db.connection.prepare(&sql)?;
        let mut rows = statement.query(&[value.into(), i64::from(encoding).into(), key.into()])?;
        Ok(if rows.next()? { Some(rows.blob(0).to_vec()) } else { None })
    }

    fn is_match(&mut self, scan: &SearchScan, key: &[u8]) -> Result<bool> {
        let table = table_of(scan.id);
        let row = "(SELECT rowid FROM kv_entries WHERE key = ?2)";
        let sql = format!("SELECT 1 FROM {table} WHERE {table} MATCH ?1 AND rowid = {row}");
        self.db.made(sql)?.query(&[scan.expression.as_str().into(), key.into()])?.next()
    }
}

impl LocalRead<'_> {
    /// The live entries that match, best first, by these columns; `?7` is free.
    fn ranked<'a>(
        &'a mut self,
        columns: &str,
        scan: &'a SearchScan,
        limit: usize,
        column_param: Option<Param<'a>>,
    ) -> Result<Rows<'a>> {
        let table = table_of(scan.id);
        // FTS5 sorts its rows by themselves; what stands in an entry is read as it is asked for.
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

fn table_of(id: i64) -> String {
    format!("kv_search_{id}")
}

/// The kind of an ordered index in `kv_indexes`.
const ORDERED: &str = "ordered";

impl LocalWrite<'_> {
    /// Notes an index; gives its number.
    fn note_index(&mut self, prefix: &[u8], kind: &str, spec: &str) -> Result<i64> {
        let (now, db) = (self.read.now_ms, &mut *self.read.db);
        db.statement(Sql::InsertIndex)?.run(&[prefix.into(), kind.into(), spec.into(), now.into()])?;
        let mut rows = db.statement(Sql::LastIndex)?.query(&[])?;
        rows.next()?;
        Ok(rows.int(0))
    }

    fn define(&mut self, sql: &str) -> Result<()> {
        self.read.db.connection.prepare(sql)?.run(&[])
    }
}

impl LocalWrite<'_> {
    /// A step of indexes.
    pub fn index_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        match step {
            Step::CreateSearchIndex(index) => self.create_search(index),
            Step::CreateOrderedIndex(index) => self.create_ordered(index),
            Step::DropIndex(index) => self.drop_index(index),
            _ => Err(Error::corrupt("a step of another kind")),
        }
        .map(|()| StepResult::Done)
    }

    fn create_search(&mut self, index: &SearchIndex) -> Result<()> {
        let id = self.note_index(&index.prefix, "search", &index.spec)?;
        search_objects(id, index).iter().try_for_each(|object| self.define(&object.sql))?;
        self.define(&fill(id, index))
    }

    fn create_ordered(&mut self, index: &OrderedIndex) -> Result<()> {
        let id = self.note_index(&index.prefix, ORDERED, &index.spec)?;
        ordered::objects(id, index).iter().try_for_each(|object| self.define(&object.sql))
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
        IndexValue::Flag(false) => Param::Blob(ordered::FALSE),
        IndexValue::Flag(true) => Param::Blob(ordered::TRUE),
    }
}

/// The table of a search index and the triggers that keep it, with their names. A definition takes no parameters: bounds are
/// written in hexadecimal, paths as quoted strings.
fn search_objects(id: i64, index: &SearchIndex) -> [Object; 4] {
    let (table, columns) = (table_of(id), columns_of(index));
    let within = |row: &str| ordered::within(&format!("{row}key"), &index.range);
    let tokenizer = index.tokenizer;
    let trigger = |when: &str, sql: String| {
        let name = format!("{table}_{when}");
        Object::new("trigger", &name, format!("CREATE TRIGGER {name} {sql}"))
    };
    [
        Object::new(
            "table",
            &table,
            format!(
                "CREATE VIRTUAL TABLE {table} USING fts5({columns}, content='', contentless_delete=1, tokenize='{tokenizer}')"
            ),
        ),
        trigger(
            "insert",
            format!(
                "AFTER INSERT ON kv_entries WHEN {} AND new.encoding < 2 BEGIN
               INSERT INTO {table} (rowid, {columns}) VALUES (new.rowid, {});
             END",
                within("new."),
                texts(index, "new.")
            ),
        ),
        trigger(
            "update",
            format!(
                "AFTER UPDATE OF value, encoding ON kv_entries WHEN {} BEGIN
               DELETE FROM {table} WHERE rowid = old.rowid;
               INSERT INTO {table} (rowid, {columns}) SELECT new.rowid, {} WHERE new.encoding < 2;
             END",
                within("new."),
                texts(index, "new.")
            ),
        ),
        trigger(
            "delete",
            format!(
                "AFTER DELETE ON kv_entries WHEN {} BEGIN
               DELETE FROM {table} WHERE rowid = old.rowid;
             END",
                within("old.")
            ),
        ),
    ]
}

/// Fills a search index with what is stored.
fn fill(id: i64, index: &SearchIndex) -> String {
    let (table, columns, texts) = (table_of(id), columns_of(index), texts(index, "kv_entries."));
    let within = ordered::within("kv_entries.key", &index.range);
    format!(
        "INSERT INTO {table} (rowid, {columns}) SELECT rowid, {texts} FROM kv_entries WHERE {within} AND encoding < 2"
    )
}

fn columns_of(index: &SearchIndex) -> String {
    (0..index.paths.len()).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ")
}

/// Texts and numbers, whole or within arrays and objects; not the names of members, nor the tags of an encoding. What is
/// damaged holds no words, and must not make a write fail.
fn texts(index: &SearchIndex, row: &str) -> String {
    let text = |path: &String| {
        let (json, path) = (format!("CAST({row}value AS TEXT)"), path.replace('\'', "''"));
        format!(
            "CASE WHEN json_valid({json}) THEN (SELECT group_concat(atom, ' ') FROM json_tree({json}, '{path}')
                   WHERE type IN ('text', 'integer', 'real') AND key IS NOT '__type') END"
        )
    };
    index.paths.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The tables in which FTS5 keeps one of its own, by the end of their names.
const FTS5_TABLES: [(&str, &str); 4] = [
    ("data", "(id INTEGER PRIMARY KEY, block BLOB)"),
    ("idx", "(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID"),
    ("docsize", "(id INTEGER PRIMARY KEY, sz BLOB, origin INTEGER)"),
    ("config", "(k PRIMARY KEY, v) WITHOUT ROWID"),
];

/// What an index adds to the schema.
pub fn objects_of(id: i64, index: &Definition) -> Vec<Object> {
    let index = match index {
        Definition::Ordered(index) => return ordered::objects(id, index),
        Definition::Search(index) => index,
    };
    let kept = FTS5_TABLES.iter().map(|(suffix, form)| {
        let name = format!("{}_{suffix}", table_of(id));
        Object::new("table", &name, format!("CREATE TABLE '{name}'{form}"))
    });
    search_objects(id, index).into_iter().chain(kept).collect()
}
