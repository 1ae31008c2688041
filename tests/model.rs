//! Random operations against a sorted map: whatever is committed, listed, counted, read or swept, one after
//! another or several at once, the store and the map agree, in memory, in a file, and on a store that answers
//! as a server does. Time is injected: the clock steps forward and back. Messages are in
//! `engine/queue_model.rs`.
//!
//! A failure prints its seed: `KEYVAL_SEED=… KEYVAL_STEPS=… cargo test --no-default-features --test model`.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use keyval::base::config::{ChangeLog, Options};
use keyval::base::error::Result;
use keyval::codec::cursor;
use keyval::codec::key::{Part, descendants, encode};
use keyval::codec::page::Page;
use keyval::codec::stamp::Stamp;
use keyval::engine::answer::Answer;
use keyval::engine::commit::{Commit, Outcome, Stamping};
use keyval::engine::get::Keys;
use keyval::engine::query::definition::ordered_index;
use keyval::engine::query::filter::path_of;
use keyval::engine::query::list::ListQuery;
use keyval::engine::query::range::after_cursor;
use keyval::engine::request::{Request, Write};
use keyval::kv::Kv;
use keyval::store::rows::index::OrderedIndex;
use support::choose::{Chooser, Selected};
use support::compare::{assert_entry, assert_log, assert_rows, assert_value};
use support::late::{self, Counts};
use support::model::{End, Model, Row};
use support::page::{Entry, Parts, entries};
use support::random::{Random, with_seeds};
use support::raw::Raw;
use support::{HOUR_MS, T0, close, open, quiet, read, stage, sweep, wait, write};
use tempfile::TempDir;

mod support;

const STEPS: u64 = 1_500;

/// The kind of store.
#[derive(Clone)]
enum Target {
    Memory,
    File,
    /// In a file, through `support::late`: its seed, and its counts.
    Late(u64, Arc<Counts>),
}

/// The store and the model, side by side.
struct Pair {
    kv: Kv,
    target: Target,
    /// `None` in memory.
    folder: Option<TempDir>,
    change_log: ChangeLog,
    model: Model,
    choose: Chooser,
    /// The newest versionstamp seen so far.
    newest: String,
    /// The latest time at which one was issued.
    issued_ms: i64,
    seen_seq: i64,
}

fn run(target: impl Fn(u64) -> Target) {
    with_seeds(STEPS, |seed, steps| {
        let mut pair = Pair::new(Random::new(seed), target(seed));
        for _ in 0..steps {
            pair.step();
        }
        pair.compare();
        close(pair.kv);
    });
}

/// Follows the choices of a fuzzer to their end.
pub fn follow(choices: &[u8], in_file: bool) {
    let target = if in_file { Target::File } else { Target::Memory };
    let mut pair = Pair::new(Random::of_bytes(choices), target);
    while !pair.choose.0.is_over() {
        pair.step();
    }
    pair.compare();
    close(pair.kv);
}

/// The corpus of the fuzzer (`fuzz/bin/model.rs`), once.
#[test]
fn the_corpus() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/model");
    let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for path in files {
        println!("{}", path.display());
        let bytes = std::fs::read(path).unwrap();
        follow(bytes.get(1..).unwrap_or_default(), bytes.first().is_some_and(|first| first % 2 == 1));
    }
}

/// Seen to fail: as `in_a_file`, except for the faults of the log.
#[test]
fn in_memory() {
    run(|_| Target::Memory);
}

/// Seen to fail: with a delete that leaves expired rows; with a write over an expired row logged as an
/// update; with a sum that drops the time to live; with a page's `more` one row early; with a reverse cursor
/// taken for a forward one.
#[test]
fn in_a_file() {
    run(|_| Target::File);
}

/// Seen to fail: with a conflict that a commit still remembers when it decides again; with steps that are
/// applied whether or not what was read still holds.
#[test]
fn on_a_store_that_answers_late() {
    let counts = Arc::new(Counts::default());
    run(|seed| Target::Late(seed, Arc::clone(&counts)));
    counts.assert_all();
}

impl Pair {
    fn new(random: Random, target: Target) -> Self {
        let mut choose = Chooser(random);
        let change_log =
            *choose.0.pick(&[ChangeLog::Keys, ChangeLog::Values, ChangeLog::Values, ChangeLog::Off]);
        let folder = (!matches!(target, Target::Memory)).then(|| TempDir::new().unwrap());
        let mut kv = target.open(&path_in(folder.as_ref()), &options(change_log));
        kv.freeze_clock(Some(T0));
        write(&mut kv, Write::CreateOrderedIndex(unique_index())).unwrap();
        let mut pair = Self {
            kv,
            target,
            folder,
            change_log,
            model: Model { now: T0, ..Model::default() },
            choose,
            newest: String::new(),
            issued_ms: 0,
            seen_seq: 0,
        };
        pair.compare();
        pair
    }

