//! A snapshot kept for the reads that follow (`Reader::keep`): it is current at every read, and released on
//! request.

use crate::support;
use crate::support::file::File;
use crate::support::page::{Parts, entries};
use crate::support::raw::Raw;
use crate::support::{keys_of, open, put, quiet, read_now, set};
use keyval::engine::answer::Answer;
use keyval::engine::request::Request;
use keyval::kv::Kv;

fn value(kv: &mut Kv, key: &str) -> Option<i64> {
    let Answer::Page(page) = read_now(kv, &Request::Get(keys_of(&[&[key]]))) else { panic!("no page") };
    entries(&page, Parts::Known)[0].value.as_i64()
}

/// Opens a file that keeps a snapshot, from which it has read 1.
fn keeping(file: &File) -> Kv {
    let mut kv = file.open_frozen();
    put(&mut kv, set(&["a"], "1"));
    kv.keep_snapshot();
    for _ in 0..3 {
        assert_eq!(value(&mut kv, "a"), Some(1));
    }
    kv
}

/// Whether all of the log can go into the file and the log can be cut off: nobody reads from it.
fn checkpoints(raw: &Raw) -> bool {
    raw.execute("PRAGMA busy_timeout = 0");
    raw.rows("PRAGMA wal_checkpoint(TRUNCATE)", ())[0][0] == libsql::Value::Integer(0)
}

/// Seen to fail: without comparing the mark, every later read gives 1.
#[test]
fn a_commit_is_seen_by_the_next_read() {
    let file = File::new();
    let mut reader = file.open_frozen();
    let mut writer = file.open_frozen();
    put(&mut writer, set(&["a"], "0"));
    reader.keep_snapshot();
    for round in 1..=300 {
        put(&mut writer, set(&["a"], &round.to_string()));
        assert_eq!(value(&mut reader, "a"), Some(round));
        assert_eq!(value(&mut reader, "a"), Some(round), "again, from the kept snapshot");
    }
}

/// Other processes write through other connections, as `Raw` does; also across a checkpoint that restarts the
/// log.
#[test]
fn a_commit_of_another_connection_is_seen_too() {
    let file = File::new();
    let mut reader = file.open_frozen();
    put(&mut reader, set(&["a"], "0"));
    reader.keep_snapshot();
    assert_eq!(value(&mut reader, "a"), Some(0));
    assert_eq!(value(&mut reader, "a"), Some(0));
    let raw = Raw::open(&file.path());
    for round in 1..=50 {
        raw.execute(&format!("UPDATE kv_entries SET value = CAST('{round}' AS BLOB)"));
        assert_eq!(value(&mut reader, "a"), Some(round));
        if round % 10 == 0 {
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)");
            assert_eq!(value(&mut reader, "a"), Some(round));
        }
    }
}

/// Seen to fail: with the transaction kept after `release_snapshot`, the checkpoint is busy.
#[test]
fn a_released_snapshot_blocks_nothing() {
    let file = File::new();
    let mut kv = keeping(&file);
    let raw = Raw::open(&file.path());
    assert!(!checkpoints(&raw), "a snapshot of the log is kept");
    kv.release_snapshot();
    assert!(checkpoints(&raw));
    assert_eq!(value(&mut kv, "a"), Some(1));
}

/// Closing with a kept snapshot releases the file, and an error ends the snapshot.
#[test]
fn closing_ends_it() {
    let file = File::new();
    let kv = keeping(&file);
    support::close(kv);
    let raw = Raw::open(&file.path());
    assert!(checkpoints(&raw));
}

/// In memory the writer uses the same connection: nothing is kept there.
#[test]
fn memory_keeps_none() {
    let mut kv = open(":memory:".as_ref(), &quiet());
    kv.keep_snapshot();
    for round in 0..20 {
        put(&mut kv, set(&["a"], &round.to_string()));
        assert_eq!(value(&mut kv, "a"), Some(round));
        assert_eq!(value(&mut kv, "a"), Some(round));
    }
}
