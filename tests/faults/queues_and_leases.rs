//! Law 2 for queues, locks, consumers and the trimming of the log: whichever statement fails, an operation is
//! done wholly or not at all.

use crate::support::atomicity::{all_or_nothing, all_or_nothing_of, all_or_nothing_write};
use crate::support::template::{LATER, Template};
use crate::support::{commit, key, set, sweep, wait};
use keyval::base::config::ChangeLog;
use keyval::base::error::Result;
use keyval::codec::value::JSON;
use keyval::engine::changes::consumer::LeaseHolder;
use keyval::engine::commit::{Commit, Mutation, Outcome};
use keyval::engine::lock::LockRequest;
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::enqueue::NewMessage;
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::Write;
use keyval::kv::Kv;

fn claim(kv: &mut Kv, settled: &[Settled]) -> Result<Option<Outcome>> {
    let (send, receive) = std::sync::mpsc::channel();
    let request = ClaimRequest { queue: "q".into(), settled: settled.to_vec(), claim: 10, lock_ms: 1_000 };
    kv.claim(request, Box::new(move |answer| drop(send.send(answer))));
    kv.flush();
    wait(&receive, "claim").map(|_| None)
}

fn message(ordering_key: Option<&str>) -> NewMessage {
    NewMessage {
        id: "new".into(),
        queue: "q".into(),
        ordering_key: ordering_key.map(str::to_string),
        keys_if_undelivered: vec![key(&["lost", "a"]), key(&["plain"])],
        ..NewMessage::of(JSON, b"[1]".to_vec())
    }
}

/// Messages of every kind: ready, with a busy ordering key, with current and expired leases, and one at its
/// last attempt.
fn queues() -> Template {
    let row = |id: &str, status: &str, attempts: i64, key: &str, until: i64| {
        format!(
            "INSERT INTO kv_queue VALUES ('{id}', {}, 'q', '{status}', {}, {attempts}, 2, '[50]', '[\"027800\"]', {key}, NULL,
             {attempts}, {until}, 1, 1, 0, x'31');",
            id.len(),
            LATER - 9
        )
    };
    let rows = [
        row("ready", "pending", 0, "NULL", 0),
        row("held", "processing", 1, "'k'", LATER + 9_000),
        row("behind", "pending", 0, "'k'", 0),
        row("behind too", "blocked", 0, "'k'", 0),
        row("lapsed", "processing", 1, "NULL", LATER - 1),
        row("last", "processing", 2, "NULL", LATER - 1),
        row("failing", "processing", 2, "'f'", LATER + 9_000),
        row("behind failing", "blocked", 0, "'f'", 0),
    ];
    let letter = "INSERT INTO kv_dlq VALUES ('dead', 'was', 'q', 'no', 2, 1, 1, 2, '[50]', NULL, NULL, NULL, 0, x'31');";
    let consumer = "INSERT INTO kv_consumers VALUES ('c', x'', 2, 1, 1, 1);";
    let lock = format!("INSERT INTO kv_locks VALUES ('old', 'o', 1, {});", LATER - 1);
    let sequence = "UPDATE kv_meta SET value = 7 WHERE key = 'sequence';";
    Template::new(ChangeLog::Values).alter(&(rows.concat() + letter + consumer + &lock + sequence))
}

fn settled(id: &str, lease: i64, end: End) -> Settled {
    Settled { id: id.into(), lease, end }
}

/// Seen to fail: with the error of the insertion into the dead letter queue passed over.
#[test]
fn messages() {
    let template = queues();
    let enqueue = Mutation::Enqueue(Box::new(message(Some("k"))));
    all_or_nothing_of("enqueue", &template, Commit::of(enqueue.clone()));
    all_or_nothing_of("among others", &template, commit(vec![set(&["plain"], "2"), enqueue]));
    all_or_nothing("claim", &template, &|kv| claim(kv, &[]));
    let ends = [
        settled("held", 1, End::Done),
        settled("failing", 2, End::Failed("no".into())),
        settled("lapsed", 1, End::Returned),
        settled("lost", 1, End::Done),
    ];
    all_or_nothing("settle and claim", &template, &|kv| claim(kv, &ends));
    all_or_nothing_write("purge", &template, &Write::PurgeDeadLetters(None));
}

/// Seen to fail: with the error of the insertion into the dead letter queue passed over.
#[test]
fn damaged_messages() {
    let damaged = |sql: &str| queues().alter(sql);
    let template = damaged("UPDATE kv_queue SET backoff_schedule = x'ff' WHERE id IN ('ready', 'last')");
    all_or_nothing("claim", &template, &|kv| claim(kv, &[]));
    let template = damaged("UPDATE kv_queue SET deduplication_key = x'ff' WHERE id = 'failing'");
    let ends = [settled("failing", 2, End::Failed("no".into()))];
    all_or_nothing("settle", &template, &|kv| claim(kv, &ends));
    let template = damaged(
        "UPDATE kv_queue SET status = 'unknown' WHERE id IN ('failing', 'held');
         INSERT INTO kv_meta VALUES ('dead_letter_retention_ms', 60000)",
    );
    all_or_nothing("sweep", &template, &|kv| sweep(kv).map(|()| None));
}

/// Seen to fail: with the error of the removal from the dead letter queue passed over.
#[test]
fn a_dead_letter_goes_back() {
    let template = queues();
    all_or_nothing_write("requeue", &template, &Write::requeue("dead".into()));
}

/// Seen to fail: with the error of the consumer's row passed over.
#[test]
fn leases_and_the_log() {
    let template = queues();
    let holder = LeaseHolder { name: "c".into(), lease: 1, lease_ms: 500, is_loop: false };
    let new = LeaseHolder { name: "new".into(), lease: 0, lease_ms: 500, is_loop: false };
    let request = LockRequest { name: "old".into(), owner: "me".into(), duration_ms: 5 };
    all_or_nothing_write("lock", &template, &Write::TakeLock(request));
    all_or_nothing_write("take", &template, &Write::TakeConsumer(new, None));
    all_or_nothing_write("commit", &template, &Write::CommitConsumer(holder, 4));
    all_or_nothing_write("trim", &template, &Write::TrimChanges(3));
}
