//! Requests of commits, messages and leases.

use std::sync::Arc;

use super::{Counted, evens, index_of_evens, is_even, many, names};
use crate::support::{
    HOUR_MS, append, check, close, commit, commit_ok, delete, key, set, set_for, stage, sum, sweep, touch,
    try_commit, wait,
};
use keyval::base::error::Code;
use keyval::codec::key::descendants;
use keyval::codec::value::JSON;
use keyval::engine::answer::{Answer, ConsumerLease};
use keyval::engine::changes::consumer::LeaseHolder;
use keyval::engine::commit::patch::Encoded;
use keyval::engine::commit::{Commit, Mutation, Outcome};
use keyval::engine::lock::LockRequest;
use keyval::engine::queue::enqueue::NewMessage;
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::{Request, Write};

fn patch(name: &str) -> Mutation {
    let patch = Encoded { encoding: JSON, bytes: b"{\"b\":1}".to_vec() };
    Mutation::Patch { key: key(&["p", name]), patch, expires_in_ms: None }
}

fn enqueue(number: usize, ordering_key: Option<String>) -> Mutation {
    Mutation::Enqueue(Box::new(NewMessage {
        queue: "q".into(),
        ordering_key,
        backoff_ms: vec![0; 5],
        ..NewMessage::of(JSON, number.to_string().into_bytes())
    }))
}

/// Seen to fail: with entries read one by one: 11 requests for 10 sums.
#[test]
fn commits() {
    let mut store = Counted::new();
    store.assert_commit("set", 1, commit(vec![set(&["a"], "1")]));
    store.assert_commit("set with a time to live", 1, commit(vec![set_for(&["a"], "1", Some(HOUR_MS))]));
    store.assert_commit("touch", 1, commit(vec![touch(&["a"], HOUR_MS)]));
    store.assert_commit("delete", 1, commit(vec![delete(&["a"])]));
    store.assert_commit("enqueue", 1, commit(vec![enqueue(0, None)]));
    store.assert_commit("enqueue with an ordering key", 1, commit(vec![enqueue(0, Some("k".into()))]));
    let deduplicated =
        NewMessage { deduplication_key: Some("d".into()), ..NewMessage::of(JSON, b"1".to_vec()) };
    let deduplicated = Mutation::Enqueue(Box::new(deduplicated));
    store.assert_commit("enqueue with a deduplication key", 2, commit(vec![deduplicated]));
    store.assert_commit("10 sets", 1, many(|name| set(&["s", name], "1")));

    let checked = |checks: usize, mutations| Commit {
        checks: names(checks).iter().map(|name| check(&["none", name], None)).collect(),
        ..commit(mutations)
    };
    store.assert_commit("check and set", 1, checked(1, vec![set(&["a"], "1")]));
    let sets = names(5).iter().map(|name| set(&["s", name], "2")).collect();
    store.assert_commit("5 checks and 5 sets", 1, checked(5, sets));
    store.assert_commit("check and sum", 2, checked(1, vec![sum(&["n"], 1)]));
    let refused = Commit { checks: vec![check(&["a"], None)], ..commit(vec![set(&["a"], "3")]) };
    let (outcome, requests) = store.of(|kv| try_commit(kv, refused));
    assert!(matches!(outcome, Ok(Outcome::Conflict(_))), "{outcome:?}");
    assert_eq!(requests, 1, "a check that fails");

    store.assert_commit("sum", 2, commit(vec![sum(&["n"], 1)]));
    store.assert_commit("10 sums", 2, many(|name| sum(&["n", name], 1)));
    store.assert_commit("append", 2, commit(vec![append(&["l"], "[1]")]));
    store.assert_commit("10 appends", 2, many(|name| append(&["l", name], "[1]")));
    store.assert_commit("patch", 2, commit(vec![patch("")]));
    store.assert_commit("10 patches", 2, many(patch));
    store.assert_commit("two sums of one key", 2, commit(vec![sum(&["n"], 1), sum(&["n"], 1)]));
    close(store.kv);
}

/// A commit that depends on a read can lose once: the refused request returns the current values, and the
/// next request is its last.
#[test]
fn a_commit_that_loses_once() {
    let mut store = Counted::new();
    store.assert_commit("sum", 2, commit(vec![sum(&["n"], 1)]));
    let (ends, requests) = store.of(|kv| {
        let ends: Vec<_> = (0..2).map(|_| stage(kv, commit(vec![sum(&["n"], 1)]))).collect();
        kv.flush();
        ends.iter().map(|end| wait(end, "a sum")).collect::<Vec<_>>()
    });
    assert!(ends.iter().all(|end| matches!(end, Ok(Outcome::Committed { .. }))), "{ends:?}");
    assert!((2..=5).contains(&requests), "{requests}");
    close(store.kv);
}

