//! Helpers of the core's tests: keys, mutations, opening, waiting, and a clock frozen at `T0`.
// Each test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use keyval::base::config::{Durability, Options};
use keyval::base::error::{Error, Result};
use keyval::codec::key::{Part, descendants, encode, tree};
use keyval::codec::page::Page;
use keyval::codec::value::{ArrayText, Counter, JSON};
use keyval::engine::answer::Answer;
use keyval::engine::commit::arithmetic::Arithmetic;
use keyval::engine::commit::{Check, Commit, Mutation, Outcome, Reply};
use keyval::engine::get::Keys;
use keyval::engine::query::list::ListQuery;
use keyval::engine::request::{Request, Write};
use keyval::kv::Kv;

pub mod atomicity;
pub mod choose;
pub mod compare;
pub mod fault;
pub mod file;
pub mod jobs;
pub mod late;
pub mod messages;
pub mod model;
pub mod page;
pub mod random;
pub mod raw;
pub mod template;

/// The frozen time of a test.
pub const T0: i64 = 1_750_000_000_000;
/// An hour.
pub const HOUR_MS: i64 = 3_600_000;
/// No wait of a test takes this long: a longer one counts as a hang.
const FOR_EVER: Duration = Duration::from_secs(60);

/// The encoding of a key of texts.
pub fn key(parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| Part::String((*part).into())).collect();
    encode(&parts).unwrap()
}

/// Keys for a read.
pub fn keys_of(keys: &[&[&str]]) -> Keys {
    let mut all = Keys::default();
    for parts in keys {
        let write = |out: &mut Vec<u8>| -> Result<()> {
            out.extend(key(parts));
            Ok(())
        };
        all.push_with(write).unwrap();
    }
    all
}

/// A set of a JSON text.
pub fn set(parts: &[&str], json: &str) -> Mutation {
    set_for(parts, json, None)
}

/// A set with a time to live.
pub fn set_for(parts: &[&str], json: &str, expires_in_ms: Option<i64>) -> Mutation {
    let value = json.as_bytes().to_vec();
    Mutation::Set { key: key(parts), stamped: false, encoding: JSON, value, expires_in_ms }
}

/// A delete of one key.
pub fn delete(parts: &[&str]) -> Mutation {
    Mutation::Delete(key(parts))
}

/// A delete of a key's descendants.
pub fn delete_under(parts: &[&str]) -> Mutation {
    Mutation::DeleteRange(descendants(&key(parts)))
}

/// A delete of a key and its descendants.
pub fn delete_tree(parts: &[&str]) -> Mutation {
    Mutation::DeleteRange(tree(&key(parts)))
}

/// A sum.
pub fn sum(parts: &[&str], by: i64) -> Mutation {
    let operation = Arithmetic::Sum;
    Mutation::Arithmetic { key: key(parts), operation, operand: Counter::Int(by.into()), expires_in_ms: None }
}

/// An append of the members of a JSON array.
pub fn append(parts: &[&str], json: &str) -> Mutation {
    let values = ArrayText { encoding: JSON, text: json.as_bytes().to_vec() };
    Mutation::Append { key: key(parts), front: false, values, expires_in_ms: None }
}

/// Another time to live.
pub fn touch(parts: &[&str], expires_in_ms: i64) -> Mutation {
    Mutation::Touch { key: key(parts), expires_in_ms }
}

/// A precondition.
pub fn check(parts: &[&str], versionstamp: Option<&str>) -> Check {
    Check { key: key(parts), versionstamp: versionstamp.map(str::to_string) }
}

/// A commit without checks.
pub fn commit(mutations: Vec<Mutation>) -> Commit {
    Commit { mutations, ..Commit::default() }
}

/// No background sweep and no fsync: the tests look at what is in the file, not at what survives a power cut.
/// A group ends only when it has no operations left, however long the machine delays its thread.
pub fn quiet() -> Options {
    Options {
        durability: Durability::Off,
        sweep_interval_ms: Some(0),
        group_slice: Some(FOR_EVER),
        ..Options::default()
    }
}

