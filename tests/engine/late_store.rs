//! Watches and claims on a store that answers late and out of order (`support::late`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use crate::support::late::{self, Counts};
use crate::support::{HOUR_MS, close, commit, key, quiet, read, set, stage, wait};
use keyval::base::error::Result;
use keyval::codec::value::JSON;
use keyval::engine::answer::Answer;
use keyval::engine::changes::followers::{Reach, Target};
use keyval::engine::changes::watch::WatchRequest;
use keyval::engine::commit::Mutation;
use keyval::engine::queue::deliver::ClaimRequest;
use keyval::engine::queue::enqueue::NewMessage;
use keyval::engine::queue::settle::{End, Settled};
use keyval::engine::request::Request;
use keyval::kv::Kv;
use serde_json::Value;

const SEEDS: u64 = 20;

fn open(seed: u64, counts: &Arc<Counts>) -> Kv {
    late::open(":memory:", &quiet(), seed, counts)
}

/// Here a watch begins on the reader thread, and a later write must not overtake it.
///
/// Seen to fail: with a read that the writes do not wait for.
#[test]
fn a_watch_reports_writes_after_it_began() {
    for seed in 0..SEEDS {
        let mut kv = open(seed, &Arc::default());
        let targets = vec![Target { key: key(&["k"]), reach: Reach::Under }];
        let request =
            WatchRequest { targets, emit_initial: false, from: None, buffer_keys: None, drop_newest: false };
        let watch = kv.watch(request).unwrap();
        let ends: Vec<_> = (0..3)
            .map(|number| stage(&mut kv, commit(vec![set(&["k", &number.to_string()], "1")])))
            .collect();
        kv.flush();
        ends.iter().for_each(|end| drop(wait(end, "a set").unwrap()));
        let mut reported = BTreeSet::new();
        while reported.len() < 3 {
            let Answer::Page(page) = read(&kv, Request::Watch(Arc::clone(&watch))) else { panic!("no page") };
            let text: Vec<Value> = serde_json::from_slice(&page.text).unwrap();
            assert_ne!(text.last().unwrap()[0], 0, "seed {seed}: only {reported:?} was reported");
            reported.extend(text[..page.len() * 3].chunks(3).map(|parts| parts[0].to_string()));
        }
        watch.stop();
        close(kv);
    }
}

fn claim(kv: &mut Kv, settled: Vec<Settled>, claim: usize) -> Receiver<Result<Answer>> {
    let (send, receive) = channel();
    let request = ClaimRequest { queue: "q".into(), settled, claim, lock_ms: HOUR_MS };
    kv.claim(request, Box::new(move |answer| drop(send.send(answer))));
    receive
}

/// Two claims at a time, and messages with ordering keys.
///
/// Seen to fail: with a claim that keeps the messages of an earlier decision, and so claims more than it was
/// asked for.
#[test]
fn each_message_is_delivered_once_and_in_the_order_of_its_key() {
    const MESSAGES: usize = 24;
    const KEYS: usize = 3;
    let counts = Arc::default();
    for seed in 0..SEEDS {
        let mut kv = open(seed, &counts);
        let messages: Vec<_> = (0..MESSAGES)
            .map(|number| {
                let ordering_key = (number % 2 == 0).then(|| (number % KEYS).to_string());
                let message = NewMessage {
                    queue: "q".into(),
                    ordering_key,
                    ..NewMessage::of(JSON, number.to_string().into_bytes())
                };
                stage(&mut kv, commit(vec![Mutation::Enqueue(Box::new(message))]))
            })
            .collect();
        kv.flush();
        messages.iter().for_each(|end| drop(wait(end, "a message").unwrap()));
        let (mut delivered, mut settled) = (Vec::new(), [Vec::new(), Vec::new()]);
        while delivered.len() < MESSAGES {
            let claims = settled.each_mut().map(|settled| claim(&mut kv, std::mem::take(settled), 4));
            kv.flush();
            for (claim, settled) in claims.iter().zip(&mut settled) {
                let Answer::Page(page) = wait(claim, "a claim").unwrap() else { panic!("no page") };
                let text: Vec<Value> = serde_json::from_slice(&page.text).unwrap();
                for parts in text[..page.len() * 4].chunks(4) {
                    delivered.push(usize::try_from(parts[3].as_u64().unwrap()).unwrap());
                    let (id, lease) = (parts[0].as_str().unwrap().to_string(), parts[1].as_i64().unwrap());
                    settled.push(Settled { id, lease, end: End::Done });
                }
            }
        }
        let mut of_key = BTreeMap::<usize, Vec<usize>>::new();
        for number in delivered.iter().filter(|number| **number % 2 == 0) {
            of_key.entry(number % KEYS).or_default().push(*number);
        }
        assert!(of_key.values().all(|numbers| numbers.is_sorted()), "seed {seed}: {of_key:?}");
        delivered.sort_unstable();
        assert_eq!(delivered, (0..MESSAGES).collect::<Vec<_>>(), "seed {seed}");
        close(kv);
    }
    assert!(counts.lost.load(std::sync::atomic::Ordering::Relaxed) > 0, "{counts:?}");
}
