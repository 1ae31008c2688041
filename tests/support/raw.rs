//! The file as SQLite sees it, through a connection of the tests. It is of the same library, so that it can
//! read a file that the store has open.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libsql::{Builder, Connection, Value, params::IntoParams};

/// A row of `kv_entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub versionstamp: String,
    pub expires_at: Option<i64>,
    pub encoding: i64,
    pub value: Vec<u8>,
}

/// A row of `kv_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub seq: i64,
    pub key: Vec<u8>,
    pub op: String,
    pub versionstamp: String,
    pub encoding: Option<i64>,
    pub value: Option<Vec<u8>>,
}

/// All that commits write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawState {
    pub entries: Vec<Entry>,
    pub changes: Vec<Change>,
    /// The last versionstamp that was issued.
    pub clock: String,
    /// Rows of queues, consumers, locks, settings, indexes and their words.
    pub others: Vec<String>,
}

/// A connection.
pub struct Raw(Connection);

/// The local futures of libsql are ready at the first poll.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a local future that is not ready"),
    }
}

/// The other tables; random ids are left out.
const OTHERS: [&str; 7] = [
    "SELECT iif(length(id) = 36, '', id), seq, queue, status, ready_at, attempts, lease, locked_until, value
     FROM kv_queue ORDER BY 1",
    "SELECT original_id, queue, error_message, attempts, failed_at, keys_if_undelivered, value FROM kv_dlq ORDER BY 1",
    "SELECT * FROM kv_consumers ORDER BY name",
    "SELECT * FROM kv_locks ORDER BY name",
    "SELECT * FROM kv_meta WHERE key IN ('sequence', 'trimmed') ORDER BY key",
    "SELECT * FROM kv_indexes ORDER BY id",
    "SELECT name FROM sqlite_schema WHERE name LIKE 'kv_search%' ORDER BY name",
];

impl Raw {
    pub fn open(path: &Path) -> Self {
        let database = now(Builder::new_local(path).build()).unwrap();
        let connection = database.connect().unwrap();
        // A store that is closing locks its file for a moment.
        connection.busy_timeout(Duration::from_secs(20)).unwrap();
        Self(connection)
    }

    pub fn execute(&self, sql: &str) {
        now(self.0.execute_batch(sql)).unwrap();
    }

    pub fn rows(&self, sql: &str, params: impl IntoParams) -> Vec<Vec<Value>> {
        let mut rows = now(self.0.query(sql, params)).unwrap();
        let mut found = Vec::new();
        while let Some(row) = now(rows.next()).unwrap() {
            found.push((0..row.column_count()).map(|column| row.get_value(column).unwrap()).collect());
        }
        found
    }

    pub fn entries(&self) -> Vec<Entry> {
        let sql = "SELECT key, versionstamp, expires_at, encoding, value FROM kv_entries ORDER BY key";
        self.rows(sql, ()).into_iter().map(entry).collect()
    }

    /// Changes after a number.
    pub fn changes_after(&self, seq: i64) -> Vec<Change> {
        let sql =
            "SELECT seq, key, op, versionstamp, encoding, value FROM kv_changes WHERE seq > ?1 ORDER BY seq";
        self.rows(sql, [seq]).into_iter().map(change).collect()
    }

    /// Each word of each search index, with its entry and its place.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for index in self.rows("SELECT id FROM kv_indexes", ()) {
            let Value::Integer(id) = index[0] else { panic!("an index without a number") };
            let table = format!("words_{id}");
            self.execute(&format!(
                "CREATE VIRTUAL TABLE temp.{table} USING fts5vocab(main, kv_search_{id}, instance)"
            ));
            let all =
                self.rows(&format!("SELECT term, doc, col, offset FROM {table} ORDER BY 1, 2, 3, 4"), ());
            words.extend(all.into_iter().map(|row| format!("{id}: {row:?}")));
            words.extend(
                self.rows(&format!("SELECT id FROM kv_search_{id}_docsize"), ())
                    .iter()
                    .map(|row| format!("{id}: {row:?}")),
            );
            self.execute(&format!("DROP TABLE temp.{table}"));
        }
        words
    }

    pub fn state(&self) -> RawState {
        self.execute("BEGIN");
        let clock = self.rows("SELECT value FROM kv_meta WHERE key = 'clock'", ());
        let clock = text(clock[0][0].clone());
        let rows = OTHERS.iter().flat_map(|sql| self.rows(sql, ())).map(|row| format!("{row:?}"));
        let others = rows.chain(self.words()).collect();
        let state = RawState { entries: self.entries(), changes: self.changes_after(0), clock, others };
        self.execute("COMMIT");
        state
    }

    pub fn assert_sound(&self) {
        let found = self.rows("PRAGMA integrity_check", ());
        assert_eq!(found, [[Value::Text("ok".into())]]);
    }
}

/// The state of a file.
pub fn state(path: &Path) -> RawState {
    Raw::open(path).state()
}

impl RawState {
    /// The keys of all entries, live or expired.
    pub fn keys(&self) -> BTreeSet<&[u8]> {
        self.entries.iter().map(|entry| entry.key.as_slice()).collect()
    }

    /// The entry of a key.
    pub fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The keys that exist according to the change log, from its beginning.
    pub fn logged_keys(&self) -> BTreeSet<&[u8]> {
        let mut keys = BTreeSet::new();
        for change in &self.changes {
            match change.op.as_str() {
                "delete" => assert!(keys.remove(change.key.as_slice()), "a delete of nothing: {change:?}"),
                _ => drop(keys.insert(change.key.as_slice())),
            }
        }
        keys
    }
}

fn entry(row: Vec<Value>) -> Entry {
    let [key, versionstamp, expires_at, encoding, value] = row.try_into().unwrap();
    Entry {
        key: blob(key),
        versionstamp: text(versionstamp),
        expires_at: optional_int(&expires_at),
        encoding: optional_int(&encoding).unwrap(),
        value: blob(value),
    }
}

fn change(row: Vec<Value>) -> Change {
    let [seq, key, op, versionstamp, encoding, value] = row.try_into().unwrap();
    Change {
        seq: optional_int(&seq).unwrap(),
        key: blob(key),
        op: text(op),
        versionstamp: text(versionstamp),
        encoding: optional_int(&encoding),
        value: (value != Value::Null).then(|| blob(value)),
    }
}

fn blob(value: Value) -> Vec<u8> {
    match value {
        Value::Blob(bytes) => bytes,
        other => panic!("not a blob: {other:?}"),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    }
}

fn optional_int(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(int) => Some(*int),
        Value::Null => None,
        other => panic!("not an integer: {other:?}"),
    }
}
