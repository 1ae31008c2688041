//! A watch that is read more slowly than others write: how much of the log it walks, and what it keeps.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::support::fault::{BUSY, Plan, Trap};
use crate::support::file::File;
use crate::support::{close, commit, commit_ok, delete, key, open, put, quiet, read, set, stage, wait};
use keyval::base::limits::{MAX_ALL_BACKLOGS_KEYS, MAX_BACKLOG_KEYS, MAX_WATCH_BATCH_KEYS};
use keyval::codec::page::Page;
use keyval::engine::answer::Answer;
use keyval::engine::changes::followers::{Reach, Target};
use keyval::engine::changes::watch::{Watch, WatchRequest};
use keyval::engine::request::Request;
use keyval::kv::Kv;

const BATCH: usize = MAX_WATCH_BATCH_KEYS;

fn watch(kv: &mut Kv, buffer_keys: Option<usize>) -> Arc<Watch> {
    let targets = vec![Target { key: key(&["k"]), reach: Reach::Under }];
    let request = WatchRequest { targets, emit_initial: false, from: None, buffer_keys, drop_newest: false };
    kv.watch(request).unwrap()
}

/// Sets keys `k/<number>` to a mark, a thousand a commit; gives the versionstamps.
fn write(kv: &mut Kv, numbers: std::ops::Range<usize>, mark: &str, last: &mut BTreeMap<usize, String>) {
    for begin in numbers.clone().step_by(1000) {
        let part = begin..numbers.end.min(begin + 1000);
        let sets = part.clone().map(|number| set(&["k", &number.to_string()], mark)).collect();
        let (versionstamp, _) = commit_ok(kv, commit(sets));
        last.extend(part.map(|number| (number, versionstamp.clone())));
    }
}

/// The batch of a step: entries by number, and the batch's versionstamp; `None` at the end of the log.
fn step(kv: &mut Kv, watch: &Arc<Watch>) -> Option<(BTreeMap<usize, String>, String)> {
    loop {
        let request = Request::Watch(Arc::clone(watch));
        let page = match kv.read_now(&request).unwrap() {
            Answer::WouldBlock => page_of(read(kv, request)),
            answer => page_of(answer),
        };
        let text: Vec<serde_json::Value> = serde_json::from_slice(&page.text).unwrap();
        let tail = text.last().unwrap();
        match tail[0].as_u64().unwrap() {
            0 => return None,
            8 => continue,
            flags => assert_eq!(flags, 4),
        }
        let mut stamp = "";
        let mut reported = BTreeMap::new();
        for parts in text[..page.len() * 3].chunks(3) {
            if let Some(given) = parts[2].as_str() {
                stamp = given;
            }
            assert!(
                reported.insert(parts[0][1].as_str().unwrap().parse().unwrap(), stamp.to_string()).is_none(),
                "each key once a batch"
            );
        }
        return Some((reported, tail[1].as_str().unwrap().to_string()));
    }
}

/// The watches with more to deliver: `[more,id,…]`.
fn wakeups(kv: &mut Kv) -> Vec<u32> {
    let request = Request::Wakeups(kv.followers());
    match kv.read_now(&request).unwrap() {
        Answer::Wakeups { more, ids } => std::iter::once(u32::from(more)).chain(ids).collect(),
        other => panic!("no wakeups: {other:?}"),
    }
}

fn page_of(answer: Answer) -> Page {
    match answer {
        Answer::Page(page) => page,
        other => panic!("no page: {other:?}"),
    }
}

/// Each row of the log is walked once, however many batches it takes, and each key is reported once. Seen to
/// fail: with keys reported at once although they change again later in the log.
#[test]
fn a_backlog_is_walked_once() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let watch = watch(&mut kv, None);
    let keys = MAX_BACKLOG_KEYS + 3 * BATCH;
    let mut last = BTreeMap::new();
    write(&mut kv, 0..keys, "1", &mut last);
    write(&mut kv, 0..keys, "2", &mut last);
    let (mut reported, mut batches, mut newest) = (BTreeMap::new(), 0, String::new());
    while let Some((entries, versionstamp)) = step(&mut kv, &watch) {
        assert!(entries.len() <= BATCH && versionstamp >= newest);
        for (number, stamp) in entries {
            assert!(reported.insert(number, stamp).is_none(), "{number} is reported twice");
        }
        (batches, newest) = (batches + 1, versionstamp);
    }
    assert_eq!(reported, last);
    assert_eq!(watch.rows_walked(), 2 * keys as u64);
    // A batch may be short if many of its keys change again later in the log; few batches are.
    assert!(batches <= keys / BATCH + 2, "{batches} batches");
    assert_eq!(newest, last[&0].clone().max(last[&(keys - 1)].clone()));
    close(kv);
}

