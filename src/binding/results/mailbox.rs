//! Completions on their way to JavaScript. Worker threads append them to one JSON text; after each group one
//! call wakes the event loop, and JavaScript drains all of them with one parse: `[id,0,body, id,1,error, …]`.
//! Each page is a separate text, so that a damaged value affects no other letter. Notices (`store::Notice`)
//! have the id 0.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};
use parking_lot::Mutex;

use super::answers::{Written, written};
use super::text::{Packet, write_backup_event, write_error, write_notice, write_outcome};
use crate::base::error::Result;
use crate::engine::answer::Answer;
use crate::engine::awaited::Awaited;
use crate::engine::commit::Outcome;
use crate::store::{BackupEvent, Notice, Subscription};

/// Wakes the event loop; weak, so that an idle `Kv` does not keep the process alive.
pub type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// One environment's mailbox of one `Kv`.
pub struct Mailbox {
    wake: Wake,
    letters: Mutex<Letters>,
    /// There are letters without a wake-up yet.
    unannounced: AtomicBool,
    /// Asks the store to call `notice` when the group of operations that is under way has ended.
    subscription: OnceLock<Arc<Subscription>>,
    /// The awaited reasons for notices, and those that have come.
    awaited: AtomicU8,
    noticed: Mutex<Notice>,
}

#[derive(Default)]
struct Letters {
    text: Vec<u8>,
    bytes: Vec<u8>,
    pages: Vec<Vec<u8>>,
}

impl Mailbox {
    /// A mailbox that calls `wake`.
    pub fn new(wake: Wake) -> Arc<Self> {
        Arc::new(Self {
            wake,
            letters: Mutex::default(),
            unannounced: AtomicBool::new(false),
            subscription: OnceLock::new(),
            awaited: AtomicU8::new(0),
            noticed: Mutex::default(),
        })
    }

    /// Appends a completion.
    fn post<T>(&self, id: u32, result: Result<T>, write: impl FnOnce(T, &mut Letters)) {
        let mut letters = self.letters.lock();
        let comma = if letters.text.is_empty() { "" } else { "," };
        let status = u8::from(result.is_err());
        letters.text.extend_from_slice(format!("{comma}{id},{status},").as_bytes());
        match result {
            Ok(body) => write(body, &mut letters),
            Err(error) => write_error(&error, &mut letters.text),
        }
        drop(letters);
        if !self.unannounced.swap(true, Ordering::AcqRel)
            && let Some(subscription) = self.subscription.get()
        {
            subscription.ask();
        }
    }

    /// The store calls `notice` for this subscription.
    pub fn subscribed(&self, subscription: Arc<Subscription>) {
        let _ = self.subscription.set(subscription);
    }

    /// A commit ended.
    pub fn post_outcome(&self, id: u32, result: Result<Outcome>) {
        self.post(id, result, |outcome, letters| write_outcome(&outcome, &mut letters.text));
    }

    /// A read ended: `[base,page]`, the number of a page and where its bytes begin, or a text.
    pub fn post_answer(&self, id: u32, result: Result<Answer>) {
        self.post(id, result.and_then(written), |answer, letters| match answer {
            Written::Page(page) => {
                let place = format!("[{},{}]", letters.bytes.len(), letters.pages.len());
                letters.text.extend_from_slice(place.as_bytes());
                letters.bytes.extend_from_slice(&page.bytes);
                letters.pages.push(page.text);
            }
            Written::Text(text) => letters.text.extend_from_slice(&text),
            Written::WouldBlock => letters.text.extend_from_slice(b"null"),
        });
    }

    /// An event of a backup.
    pub fn post_backup_event(&self, id: u32, event: Result<BackupEvent>) {
        self.post(id, event, |event, letters| write_backup_event(&event, &mut letters.text));
    }

    /// An operation without a result ended.
    pub fn post_done(&self, id: u32, result: Result<()>) {
        self.post(id, result, |(), letters| letters.text.extend_from_slice(b"null"));
    }

    /// Sets the awaited reasons.
    pub fn wait_for(&self, reasons: &Notice) {
        self.awaited.store(reasons.bits(), Ordering::Release);
    }

    /// Adds a notice if its reasons are awaited, and wakes the event loop if there are letters.
    pub fn notice(&self, notice: &Notice, names: &Awaited) {
        let bits = self.awaited.load(Ordering::Acquire);
        if notice.bits() & bits != 0 {
            let concerned = names.concerned(notice, bits);
            if concerned != Notice::NONE {
                *self.noticed.lock() |= concerned;
                self.unannounced.store(true, Ordering::Release);
            }
        }
        self.announce();
    }

    /// Wakes the event loop if there are letters that it was not woken for.
    pub fn announce(&self) {
        if self.unannounced.swap(false, Ordering::AcqRel) {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Takes every letter.
    pub fn drain(&self) -> Packet {
        let Letters { text, bytes, pages } = std::mem::take(&mut *self.letters.lock());
        let mut whole = Vec::with_capacity(text.len() + 16);
        whole.push(b'[');
        whole.extend_from_slice(&text);
        let noticed = std::mem::take(&mut *self.noticed.lock());
        if noticed != Notice::NONE {
            write_notice(&noticed, text.is_empty(), &mut whole);
        }
        whole.push(b']');
        if pages.is_empty() { Packet::new(whole, bytes) } else { Packet::Mail(whole, bytes, pages) }
    }

    /// Keeps the process alive while calls are pending, or lets it end.
    pub fn hold(&self, env: Env, pending: bool) {
        // SAFETY: on the thread of `env`, which owns the function; both calls can be made at any time.
        unsafe {
            if pending {
                sys::napi_ref_threadsafe_function(env.raw(), self.wake.raw());
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), self.wake.raw());
            }
        }
    }
}
