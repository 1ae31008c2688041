//! A file in which another program has planted something is refused when it is opened, with its name, and left as it is.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use keyval::error::Code;
use keyval::kv::Kv;
use support::raw::Raw;
use support::{close, open, put, quiet, set};

mod support;

/// What is planted, and what the message names.
const PLANTED: [(&str, &str); 5] = [
    ("CREATE TRIGGER thief AFTER INSERT ON kv_entries BEGIN DELETE FROM kv_entries; END", "trigger thief"),
    ("CREATE UNIQUE INDEX narrow ON kv_entries (value)", "index narrow"),
    (
        "DROP TABLE kv_changes;
         CREATE VIEW kv_changes AS WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n) SELECT seq FROM n",
        "view kv_changes",
    ),
    ("UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'kv_changes'", "number"),
    ("UPDATE kv_meta SET value = 9223372036854775807 WHERE key = 'sequence'", "number"),
];

/// Seen to fail: each of them was opened.
#[test]
fn what_is_planted_is_refused_and_named() {
    for (sql, named) in PLANTED {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.db");
        let mut kv = open(&path, &quiet());
        put(&mut kv, set(&["a"], "1"));
        close(kv);
        Raw::open(&path).execute(sql);
        let before = std::fs::read(&path).unwrap();
        let error = Kv::open(path.to_str().unwrap(), &quiet()).err().expect(sql);
        assert_eq!(error.code, Code::Corrupt, "{error}");
        assert!(error.message.contains(named), "{error}");
        assert!(before == std::fs::read(&path).unwrap(), "{sql}: the file was changed");
    }
}

/// Tables of others beside ours are theirs.
#[test]
fn a_table_of_others_beside_ours_is_let_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.db");
    close(open(&path, &quiet()));
    Raw::open(&path).execute("CREATE TABLE theirs (a); CREATE INDEX theirs_a ON theirs (a)");
    close(open(&path, &quiet()));
}
