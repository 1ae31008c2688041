//! The end of law 8: a panic in a worker closes that store with a reason. All waiting and later calls fail,
//! nothing hangs, no answer is wrong, and the file can be opened again once all openers are gone.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use crate::support::fault::{BUSY, Plan, Trap};
use crate::support::file::File;
use crate::support::jobs::{Gate, Job, fault_in_the_code, reading};
use crate::support::raw::RawState;
use crate::support::{
    close, everything, is_definite, key, put, quiet, read, set, stage, sweep, try_commit, wait,
};
use keyval::base::config::{Durability, Location};
use keyval::base::error::{Code, Error, Result};
use keyval::engine::commit::apply::CommitJob;
use keyval::engine::commit::{Commit, Outcome};
use keyval::engine::query::definition::definition_of;
use keyval::engine::request::Request;
use keyval::store::local::LocalStore;
use keyval::store::{Next, PutKey, Step, Store, WriteJob, local};

type End = Receiver<Result<Outcome>>;

/// Once all have left, the file holds exactly the operations that were answered `Ok`, and can be opened
/// again.
fn assert_truth(file: &File, outcomes: &[(&str, Result<Outcome>)]) {
    let state = file.state();
    for (name, result) in outcomes {
        assert_eq!(holds(&state, name), result.is_ok(), "{name}: {result:?}");
    }
    let mut again = file.open();
    put(&mut again, set(&["again"], "1"));
    close(again);
    assert!(holds(&file.state(), "again"));
}

fn holds(state: &RawState, name: &str) -> bool {
    state.entry(&key(&[name])).is_some()
}

/// Detaches; waits for the release of the file if this was the last opener.
fn leave(store: &LocalStore) {
    let (released, wait_for) = mpsc::channel();
    store.detach(Box::new(move || released.send(()).unwrap()));
    wait(&wait_for, "detach");
}

/// An operation that sets a key, and the channel of its outcome.
fn setting(name: &str) -> (Box<dyn WriteJob>, End) {
    let (send, receive) = mpsc::channel();
    let done = Box::new(move |outcome| drop(send.send(outcome)));
    (Box::new(CommitJob::new(Commit::of(set(&[name], "1")), Durability::Off, done)), receive)
}

/// An operation that writes, and then panics in its n-th run.
fn panicking(run: usize) -> (Box<dyn WriteJob>, Receiver<Result<()>>) {
    let (send, receive) = mpsc::channel();
    let mut runs = 0;
    let job = Job::boxed(&send, move |round, batch| {
        if round == 1 {
            batch.push(Step::Delete(PutKey::Known(key(&["before"]).into())));
            return Ok(Next::Again);
        }
        runs += 1;
        if runs == run { fault_in_the_code() } else { Ok(Next::Done) }
    });
    (job, receive)
}

fn assert_fault<T: std::fmt::Debug>(result: &Result<T>) {
    let error: &Error = result.as_ref().unwrap_err();
    assert_eq!((error.code, is_definite(error)), (Code::Unavailable, true), "{error}");
    assert!(error.message.contains("fault in KeyVal"), "{error}");
}

/// Seen to fail: without the catch around an operation (the commit hangs); with the waiting operations not
/// refused (they hang, too); with COMMIT for the rollback (the writes before the panic are in the file).
#[test]
fn all_waiting_and_later_operations_fail() {
    let file = File::new();
    let (store, mut kv, mut other) = (file.store(&quiet()), file.open(), file.open());
    put(&mut kv, set(&["before"], "1"));
    let gate = Gate::shut(&*store);
    let ((a, done_a), (panics, done_panic), (b, done_b)) = (setting("a"), panicking(1), setting("b"));
    store.write(vec![a, panics, b]);
    let done_c = stage(&mut other, Commit::of(set(&["c"], "1")));
    other.flush();
    gate.open();
    assert_fault(&wait(&done_panic, "the panicking one"));
    // It ran before the panic, usually but not certainly in the same transaction.
    let a = wait(&done_a, "a");
    let (b, c) = (wait(&done_b, "b"), wait(&done_c, "c"));
    assert_fault(&b);
    assert_fault(&c);
    let mut joins = file.open();
    for late in [&mut kv, &mut other, &mut joins] {
        assert_fault(&try_commit(late, Commit::of(set(&["late"], "1"))));
        assert_fault(&sweep(late));
        assert!(String::from_utf8(everything(late).text).unwrap().contains("before"));
    }
    [kv, other, joins].into_iter().for_each(close);
    leave(&store);
    let before = Ok(Outcome::Conflict(Vec::new()));
    assert_truth(&file, &[("before", before), ("a", a), ("b", b), ("c", c)]);
}

