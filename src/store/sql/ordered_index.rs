//! The SQL of ordered indexes. A definition takes no parameters: bounds are written in hexadecimal, paths as
//! quoted strings, both from the index's own definition. What a filter asks for is always bound.

use std::ops::Range;

use super::object::Object;
use crate::store::rows::index::{IndexValue, OrderedIndex, OrderedScan};

/// The form of booleans in an index.
pub const FALSE: &[u8] = &[1];
/// The same.
pub const TRUE: &[u8] = &[2];
/// The mark of an entry that the index cannot judge.
const MARK: &str = "x'00'";

/// Bytes as SQL has them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{digits}'")
}

/// The condition of an index, word for word: SQLite uses a partial index only where it sees that the query
/// implies it.
#[must_use]
pub fn condition(range: &Range<Vec<u8>>) -> String {
    format!("{} AND encoding < 2", within("key", range))
}

/// The condition that a key is in a range.
#[must_use]
pub fn within(key: &str, range: &Range<Vec<u8>>) -> String {
    format!("{key} >= {} AND {key} < {}", hex(&range.start), hex(&range.end))
}

/// The schema objects of an ordered index.
#[must_use]
pub fn objects(id: i64, index: &OrderedIndex) -> Vec<Object> {
    let within = condition(&index.range);
    let (name, values) = (format!("kv_ordered_{id}"), columns(&index.paths, value));
    let ordered = format!("CREATE INDEX {name} ON kv_entries ({values}, key) WHERE {within}");
    let mut objects = vec![Object::new("index", &name, ordered)];
    if index.unique {
        let (name, values) = (format!("kv_unique_{id}"), columns(&index.paths, unique_value));
        let unique = format!("CREATE UNIQUE INDEX {name} ON kv_entries ({values}) WHERE {within}");
        objects.push(Object::new("index", &name, unique));
    }
    objects
}

/// The columns of an index.
#[must_use]
pub fn columns(paths: &[String], column: impl Fn(&str) -> String) -> String {
    paths.iter().map(|path| column(path)).collect::<Vec<_>>().join(", ")
}

/// The value at a path as an ordered index has it: numbers, bigints and dates as REAL, strings as TEXT,
/// booleans as BLOB, anything else as NULL. A user's own object with a member `__type` is stored within
/// another one, where SQL would not find its members: such an entry is marked. What is damaged has no values,
/// and must not make a write fail.
#[must_use]
pub fn value(path: &str) -> String {
    let (text, path) = ("CAST(value AS TEXT)", path.replace('\'', "''"));
    let at = format!("json_extract({text}, '{path}')");
    let tagged = format!("json_extract({text}, '{path}.value')");
    format!(
        "CASE WHEN encoding = 1 AND instr(value, CAST('\"__type\":\"object\"' AS BLOB)) > 0 THEN {MARK} \
         WHEN json_valid({text}) THEN CASE json_type({text}, '{path}') WHEN 'text' THEN {at} \
         WHEN 'integer' THEN CAST({at} AS REAL) WHEN 'real' THEN CAST({at} AS REAL) \
         WHEN 'false' THEN x'01' WHEN 'true' THEN x'02' \
         WHEN 'object' THEN CASE {tagged} WHEN 'Infinity' THEN 9e999 WHEN '-Infinity' THEN -9e999 \
         ELSE CAST({tagged} AS REAL) END END END"
    )
}

/// The same for what must be unique: large bigints by their digits, `-0` as 0, and nothing where a value is
/// neither number, string nor boolean.
#[must_use]
pub fn unique_value(path: &str) -> String {
    let (text, path) = ("CAST(value AS TEXT)", path.replace('\'', "''"));
    let at = format!("json_extract({text}, '{path}')");
    let tagged = format!("json_extract({text}, '{path}.value')");
    let tag = format!("json_extract({text}, '{path}.__type')");
    format!(
        "CASE WHEN json_valid({text}) THEN CASE json_type({text}, '{path}') WHEN 'text' THEN {at} \
         WHEN 'integer' THEN CAST({at} AS REAL) WHEN 'real' THEN CAST({at} AS REAL) \
         WHEN 'false' THEN x'01' WHEN 'true' THEN x'02' \
         WHEN 'object' THEN CASE WHEN encoding = 1 AND {tag} IN ('bigint', 'u64') AND length({tagged}) > 15 \
         THEN CAST({tagged} AS BLOB) \
         WHEN encoding = 1 AND {tag} IN ('bigint', 'u64', 'date') THEN CAST({tagged} AS REAL) \
         WHEN encoding = 1 AND {tag} = 'number' THEN CASE {tagged} WHEN '-0' THEN 0.0 \
         WHEN 'Infinity' THEN 9e999 WHEN '-Infinity' THEN -9e999 END END END END"
    )
}

/// The statement that looks for the holder of a unique index's values: `?1` the new value, `?2` its encoding,
/// `?3` its key.
#[must_use]
pub fn holder_sql(index: &OrderedIndex) -> String {
    let same = |path: &String| {
        let column = unique_value(path);
        format!("{column} = (SELECT {column} FROM (SELECT ?1 AS value, ?2 AS encoding))")
    };
    let same = index.paths.iter().map(same).collect::<Vec<_>>().join(" AND ");
    format!("SELECT key FROM kv_entries WHERE {} AND {same} AND key <> ?3", condition(&index.range))
}

/// The statement of a walk, and the values that are bound from `?4` on.
#[must_use]
pub fn scan_sql(scan: &OrderedScan, is_marked: bool) -> (String, Vec<IndexValue>) {
    let mut conditions = vec![condition(&scan.within)];
    // The key follows the last field. Where that is not said, others would be walked that no limit counts.
    if scan.paths.len() == if is_marked { 1 } else { scan.equal.len() } {
        conditions.push("key >= ?1 AND key < ?2".into());
    }
    let mut values = Vec::new();
    let mut columns = scan.paths.iter().map(|path| value(path));
    if is_marked {
        conditions.extend(columns.next().map(|column| format!("{column} = {MARK}")));
    } else {
        for (one, column) in scan.equal.iter().zip(columns.by_ref()) {
            values.push(one.clone());
            conditions.push(format!("{column} = ?{}", values.len() + 3));
        }
        if let (Some((low, high)), Some(column)) = (&scan.between, columns.next()) {
            values.extend([low.clone(), high.clone()]);
            let last = values.len() + 3;
            conditions.push(format!("{column} >= ?{} AND {column} <= ?{last}", last - 1));
        }
    }
    let conditions = conditions.join(" AND ");
    let sql = format!(
        "SELECT key, rowid FROM kv_entries INDEXED BY kv_ordered_{} WHERE {conditions} LIMIT ?3",
        scan.id
    );
    (sql, values)
}
