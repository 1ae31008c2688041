//! The queues, and the leases of consumers, that one `Kv` waits for, by their names. A commit of another
//! process concerns some of them: one look finds out, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::{Answer, Dues};
use crate::base::error::Result;
use crate::base::limits::{AWAITED_LOOK_MS, MAX_INLINE_DUES};
use crate::store::rows::consumer::Lease;
use crate::store::rows::released::ReleasedNames;
use crate::store::{Notice, ReadTxn, Want};

/// Statements that read when one queue is due. New messages are walked along only if that reads fewer rows.
const LOOKS_A_QUEUE: usize = 2;

/// Names, in the order of their bytes. A look reads a copy, which is made only if a name comes or goes
/// meanwhile.
type Queues = Arc<BTreeSet<String>>;

/// The same for consumers, each with the lease that was reported last, so that none is reported twice.
type Leases = Arc<BTreeMap<String, Option<Lease>>>;

/// The awaited queues and leases.
#[derive(Debug, Default)]
pub struct Awaited {
    state: Mutex<AwaitedState>,
}

#[derive(Debug, Default, Clone)]
struct AwaitedState {
    queues: Queues,
    leases: Leases,
    last: Look,
}

/// The last look. A name added since gets a first look of its own.
#[derive(Debug, Default, Clone, Copy)]
struct Look {
    /// See `ReadTxn::last_number`. A look has seen everything that took a number up to this one, or it was
    /// reported since.
    number: i64,
    /// When all queues were looked at.
    queues_ms: Option<i64>,
    /// When all leases were.
    leases_ms: Option<i64>,
}

/// Until when a look at all names of a kind is current, but for what the file records since; `None` if it is
/// stale.
fn valid_until(looked_ms: Option<i64>, now_ms: i64) -> Option<i64> {
    let looked_ms = looked_ms?;
    let again_ms = looked_ms.saturating_add(AWAITED_LOOK_MS);
    (looked_ms..again_ms).contains(&now_ms).then_some(again_ms)
}

/// The kind of an awaited name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A queue, for its messages.
    Queue,
    /// A consumer, for the lease that another reader holds.
    Consumer,
}

impl Awaited {
    /// Adds an awaited name.
    pub fn add(&self, kind: Kind, name: String) {
        let mut state = self.state.lock();
        match kind {
            Kind::Queue => drop(Arc::make_mut(&mut state.queues).insert(name)),
            Kind::Consumer => drop(Arc::make_mut(&mut state.leases).insert(name, None)),
        }
    }

    /// Removes a name that is no longer awaited.
    pub fn remove(&self, kind: Kind, name: &str) {
        let mut state = self.state.lock();
        match kind {
            Kind::Queue => drop(Arc::make_mut(&mut state.queues).remove(name)),
            Kind::Consumer => drop(Arc::make_mut(&mut state.leases).remove(name)),
        }
    }

    /// A commit of this process has named everything it concerns, so it is no reason to look at all names.
    pub fn on_notice(&self, notice: &Notice) {
        let Some((after, up_to)) = notice.numbers() else { return };
        let last = &mut self.state.lock().last;
        if last.number == after {
            last.number = up_to;
        }
    }

    /// The part of a notice that concerns this `Kv`: the reasons with the given bits, and the awaited names.
    #[must_use]
    pub fn concerned(&self, notice: &Notice, bits: u8) -> Notice {
        let state = self.state.lock();
        notice.only(bits, |queue| state.queues.contains(queue), |name| state.leases.contains_key(name))
    }

    /// A look has reported these leases.
    fn looked(&self, look: Look, reported: &[(String, Lease)]) {
        let mut state = self.state.lock();
        state.last = look;
        for (name, lease) in reported {
            if let Some(known) = Arc::make_mut(&mut state.leases).get_mut(name) {
                *known = Some(*lease);
            }
        }
    }
}

/// The names that commits since a look concern; `None` if that is not known.
struct Concerned {
    /// The last number that was given out.
    number: i64,
    queues: Option<BTreeSet<String>>,
    consumers: Option<BTreeSet<String>>,
}

