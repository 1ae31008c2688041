//! The number of requests of each operation on a store where every unknown read costs one (`support::late`),
//! as it would on a server. The steps of a write are one request; its reads are one request for all that it
//! can name at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

use crate::support::late::{self, Counts};
use crate::support::{HOUR_MS, commit, key, quiet, read, set, try_commit, wait, write};
use keyval::codec::key::descendants;
use keyval::engine::answer::Answer;
use keyval::engine::commit::{Commit, Mutation, Outcome};
use keyval::engine::query::definition::ordered_index;
use keyval::engine::query::filter::{Filter, parse, path_of};
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::{Request, Write};
use keyval::kv::Kv;
use serde_json::Value;

mod reads;
mod writes;

/// A store, and the number of requests before its last operation.
pub struct Counted {
    pub kv: Kv,
    counts: Arc<Counts>,
}

impl Counted {
    pub fn new() -> Self {
        let counts = Arc::default();
        Self { kv: late::open_counted(":memory:", &quiet(), &counts), counts }
    }

    /// The result of an operation, and the number of its requests.
    pub fn of<T>(&mut self, operation: impl FnOnce(&mut Kv) -> T) -> (T, usize) {
        let before = self.counts.requests.load(Ordering::Relaxed);
        let given = operation(&mut self.kv);
        (given, self.counts.requests.load(Ordering::Relaxed) - before)
    }

    pub fn assert_commit(&mut self, name: &str, requests: usize, of: Commit) {
        let (outcome, counted) = self.of(|kv| try_commit(kv, of));
        assert!(matches!(outcome, Ok(Outcome::Committed { .. })), "{name}: {outcome:?}");
        assert_eq!(counted, requests, "{name}");
    }

    pub fn assert_write(&mut self, name: &str, requests: usize, of: Write) -> Answer {
        let (answer, counted) = self.of(|kv| write(kv, of).unwrap());
        assert_eq!(counted, requests, "{name}: {answer:?}");
        answer
    }

    pub fn assert_read(&mut self, name: &str, requests: usize, of: Request) -> Answer {
        let (answer, counted) = self.of(|kv| read(kv, of));
        assert_eq!(counted, requests, "{name}: {answer:?}");
        answer
    }

    pub fn work(&mut self, settled: Vec<Settled>, claim: usize) -> (Vec<Settled>, usize) {
        let (answer, requests) = self.of(|kv| {
            let (send, receive) = channel();
            let work = ClaimRequest { queue: "q".into(), settled, claim, lock_ms: HOUR_MS };
            kv.claim(work, Box::new(move |answer| drop(send.send(answer))));
            kv.flush();
            wait(&receive, "work").unwrap()
        });
        let Answer::Page(page) = answer else { panic!("no page") };
        let text: Vec<Value> = serde_json::from_slice(&page.text).unwrap();
        let claimed = text[..page.len() * 4].chunks(4).map(|parts| Settled {
            id: parts[0].as_str().unwrap().to_string(),
            lease: parts[1].as_i64().unwrap(),
            end: End::Done,
        });
        (claimed.collect(), requests)
    }
}

pub fn names(many: usize) -> Vec<String> {
    (0..many).map(|number| format!("{number:02}")).collect()
}

pub fn many(of: impl Fn(&str) -> Mutation) -> Commit {
    commit(names(10).iter().map(|name| of(name)).collect())
}

pub fn is_even(name: &str) -> Mutation {
    set(&["m", name], if name.ends_with(['0', '2', '4', '6', '8']) { "{\"even\":true}" } else { "{}" })
}

pub fn evens() -> Filter {
    parse(br#"{"o":[["even",{"v":true}]]}"#).unwrap()
}

pub fn index_of_evens(store: &mut Counted) {
    let prefix = key(&["m"]);
    let on = [("even".to_string(), path_of(b"even").unwrap())];
    let index = ordered_index(prefix.clone(), descendants(&prefix), &on, false).unwrap();
    store.assert_write("createIndex", 1, Write::CreateOrderedIndex(index));
}