/// Stages `a`, an operation that panics in the given run, and `b`; a COMMIT that fails makes each run alone.
fn run_alone(file: &File, trap: &Trap, plan: Plan, run: usize) -> [Result<Outcome>; 2] {
    let store = file.store(&trap.options());
    let gate = Gate::shut(&*store);
    let ((a, done_a), (panics, _done), (b, done_b)) = (setting("a"), panicking(run), setting("b"));
    trap.arm(plan);
    store.write(vec![a, panics, b]);
    gate.open();
    let outcomes = [wait(&done_a, "a"), wait(&done_b, "b")];
    leave(&store);
    outcomes
}

/// Seen to fail: with the operations behind the panic dropped; with groups of one.
#[test]
fn an_operation_that_ran_alone_before_the_panic_stays() {
    const NEVER: usize = usize::MAX;
    let trap = Trap::default();
    let outcomes = run_alone(&File::new(), &trap, Plan::Watch, NEVER);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let steps = trap.disarm().steps;
    // The gate's own COMMIT comes first.
    let at = steps.iter().rposition(|sql| sql == "COMMIT").unwrap();
    let file = File::new();
    let [a, b] = run_alone(&file, &trap, Plan::At(at, BUSY), 2);
    assert_eq!(trap.disarm().first_failed(), Some("COMMIT"));
    assert!(a.is_ok(), "{a:?}");
    assert_fault(&b);
    assert_truth(&file, &[("a", a), ("b", b)]);
}

/// The readers share the connection. Seen to fail: with COMMIT for the rollback.
#[test]
fn in_memory() {
    let store = local::open(&Location::Memory, &quiet(), definition_of).unwrap();
    let (before, done_before) = setting("before");
    store.write(vec![before]);
    wait(&done_before, "before").unwrap();
    let ((a, done_a), (panics, done_panic)) = (setting("a"), panicking(1));
    store.write(vec![panics, a]);
    assert_fault(&wait(&done_panic, "the panicking one"));
    assert_fault(&wait(&done_a, "a"));
    let (late, done_late) = setting("late");
    store.write(vec![late]);
    assert_fault(&wait(&done_late, "late"));
    let (counted, done_count) = mpsc::channel();
    store.read(reading(move |txn| counted.send(txn.count(&(vec![]..vec![0xff]))).unwrap()));
    assert_eq!(wait(&done_count, "count").unwrap(), 1, "a delete that was not committed is seen");
    leave(&store);
}

/// A read changes nothing: its panic costs only itself.
///
/// Seen to fail: without the catch around a read.
#[test]
fn a_read_that_panics() {
    let file = File::new();
    let mut kv = file.open();
    put(&mut kv, set(&["before"], "1"));
    kv.read_later(Request::Count(vec![]..vec![0xff], None), Box::new(|_| fault_in_the_code()));
    for _ in 0..2 {
        let answer = read(&kv, Request::Count(vec![]..vec![0xff], None));
        assert!(matches!(answer, keyval::engine::answer::Answer::Count(1)), "{answer:?}");
        put(&mut kv, set(&["before"], "2"));
    }
    close(kv);
}

/// Seen to fail: the writer thread died, and later commits and the close hung.
#[test]
fn a_completion_that_panics() {
    let file = File::new();
    let mut kv = file.open();
    kv.stage(Commit::of(set(&["a"], "1")), Box::new(|_| fault_in_the_code())).unwrap();
    let done_b = stage(&mut kv, Commit::of(set(&["b"], "1")));
    kv.flush();
    // Either it shared the commit, which is on disk, or the store was closed before its turn.
    let b = wait(&done_b, "b");
    let late = try_commit(&mut kv, Commit::of(set(&["late"], "1")));
    close(kv);
    assert_truth(&file, &[("b", b), ("late", late)]);
}

/// Seen to fail: without the catch around the wake-ups, as above.
#[test]
fn a_wake_up_that_panics() {
    let file = File::new();
    let mut kv = file.open();
    kv.on_finished(Arc::new(|_| fault_in_the_code())).monitor(true);
    let outcome = try_commit(&mut kv, Commit::of(set(&["a"], "1")));
    let late = try_commit(&mut kv, Commit::of(set(&["late"], "1")));
    close(kv);
    assert_truth(&file, &[("a", outcome), ("late", late)]);
}

#[test]
fn a_completion_that_panics_after_a_panic() {
    let store = local::open(&Location::Memory, &quiet(), definition_of).unwrap();
    let gate = Gate::shut(&*store);
    let ((panics, _done), (a, done_a)) = (panicking(1), setting("a"));
    let deaf =
        CommitJob::new(Commit::of(set(&["b"], "1")), Durability::Off, Box::new(|_| fault_in_the_code()));
    store.write(vec![panics, Box::new(deaf), a]);
    gate.open();
    assert_fault(&wait(&done_a, "a"));
    leave(&store);
}