/// Rows that the search for watches to wake has passed are not walked again by the watch that it wakes. Seen
/// to fail: without the position that the search had reached, the watch walked all 5,001 of them.
#[test]
fn changes_that_concern_others_are_not_walked() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let watch = watch(&mut kv, None);
    assert!(step(&mut kv, &watch).is_none());
    for round in 0..10 {
        let sets = (0..500).map(|number| set(&["other", &format!("{round} {number}")], "1")).collect();
        commit_ok(&mut kv, commit(sets));
        assert_eq!(wakeups(&mut kv), [0]);
    }
    let mut last = BTreeMap::new();
    write(&mut kv, 0..1, "1", &mut last);
    assert_eq!(wakeups(&mut kv), [0, watch.id]);
    assert_eq!(step(&mut kv, &watch).unwrap().0, last);
    assert_eq!(watch.rows_walked(), 1);
    close(kv);
}

/// A batch may bear the versionstamp of a commit that left no row in the log: the next batch has no smaller
/// one, even if it reports part of a commit. Seen to fail: with the token of the last row before it.
#[test]
fn tokens_never_go_back() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let watch = watch(&mut kv, None);
    let mut last = BTreeMap::new();
    write(&mut kv, 0..1, "1", &mut last);
    let (rowless, _) = commit_ok(&mut kv, commit(vec![set(&["k", "gone"], "1"), delete(&["k", "gone"])]));
    let (reported, mut newest) = step(&mut kv, &watch).unwrap();
    assert_eq!((reported.len(), &newest), (1, &rowless));
    write(&mut kv, 0..2 * BATCH, "2", &mut last);
    while let Some((_, versionstamp)) = step(&mut kv, &watch) {
        assert!(versionstamp >= newest, "{versionstamp} after {newest}");
        newest = versionstamp;
    }
    assert_eq!(newest, last[&0]);
    close(kv);
}

/// Many watches together keep no more than a few do: each walks only as far as its share allows. Seen to
/// fail: with the whole limit for each of them.
#[test]
fn many_watches_share_the_room_for_backlogs() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let watches: Vec<_> = (0..MAX_ALL_BACKLOGS_KEYS / BATCH).map(|_| watch(&mut kv, None)).collect();
    let mut last = BTreeMap::new();
    write(&mut kv, 0..3 * BATCH, "1", &mut last);
    let mut reported = BTreeMap::new();
    for batch in 1..=3 {
        reported.extend(step(&mut kv, &watches[7]).unwrap().0);
        assert_eq!(watches[7].rows_walked(), (batch * BATCH) as u64);
    }
    assert_eq!(reported, last);
    watches.iter().for_each(|watch| watch.stop());
    close(kv);
}

/// Commits between two batches are merged into the backlog: a key that changes all the time is reported in
/// its turn, and the rows are walked once.
#[test]
fn a_key_that_never_rests_is_reported_in_its_turn() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let watch = watch(&mut kv, None);
    let mut last = BTreeMap::new();
    write(&mut kv, 0..10 * BATCH, "0", &mut last);
    let (mut rows, mut hot, mut reported) = (10 * BATCH, 0, BTreeMap::new());
    for round in 0..10 {
        let (entries, _) = step(&mut kv, &watch).unwrap();
        hot += usize::from(entries.contains_key(&0));
        reported.extend(entries);
        write(&mut kv, 0..1, &round.to_string(), &mut last);
        write(&mut kv, 5 * BATCH..6 * BATCH, &round.to_string(), &mut last);
        rows += 1 + BATCH;
    }
    assert!(hot > 0);
    while let Some((entries, _)) = step(&mut kv, &watch) {
        reported.extend(entries);
    }
    assert_eq!(reported, last);
    assert_eq!(watch.rows_walked(), rows as u64);
    close(kv);
}