    fn step(&mut self) {
        match self.choose.0.below(100) {
            0..60 => self.commits(),
            60..70 => {
                let by = self.choose.0.between(-15, 40);
                self.go_to(self.model.now + by);
            }
            70..74 => {
                sweep(&self.kv).unwrap();
                self.issued_ms = self.issued_ms.max(if self.sweeps_something() { self.model.now } else { 0 });
                self.model.sweep();
            }
            74..86 => self.list(),
            86..91 => self.count(),
            91..96 => self.get_many(),
            96 => self.reopen(),
            _ => self.compare(),
        }
    }

    fn go_to(&mut self, now: i64) {
        self.model.now = now;
        self.kv.freeze_clock(Some(now));
    }

    fn sweeps_something(&self) -> bool {
        self.change_log != ChangeLog::Off && self.model.rows.values().any(|row| !self.model.is_live(row))
    }

    /// Hands some commits over at once.
    fn commits(&mut self) {
        let many = if self.choose.0.one_in(3) { 1 + self.choose.0.below(5) } else { 1 };
        let commits: Vec<_> = (0..many).map(|_| self.choose.commit(&self.model)).collect();
        let ends: Vec<_> = commits.iter().map(|commit| stage(&mut self.kv, commit.clone())).collect();
        self.kv.flush();
        for (commit, end) in commits.iter().zip(&ends) {
            self.expect(commit, &wait(end, "commit"));
        }
    }

