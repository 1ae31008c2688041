//! The queues, and the leases of consumers, that somebody of one `Kv` waits for, by their names. What another
//! process has committed concerns some of them: one look tells, however many there are.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::{Answer, Dues};
use super::changes::consumer;
use crate::base::error::Result;
use crate::base::limits::{AWAITED_LOOK_MS, MAX_INLINE_DUES};
use crate::store::{Notice, ReadTxn};

/// Names, in the order of their bytes. A look reads a copy, which is made only if a name comes or goes
/// meanwhile.
type Names = Arc<BTreeSet<String>>;

/// The queues and leases that are waited for.
#[derive(Debug, Default)]
pub struct Awaited {
    state: Mutex<AwaitedState>,
}

#[derive(Debug, Default, Clone)]
struct AwaitedState {
    queues: Names,
    consumers: Names,
    last: Option<Look>,
}

/// A look at all names. Of one that is waited for since, the first look is its own.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// See `ReadTxn::last_number`. What took numbers up to this one was seen by the look, or told since.
    number: i64,
    at_ms: i64,
}

impl Look {
    /// Until when a later one finds nothing that this one has not; `None` if it may find something now.
    fn valid_until(self, later: Self) -> Option<i64> {
        let again_ms = self.at_ms.saturating_add(AWAITED_LOOK_MS);
        let stands = self.number == later.number && (self.at_ms..again_ms).contains(&later.at_ms);
        stands.then_some(again_ms)
    }
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A queue, whose messages are waited for.
    Queue,
    /// A consumer, whose lease another one holds.
    Consumer,
}

impl Awaited {
    /// Somebody waits for it.
    pub fn add(&self, kind: Kind, name: String) {
        Arc::make_mut(self.state.lock().names(kind)).insert(name);
    }

    /// Nobody does any more.
    pub fn remove(&self, kind: Kind, name: &str) {
        Arc::make_mut(self.state.lock().names(kind)).remove(name);
    }

    /// A commit of this process has named everything it concerns: there is no reason to look at all names.
    pub fn on_notice(&self, notice: &Notice) {
        let Some((after, up_to)) = notice.numbers() else { return };
        if let Some(last) = self.state.lock().last.as_mut().filter(|last| last.number == after) {
            last.number = up_to;
        }
    }

    /// The part of a notice that concerns somebody here: of the reasons whose bits are given, and of what is
    /// waited for.
    #[must_use]
    pub fn concerned(&self, notice: &Notice, bits: u8) -> Notice {
        let state = self.state.lock();
        notice.only(bits, |queue| state.queues.contains(queue), |name| state.consumers.contains(name))
    }
}

impl AwaitedState {
    fn names(&mut self, kind: Kind) -> &mut Names {
        match kind {
            Kind::Queue => &mut self.queues,
            Kind::Consumer => &mut self.consumers,
        }
    }
}

/// When there is something to do next, of each name that has something. Where the file shows nothing that
/// concerns any name there are none, and the time at which to look again all the same.
pub fn dues(txn: &mut dyn ReadTxn, awaited: &Awaited, inline: bool) -> Result<Answer> {
    let look = Look { number: txn.last_number()?, at_ms: txn.now_ms() };
    let AwaitedState { queues, consumers, last } = awaited.state.lock().clone();
    if let Some(again_ms) = last.and_then(|last| last.valid_until(look)) {
        return Ok(Answer::Dues(Dues { again_ms: Some(again_ms), ..Dues::default() }));
    }
    let mut left = Left { looks: if inline { MAX_INLINE_DUES } else { usize::MAX } };
    let Some(queues) = queues_due(txn, &queues, &mut left)? else { return Ok(Answer::WouldBlock) };
    let Some(consumers) = leases_held(txn, &consumers, &mut left)? else { return Ok(Answer::WouldBlock) };
    awaited.state.lock().last = Some(look);
    Ok(Answer::Dues(Dues { queues, consumers, again_ms: None }))
}

/// `None`: that would be too many looks.
fn queues_due(
    txn: &mut dyn ReadTxn,
    queues: &BTreeSet<String>,
    left: &mut Left,
) -> Result<Option<Vec<(String, i64)>>> {
    let mut due = Vec::new();
    let mut next = queues.first().map(String::as_str);
    while let Some(name) = next {
        if left.is_nothing() {
            return Ok(None);
        }
        // From name to name in turns: first to the next queue that has messages, then to the next one that is
        // waited for. So neither many queues without a message nor many that nobody here listens to cost
        // anything.
        let Some(found) = txn.next_queue(name)? else { break };
        // A damaged name has no place among the others: then each is asked for.
        let found = std::str::from_utf8(&found).unwrap_or(name);
        if queues.contains(found)
            && let Some(due_ms) = txn.queue_due(found)?
        {
            due.push((found.to_string(), due_ms));
        }
        next = queues.range::<str, _>((Bound::Excluded(found), Bound::Unbounded)).next().map(String::as_str);
    }
    Ok(Some(due))
}

/// `None`: that would be too many looks.
fn leases_held(
    txn: &mut dyn ReadTxn,
    consumers: &BTreeSet<String>,
    left: &mut Left,
) -> Result<Option<Vec<(String, i64)>>> {
    let mut held = Vec::with_capacity(consumers.len());
    for name in consumers {
        if left.is_nothing() {
            return Ok(None);
        }
        held.push((name.clone(), consumer::held_until(txn, name)?.unwrap_or(0)));
    }
    Ok(Some(held))
}

/// How many looks into the tables may still be made.
struct Left {
    looks: usize,
}

impl Left {
    fn is_nothing(&mut self) -> bool {
        let nothing = self.looks == 0;
        self.looks = self.looks.saturating_sub(1);
        nothing
    }
}