/// A mutation's error is reported only if the checks hold.
#[test]
fn a_check_that_fails_comes_before_an_error() {
    let mut store = Counted::new();
    commit_ok(&mut store.kv, commit(vec![set(&["a"], "\"text\"")]));
    for (holds, requests) in [(true, 2), (false, 2)] {
        let stamp = if holds { None } else { Some("0") };
        let of = Commit { checks: vec![check(&["none"], stamp)], ..commit(vec![sum(&["a"], 1)]) };
        let (outcome, counted) = store.of(|kv| try_commit(kv, of));
        match outcome {
            Ok(Outcome::Conflict(failed)) => assert!(!holds && failed == [(0, None)], "{failed:?}"),
            Err(error) => assert!(holds && error.code == Code::TypeMismatch, "{error}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(counted, requests);
    }
    close(store.kv);
}

fn delete_evens() -> Commit {
    commit(vec![Mutation::DeleteMatching(descendants(&key(&["m"])), Arc::new(evens()))])
}

/// Seen to fail: without reading announced rows ahead: 4 requests by a scan.
#[test]
fn deletes_by_a_filter() {
    let mut store = Counted::new();
    commit_ok(&mut store.kv, many(is_even));
    // The definitions of indexes are not known yet.
    store.assert_commit("by a scan, the first time", 3, delete_evens());
    commit_ok(&mut store.kv, many(is_even));
    store.assert_commit("by a scan", 2, delete_evens());
    commit_ok(&mut store.kv, many(is_even));
    index_of_evens(&mut store);
    store.assert_commit("by an index, the first time", 4, delete_evens());
    commit_ok(&mut store.kv, many(is_even));
    store.assert_commit("by an index", 3, delete_evens());
    close(store.kv);
}

/// Seen to fail: without reading announced rows ahead.
#[test]
fn messages() {
    let mut store = Counted::new();
    assert_eq!(store.work(Vec::new(), 10).1, 1, "a claim that finds nothing");
    for ordered in [false, true] {
        let keyed = |number: usize| ordered.then(|| number.to_string());
        commit_ok(&mut store.kv, commit((0..30).map(|number| enqueue(number, keyed(number))).collect()));
        let (claimed, requests) = store.work(Vec::new(), 10);
        assert_eq!((claimed.len(), requests), (10, 2), "a claim of 10, with keys: {ordered}");
        let (claimed, requests) = store.work(claimed, 10);
        assert_eq!((claimed.len(), requests), (10, 2), "10 settled, 10 claimed, with keys: {ordered}");
        let failed =
            claimed.into_iter().map(|one| Settled { end: End::Failed("no".into()), ..one }).collect();
        let (claimed, requests) = store.work(failed, 20);
        assert_eq!((claimed.len(), requests), (20, 3), "10 that failed, 20 claimed, with keys: {ordered}");
        let (claimed, requests) = store.work(claimed, 0);
        assert_eq!((claimed.len(), requests), (0, 1), "20 settled, with keys: {ordered}");
    }
    assert_eq!(store.of(|kv| sweep(kv).unwrap()).1, 2, "a sweep");
    close(store.kv);
}

/// Seen to fail: with the state of the log and the consumer read one after the other: 3 requests.
#[test]
fn leases() {
    let mut store = Counted::new();
    let asks = |owner: &str| {
        Write::TakeLock(LockRequest { name: "l".into(), owner: owner.into(), duration_ms: HOUR_MS })
    };
    let Answer::LockTaken(Some(token), _) = store.assert_write("lock", 2, asks("me")) else {
        panic!("no lock")
    };
    store.assert_write("extend", 2, asks("me"));
    store.assert_write("a lock that another holds", 1, asks("you"));
    store.assert_read("who holds it", 1, Request::Lock("l".into()));
    store.assert_write("release", 2, Write::ReleaseLock("l".into(), token));

    commit_ok(&mut store.kv, commit(vec![set(&["a"], "1")]));
    let holder = |lease| LeaseHolder { name: "c".into(), lease, lease_ms: HOUR_MS, is_loop: false };
    let taken = store.assert_write("take a consumer", 2, Write::TakeConsumer(holder(0), None));
    let Answer::ConsumerTaken(ConsumerLease::Taken { lease, .. }) = taken else { panic!("{taken:?}") };
    store.assert_write("commit a consumer", 2, Write::CommitConsumer(holder(lease), 1));
    store.assert_read("where it stands", 1, Request::Consumer("c".into()));
    store.assert_write("release a consumer", 2, Write::ReleaseConsumer(holder(lease)));
    store.assert_write("delete a consumer", 1, Write::DeleteConsumer("c".into()));
    close(store.kv);
}
