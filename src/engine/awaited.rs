//! The queues, and the leases of consumers, that somebody of one `Kv` waits for, by their names. What another process has
//! committed concerns some of them: one look tells, however many there are.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::Answer;
use super::consumer;
use super::queue::quoted;
use crate::error::Result;
use crate::limits::MAX_INLINE_DUES;
use crate::store::{Notice, ReadTxn};

/// Names, in the order of their bytes. A look reads a copy, which is made only if a name comes or goes meanwhile.
type Names = Arc<BTreeSet<String>>;

/// What is waited for.
#[derive(Debug, Default)]
pub struct Awaited {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    queues: Names,
    consumers: Names,
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

    /// The part of a notice that concerns somebody here: of the reasons whose bits are given, and of what is waited for.
    #[must_use]
    pub fn concerned(&self, notice: &Notice, bits: u8) -> Notice {
        let state = self.state.lock();
        notice.only(bits, |queue| state.queues.contains(queue), |name| state.consumers.contains(name))
    }
}

impl State {
    fn names(&mut self, kind: Kind) -> &mut Names {
        match kind {
            Kind::Queue => &mut self.queues,
            Kind::Consumer => &mut self.consumers,
        }
    }
}

/// When there is something to do next, of each name that has something: `[[queue,due,…],[consumer,until,…]]`. The time of a
/// lease that nobody holds is 0.
///
/// # Errors
/// Those of the store.
pub fn dues(txn: &mut dyn ReadTxn, awaited: &Awaited, inline: bool) -> Result<Answer> {
    let State { queues, consumers } = awaited.state.lock().clone();
    let mut looks = Looks { left: if inline { MAX_INLINE_DUES } else { usize::MAX } };
    let mut due_queues = Vec::new();
    let mut next = queues.first().map(String::as_str);
    while let Some(name) = next {
        if looks.are_over() {
            return Ok(Answer::TakesLong);
        }
        // From name to name in turns: first to the next queue that has messages, then to the next one that is waited for. So
        // neither many queues without a message nor many that nobody here listens to cost anything.
        let Some(found) = txn.next_queue(name)? else { break };
        // A damaged name has no place among the others: then each is asked for.
        let found = std::str::from_utf8(&found).unwrap_or(name);
        if queues.contains(found)
            && let Some(due_ms) = txn.queue_due(found)?
        {
            due_queues.push(format!("{},{due_ms}", quoted(found)));
        }
        next = queues.range::<str, _>((Bound::Excluded(found), Bound::Unbounded)).next().map(String::as_str);
    }
    let mut held = Vec::with_capacity(consumers.len());
    for name in consumers.iter() {
        if looks.are_over() {
            return Ok(Answer::TakesLong);
        }
        held.push(format!("{},{}", quoted(name), consumer::held_until(txn, name)?.unwrap_or(0)));
    }
    Ok(Answer::json(format!("[[{}],[{}]]", due_queues.join(","), held.join(","))))
}

/// How many looks into the tables may still be made.
struct Looks {
    left: usize,
}

impl Looks {
    fn are_over(&mut self) -> bool {
        let over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        over
    }
}
