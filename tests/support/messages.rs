//! A model of the messages of one queue, and of their possible states.

use std::collections::BTreeMap;

use keyval::engine::queue::settle::{End, Settled};

/// A message and its state.
#[derive(Debug)]
pub struct Message {
    id: String,
    ready_at: i64,
    /// The number of messages added before it.
    number: usize,
    key: Option<&'static str>,
    backoff_ms: Vec<i64>,
    attempts: usize,
    lease: i64,
    lock_ms: i64,
    since: i64,
    state: MessageState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageState {
    /// It waits for a time, or behind another message.
    Waits,
    /// This process handles it.
    Handled,
    /// Its handler is gone, and its lease runs out between these times.
    Forgotten {
        earliest: i64,
        latest: i64,
    },
    /// It was acknowledged.
    Done,
    Dead,
}

impl Message {
    pub fn new(id: String, ready_at: i64, key: Option<&'static str>, backoff_ms: Vec<i64>) -> Self {
        let (number, attempts, lease, lock_ms, since) = (0, 0, 0, 0, 0);
        Self {
            id,
            ready_at,
            number,
            key,
            backoff_ms,
            attempts,
            lease,
            lock_ms,
            since,
            state: MessageState::Waits,
        }
    }

    fn is_last(&self) -> bool {
        self.attempts == self.backoff_ms.len() + 1
    }

    fn is_in_flight(&self) -> bool {
        matches!(self.state, MessageState::Handled | MessageState::Forgotten { .. })
    }

    fn is_ready(&self, now: i64) -> bool {
        self.state == MessageState::Waits && self.ready_at <= now
    }

    /// Its lease may have run out.
    fn may_have_lapsed(&self, now: i64) -> bool {
        matches!(self.state, MessageState::Forgotten { earliest, .. } if earliest <= now)
    }

    /// Its lease has certainly run out.
    fn has_lapsed(&self, now: i64) -> bool {
        matches!(self.state, MessageState::Forgotten { latest, .. } if latest <= now)
    }

    /// The next message of its ordering key waits until it is gone.
    fn holds_up(&self) -> bool {
        self.is_in_flight() || self.state == MessageState::Waits && self.attempts > 0
    }

    fn place(&self) -> (i64, usize) {
        (self.ready_at, self.number)
    }

    fn end(&mut self, end: &End, now: i64) {
        self.state = MessageState::Waits;
        match end {
            End::Done => self.state = MessageState::Done,
            End::Failed(_) if self.is_last() => self.state = MessageState::Dead,
            End::Failed(_) => self.ready_at = now + self.backoff_ms[self.attempts - 1],
            End::Returned => self.attempts -= 1,
            End::Released => self.attempts = self.attempts.min(self.backoff_ms.len()),
            other => panic!("not chosen: {other:?}"),
        }
    }
}

/// All messages, including those that are gone.
pub struct Messages {
    pub now: i64,
    by_id: BTreeMap<String, Message>,
}

impl Messages {
    pub fn at(now: i64) -> Self {
        Self { now, by_id: BTreeMap::new() }
    }

    pub fn add(&mut self, message: Message) {
        let number = self.by_id.len();
        self.by_id.insert(message.id.clone(), Message { number, ..message });
    }

    /// Its lease is not extended any more; it may have been just now, or not since it was claimed.
    pub fn forget(&mut self, id: &str) {
        let message = self.by_id.get_mut(id).unwrap();
        let (earliest, latest) = (message.since + message.lock_ms, self.now + message.lock_ms);
        message.state = MessageState::Forgotten { earliest, latest };
    }

    pub fn settle(&mut self, settled: &Settled, is_lost: bool) {
        let (now, message) = (self.now, self.by_id.get_mut(&settled.id).unwrap());
        let holds = message.is_in_flight() && message.lease == settled.lease;
        if holds && is_lost && message.is_last() && message.may_have_lapsed(now) {
            // A claim has found it before.
            message.state = MessageState::Dead;
            return;
        }
        assert_eq!(is_lost, !holds, "at {now}, {settled:?} of {message:?}");
        if holds {
            message.end(&settled.end, now);
        }
    }

    pub fn claim(&mut self, id: &str, lease: i64, attempts: usize, lock_ms: i64) {
        let (now, message) = (self.now, &self.by_id[id]);
        assert!(message.is_ready(now) || message.may_have_lapsed(now), "at {now}, claimed: {message:?}");
        assert!(!message.is_last(), "one attempt too many: {message:?}");
        assert_eq!((lease, attempts), (message.lease + 1, message.attempts + 1), "{message:?}");
        let (key, place, was_first) = (message.key, message.place(), message.attempts == 0);
        for other in
            self.by_id.values_mut().filter(|other| key.is_some() && other.key == key && other.id != id)
        {
            if other.is_last() && other.may_have_lapsed(now) {
                other.state = MessageState::Dead;
            }
            assert!(!other.holds_up(), "at {now}, {id} passes {other:?}");
            assert!(
                !was_first || !other.is_ready(now) || place < other.place(),
                "{id} comes before {other:?}"
            );
        }
        let message = self.by_id.get_mut(id).unwrap();
        (message.lease, message.attempts, message.state) = (lease, attempts, MessageState::Handled);
        (message.lock_ms, message.since) = (lock_ms, now);
    }

    /// Nothing can be claimed now; a message whose last attempt has run out is a dead letter.
    pub fn assert_nothing_is_left(&mut self) {
        let now = self.now;
        for message in self.by_id.values_mut().filter(|message| message.is_last() && message.has_lapsed(now))
        {
            message.state = MessageState::Dead;
        }
        for message in self.by_id.values() {
            assert!(!message.has_lapsed(now), "at {now}, left: {message:?}");
            let of_key = |other: &&Message| message.key.is_some() && other.key == message.key;
            let waits =
                self.by_id.values().filter(of_key).any(|other| other.id != message.id && other.holds_up());
            assert!(!message.is_ready(now) || waits, "at {now}, left: {message:?}");
        }
    }

    pub fn is_any_left(&self) -> bool {
        self.by_id.values().any(|message| message.is_in_flight() || message.state == MessageState::Waits)
    }

    pub fn dead(&self) -> usize {
        self.by_id.values().filter(|message| message.state == MessageState::Dead).count()
    }
}
