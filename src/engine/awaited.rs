//! The queues, and the leases of consumers, that one `Kv` waits for, by their names. A commit of another
//! process concerns some of them: one look finds out, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::{Answer, Dues};
use crate::base::error::Result;
use crate::base::limits::{AWAITED_LOOK_MS, MAX_INLINE_DUES};
use crate::store::rows::consumer::Lease;
use crate::store::{Notice, ReadTxn, Want};

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
    /// See `ConsumerRead::last_release`; likewise.
    release: i64,
    queues_ms: Option<i64>,
    leases_ms: Option<i64>,
}

/// Until when a look of this time is current, if the file shows no reason for another; `None` if it is stale.
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
            if notice.consumers().next().is_some() {
                last.release = up_to;
            }
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

/// When each queue has something to do next, of those that have, and the leases that differ from the last
/// report. A kind of names that the file shows no reason to look at is left out; the answer then has the time
/// for the next unconditional look.
pub fn dues(txn: &mut dyn ReadTxn, awaited: &Awaited, inline: bool) -> Result<Answer> {
    let now_ms = txn.now_ms();
    let AwaitedState { queues, leases, last } = awaited.state.lock().clone();
    let (mut names, mut leases_again_ms) = (Vec::new(), None);
    if !leases.is_empty() {
        txn.prefetch(&mut std::iter::once(Want::LastRelease));
    }
    let mut look = Look { number: txn.last_number()?, ..last };
    if !leases.is_empty() {
        look.release = txn.last_release()?;
        leases_again_ms = valid_until(last.leases_ms, now_ms).filter(|_| look.release == last.release);
        if leases_again_ms.is_none() {
            names.extend(leases.keys().map(String::as_str));
            txn.prefetch(&mut std::iter::once(Want::Leases(&names)));
        }
    }
    let (mut due, mut reported, mut again_ms) = (Vec::new(), Vec::new(), None);
    // The remaining looks into the tables.
    let mut looks = if inline { MAX_INLINE_DUES } else { usize::MAX };
    if !queues.is_empty() {
        again_ms = valid_until(last.queues_ms, now_ms).filter(|_| look.number == last.number);
        if again_ms.is_none() {
            let Some(found) = txn.queues_due(&queues, &mut looks)? else { return Ok(Answer::WouldBlock) };
            (due, look.queues_ms) = (found, Some(now_ms));
        }
    }
    if !leases.is_empty() {
        match leases_again_ms {
            Some(leases_ms) => again_ms = Some(again_ms.map_or(leases_ms, |ms: i64| ms.min(leases_ms))),
            None if leases.len() > looks => return Ok(Answer::WouldBlock),
            None => {
                let found = txn.leases(&names)?;
                (reported, look.leases_ms) = (new_leases(&leases, found, now_ms), Some(now_ms));
            }
        }
    }
    // Frees these copies, so that the shared names need not be copied to note the report.
    drop((queues, leases));
    awaited.looked(look, &reported);
    let consumers = reported.into_iter().map(|(name, lease)| (name, lease.until_ms)).collect();
    Ok(Answer::Dues(Dues { queues: due, consumers, again_ms }))
}

/// The leases that are free, and those that differ from the last report.
fn new_leases(
    leases: &BTreeMap<String, Option<Lease>>,
    found: Vec<Lease>,
    now_ms: i64,
) -> Vec<(String, Lease)> {
    let new = leases.iter().zip(found).filter_map(|((name, known), found)| {
        let lease = if found.until_ms > now_ms { found } else { Lease::default() };
        let is_new = lease == Lease::default() || *known != Some(lease);
        is_new.then(|| (name.clone(), lease))
    });
    new.collect()
}
