//! Law 2, all or nothing: whichever statement of a commit fails, with whichever code, the file holds all of
//! the commit or nothing of it, the answer says which, and the store still works.

use crate::support;
use crate::support::atomicity::{Action, ROLLBACK, all_or_nothing, all_or_nothing_of, clean, one_fault};
use crate::support::fault::{CODES, NO_MEMORY, Plan, Trap};
use crate::support::raw::Raw;
use crate::support::template::{LATER, Template, fill};
use crate::support::{
    append, check, commit, delete, delete_tree, delete_under, everything, is_definite, keys_of, open, set,
    set_for, sum, sweep, touch, try_commit,
};
use keyval::base::config::ChangeLog;
use keyval::base::error::Code;
use keyval::engine::commit::{Commit, Mutation, Stamping};
use keyval::engine::request::Request;
use keyval::kv::Kv;

/// Seen to fail: with the clock's row written after COMMIT; with a COMMIT's failure taken for success, or its
/// unknown outcome for a known one; with no ROLLBACK where the settings cannot be read.
#[test]
fn a_set() {
    let template = Template::new(ChangeLog::Keys);
    all_or_nothing_of("over nothing", &template, Commit::of(set(&["new"], "1")));
    all_or_nothing_of("over a live entry", &template, Commit::of(set(&["plain"], "2")));
    all_or_nothing_of("over an expired entry", &template, Commit::of(set_for(&["dead"], "2", Some(9))));
}

/// Seen to fail: with the clock's row written after COMMIT.
#[test]
fn a_delete() {
    let template = Template::new(ChangeLog::Keys);
    let absent = Commit { stamping: Stamping::IfChanged, ..Commit::of(delete(&["absent"])) };
    all_or_nothing_of("of a live entry", &template, Commit::of(delete(&["plain"])));
    all_or_nothing_of("of an expired entry", &template, Commit::of(delete(&["dead"])));
    all_or_nothing_of("of nothing", &template, absent);
}

/// Seen to fail: with an error of the DELETE passed over.
#[test]
fn a_range_delete() {
    let template = Template::new(ChangeLog::Keys);
    all_or_nothing_of("of descendants", &template, Commit::of(delete_under(&["tree"])));
    all_or_nothing_of("of a tree", &template, Commit::of(delete_tree(&["dead"])));
    let two = commit(vec![delete_under(&["tree"]), set(&["tree", "d"], "4")]);
    all_or_nothing_of("among others", &template, two);
}

/// Seen to fail: with the clock's row written after COMMIT.
#[test]
fn counters_and_arrays() {
    let template = Template::new(ChangeLog::Values);
    all_or_nothing_of("sum", &template, Commit::of(sum(&["counter"], 7)));
    all_or_nothing_of("append", &template, Commit::of(append(&["list"], "[3]")));
    all_or_nothing_of("touch", &template, Commit::of(touch(&["leased"], 1)));
}

/// Every kind of mutation in one commit, with checks that hold.
fn several(template: &Template) -> Commit {
    let stamp = template.state.entry(&support::key(&["plain"])).map(|entry| entry.versionstamp.clone());
    let mutations = vec![
        set(&["plain"], "2"),
        Mutation::Set {
            key: support::key(&["log"]),
            stamped: true,
            encoding: 2,
            value: vec![0, 255],
            expires_in_ms: None,
        },
        delete(&["other"]),
        delete_under(&["tree"]),
        sum(&["counter"], -6),
        append(&["list"], "[\"é\"]"),
        touch(&["leased"], 77),
        set(&["dead"], "\"again\""),
    ];
    let checks = vec![check(&["plain"], stamp.as_deref()), check(&["dead"], None)];
    Commit { checks, mutations, ..Commit::default() }
}

/// Seen to fail: with the errors of the net log rows passed over.
#[test]
fn several_mutations_with_checks() {
    let template = Template::new(ChangeLog::Keys);
    all_or_nothing_of("keys", &template, several(&template));
    let template = Template::new(ChangeLog::Values);
    all_or_nothing_of("values", &template, several(&template));
}

/// Seen to fail: with a COMMIT's failure taken for success.
#[test]
fn a_check_that_fails() {
    let template = Template::new(ChangeLog::Keys);
    let refused = Commit { checks: vec![check(&["plain"], None)], ..several(&template) };
    all_or_nothing_of("conflict", &template, refused);
}

