//! Mailboxes by their numbers. The woken side asks for its letters by number, not through its handle: a
//! runtime that ends an environment may free the handle first, and run queued calls afterwards (Deno does so
//! at the end of each file of tests). A number whose handle is gone has no letters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Weak};

use napi_derive::napi;
use parking_lot::Mutex;

use super::mailbox::Mailbox;
use super::text::Packet;

static OPEN: LazyLock<Mutex<HashMap<u32, Weak<Mailbox>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The number of a mailbox, until it is dropped: with its handle, or before.
pub struct Number(pub u32);

impl Number {
    /// Gives a mailbox a number.
    pub fn of(mailbox: &Arc<Mailbox>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        OPEN.lock().insert(number, Arc::downgrade(mailbox));
        Self(number)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        OPEN.lock().remove(&self.0);
    }
}

/// Takes the completions.
#[napi(catch_unwind)]
#[must_use]
pub fn drain(mailbox: u32) -> Packet {
    let open = OPEN.lock().get(&mailbox).and_then(Weak::upgrade);
    open.map_or(Packet::Later, |mailbox| mailbox.drain())
}
