//! The leases of the messages that this process handles, and their heartbeat: they are extended by Rust, so that a handler
//! that holds up the event loop keeps its message, and a process that dies does not.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::config::Durability;
use crate::error::Result;
use crate::store::queue::Message;
use crate::store::{Store, WriteJob, WriteTxn};

/// A lease is extended when a third of it is over: two attempts may fail.
const BEATS: i64 = 3;

/// The leases that one `Kv` holds.
#[derive(Default)]
pub struct Held {
    leases: Mutex<HashMap<String, Lease>>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    number: i64,
    lock_ms: i64,
    renew_at: i64,
}

impl Held {
    /// Notes messages that were claimed; tells when to renew.
    pub fn add(&self, messages: &[Message], lock_ms: i64, now_ms: i64) -> Option<i64> {
        let mut leases = self.leases.lock();
        for Message { id, state, .. } in messages {
            let renew_at = now_ms + lock_ms / BEATS;
            leases.insert(id.clone(), Lease { number: state.lease, lock_ms, renew_at });
        }
        leases.values().map(|lease| lease.renew_at).min()
    }

    /// The handler has ended: the lease is not extended any more.
    pub fn rest(&self, id: &str, number: i64) {
        let mut leases = self.leases.lock();
        if leases.get(id).is_some_and(|lease| lease.number == number) {
            leases.remove(id);
        }
    }

    /// Extends what is due, and asks to be called again when there is more.
    pub fn beat(self: &Arc<Self>, store: &Weak<dyn Store>) {
        let Some(store) = store.upgrade() else { return };
        let now_ms = store.clock().now_ms();
        let mut leases = self.leases.lock();
        let mut due = Vec::new();
        for (id, lease) in leases.iter_mut().filter(|(_, lease)| lease.renew_at <= now_ms) {
            lease.renew_at = now_ms + lease.lock_ms / BEATS;
            due.push((id.clone(), *lease));
        }
        let next = leases.values().map(|lease| lease.renew_at).min();
        drop(leases);
        if !due.is_empty() {
            store.write(vec![Box::new(Beat { held: Arc::downgrade(self), due, lost: Vec::new() })]);
        }
        if let Some(at_ms) = next {
            store.wake_at(at_ms);
        }
    }
}

/// Extends leases.
struct Beat {
    held: Weak<Held>,
    due: Vec<(String, Lease)>,
    lost: Vec<(String, i64)>,
}

impl WriteJob for Beat {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        self.lost.clear();
        for (id, Lease { number, lock_ms, .. }) in &self.due {
            if !txn.extend_lease(id, *number, txn.now_ms().saturating_add(*lock_ms))? {
                self.lost.push((id.clone(), *number));
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        if let Some(held) = self.held.upgrade().filter(|_| outcome.is_ok()) {
            for (id, number) in &self.lost {
                held.rest(id, *number);
            }
        }
    }

    /// A power cut ends the process too, and with it what the lease protects.
    fn durability(&self) -> Durability {
        Durability::Off
    }
}