/// Opens a file (or `:memory:`) with the clock at `T0`.
pub fn open(path: &Path, options: &Options) -> Kv {
    let kv = Kv::open(path.to_str().unwrap(), options).unwrap();
    kv.freeze_clock(Some(T0));
    kv
}

/// Receives from a channel; a test that waits in vain fails instead of hanging.
pub fn wait<T>(receiver: &Receiver<T>, what: &str) -> T {
    receiver.recv_timeout(FOR_EVER).unwrap_or_else(|error| panic!("{what}: nothing came ({error})"))
}

/// Writes, and waits for the answer.
pub fn write(kv: &mut Kv, write: Write) -> Result<Answer> {
    let (send, receive) = mpsc::channel();
    kv.write(write, Box::new(move |answer| drop(send.send(answer))));
    kv.flush();
    wait(&receive, "write")
}

/// Closes, and waits until the file is released.
pub fn close(kv: Kv) {
    let (send, receive) = mpsc::channel();
    kv.close(Box::new(move || send.send(()).unwrap()));
    wait(&receive, "close");
}

/// Stages a commit; its outcome comes by the channel.
pub fn stage(kv: &mut Kv, commit: Commit) -> Receiver<Result<Outcome>> {
    let (send, receive) = mpsc::channel();
    kv.stage(commit, Box::new(move |outcome| drop(send.send(outcome)))).unwrap();
    receive
}

/// Commits and waits.
pub fn try_commit(kv: &mut Kv, commit: Commit) -> Result<Outcome> {
    let receive = stage(kv, commit);
    kv.flush();
    wait(&receive, "commit")
}

/// Commits and must succeed; gives the versionstamp and the replies.
pub fn commit_ok(kv: &mut Kv, commit: Commit) -> (String, Vec<Reply>) {
    match try_commit(kv, commit).unwrap() {
        Outcome::Committed { versionstamp, replies } => (versionstamp.unwrap_or_default(), replies),
        Outcome::Conflict(keys) => panic!("a conflict: {keys:?}"),
    }
}

/// Sets and must succeed; gives the versionstamp.
pub fn put(kv: &mut Kv, mutation: Mutation) -> String {
    commit_ok(kv, Commit::of(mutation)).0
}

/// Sweeps and waits.
pub fn sweep(kv: &Kv) -> Result<()> {
    let (send, receive) = mpsc::channel();
    kv.sweep(Box::new(move |outcome| drop(send.send(outcome))));
    wait(&receive, "sweep")
}

/// Reads on the reader thread.
pub fn try_read(kv: &Kv, request: Request) -> Result<Answer> {
    let (send, receive) = mpsc::channel();
    kv.read_later(request, Box::new(move |answer| drop(send.send(answer))));
    wait(&receive, "read")
}

/// Reads on the reader thread and must succeed.
pub fn read(kv: &Kv, request: Request) -> Answer {
    try_read(kv, request).unwrap()
}

/// Reads on this thread, which leaves no statement running behind it; the writer's lock on memory is short.
pub fn read_now(kv: &mut Kv, request: &Request) -> Answer {
    loop {
        match kv.read_now(request).unwrap() {
            Answer::WouldBlock => std::thread::yield_now(),
            answer => return answer,
        }
    }
}

/// All live entries; of a small store.
pub fn everything(kv: &mut Kv) -> Page {
    let query = ListQuery {
        range: vec![]..vec![0xff],
        prefix_bytes: 0,
        reverse: false,
        keys_only: false,
        limit: 1000,
        filter: None,
        found: Default::default(),
        checks_values: false,
    };
    match read_now(kv, &Request::List(query)) {
        Answer::Page(page) if !page.more => page,
        other => panic!("not one page: {other:?}"),
    }
}

/// Whether an error says for certain that nothing was written.
pub fn is_definite(error: &Error) -> bool {
    !error.outcome_unknown
}
