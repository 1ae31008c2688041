//! A commit whose sync failed is undecided until the log is repaired. Until then nothing is read and nothing
//! is acknowledged; if the log can be repaired at once, the commit is certainly undone.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use crate::support::{close, is_definite, keys_of, open, put, quiet, set, try_commit, wait};
use keyval::base::config::{Fault, Options};
use keyval::base::error::{Code, Result};
use keyval::engine::answer::Answer;
use keyval::engine::commit::Commit;
use keyval::engine::request::Request;
use keyval::kv::Kv;

const FAILED_SYNC: i32 = 1034;

/// A disk whose syncs can be made to fail: those of commits, and those that mend the log.
#[derive(Clone, Default)]
struct Disk {
    fails_commits: Arc<AtomicBool>,
    fails_mends: Arc<AtomicBool>,
    /// Who mends the log waits for it.
    holds_mends: Arc<Mutex<()>>,
    /// 0: the default.
    busy_timeout_ms: i64,
}

impl Disk {
    fn options(&self) -> Options {
        let disk = self.clone();
        let busy_timeout_ms = (disk.busy_timeout_ms != 0).then_some(disk.busy_timeout_ms);
        let fault = move |step: &str| {
            if step == "log: mend" {
                drop(disk.holds_mends.lock());
            }
            match step {
                "COMMIT" if disk.fails_commits.load(Ordering::SeqCst) => Some(FAILED_SYNC),
                "log: mend" if disk.fails_mends.load(Ordering::SeqCst) => Some(FAILED_SYNC),
                _ => None,
            }
        };
        Options { fault: Some(Fault(Arc::new(fault))), busy_timeout_ms, ..quiet() }
    }

    fn fail(&self, commits: bool, mends: bool) {
        self.fails_commits.store(commits, Ordering::SeqCst);
        self.fails_mends.store(mends, Ordering::SeqCst);
    }
}

fn get(kv: &Kv, parts: &[&str]) -> Result<Answer> {
    let (send, receive) = mpsc::channel();
    kv.read_later(Request::Get(keys_of(&[parts])), Box::new(move |answer| drop(send.send(answer))));
    wait(&receive, "get")
}

fn text(answer: Answer) -> String {
    match answer {
        Answer::Page(page) => String::from_utf8(page.text).unwrap(),
        other => panic!("not a page: {other:?}"),
    }
}

fn stopped(path: &Path, disk: &Disk) -> Kv {
    let mut kv = open(path, &disk.options());
    put(&mut kv, set(&["balance"], "100"));
    // The reader thread has its connection already.
    get(&kv, &["balance"]).unwrap();
    disk.fail(true, true);
    let error = try_commit(&mut kv, Commit::of(set(&["balance"], "70"))).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Unavailable, false), "{error}");
    disk.fail(false, true);
    kv
}

/// Seen to fail: without `Connection::mend_log`, the outcome was unknown.
#[test]
fn a_failed_sync_that_the_log_survives_undoes_the_commit() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let mut kv = open(&folder.path().join("kv.db"), &disk.options());
    put(&mut kv, set(&["balance"], "100"));
    disk.fail(true, false);
    let error = try_commit(&mut kv, Commit::of(set(&["balance"], "70"))).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Unavailable, true), "{error}");
    assert!(text(get(&kv, &["balance"]).unwrap()).contains("100"));
}

/// Seen to fail: with reads that do not ask whether the log is whole.
#[test]
fn nothing_is_read_until_the_outcome_is_decided() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let mut kv = stopped(&folder.path().join("kv.db"), &disk);
    let request = Request::Get(keys_of(&[&["balance"]]));
    assert!(matches!(kv.read_now(&request), Ok(Answer::WouldBlock)), "an undecided read");
    let error = get(&kv, &["balance"]).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Unavailable, true), "{error}");
    disk.fail(false, false);
    assert!(text(get(&kv, &["balance"]).unwrap()).contains("100"));
    assert!(matches!(kv.read_now(&request), Ok(Answer::Page(_))));
}

#[test]
fn a_read_that_blocks_waits_until_the_outcome_is_decided() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let mut kv = stopped(&folder.path().join("kv.db"), &disk);
    let request = Request::Get(keys_of(&[&["balance"]]));
    let error = kv.read_blocking(&request).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Unavailable, true), "{error}");
    disk.fail(false, false);
    assert!(text(kv.read_blocking(&request).unwrap()).contains("100"));
}

#[test]
fn a_read_that_blocks_waits_no_longer_than_the_busy_timeout() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let mut kv = stopped(&folder.path().join("kv.db"), &Disk { busy_timeout_ms: 20, ..disk.clone() });
    let request = Request::Get(keys_of(&[&["balance"]]));
    let held = disk.holds_mends.lock().unwrap();
    let error = kv.read_blocking(&request).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Busy, true), "{error}");
    disk.fail(false, false);
    drop(held);
    get(&kv, &["balance"]).unwrap();
    assert!(text(kv.read_blocking(&request).unwrap()).contains("100"));
}

/// Seen to fail: with the log mended after a commit that failed, and not before the next one.
#[test]
fn nothing_is_acknowledged_until_the_log_is_whole() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let path = folder.path().join("kv.db");
    let mut kv = stopped(&path, &disk);
    let error = try_commit(&mut kv, Commit::of(set(&["next"], "1"))).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Unavailable, true), "{error}");
    disk.fail(false, false);
    put(&mut kv, set(&["next"], "2"));
    close(kv);
    let kv = open(&path, &quiet());
    assert!(text(get(&kv, &["balance"]).unwrap()).contains("100"));
    assert!(text(get(&kv, &["next"]).unwrap()).contains('2'));
}

/// Seen to fail: with connections that do not ask when they are opened.
#[test]
fn an_opener_does_not_read_either() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::default());
    let path = folder.path().join("kv.db");
    let kv = stopped(&path, &disk);
    let error = Kv::open(path.to_str().unwrap(), &quiet()).err().expect("opened");
    assert_eq!(error.code, Code::Unavailable, "{error}");
    disk.fail(false, false);
    let mut other = open(&path, &quiet());
    put(&mut other, set(&["next"], "1"));
    assert!(text(get(&kv, &["balance"]).unwrap()).contains("100"));
}

/// An opener finds the log of a store whose process is gone: it makes sure of it before it reads.
///
/// Seen to fail: with a new index of a log taken to say that it is whole.
#[test]
fn a_log_left_by_a_dead_process_is_repaired_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kv.db");
    let mut kv = open(&path, &quiet());
    put(&mut kv, set(&["balance"], "100"));
    let left = folder.path().join("left.db");
    for suffix in ["", "-wal"] {
        let of = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(of(&path), of(&left)).unwrap();
    }
    let disk = Disk::default();
    disk.fail(false, true);
    let error = Kv::open(left.to_str().unwrap(), &disk.options()).err().expect("opened");
    assert_eq!(error.code, Code::Unavailable, "{error}");
    disk.fail(false, false);
    let opened = open(&left, &disk.options());
    assert!(text(get(&opened, &["balance"]).unwrap()).contains("100"));
}
