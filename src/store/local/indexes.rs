//! Search indexes on a connection: an FTS5 table each, kept by triggers, so that every writer keeps it, whenever it opened the
//! file. The table holds no text of its own (`content=''`); its rows are those of `kv_entries` by their rowid.

use super::sql::Sql;
use super::sqlite::Param;
use super::txn::{LocalRead, LocalWrite, encoding};
use crate::error::Result;
use crate::store::index::{IndexRow, SearchIndex, SearchScan};
use crate::store::{Flow, IndexRead, IndexWrite, Row};

impl IndexRead for LocalRead<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        let mut rows = self.db.statement(Sql::Indexes)?.query(&[])?;
        let mut indexes = Vec::new();
        while rows.next()? {
            indexes.push(IndexRow {
                id: rows.int(0),
                prefix: rows.blob(1).to_vec(),
                spec: rows.text(2)?.to_string(),
                created_at: rows.int(3),
            });
        }
        Ok(indexes)
    }

    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let now_ms = self.now_ms;
        let statement = self.db.search_statement(scan.id, || {
            let table = table_of(scan.id);
            // FTS5 sorts its rows by themselves; values are read as they are asked for.
            format!(
                "SELECT e.versionstamp, e.expires_at, e.encoding, e.value, e.key
                 FROM {table} CROSS JOIN kv_entries AS e ON e.rowid = {table}.rowid
                 WHERE {table} MATCH ?1 AND e.key >= ?2 AND e.key < ?3 AND (e.expires_at IS NULL OR e.expires_at > ?4)
                 ORDER BY {table}.rank LIMIT -1 OFFSET ?5"
            )
        })?;
        let params: [Param<'_>; 5] = [
            scan.expression.as_str().into(),
            scan.range.start.as_slice().into(),
            scan.range.end.as_slice().into(),
            now_ms.into(),
            scan.offset.into(),
        ];
        let mut rows = statement.query(&params)?;
        while rows.next()? {
            let row = Row {
                key: rows.blob(4),
                versionstamp: rows.text(0)?,
                expires_at: rows.optional_int(1),
                encoding: encoding(rows.int(2)),
                value: rows.blob(3),
                withheld: false,
            };
            if visit(row)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

impl IndexRead for LocalWrite<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        self.read.indexes()
    }

    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        self.read.search(scan, visit)
    }
}

fn table_of(id: i64) -> String {
    format!("kv_search_{id}")
}

impl IndexWrite for LocalWrite<'_> {
    fn create_search_index(&mut self, index: &SearchIndex) -> Result<()> {
        let (now, db) = (self.read.now_ms, &mut *self.read.db);
        db.statement(Sql::InsertIndex)?.run(&[
            index.prefix.as_slice().into(),
            index.spec.as_str().into(),
            now.into(),
        ])?;
        let mut rows = db.statement(Sql::LastIndex)?.query(&[])?;
        rows.next()?;
        let id = rows.int(0);
        drop(rows);
        for sql in definition(id, index) {
            db.connection.prepare(&sql)?.run(&[])?;
        }
        Ok(())
    }

    fn drop_index(&mut self, id: i64) -> Result<()> {
        let db = &mut *self.read.db;
        db.statement(Sql::RemoveIndex)?.run(&[id.into()])?;
        let table = table_of(id);
        for when in ["insert", "update", "delete"] {
            db.connection.prepare(&format!("DROP TRIGGER IF EXISTS {table}_{when}"))?.run(&[])?;
        }
        db.connection.prepare(&format!("DROP TABLE IF EXISTS {table}"))?.run(&[])
    }
}

/// The statements that make an index. A definition takes no parameters: bounds are written in hexadecimal, paths as quoted
/// strings.
fn definition(id: i64, index: &SearchIndex) -> [String; 5] {
    let table = table_of(id);
    let count = index.paths.len();
    let columns = (0..count).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ");
    let (from, to) = (hex(&index.range.start), hex(&index.range.end));
    let within = |row: &str| format!("{row}key >= {from} AND {row}key < {to}");
    let texts = |row: &str| {
        // Texts and numbers, whole or within arrays and objects; not the names of members, nor the tags of an encoding.
        // What is damaged holds no words, and must not make a write fail.
        let text = |path: &String| {
            let (json, path) = (format!("CAST({row}value AS TEXT)"), path.replace('\'', "''"));
            format!(
                "CASE WHEN json_valid({json}) THEN (SELECT group_concat(atom, ' ') FROM json_tree({json}, '{path}')
                   WHERE type IN ('text', 'integer', 'real') AND key IS NOT '__type') END"
            )
        };
        index.paths.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let tokenizer = index.tokenizer;
    [
        format!(
            "CREATE VIRTUAL TABLE {table} USING fts5({columns}, content='', contentless_delete=1, tokenize='{tokenizer}')"
        ),
        format!(
            "CREATE TRIGGER {table}_insert AFTER INSERT ON kv_entries WHEN {} AND new.encoding < 2 BEGIN
               INSERT INTO {table} (rowid, {columns}) VALUES (new.rowid, {});
             END",
            within("new."),
            texts("new.")
        ),
        format!(
            "CREATE TRIGGER {table}_update AFTER UPDATE OF value, encoding ON kv_entries WHEN {} BEGIN
               DELETE FROM {table} WHERE rowid = old.rowid;
               INSERT INTO {table} (rowid, {columns}) SELECT new.rowid, {} WHERE new.encoding < 2;
             END",
            within("new."),
            texts("new.")
        ),
        format!(
            "CREATE TRIGGER {table}_delete AFTER DELETE ON kv_entries WHEN {} BEGIN
               DELETE FROM {table} WHERE rowid = old.rowid;
             END",
            within("old.")
        ),
        format!(
            "INSERT INTO {table} (rowid, {columns}) SELECT rowid, {} FROM kv_entries WHERE {} AND encoding < 2",
            texts("kv_entries."),
            within("kv_entries.")
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}
