//! The messages of a `Kv` that is dropped without `close`, as when its worker is terminated.

use std::sync::mpsc::{Receiver, channel};

use crate::support::jobs::Gate;
use crate::support::{T0, open, put, quiet, read, wait};
use keyval::base::config::Location;
use keyval::base::error::Result;
use keyval::codec::value::JSON;
use keyval::engine::answer::Answer;
use keyval::engine::commit::Mutation;
use keyval::engine::query::definition::definition_of;
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::enqueue::{DEFAULT_QUEUE, NewMessage};
use keyval::engine::request::Request;
use keyval::kv::Kv;
use keyval::store::rows::queue::QueueStats;
use keyval::store::{Store, local};
use tempfile::TempDir;

const LEASE_MS: i64 = 10_000;

fn add(kv: &mut Kv, id: &str, backoff_ms: &[i64]) {
    let message = NewMessage {
        id: id.into(),
        backoff_ms: backoff_ms.into(),
        ..NewMessage::of(JSON, format!("\"{id}\"").into_bytes())
    };
    put(kv, Mutation::Enqueue(Box::new(message)));
}

fn begin_claim(kv: &mut Kv) -> Receiver<Result<Answer>> {
    let (send, receive) = channel();
    let request =
        ClaimRequest { queue: DEFAULT_QUEUE.into(), settled: Vec::new(), claim: 10, lock_ms: LEASE_MS };
    kv.claim(request, Box::new(move |answer| drop(send.send(answer))));
    kv.flush();
    receive
}

/// Claims messages; returns the JSON of their `id,lease,attempts,value`.
fn claim(kv: &mut Kv) -> String {
    match wait(&begin_claim(kv), "a claim") {
        Ok(Answer::Page(page)) => String::from_utf8(page.text).expect("text"),
        _ => panic!("no page"),
    }
}

fn counts(kv: &Kv) -> QueueStats {
    match read(kv, Request::QueueStats(None)) {
        Answer::QueueStats(counts) => counts,
        _ => panic!("no counts"),
    }
}

/// Seen to fail: they waited for the rest of their leases. And with the last attempt given back as well: a
/// message that kills its worker would never come to the end of its attempts.
#[test]
fn the_messages_of_a_dropped_kv_are_for_the_next_one_at_once() {
    let folder = TempDir::new().unwrap();
    let (mut gone, mut next) =
        (open(&folder.path().join("kv.db"), &quiet()), open(&folder.path().join("kv.db"), &quiet()));
    add(&mut gone, "more", &[1_000]);
    add(&mut gone, "last", &[]);
    let claimed = claim(&mut gone);
    assert!(claimed.contains("more") && claimed.contains("last"), "{claimed}");
    drop(gone);
    let given = claim(&mut next);
    assert!(given.contains("\"more\",2,2,") && !given.contains("last"), "{given}");
    next.freeze_clock(Some(T0 + LEASE_MS));
    let given = claim(&mut next);
    assert!(!given.contains("last"), "{given}");
    assert_eq!(counts(&next), QueueStats { pending: 0, processing: 1, dead: 1 });
}

/// Seen to fail: a message claimed for a `Kv` that was already gone waited for the end of its lease.
#[test]
fn a_claim_of_a_kv_that_is_dropped_meanwhile_is_given_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("kv.db");
    let (mut gone, mut next) = (open(&path, &quiet()), open(&path, &quiet()));
    add(&mut gone, "only", &[]);
    let store = local::open(&Location::File(path.clone()), &quiet(), definition_of).unwrap();
    let gate = Gate::shut(&*store);
    let claimed = begin_claim(&mut gone);
    drop(gone);
    gate.open();
    wait(&claimed, "the claim").map(drop).expect("claimed");
    let given = claim(&mut next);
    assert!(given.contains("\"only\",2,1,"), "no attempt was begun: {given}");
    store.detach(Box::new(|| {}));
}
