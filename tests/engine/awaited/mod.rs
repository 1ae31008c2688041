//! Waiting for many queues and leases: a commit that concerns none of them must not cost a look at each.

use std::sync::Arc;

mod other_process;

use crate::support::fault::{Plan, Trap};
use crate::support::raw::Raw;
use crate::support::{HOUR_MS, T0, close, open, put, read, set, wait, write};
use keyval::base::limits::{AWAITED_LOOK_MS, MAX_INLINE_DUES};
use keyval::codec::value::JSON;
use keyval::engine::answer::{Answer, ConsumerLease, Dues};
use keyval::engine::awaited::{Awaited, Kind};
use keyval::engine::changes::consumer::LeaseHolder;
use keyval::engine::commit::Mutation;
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::enqueue::NewMessage;
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::{Request, Write};
use keyval::kv::Kv;
use serde_json::Value;
use tempfile::TempDir;

/// One more than the calling thread looks at.
const MANY: usize = MAX_INLINE_DUES + 1;

/// A `Kv` that waits for many queues, each with a delayed message, and for many leases that others hold.
struct Waiting {
    kv: Kv,
    awaited: Arc<Awaited>,
    leases: Vec<i64>,
    folder: TempDir,
    trap: Trap,
}

fn name(at: usize) -> String {
    format!("n{at:03}")
}

fn message(queue: &str, ordering_key: Option<&str>, delay_ms: i64) -> Mutation {
    Mutation::Enqueue(Box::new(NewMessage {
        queue: queue.into(),
        ordering_key: ordering_key.map(str::to_string),
        delay_ms,
        ..NewMessage::of(JSON, b"1".to_vec())
    }))
}

fn dues(answer: Answer) -> Dues {
    match answer {
        Answer::Dues(dues) => dues,
        other => panic!("no dues: {other:?}"),
    }
}

fn holder(at: usize, lease: i64) -> LeaseHolder {
    LeaseHolder { name: name(at), lease, lease_ms: HOUR_MS, is_loop: false }
}

/// The answer when there was no reason to look.
fn nothing() -> Option<Dues> {
    Some(Dues { again_ms: Some(T0 + AWAITED_LOOK_MS), ..Dues::default() })
}

impl Waiting {
    /// After its first look.
    fn new() -> Self {
        let mut waiting = Self::for_leases(MANY, 1);
        for at in 0..MANY {
            put(&mut waiting.kv, message(&name(at), None, HOUR_MS));
            waiting.kv.awaited().add(Kind::Queue, name(at));
        }
        assert_eq!(waiting.look_now(), None);
        let all = waiting.look();
        let again_ms = Some(T0 + AWAITED_LOOK_MS);
        assert_eq!((all.queues.len(), all.consumers.len(), all.again_ms), (MANY, 0, again_ms));
        waiting
    }

    /// Waits for leases only, those of every `every`th consumer; the first look is done.
    fn for_leases(consumers: usize, every: usize) -> Self {
        let (folder, trap) = (TempDir::new().unwrap(), Trap::default());
        let mut kv = open(&folder.path().join("store.db"), &trap.options());
        let mut leases = Vec::new();
        for at in 0..consumers {
            match write(&mut kv, Write::TakeConsumer(holder(at, 0), None)).unwrap() {
                Answer::ConsumerTaken(ConsumerLease::Taken { lease, .. }) => leases.push(lease),
                other => panic!("no lease: {other:?}"),
            }
            if at % every == 0 {
                kv.awaited().add(Kind::Consumer, name(at));
            }
        }
        let waiting = Self { awaited: kv.awaited(), kv, leases, folder, trap };
        let all = waiting.look();
        assert_eq!((all.consumers.len(), all.again_ms), (consumers.div_ceil(every), None));
        waiting
    }

    /// The result of a look, and the number of SELECTs it ran.
    fn counted_look(&self) -> (Dues, usize) {
        self.trap.arm(Plan::Watch);
        let found = self.look();
        // The end of the read may come before or after the answer.
        (found, self.trap.disarm().steps.iter().filter(|sql| sql.starts_with("SELECT")).count())
    }

    /// Looks on the calling thread; `None` if there are too many names for that.
    fn look_now(&mut self) -> Option<Dues> {
        let request = Request::Dues(Arc::clone(&self.awaited));
        match self.kv.read_now(&request).unwrap() {
            Answer::WouldBlock => None,
            answer => Some(dues(answer)),
        }
    }

    fn look(&self) -> Dues {
        dues(read(&self.kv, Request::Dues(Arc::clone(&self.awaited))))
    }

    /// Commits something, and waits until its notice is delivered.
    fn commit(&mut self, one: Write) {
        write(&mut self.kv, one).unwrap();
        self.wait_until_notified();
    }

    /// The notices of a group are delivered before the next group begins.
    fn wait_until_notified(&mut self) {
        put(&mut self.kv, set(&["k"], "1"));
    }

