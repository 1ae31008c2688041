//! The heartbeat of the messages that this process handles: their leases are extended by Rust, so that a handler that holds
//! up the event loop keeps its message, and a process that dies does not. What nobody handles any more is given back.

use std::sync::{Arc, Weak};

use super::answer::Answer;
use super::queue::{End, Settled, settle};
use super::task::Task;
use crate::config::Durability;
use crate::error::Result;
use crate::store::in_flight::Due;
use crate::store::queue::Message;
use crate::store::{InFlight, Store, WriteJob, WriteTxn};

/// Extends what is due, and asks to be called again when there is more.
pub fn beat(store: &Weak<dyn Store>) {
    let Some(store) = store.upgrade() else { return };
    let in_flight = Arc::clone(store.in_flight());
    let due = in_flight.take_due(store.clock().now_ms());
    if !due.is_empty() {
        store.write(vec![Box::new(Beat { in_flight: Arc::clone(&in_flight), due, lost: Vec::new() })]);
    }
    if let Some(at_ms) = in_flight.renew_at() {
        store.wake_at(at_ms);
    }
}

/// Extends what is due, in an operation that is about to claim: it may have waited for longer than a lease, and claims none
/// of its own messages for that.
///
/// # Errors
/// Those of the store.
pub fn renew_due(txn: &mut dyn WriteTxn, in_flight: &InFlight) -> Result<()> {
    let due = in_flight.take_due(txn.now_ms());
    for (id, number) in renew(txn, &due)? {
        in_flight.rest(&id, number);
    }
    Ok(())
}

/// Extends leases; tells which of them were lost.
fn renew(txn: &mut dyn WriteTxn, due: &[Due]) -> Result<Vec<(String, i64)>> {
    let mut lost = Vec::new();
    for Due { id, number, lock_ms } in due {
        if !txn.extend_lease(id, *number, txn.now_ms().saturating_add(*lock_ms))? {
            lost.push((id.clone(), *number));
        }
    }
    Ok(lost)
}

/// Extends leases.
struct Beat {
    in_flight: Arc<InFlight>,
    due: Vec<Due>,
    lost: Vec<(String, i64)>,
}

impl WriteJob for Beat {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        self.lost = renew(txn, &self.due)?;
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        for (id, number) in self.lost.iter().filter(|_| outcome.is_ok()) {
            self.in_flight.rest(id, *number);
        }
    }

    /// A power cut ends the process too, and with it what the lease protects.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}

/// Lets the next listener have at once what nobody handles here any more. It needs no sync: if a power cut undoes it, the
/// leases run out.
pub fn give_back(store: &dyn Store, settled: Vec<Settled>) {
    if settled.is_empty() {
        return;
    }
    let work = move |txn: &mut dyn WriteTxn| {
        settled.iter().try_for_each(|one| settle(txn, one).map(drop)).map(|()| Answer::json("null"))
    };
    store.write(vec![Box::new(Task::new(Box::new(work), Durability::Off, Box::new(drop)))]);
}

/// No handler was begun for it.
#[must_use]
pub fn never_begun(message: Message) -> Settled {
    Settled { id: message.id, lease: message.state.lease, end: End::Returned }
}