/// Seen to fail: with COMMIT for the ROLLBACK of a lone operation that failed.
#[test]
fn a_mutation_that_fails() {
    let template = Template::new(ChangeLog::Keys);
    let refused = commit(vec![set(&["new"], "1"), delete(&["other"]), append(&["plain"], "[1]")]);
    all_or_nothing_of("mismatch", &template, refused);
}

/// Seen to fail: with the errors of its log rows passed over.
#[test]
fn a_sweep() {
    let template = Template::new(ChangeLog::Keys);
    all_or_nothing("sweep", &template, &|kv| sweep(kv).map(|()| None));
}

/// In memory there is no other connection to look with, and no journal file to roll back from.
///
/// Seen to fail: with the clock's row written after COMMIT.
#[test]
fn in_memory() {
    let what = commit(vec![set(&["new"], "1"), delete_under(&["tree"]), sum(&["counter"], 1)]);
    let steps = (0..).take_while(|at| in_memory_with_a_fault_at(*at, &what)).count();
    assert!(steps > 10, "too few steps to be true: {steps}");
}

/// False if there is no such step.
fn in_memory_with_a_fault_at(at: usize, what: &Commit) -> bool {
    let trap = Trap::default();
    let mut kv = open(":memory:".as_ref(), &trap.options());
    fill(&mut kv);
    kv.freeze_clock(Some(LATER));
    let before = everything(&mut kv).text;
    trap.arm(Plan::At(at, CODES[at % CODES.len()]));
    let result = try_commit(&mut kv, what.clone());
    let failed = !trap.disarm().failed.is_empty();
    assert_eq!(result.is_err(), failed, "step {at}: {result:?}");
    if failed {
        assert_eq!(everything(&mut kv).text, before, "step {at}: {result:?}");
        try_commit(&mut kv, what.clone()).unwrap();
    }
    assert!(everything(&mut kv).text != before, "step {at}");
    failed
}

/// Seen to fail: without the end of a stray transaction, every later commit failed with CORRUPT.
#[test]
fn a_rollback_that_fails() {
    let template = Template::new(ChangeLog::Keys);
    let refused = commit(vec![set(&["new"], "1"), append(&["plain"], "[1]")]);
    let action: Action = &|kv| try_commit(kv, refused.clone()).map(Some);
    let clean = clean(&template, action);
    let at = clean.steps.iter().position(|sql| sql == ROLLBACK).unwrap();
    one_fault("rollback", &template, action, &clean, Plan::At(at, NO_MEMORY));
}

/// A lock that another connection really holds, not an injected one.
///
/// Seen to fail: with SQLite's BUSY not distinguished from other codes.
#[test]
fn the_write_lock_is_taken() {
    let template = Template::new(ChangeLog::Keys);
    let mut copy = template.copy();
    let other = Raw::open(&copy.path());
    other.execute("BEGIN IMMEDIATE");
    let mut impatient = Kv::open(
        copy.path().to_str().unwrap(),
        &keyval::base::config::Options { busy_timeout_ms: Some(0), ..support::quiet() },
    )
    .unwrap();
    let error = try_commit(&mut impatient, Commit::of(set(&["new"], "1"))).unwrap_err();
    assert_eq!((error.code, is_definite(&error)), (Code::Busy, true));
    other.execute("COMMIT");
    assert_eq!(copy.state(), template.state);
    try_commit(&mut copy.kv, Commit::of(set(&["new"], "1"))).unwrap();
    assert_eq!(copy.state().entries.len(), template.state.entries.len() + 1);
}

/// Seen to fail: the snapshot stayed open, so that every later read of the connection was stale.
#[test]
fn the_end_of_a_read_fails() {
    let two = Request::Get(keys_of(&[&["plain"], &["other"]]));
    let mut copy = Template::new(ChangeLog::Keys).copy();
    copy.trap.arm(Plan::Watch);
    copy.kv.read_now(&two).unwrap();
    let end = copy.trap.disarm().steps.iter().position(|sql| sql == "COMMIT").unwrap();
    copy.trap.arm(Plan::At(end, NO_MEMORY));
    copy.kv.read_now(&two).unwrap_err();
    copy.trap.disarm();
    try_commit(&mut copy.kv, Commit::of(set(&["new"], "1"))).unwrap();
    assert!(String::from_utf8(everything(&mut copy.kv).text).unwrap().contains("new"), "a stale read");
    copy.kv.read_now(&two).unwrap();
}