    /// Another process commits something.
    fn execute_elsewhere(&self, sql: &str) {
        Raw::open(&self.folder.path().join("store.db")).execute(&format!("BEGIN; {sql}; COMMIT"));
    }

    fn last_number(&self) -> Vec<Vec<libsql::Value>> {
        let raw = Raw::open(&self.folder.path().join("store.db"));
        raw.rows("SELECT value FROM kv_meta WHERE key = 'sequence'", ())
    }

    /// Settles, then claims a message of a queue, if there is one.
    fn claim(&mut self, queue: &str, settled: Vec<Settled>, claim: usize) -> Option<(String, i64)> {
        let (send, receive) = std::sync::mpsc::channel();
        let request = ClaimRequest { queue: queue.into(), settled, claim, lock_ms: HOUR_MS };
        self.kv.claim(request, Box::new(move |answer| drop(send.send(answer))));
        self.kv.flush();
        let Answer::Page(page) = wait(&receive, "claim").unwrap() else { panic!("no page") };
        let parts: Value = serde_json::from_slice(&page.text).unwrap();
        Some((parts[0].as_str()?.to_string(), parts[1].as_i64()?))
    }
}

const TAKE_NUMBER: &str = "UPDATE kv_meta SET value = value + 1 WHERE key = 'sequence'";

fn release_elsewhere(at: usize) -> String {
    format!("UPDATE kv_consumers SET locked_until = NULL WHERE name = '{}'", name(at))
}

/// Damages the record of what was released.
const FORGET_RELEASES: &str =
    "INSERT OR REPLACE INTO kv_meta (key, value) VALUES ('released', 'nobody knows')";

/// The record that this version leaves when a lease is given back.
fn note_release(at: usize) -> String {
    format!(
        "INSERT OR REPLACE INTO kv_meta (key, value)
         SELECT 'released', '{{\"after\":0,\"queues\":{{}},\"consumers\":{{\"{}\":' || value || '}}}}'
         FROM kv_meta WHERE key = 'sequence'",
        name(at)
    )
}

/// Whether the only lease reported is this one, as free now.
fn tells_of_release(all: &Dues, at: usize) -> bool {
    all.consumers == [(name(at), 0)]
}

/// Seen to fail: each of the names was looked up after each commit.
#[test]
fn a_commit_that_takes_no_number_is_no_reason_to_look() {
    let mut waiting = Waiting::new();
    for number in 0..3 {
        put(&mut waiting.kv, set(&["k", &number.to_string()], "1"));
        assert_eq!(waiting.look_now(), nothing());
        waiting.execute_elsewhere("UPDATE kv_entries SET expires_at = 1");
        assert_eq!(waiting.look_now(), nothing());
    }
    close(waiting.kv);
}

/// Seen to fail: with `Awaited::on_notice` left out, each name was looked up after each commit of this
/// process.
#[test]
fn nor_is_one_that_is_notified_here() {
    let mut waiting = Waiting::new();
    waiting.kv.monitor(true, false);
    for _ in 0..3 {
        put(&mut waiting.kv, message(&name(7), None, 0));
        waiting.wait_until_notified();
        assert_eq!(waiting.look_now(), nothing());
    }
    let given_back = holder(5, waiting.leases[5]);
    waiting.commit(Write::ReleaseConsumer(given_back));
    assert_eq!(waiting.look_now(), nothing());
    close(waiting.kv);
}

/// Seen to fail: with this process's commit taken to follow the last look directly, whatever others committed
/// in between.
#[test]
fn a_number_that_another_process_took_is_a_reason_also_behind_one_of_its_own() {
    for own_commits in 0..3 {
        let mut waiting = Waiting::new();
        waiting.kv.monitor(true, false);
        waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {}; {}", note_release(5), release_elsewhere(5)));
        for _ in 0..own_commits {
            put(&mut waiting.kv, message(&name(7), None, 0));
        }
        waiting.wait_until_notified();
        let found = waiting.look_now().unwrap();
        assert!(tells_of_release(&found, 5), "after {own_commits}: {found:?}");
        assert_eq!(waiting.look_now(), nothing());
        close(waiting.kv);
    }
}

/// An older version, which takes no numbers, may write to the file too. Seen to fail: with a look only when a
/// number was taken.
#[test]
fn a_commit_elsewhere_without_a_number_is_seen_a_second_later() {
    let mut waiting = Waiting::new();
    waiting.execute_elsewhere(&release_elsewhere(5));
    assert_eq!(waiting.look_now(), nothing());
    waiting.kv.freeze_clock(Some(T0 + AWAITED_LOOK_MS));
    assert_eq!(waiting.look_now(), None);
    assert!(tells_of_release(&waiting.look(), 5));
    // A clock that stepped back delays nothing.
    waiting.kv.freeze_clock(Some(T0));
    assert_eq!(waiting.look_now(), None);
    close(waiting.kv);
}

