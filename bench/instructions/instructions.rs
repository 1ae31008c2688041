//! Hot paths for `scripts/instructions.mjs`, which counts their instructions under callgrind: a figure that
//! does not depend on the load of the machine.
//!
//! Usage: `instructions <path>` runs the path and prints the number of its operations. Instructions are
//! counted inside `measured`, and for commits, which the writer thread does, inside `Writer::process`.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyval::base::config::Options;
use keyval::codec::key::{Part, decode, descendants, encode};
use keyval::codec::value::Counter;
use keyval::engine::answer::Answer;
use keyval::engine::changes::followers::{Reach, Target};
use keyval::engine::changes::watch::WatchRequest;
use keyval::engine::commit::arithmetic::Arithmetic;
use keyval::engine::commit::{Commit, Mutation};
use keyval::engine::get::Keys;
use keyval::engine::query::list::ListQuery;
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::enqueue::{DEFAULT_QUEUE, NewMessage};
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::Request;
use keyval::kv::Kv;

/// Entries in the store; their keys are `["items", 0…]`.
const ENTRIES: usize = 2000;
const GROUP: usize = 64;
const ROUNDS: usize = 10;
const VALUE: &[u8] = br#"{"id":123,"name":"Item number 123","price":199.5,"inStock":true,"tags":["benchmark","item"],"text":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}"#;

#[inline(never)]
#[unsafe(no_mangle)]
pub fn measured(work: &mut dyn FnMut()) {
    work();
}

fn parts(id: usize) -> [Part<'static>; 3] {
    #[allow(clippy::cast_precision_loss)]
    [Part::String("items".into()), Part::Number(id as f64), Part::Bool(true)]
}

fn key(id: usize) -> Vec<u8> {
    encode(&parts(id)).unwrap()
}

/// Scattered over the entries, the same in every run.
fn scattered(at: usize) -> usize {
    at * 769 % ENTRIES
}

fn set(id: usize) -> Commit {
    let (key, value) = (key(id), VALUE.to_vec());
    Commit::of(Mutation::Set { key, stamped: false, encoding: 0, value, expires_in_ms: None })
}

fn sum(id: usize) -> Commit {
    let operation = Arithmetic::Sum;
    Commit::of(Mutation::Arithmetic {
        key: encode(&[Part::Number(id as f64)]).unwrap(),
        operation,
        operand: Counter::Int(1.into()),
        expires_in_ms: None,
    })
}

fn enqueue() -> Commit {
    Commit::of(Mutation::Enqueue(Box::new(NewMessage::of(0, VALUE.to_vec()))))
}

/// Settles and claims; gives the claimed messages, as settlements.
fn work(kv: &mut Kv, settled: Vec<Settled>, claim: usize) -> Vec<Settled> {
    let (send, receive) = mpsc::channel();
    let request = ClaimRequest { queue: DEFAULT_QUEUE.into(), settled, claim, lock_ms: 60_000 };
    kv.claim(request, Box::new(move |answer| drop(send.send(answer))));
    kv.flush();
    let Answer::Page(page) = receive.recv().unwrap().unwrap() else { panic!("no page") };
    let parts: Vec<serde_json::Value> = serde_json::from_slice(&page.text).unwrap();
    let claimed = parts.chunks_exact(4).take(page.len());
    let settle = |parts: &[serde_json::Value]| Settled {
        id: parts[0].as_str().unwrap().into(),
        lease: parts[1].as_i64().unwrap(),
        end: End::Done,
    };
    claimed.map(settle).collect()
}

/// Commits that are handed over together are one group.
fn group(kv: &mut Kv, commits: impl Iterator<Item = Commit>) {
    let (send, receive) = mpsc::channel();
    let mut staged = 0;
    for commit in commits {
        let send = send.clone();
        kv.stage(commit, Box::new(move |outcome| drop(send.send(outcome)))).unwrap();
        staged += 1;
    }
    kv.flush();
    for _ in 0..staged {
        receive.recv().unwrap().unwrap();
    }
}

struct Store {
    kv: Kv,
    _folder: tempfile::TempDir,
}

/// A file with every page in the cache, no sweep, and no bound on the time of a group: valgrind is slow.
fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        sweep_interval_ms: Some(0),
        group_slice: Some(Duration::from_secs(600)),
        ..Options::default()
    };
    let mut kv = Kv::open(folder.path().join("store.db").to_str().unwrap(), &options).unwrap();
    for first in (0..ENTRIES).step_by(500) {
        group(&mut kv, (first..first + 500).map(set));
    }
    group(&mut kv, (0..GROUP).map(sum));
    read(&mut kv, &page());
    read(&mut kv, &gets(0, ENTRIES.min(500)));
    Store { kv, _folder: folder }
}

