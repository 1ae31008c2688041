//! The model (`model.rs`) compared with what is in a file, and with what an answer shows.

use std::collections::BTreeMap;

use keyval::base::config::ChangeLog;
use keyval::codec::key_json;
use serde_json::Value;

use super::model::{LoggedCommit, Row};
use super::page::Entry;
use super::raw::Raw;

/// The rows of a file are those of the model, byte by byte.
pub fn assert_rows(raw: &Raw, expected: &BTreeMap<Vec<u8>, Row>) {
    let rows = raw.entries().into_iter().map(|entry| {
        let encoding = u8::try_from(entry.encoding).unwrap();
        let (versionstamp, expires_at, value) = (entry.versionstamp, entry.expires_at, entry.value);
        (entry.key, Row { versionstamp, expires_at, encoding, value })
    });
    let rows: BTreeMap<_, _> = rows.collect();
    assert!(rows == *expected, "rows\n{:?}\nmodel\n{:?}", summary(&rows), summary(expected));
}

/// The log after `seen_seq` has the rows of these commits, in their order, and no others. Gives the newest
/// versionstamp; empty if there are no rows.
pub fn assert_log(
    raw: &Raw,
    change_log: ChangeLog,
    seen_seq: &mut i64,
    commits: Vec<LoggedCommit>,
) -> String {
    let mut changes = raw.changes_after(*seen_seq).into_iter().peekable();
    let mut last = String::new();
    if change_log == ChangeLog::Off {
        assert!(changes.next().is_none());
        return last;
    }
    for LoggedCommit { stamp, keys } in commits {
        let group = changes.peek().expect("a commit that the log does not have").versionstamp.clone();
        assert!(group > last && stamp.is_none_or(|stamp| stamp == group), "{group} after {last}");
        for _ in 0..keys.len() {
            let change = changes.next().expect("a key that the log does not have");
            *seen_seq = change.seq;
            let (op, value) = keys.get(&change.key).expect("a key that was not changed");
            assert_eq!((&change.versionstamp, change.op.as_str()), (&group, *op), "{change:?}");
            let kept = value.clone().filter(|_| change_log == ChangeLog::Values);
            let value = change.encoding.map(|encoding| u8::try_from(encoding).unwrap()).zip(change.value);
            assert!(value == kept, "{op} of {:?}", change.key);
        }
        last = group;
    }
    assert!(changes.next().is_none(), "the log has more than was done");
    last
}

/// An entry of a list is a row of the model.
pub fn assert_entry(found: &Entry, key: &[u8], row: &Row, keys_only: bool) {
    let mut json = Vec::new();
    key_json::write(key, &mut json).unwrap();
    assert_eq!(found.key, serde_json::from_slice::<Value>(&json).unwrap());
    if keys_only {
        assert_eq!(found.versionstamp.as_ref(), Some(&row.versionstamp));
        assert_eq!(found.expires_at, row.expires_at);
    } else {
        assert_value(found, row);
    }
}

/// An entry of any answer has the value of a row of the model.
pub fn assert_value(found: &Entry, row: &Row) {
    let known = (found.versionstamp.as_deref(), found.expires_at, found.encoding);
    assert_eq!(known, (Some(row.versionstamp.as_str()), row.expires_at, row.encoding));
    match row.encoding {
        0 | 1 => assert!(found.value == serde_json::from_slice::<Value>(&row.value).unwrap()),
        _ => assert_eq!(found.bytes, row.value),
    }
}

fn summary(rows: &BTreeMap<Vec<u8>, Row>) -> Vec<(String, Option<i64>, u8, usize)> {
    let json = |key: &[u8]| {
        let mut out = Vec::new();
        key_json::write(key, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    rows.iter().map(|(key, row)| (json(key), row.expires_at, row.encoding, row.value.len())).collect()
}