/// An operation that makes a message ready or frees a lease takes a number; no other operation does. Seen to
/// fail: only adding a message took one. And with one taken when a consumer that does not exist is deleted.
#[test]
fn every_change_that_may_be_awaited_takes_a_number() {
    let mut waiting = Waiting::new();
    let mut before = waiting.last_number();
    let mut takes = |waiting: &Waiting| {
        let number = waiting.last_number();
        std::mem::replace(&mut before, number.clone()) != number
    };
    for key in ["first", "second"] {
        put(&mut waiting.kv, message("ordered", Some("key"), 0));
        assert!(takes(&waiting), "{key}");
    }
    let ends = [End::Returned, End::Released, End::Failed("it failed".into())];
    let mut now = T0;
    for end in ends {
        let (id, lease) = waiting.claim("ordered", Vec::new(), 1).unwrap();
        assert!(!takes(&waiting), "a claim");
        waiting.claim("ordered", vec![Settled { id, lease, end: end.clone() }], 0);
        assert!(takes(&waiting), "{end:?}");
        now += HOUR_MS;
        waiting.kv.freeze_clock(Some(now));
    }
    let (id, lease) = waiting.claim("ordered", Vec::new(), 1).unwrap();
    waiting.claim("ordered", vec![Settled { id, lease, end: End::Done }], 0);
    assert!(takes(&waiting), "the next one of an ordering key is free to go");

    let (other, lease) = (holder(5, waiting.leases[5]), waiting.leases[5]);
    assert!(lease > 0);
    waiting.commit(Write::ReleaseConsumer(other));
    assert!(takes(&waiting), "a release");
    waiting.commit(Write::DeleteConsumer(name(6)));
    assert!(takes(&waiting), "a deletion");
    waiting.commit(Write::DeleteConsumer("nobody".into()));
    assert!(!takes(&waiting), "nobody");
    close(waiting.kv);
}

/// Seen to fail: each lease that was looked at was reported.
#[test]
fn of_leases_that_were_given_back_or_taken_elsewhere_those_are_reported_that_changed() {
    let waiting = Waiting::for_leases(3 * MANY, 3);
    let until_ms = T0 + 2 * HOUR_MS;
    let set = |at: usize, what: &str| format!("UPDATE kv_consumers SET {what} WHERE name = '{}'", name(at));
    let cases = [
        (release_elsewhere(3), Some((3, 0))),
        (set(3, &format!("locked_until = {until_ms}, lease = 99999")), Some((3, until_ms))),
        (set(6, &format!("locked_until = {until_ms}")), Some((6, until_ms))),
        (set(9, "lease = 99999"), Some((9, T0 + HOUR_MS))),
        (set(12, "position = 7"), None),
        (release_elsewhere(13), None),
        // Each is reported for as long as it is free.
        (format!("DELETE FROM kv_consumers WHERE name = '{}'", name(3 * MANY - 3)), Some((3 * MANY - 3, 0))),
    ];
    for (sql, reported) in cases {
        waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {FORGET_RELEASES}; {sql}"));
        let (found, rows) = waiting.counted_look();
        let reported: Vec<_> = reported.into_iter().map(|(at, until_ms)| (name(at), until_ms)).collect();
        assert_eq!(found.consumers, reported, "{sql}");
        assert!(rows <= 3 * MANY + 10, "{rows} rows for {} leases: {sql}", 3 * MANY);
        waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {}", note_release(15)));
        assert_eq!(waiting.look().consumers, [], "{sql}, and nothing since");
    }
    waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {FORGET_RELEASES}; DELETE FROM kv_consumers"));
    assert_eq!(waiting.look().consumers.len(), MANY);
    close(waiting.kv);
}

/// Seen to fail: without a limit to what is passed, all the rows of consumers that nobody waits for were
/// read.
#[test]
fn leases_that_are_not_awaited_are_skipped() {
    let waiting = Waiting::for_leases(4 * MANY, 2 * MANY);
    waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {FORGET_RELEASES}; {}", release_elsewhere(2 * MANY)));
    let (found, rows) = waiting.counted_look();
    assert!(tells_of_release(&found, 2 * MANY));
    assert!(rows < MANY, "{rows} rows");
    close(waiting.kv);
}

/// Seen to fail: with a damaged row as an error of the whole look, no lease was reported.
#[test]
fn a_damaged_lease_is_reported_as_one_that_is_free() {
    let waiting = Waiting::for_leases(MANY, 1);
    let damage = format!("UPDATE kv_consumers SET locked_until = 'never' WHERE name = '{}'", name(4));
    waiting.execute_elsewhere(&format!("{TAKE_NUMBER}; {FORGET_RELEASES}; {damage}"));
    assert!(tells_of_release(&waiting.look(), 4));
    close(waiting.kv);
}