fn read(kv: &mut Kv, request: &Request) {
    match kv.read_now(request).unwrap() {
        Answer::Page(page) => drop(black_box(page)),
        other => panic!("not on this thread: {other:?}"),
    }
}

fn gets(first: usize, count: usize) -> Request {
    let mut keys = Keys::default();
    for at in first..first + count {
        keys.push_with(|out| -> Result<(), ()> {
            out.extend_from_slice(&key(scattered(at)));
            Ok(())
        })
        .unwrap();
    }
    Request::Get(keys)
}

fn page() -> Request {
    let prefix = encode(&[Part::String("items".into())]).unwrap();
    let range = descendants(&prefix);
    Request::List(ListQuery {
        range,
        prefix_bytes: prefix.len(),
        reverse: false,
        keys_only: false,
        limit: 250,
        filter: None,
        found: Default::default(),
        checks_values: false,
    })
}

/// Counts `request` done `ROUNDS` times, after once to warm up.
fn reads(request: &Request) {
    let Store { mut kv, _folder } = store();
    read(&mut kv, request);
    measured(&mut || {
        for _ in 0..ROUNDS {
            read(&mut kv, request);
        }
    });
}

/// Runs the path; gives the number of operations, in all and including those before the count.
fn run(path: &str) -> Option<usize> {
    match path {
        "key encode" => {
            let parts: Vec<_> = (0..ENTRIES).map(parts).collect();
            measured(&mut || parts.iter().for_each(|parts| drop(black_box(encode(parts)))));
            Some(ENTRIES)
        }
        "key decode" => {
            let keys: Vec<_> = (0..ENTRIES).map(key).collect();
            measured(&mut || keys.iter().for_each(|key| drop(black_box(decode(key)))));
            Some(ENTRIES)
        }
        "get one" => {
            reads(&gets(7, 1));
            Some(ROUNDS)
        }
        "get 64" => {
            reads(&gets(100, 64));
            Some(ROUNDS * 64)
        }
        "list entry" => {
            reads(&page());
            Some(ROUNDS * 250)
        }
        // The store's own commits are counted with them, the same in every run.
        "set in a group of 64" => {
            let mut store = store();
            for round in 0..ROUNDS {
                group(&mut store.kv, (0..GROUP).map(|at| set(scattered(round * GROUP + at))));
            }
            Some(ROUNDS * GROUP + ENTRIES + GROUP)
        }
        "counter in a group of 64" => {
            let mut store = store();
            for _ in 0..5 * ROUNDS {
                group(&mut store.kv, (0..GROUP).map(sum));
            }
            Some(5 * ROUNDS * GROUP + ENTRIES + GROUP)
        }
        "enqueue in a group of 64" => {
            let mut store = store();
            for _ in 0..ROUNDS {
                group(&mut store.kv, (0..GROUP).map(|_| enqueue()));
            }
            Some(ROUNDS * GROUP + ENTRIES + GROUP)
        }
        // Among them the commits that added the messages, the same in every run.
        "claim and settle, of 64" => {
            let mut store = store();
            for _ in 0..ROUNDS {
                group(&mut store.kv, (0..GROUP).map(|_| enqueue()));
            }
            let mut settled = Vec::new();
            for round in 0..=ROUNDS {
                settled = work(&mut store.kv, settled, if round == ROUNDS { 0 } else { GROUP });
            }
            assert_eq!(settled.len(), 0);
            Some(2 * ROUNDS * GROUP + ENTRIES + GROUP)
        }
        "watched change, of 64" => {
            let Store { mut kv, _folder } = store();
            let targets =
                vec![Target { key: encode(&[Part::String("items".into())]).unwrap(), reach: Reach::Tree }];
            let request = WatchRequest {
                targets,
                emit_initial: false,
                from: None,
                buffer_keys: None,
                drop_newest: false,
            };
            let watch = kv.watch(request).unwrap();
            read(&mut kv, &Request::Watch(Arc::clone(&watch)));
            for round in 0..ROUNDS {
                group(&mut kv, (0..GROUP).map(|at| set(scattered(round * GROUP + at))));
                measured(&mut || {
                    let answer = kv.read_now(&Request::Wakeups(kv.followers())).unwrap();
                    assert!(matches!(answer, Answer::Wakeups { more: false, ids } if ids == [1]));
                    read(&mut kv, &Request::Watch(Arc::clone(&watch)));
                });
                read(&mut kv, &Request::Watch(Arc::clone(&watch)));
            }
            Some(ROUNDS * GROUP)
        }
        _ => None,
    }
}

fn main() {
    // Cargo passes `--bench`.
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else { return };
    match run(&path) {
        Some(operations) => println!("{operations}"),
        None => panic!("there is no path {path:?}"),
    }
}