    fn expect(&mut self, commit: &Commit, result: &Result<Outcome>) {
        let stamp = match result {
            Ok(Outcome::Committed { versionstamp, .. }) => versionstamp.as_deref(),
            _ => None,
        };
        let before = self.model.log.len();
        assert_eq!(End::of(result), self.model.commit(commit, stamp), "{commit:?}: {result:?}");
        if !matches!(result, Ok(Outcome::Committed { .. })) {
            return;
        }
        let logged = self.model.log.len() > before && self.change_log != ChangeLog::Off;
        match (commit.stamping, stamp) {
            (Stamping::IfChanged, stamp) => assert_eq!(stamp, None),
            (Stamping::Never, Some(stamp)) => assert!(self.newest.as_str() <= stamp, "{stamp} is old"),
            (Stamping::Always, Some(stamp)) => {
                assert!(self.newest.as_str() < stamp, "{stamp} after {}", self.newest);
                let ms = Stamp::parse(stamp).unwrap().ms;
                assert_eq!(ms, u64::try_from(self.issued_ms.max(self.model.now)).unwrap());
                self.newest = stamp.to_string();
            }
            (stamping, None) => panic!("no versionstamp: {stamping:?}"),
        }
        if logged || commit.stamping == Stamping::Always {
            self.issued_ms = self.issued_ms.max(self.model.now);
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        if self.choose.0.one_in(2) {
            match self.kv.read_now(&request).unwrap() {
                Answer::WouldBlock => {}
                answer => return answer,
            }
        }
        read(&self.kv, request)
    }

    /// Lists in pages, each continued by a cursor.
    fn list(&mut self) {
        let selected = self.choose.selected();
        let (reverse, keys_only) = (self.choose.0.one_in(2), self.choose.0.one_in(3));
        let limit = *self.choose.0.pick(&[1, 2, 3, 7, 1000]);
        let found = self.pages(&selected, reverse, keys_only, limit);
        let mut expected = self.selected(&selected);
        if reverse {
            expected.reverse();
        }
        assert_eq!(found.len(), expected.len(), "{selected:?}, reverse: {reverse}, limit: {limit}");
        for (found, (key, row)) in found.iter().zip(expected) {
            assert_entry(found, &key, &row, keys_only);
        }
    }

    fn pages(&mut self, selected: &Selected, reverse: bool, keys_only: bool, limit: usize) -> Vec<Entry> {
        let mut range = selected.range();
        let mut found = Vec::new();
        loop {
            let query = ListQuery {
                range: range.clone(),
                prefix_bytes: 0,
                reverse,
                keys_only,
                limit,
                filter: None,
                found: Default::default(),
                checks_values: false,
            };
            let Answer::Page(page) = self.answer(Request::List(query)) else { panic!("no page") };
            let parts = if keys_only { Parts::Keys } else { Parts::Listed };
            found.extend(entries(&page, parts));
            // A page is short only at the end and before a large value.
            let large = self.model.rows.values().any(|row| row.value.len() > 200_000);
            assert!(page.len() == limit || page.len() < limit && (!page.more || large && !page.is_empty()));
            if !page.more {
                return found;
            }
            assert!(found.len() <= self.model.rows.len(), "pages that go round in circles");
            let at = cursor::encode(&page.last_key, reverse);
            range = after_cursor(selected.range(), &at, reverse).unwrap();
        }
    }

    /// The live rows of a range, in order.
    fn selected(&self, selected: &Selected) -> Vec<(Vec<u8>, Row)> {
        let live = self.model.rows.iter().filter(|(_, row)| self.model.is_live(row));
        live.filter(|(key, _)| selected.contains(key)).map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    fn count(&mut self) {
        let selected = self.choose.selected();
        let Answer::Count(count) = read(&self.kv, Request::Count(selected.range(), None)) else {
            panic!("no count")
        };
        assert_eq!(count, self.selected(&selected).len() as u64, "{selected:?}");
    }

    fn get_many(&mut self) {
        let wanted: Vec<_> = (0..1 + self.choose.0.below(4)).map(|_| self.choose.key()).collect();
        let keys = keys_of(&wanted);
        let Answer::Page(page) = self.answer(Request::Get(keys)) else { panic!("no page") };
        self.assert_values(&wanted, &page);
        // Each alone, and all at once.
        let asked: Vec<_> = wanted.iter().map(|key| read_soon(&self.kv, key)).collect();
        for (key, answer) in wanted.iter().zip(asked) {
            let Answer::Page(page) = wait(&answer, "get").unwrap() else { panic!("no page") };
            self.assert_values(std::slice::from_ref(key), &page);
        }
    }

    fn assert_values(&self, wanted: &[Vec<u8>], page: &Page) {
        let found = entries(page, Parts::Known);
        assert_eq!(found.len(), wanted.len());
        for (found, key) in found.iter().zip(wanted) {
            match self.model.live(key) {
                Some(row) => assert_value(found, row),
                None => assert!(found.versionstamp.is_none(), "{key:?}: {found:?}"),
            }
        }
    }

    /// Closes and opens again; or opens a second time and lets the first one go.
    fn reopen(&mut self) {
        if self.folder.is_none() {
            return;
        }
        let place = path_in(self.folder.as_ref());
        let second = self.target.open(&place, &options(self.change_log));
        let first = std::mem::replace(&mut self.kv, second);
        close(first);
        if self.choose.0.one_in(2) {
            let memory = open(":memory:".as_ref(), &quiet());
            close(std::mem::replace(&mut self.kv, memory));
            let raw = Raw::open(&place);
            raw.assert_sound();
            self.kv = self.target.open(&place, &options(self.change_log));
        }
        self.go_to(self.model.now);
        self.compare();
    }

    /// Compares all entries as the store reads them; of a file also its rows, byte by byte, and its log.
    fn compare(&mut self) {
        let found = self.pages(&Selected::All, false, false, 1000);
        let expected = self.selected(&Selected::All);
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).for_each(|(found, (key, row))| assert_entry(found, &key, &row, false));
        let logged = std::mem::take(&mut self.model.log);
        let Some(folder) = &self.folder else { return };
        let raw = Raw::open(&path_in(Some(folder)));
        assert_rows(&raw, &self.model.rows);
        let newest = assert_log(&raw, self.change_log, &mut self.seen_seq, logged);
        self.newest = self.newest.clone().max(newest);
    }
}

impl Target {
    fn open(&self, place: &Path, options: &Options) -> Kv {
        let url = place.to_str().unwrap();
        match self {
            Self::Late(seed, counts) => late::open(url, options, *seed, counts),
            Self::Memory | Self::File => Kv::open(url, options).unwrap(),
        }
    }
}

/// No two entries under `["u"]` have the same `u`.
fn unique_index() -> OrderedIndex {
    let prefix = encode(&[Part::String("u".into())]).unwrap();
    let on = [("u".to_string(), path_of(b"u").unwrap())];
    ordered_index(prefix.clone(), descendants(&prefix), &on, true).unwrap()
}

fn path_in(folder: Option<&TempDir>) -> PathBuf {
    folder.map_or_else(|| ":memory:".into(), |folder| folder.path().join("kv.db"))
}

fn keys_of(wanted: &[Vec<u8>]) -> Keys {
    let mut keys = Keys::default();
    for key in wanted {
        let write = |out: &mut Vec<u8>| -> Result<()> {
            out.extend_from_slice(key);
            Ok(())
        };
        keys.push_with(write).unwrap();
    }
    keys
}

/// Asks the reader thread for a key, and does not wait.
fn read_soon(kv: &Kv, key: &Vec<u8>) -> Receiver<Result<Answer>> {
    let (send, receive) = channel();
    let request = Request::Get(keys_of(std::slice::from_ref(key)));
    kv.read_later(request, Box::new(move |answer| drop(send.send(answer))));
    receive
}

/// The log is kept: its trimming has a test of its own.
fn options(change_log: ChangeLog) -> Options {
    Options { change_log: Some(change_log), retention_ms: Some(10_000 * HOUR_MS), ..quiet() }
}
