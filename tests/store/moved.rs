//! A file that is renamed, deleted or replaced while it is open, and a file with two names: no write is
//! acknowledged that goes to a file nobody opens again, and no acknowledged write stays in a log that nobody
//! reads.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{close, everything, is_definite, keys_of, open, put, quiet, set, try_commit, try_read};
use keyval::base::error::{Code, Error};
use keyval::engine::commit::Commit;
use keyval::engine::request::Request;
use keyval::kv::Kv;
use tempfile::TempDir;

struct Open {
    folder: TempDir,
    kv: Kv,
}

impl Open {
    /// A store with an entry.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut kv = open(&folder.path().join("app.db"), &quiet());
        put(&mut kv, set(&["before"], "1"));
        Self { folder, kv }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A set is refused with a definite error, and the next one, too.
    fn refuses(&mut self) {
        for _ in 0..2 {
            let error = try_commit(&mut self.kv, Commit::of(set(&["after"], "1"))).unwrap_err();
            assert!(is_definite(&error), "{error}");
            assert_moved(&error);
        }
    }
}

fn assert_moved(error: &Error) {
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert!(error.message.contains("moved, deleted or replaced"), "{error}");
}

/// The keys of a file.
fn holds(path: &Path) -> String {
    let mut kv = open(path, &quiet());
    let found = String::from_utf8(everything(&mut kv).text).unwrap();
    close(kv);
    found
}

/// Seen to fail: without the check of the files' location, a set after the rename was acknowledged and lost.
#[test]
fn a_renamed_file_has_all_that_was_acknowledged() {
    let mut store = Open::new();
    fs::rename(store.path("app.db"), store.path("new.db")).unwrap();
    store.refuses();
    close(store.kv);
    let found = holds(&store.folder.path().join("new.db"));
    assert!(found.contains("before") && !found.contains("after"), "{found}");
}

/// Seen to fail: without the check of one of the threads, its gets or counts were still answered.
#[test]
fn some_time_after_a_move_was_noticed_each_read_fails() {
    let mut store = Open::new();
    let requests = || [Request::Get(keys_of(&[&["before"]])), Request::Count(vec![]..vec![0xff], None)];
    for request in requests() {
        store.kv.read_now(&request).unwrap();
        try_read(&store.kv, request).unwrap();
    }
    fs::rename(store.path("app.db"), store.path("new.db")).unwrap();
    store.refuses();
    for request in requests() {
        store.kv.read_now(&request).unwrap();
        try_read(&store.kv, request).unwrap();
    }
    store.kv.freeze_clock(Some(store.kv.now_ms() + 11_000));
    for request in requests() {
        assert_moved(&store.kv.read_now(&request).unwrap_err());
        assert_moved(&try_read(&store.kv, request).unwrap_err());
    }
    close(store.kv);
}

/// Seen to fail: without `Writer::leave`, SQLite left the entry in the log of the old name.
#[test]
fn a_file_that_is_renamed_before_it_is_closed_has_it_too() {
    let store = Open::new();
    fs::rename(store.path("app.db"), store.path("new.db")).unwrap();
    close(store.kv);
    assert!(holds(&store.folder.path().join("new.db")).contains("before"));
}

/// Seen to fail: without the check of the files' location.
#[test]
fn a_deleted_file_takes_no_more_writes_and_is_not_created_again() {
    let mut store = Open::new();
    for name in ["app.db", "app.db-wal", "app.db-shm"] {
        fs::remove_file(store.path(name)).unwrap();
    }
    store.refuses();
    assert_moved(&Kv::open(store.path("app.db").to_str().unwrap(), &quiet()).err().expect("opened"));
    let folder = store.folder;
    close(store.kv);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Seen to fail: without the check of the files' location, the new file took the log of the old one for its
/// own.
#[test]
fn a_file_that_takes_its_place_stays_as_it_is() {
    let other = tempfile::tempdir().unwrap();
    let other = other.path().join("other.db");
    let mut kv = open(&other, &quiet());
    put(&mut kv, set(&["other"], "1"));
    close(kv);
    let mut store = Open::new();
    fs::rename(&other, store.path("app.db")).unwrap();
    store.refuses();
    close(store.kv);
    let found = holds(&store.folder.path().join("app.db"));
    assert!(found.contains("other") && !found.contains("before"), "{found}");
}

/// Seen to fail: with a check of the database file alone.
#[test]
fn a_log_or_an_index_that_is_deleted_alone_is_noticed() {
    for name in ["app.db-wal", "app.db-shm"] {
        let mut store = Open::new();
        fs::remove_file(store.path(name)).unwrap();
        store.refuses();
        close(store.kv);
        let found = holds(&store.folder.path().join("app.db"));
        assert!(found.contains("before") && !found.contains("after"), "{name}: {found}");
    }
}

/// Seen to fail: two processes that opened the two names of one file lost each other's entries.
#[test]
fn a_file_of_two_names_is_refused() {
    let store = Open::new();
    let folder = store.folder;
    close(store.kv);
    let (path, link) = (folder.path().join("app.db"), folder.path().join("link.db"));
    fs::hard_link(&path, &link).unwrap();
    for name in [&path, &link] {
        let error = Kv::open(name.to_str().unwrap(), &quiet()).err().expect("opened");
        assert_eq!(error.code, Code::Unsupported, "{error}");
    }
    fs::remove_file(&link).unwrap();
    assert!(holds(&path).contains("before"));
}

/// A process that is killed while it gives a backup its name leaves two.
///
/// Seen to fail: without `remove_second_name`, the backup could not be opened.
#[test]
fn the_unfinished_name_of_a_backup_is_removed() {
    let store = Open::new();
    let folder = store.folder;
    close(store.kv);
    let path = folder.path().join("app.db");
    fs::hard_link(&path, folder.path().join("app.db.keyval-partial-00000001")).unwrap();
    assert!(holds(&path).contains("before"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