/// A watch resumed from the versionstamp of any batch misses nothing.
#[test]
fn every_batch_of_a_backlog_can_be_resumed_from() {
    let mut kv = open(Path::new(":memory:"), &quiet());
    let slow = watch(&mut kv, None);
    let mut last = BTreeMap::new();
    for round in 0..4 {
        write(&mut kv, round * BATCH..6 * BATCH, "0", &mut last);
    }
    let mut reported = BTreeMap::new();
    while let Some((entries, versionstamp)) = step(&mut kv, &slow) {
        reported.extend(entries);
        let targets = vec![Target { key: key(&["k"]), reach: Reach::Under }];
        let from = Some(versionstamp);
        let request =
            WatchRequest { targets, emit_initial: false, from, buffer_keys: None, drop_newest: false };
        let resumed = kv.watch(request).unwrap();
        let mut all = reported.clone();
        while let Some((entries, _)) = step(&mut kv, &resumed) {
            all.extend(entries);
        }
        resumed.stop();
        assert_eq!(all, last);
        if reported.len() < 4 * BATCH {
            write(&mut kv, 0..10, "1", &mut last);
        }
    }
    assert_eq!(reported, last);
    close(kv);
}

/// A file with two `Kv`, whose statements can be made to fail.
struct Busy {
    trap: Trap,
    kv: Kv,
    beside: Kv,
    _file: File,
}

impl Busy {
    fn new() -> Self {
        let (trap, file) = (Trap::default(), File::new());
        let [kv, beside] = [(), ()].map(|()| file.open_with(&trap.options()));
        Self { trap, kv, beside, _file: file }
    }

    /// Keeps the reader thread until something is sent, or nothing can be sent any more.
    fn hold_reader(&self) -> Sender<()> {
        let (begun, begins) = channel();
        let (release, released) = channel::<()>();
        let done = move |_| {
            begun.send(()).unwrap();
            let _ = released.recv();
        };
        self.kv.read_later(Request::Head, Box::new(done));
        wait(&begins, "the reader thread");
        release
    }

    /// Begins a watch while statements fail as if another process held the file, until the trap is disarmed.
    fn watch(&mut self) -> Arc<Watch> {
        self.trap.arm(Plan::From(0, BUSY));
        watch(&mut self.kv, None)
    }

    fn close(self) {
        close(self.kv);
        close(self.beside);
    }
}

/// The flags of a step, and the keys that it reports.
fn reported(kv: &Kv, watch: &Arc<Watch>) -> (u64, Vec<String>) {
    let page = page_of(read(kv, Request::Watch(Arc::clone(watch))));
    let text: Vec<serde_json::Value> = serde_json::from_slice(&page.text).unwrap();
    let keys = text[..page.len() * 3].chunks(3).map(|parts| parts[0][1].as_str().unwrap().to_string());
    (text.last().unwrap()[0].as_u64().unwrap(), keys.collect())
}

/// The watch then begins on the reader thread, and later writes of any `Kv` of the process wait for it. Seen
/// to fail: with a read that the writes do not wait for.
#[test]
fn a_watch_of_a_busy_store_misses_nothing() {
    let mut file = Busy::new();
    let release = file.hold_reader();
    let watch = file.watch();
    file.trap.disarm();
    let end = stage(&mut file.beside, commit(vec![set(&["k", "a"], "1")]));
    file.beside.flush();
    // Time for a writer that does not wait.
    for _ in 0..10_000 {
        std::thread::yield_now();
    }
    drop(release);
    wait(&end, "a set").unwrap();
    assert_eq!(reported(&file.kv, &watch), (4, vec!["a".to_string()]));
    watch.stop();
    file.close();
}

/// Nobody knows what such a watch has missed, so it delivers the current state, as a watch does whose
/// position was trimmed. Seen to fail: without the note that it could not begin, it delivered nothing.
#[test]
fn a_watch_that_cannot_begin_starts_with_the_state() {
    let mut file = Busy::new();
    let watch = file.watch();
    let (send, failed) = channel();
    file.kv.read_later(Request::Head, Box::new(move |answer| send.send(answer.is_err()).unwrap()));
    assert!(wait(&failed, "a read behind it"));
    file.trap.disarm();
    put(&mut file.beside, set(&["k", "a"], "1"));
    assert_eq!(reported(&file.kv, &watch), (1 | 2 | 4, vec!["a".to_string()]));
    watch.stop();
    file.close();
}
