//! Law 1, the part that no test can pull the plug for: which level of `PRAGMA synchronous` each commit runs
//! under. Under OFF a checkpoint syncs nothing, so that durable commits would leave the log before they are
//! in the file.

use std::sync::{Arc, Mutex};

use keyval::base::config::{Durability, Fault, Options};
use keyval::engine::commit::{Commit, Mutation};
use keyval::kv::Kv;

/// The levels that statements asked for, in order.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<String>>>);

impl Levels {
    fn options(&self, durability: Durability) -> Options {
        let seen = Arc::clone(&self.0);
        let listen = move |sql: &str| {
            if let Some(level) = sql.strip_prefix("PRAGMA synchronous = ") {
                seen.lock().unwrap().push(level.to_string());
            }
            None
        };
        Options {
            durability,
            fault: Some(Fault(Arc::new(listen))),
            sweep_interval_ms: Some(0),
            ..Options::default()
        }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn set(kv: &mut Kv) {
    let value = b"1".to_vec();
    let set = Mutation::Set { key: vec![0x26], stamped: false, encoding: 0, value, expires_in_ms: None };
    kv.commit_and_wait(Commit::of(set)).unwrap();
}

fn sweep(kv: &Kv) {
    let (send, receive) = std::sync::mpsc::channel();
    kv.sweep(Box::new(move |result| send.send(result).unwrap()));
    receive.recv().unwrap().unwrap();
}

// Seen to fail: let the sweep ask for `Durability::Off`, and take what is asked for as it is.
#[test]
fn a_sweep_leaves_durable_commits_durable() {
    let levels = Levels::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut kv = Kv::open(path.to_str().unwrap(), &levels.options(Durability::Full)).unwrap();
    set(&mut kv);
    sweep(&kv);
    assert_eq!(levels.taken(), ["FULL", "NORMAL"]);
    set(&mut kv);
    assert_eq!(levels.taken(), ["FULL"]);
}

#[test]
fn an_opener_that_only_sweeps_leaves_the_commits_of_others_durable() {
    let levels = Levels::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let kv = Kv::open(path.to_str().unwrap(), &levels.options(Durability::Full)).unwrap();
    sweep(&kv);
    assert_eq!(levels.taken(), ["NORMAL"]);
}

// Seen to fail: let the weakest opener's level reach SQLite.
#[test]
fn an_opener_with_off_does_not_weaken_the_others() {
    let levels = Levels::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let url = path.to_str().unwrap();
    let mut full = Kv::open(url, &levels.options(Durability::Full)).unwrap();
    let mut off = Kv::open(url, &levels.options(Durability::Off)).unwrap();
    set(&mut full);
    set(&mut off);
    assert_eq!(levels.taken(), ["FULL", "NORMAL"]);
}

#[test]
fn off_alone_syncs_nothing() {
    let levels = Levels::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut kv = Kv::open(path.to_str().unwrap(), &levels.options(Durability::Off)).unwrap();
    set(&mut kv);
    sweep(&kv);
    assert_eq!(levels.taken(), ["OFF"]);
}
