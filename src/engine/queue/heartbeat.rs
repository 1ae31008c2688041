//! The heartbeat of the messages in flight in this process: Rust renews their leases, so that a handler that
//! blocks the event loop keeps its message, and a process that dies does not. Messages that are no longer
//! handled are given back.

use std::sync::{Arc, Weak};

use super::deliver::{ClaimJob, ClaimRequest};
use super::extend::{Extended, extend};
use super::settle::{End, Settled};
use crate::base::config::Durability;
use crate::base::error::Result;
use crate::store::in_flight::Due;
use crate::store::rows::queue::Message;
use crate::store::{Batch, InFlight, Next, ReadTxn, Store, Verdict, WriteJob};

/// Renews the leases that are due, and asks to be called again for the next ones.
pub fn extend_due(store: &Weak<dyn Store>) {
    let Some(store) = store.upgrade() else { return };
    let in_flight = Arc::clone(store.in_flight());
    let due = in_flight.take_due(store.clock().now_ms());
    if !due.is_empty() {
        let heartbeat = Heartbeat { in_flight: Arc::clone(&in_flight), due, extended: Extended::default() };
        store.write(vec![Box::new(heartbeat)]);
    }
    if let Some(at_ms) = in_flight.renew_at() {
        store.wake_at(at_ms);
    }
}

/// Renews leases.
struct Heartbeat {
    in_flight: Arc<InFlight>,
    due: Vec<Due>,
    extended: Extended,
}

impl WriteJob for Heartbeat {
    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        self.extended = extend(self.due.clone(), seen.now_ms(), batch);
        Ok(())
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        self.extended.applied(&verdict.results);
        Ok(Next::Done)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        if outcome.is_ok() {
            self.extended.note(&self.in_flight);
        }
    }

    /// Off: a power cut ends the process too, and with it the handler that the lease protects.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}

/// Gives messages that are no longer handled here to the next listener at once. Needs no sync: if a power cut
/// undoes it, the leases run out.
pub fn give_back(store: &dyn Store, settled: Vec<Settled>) {
    if settled.is_empty() {
        return;
    }
    let request = ClaimRequest { queue: String::new(), settled, claim: 0, lock_ms: 0 };
    let job = ClaimJob::new(request, Arc::clone(store.in_flight()), Durability::Off, Box::new(drop));
    store.write(vec![Box::new(job)]);
}

/// No handler was begun for it.
#[must_use]
pub fn never_begun(message: &Message) -> Settled {
    Settled { id: message.id.clone(), lease: message.state.lease, end: End::Returned }
}