impl Concerned {
    /// Those of the commits after a number. Queues are looked for among at most `most_messages` messages; 0
    /// if nobody waits for a queue.
    fn read(txn: &mut dyn ReadTxn, after: i64, most_messages: usize) -> Result<Self> {
        let of_queues = (most_messages > 0).then_some(Want::QueuesAddedTo(after, most_messages));
        txn.prefetch(&mut std::iter::once(Want::ReleasedSince(after)).chain(of_queues));
        let number = txn.last_number()?;
        if number == after {
            return Ok(Self { number, queues: Some(BTreeSet::new()), consumers: Some(BTreeSet::new()) });
        }
        let Some(ReleasedNames { mut queues, consumers }) = txn.released_since(after)? else {
            return Ok(Self { number, queues: None, consumers: None });
        };
        let mut is_known = true;
        if most_messages > 0 {
            let added = txn.queues_added_to(after, most_messages)?;
            is_known = added.is_some();
            queues.extend(added.into_iter().flatten());
        }
        Ok(Self { number, queues: is_known.then_some(queues), consumers: Some(consumers) })
    }
}

/// When each queue has something to do next, of those that have, and the leases that differ from the last
/// report. Only the names that commits since the last look concern are read, however many others are waited
/// for. All names of a kind are read if the file does not record which, and a second after the last such
/// look, because claims and version 0.1.0 do not record theirs; otherwise the answer has the time for that
/// look.
pub fn dues(txn: &mut dyn ReadTxn, awaited: &Awaited, inline: bool) -> Result<Answer> {
    let now_ms = txn.now_ms();
    let AwaitedState { queues, leases, last } = awaited.state.lock().clone();
    // The remaining looks into the tables.
    let mut looks = if inline { MAX_INLINE_DUES } else { usize::MAX };
    let most_messages = looks.min(queues.len().saturating_mul(LOOKS_A_QUEUE));
    let concerned = Concerned::read(txn, last.number, most_messages)?;
    let of_queues = concerned.queues.zip(valid_until(last.queues_ms, now_ms));
    let of_leases = concerned.consumers.zip(valid_until(last.leases_ms, now_ms));

    let names: Vec<&str> = match &of_leases {
        Some((named, _)) => {
            named.iter().filter(|name| leases.contains_key(*name)).map(String::as_str).collect()
        }
        None => leases.keys().map(String::as_str).collect(),
    };
    if !names.is_empty() {
        txn.prefetch(&mut std::iter::once(Want::Leases(&names)));
    }
    let asked = match &of_queues {
        Some((named, _)) => Arc::new(named.iter().filter(|name| queues.contains(*name)).cloned().collect()),
        None => Arc::clone(&queues),
    };
    let mut due = Vec::new();
    if !asked.is_empty() {
        let Some(found) = txn.queues_due(&asked, &mut looks)? else { return Ok(Answer::WouldBlock) };
        due = found;
    }
    if names.len() > looks {
        return Ok(Answer::WouldBlock);
    }
    let found = if names.is_empty() { Vec::new() } else { txn.leases(&names)? };
    let reported = new_leases(&leases, names.iter().zip(found), now_ms);

    let mut look = Look { number: concerned.number, ..last };
    let mut again_ms = None;
    if !queues.is_empty() {
        again_ms = next_look(&mut look.queues_ms, now_ms, of_queues.map(|(_, until_ms)| until_ms));
    }
    if !leases.is_empty() {
        let of_leases_ms = next_look(&mut look.leases_ms, now_ms, of_leases.map(|(_, until_ms)| until_ms));
        again_ms = again_ms.into_iter().chain(of_leases_ms).min();
    }
    // The only copy of the names again, which need not be copied to note what was reported.
    drop((queues, asked, leases));
    awaited.looked(look, &reported);
    let consumers = reported.into_iter().map(|(name, lease)| (name, lease.until_ms)).collect();
    Ok(Answer::Dues(Dues { queues: due, consumers, again_ms }))
}

/// Notes a look at all names of a kind, or returns the time for the next one.
fn next_look(looked_ms: &mut Option<i64>, now_ms: i64, until_ms: Option<i64>) -> Option<i64> {
    if until_ms.is_none() {
        *looked_ms = Some(now_ms);
    }
    until_ms
}

/// The leases that are free, and those that are not what was reported last.
fn new_leases<'n>(
    leases: &BTreeMap<String, Option<Lease>>,
    found: impl Iterator<Item = (&'n &'n str, Lease)>,
    now_ms: i64,
) -> Vec<(String, Lease)> {
    let new = found.filter_map(|(name, found)| {
        let lease = if found.until_ms > now_ms { found } else { Lease::default() };
        let is_new = lease == Lease::default() || leases.get(*name) != Some(&Some(lease));
        is_new.then(|| (name.to_string(), lease))
    });
    new.collect()
}
