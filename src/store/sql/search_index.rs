//! The SQL of search indexes: an FTS5 table, kept by triggers, so that every writer keeps it, whenever it
//! opened the file. The table holds no text of its own (`content=''`); its rows are those of `kv_entries` by
//! their rowid.

use super::object::Object;
use super::ordered_index::within as keys_within;
use crate::store::rows::index::SearchIndex;

/// The schema objects of a search index.
#[must_use]
pub fn objects(id: i64, index: &SearchIndex) -> Vec<Object> {
    let kept = FTS5_TABLES.iter().map(|(suffix, form)| {
        let name = format!("{}_{suffix}", table_of(id));
        Object::new("table", &name, format!("CREATE TABLE '{name}'{form}"))
    });
    kept_objects(id, index).into_iter().chain(kept).collect()
}

/// The FTS5 table of an index.
#[must_use]
pub fn table_of(id: i64) -> String {
    format!("kv_search_{id}")
}

/// The table of a search index and the triggers that keep it, with their names. A definition takes no
/// parameters: bounds are written in hexadecimal, paths as quoted strings.
pub fn kept_objects(id: i64, index: &SearchIndex) -> [Object; 4] {
    let (table, columns) = (table_of(id), columns_of(index));
    let within = |row: &str| keys_within(&format!("{row}key"), &index.range);
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
#[must_use]
pub fn fill(id: i64, index: &SearchIndex) -> String {
    let (table, columns, texts) = (table_of(id), columns_of(index), texts(index, "kv_entries."));
    let within = keys_within("kv_entries.key", &index.range);
    format!(
        "INSERT INTO {table} (rowid, {columns}) SELECT rowid, {texts} FROM kv_entries WHERE {within} AND encoding < 2"
    )
}

fn columns_of(index: &SearchIndex) -> String {
    (0..index.paths.len()).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ")
}

/// Texts and numbers, whole or within arrays and objects; not the names of members, nor the tags of an
/// encoding. What is damaged holds no words, and must not make a write fail.
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
