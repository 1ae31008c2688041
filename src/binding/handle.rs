//! The class that `lib/native/addon.ts` uses for each open `Kv`. Gets and the lifetime of a `Kv` are here,
//! lists in `list.rs`, commits in `commit.rs`.

use std::sync::{Arc, Weak};

use napi::Env;
use napi_derive::napi;

use super::results::answers::{Written, written};
use super::results::mailbox::{Mailbox, Wake};
use super::results::numbers::Number;
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::raw::{Raw, member};
use crate::base::config::{ChangeLog, Durability, Options};
use crate::base::error::{At, Error, Result};
use crate::engine::answer::{Answer, lost};
use crate::engine::commit::Commit;
use crate::engine::get::Keys;
use crate::engine::queue::settle::Settled;
use crate::engine::request::{Request, Write};
use crate::kv::Kv;
use crate::store::{Capabilities, Notice};

/// The name of an error's code; the attribute macro wants to read `Result` in a signature.
pub type CodeName = &'static str;

/// Memory of an open `Kv` that the garbage collector does not see: two threads, caches, data in memory. It is
/// reported to the collector, so that an unreachable `Kv` is collected in time.
const OPEN_BYTES: i64 = 4 << 20;

/// An open `Kv` of one environment.
#[napi]
pub struct Handle {
    kv: Option<Kv>,
    /// `None` once it is closed and its mail was read: it holds references to the JavaScript objects that it
    /// wakes.
    mailbox: Option<Arc<Mailbox>>,
    number: Number,
    keys: Keys,
    checks_values: bool,
    pub(super) building: Commit,
    pub(super) settling: Vec<Settled>,
}

/// `Capabilities` of `lib/transport.ts`, but for the kind of store.
#[napi(object)]
pub struct StoreCapabilities {
    /// See [`Capabilities`].
    pub persistent: bool,
    /// See [`Capabilities`].
    pub backup: bool,
    /// See [`Capabilities`].
    pub sync_reads: bool,
    /// See [`Capabilities`].
    pub max_value_bytes: f64,
    /// See [`Capabilities`].
    pub max_keys: f64,
}

#[napi]
impl Handle {
    /// Opens. The members are those of `KvOptions`, and `url`; `wake` is called when there is something to
    /// drain.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: Raw, wake: Wake) -> napi::Result<Self, CodeName> {
        let given = |name| member(env, options, name);
        let open = || {
            let options = Options {
                durability: convert::optional_text(env, given(c"durability"), "durability")?
                    .map_or(Ok(Durability::default()), |text| Durability::parse(&text))?,
                busy_timeout_ms: convert::duration(env, given(c"busyTimeout")).at("busyTimeout")?,
                sweep_interval_ms: convert::duration(env, given(c"sweepInterval")).at("sweepInterval")?,
                change_log: convert::optional_text(env, given(c"changeLog"), "changeLog")?
                    .map(|text| ChangeLog::parse(&text))
                    .transpose()?,
                retention_ms: convert::duration(env, given(c"retention")).at("retention")?,
                dead_letter_retention_ms: convert::duration_or_null(env, given(c"deadLetterRetention"))
                    .at("deadLetterRetention")?,
                fault: None,
                group_slice: None,
            };
            Kv::open(&convert::text(env, given(c"url")).at("url")?, &options)
        };
        let mut kv = open().map_err(thrown)?;
        let mailbox = Mailbox::new(wake);
        let (weak, awaited): (Weak<Mailbox>, _) = (Arc::downgrade(&mailbox), kv.awaited());
        let called = move |notice: &Notice| {
            if let Some(mailbox) = weak.upgrade() {
                mailbox.notice(notice, &awaited);
            }
        };
        mailbox.subscribed(kv.on_finished(Arc::new(called)));
        tell_collector(env, OPEN_BYTES);
        Ok(Self {
            kv: Some(kv),
            number: Number::of(&mailbox),
            mailbox: Some(mailbox),
            keys: Keys::default(),
            checks_values: false,
            building: Commit::default(),
            settling: Vec::new(),
        })
    }

    pub(super) fn kv(&mut self) -> Result<&mut Kv> {
        self.kv.as_mut().ok_or_else(Error::closed)
    }

    pub(super) fn mailbox(&self) -> Result<Arc<Mailbox>> {
        self.mailbox.clone().ok_or_else(Error::closed)
    }

    /// Answers keys: a page, or nothing if it comes by mail under `id`. `many`: errors name the place of a
    /// key.
    #[napi(catch_unwind)]
    pub fn read_batch(
        &mut self,
        env: Env,
        id: u32,
        keys: Raw,
        many: bool,
        keys_only: bool,
    ) -> napi::Result<Packet, CodeName> {
        self.keys.clear();
        self.keys.keys_only = keys_only;
        self.keys.checks_values = std::mem::take(&mut self.checks_values);
        convert::keys(env, keys, many, &mut self.keys).map_err(thrown)?;
        let request = Request::Get(std::mem::take(&mut self.keys));
        let answer = self.kv().and_then(|kv| kv.read_now(&request));
        if matches!(answer, Ok(Answer::WouldBlock)) {
            self.read_later(id, request).map_err(thrown)?;
        } else if let Request::Get(keys) = request {
            self.keys = keys;
        }
        match answer.map_err(thrown)? {
            Answer::Page(page) => Ok(Packet::new(page.text, page.bytes)),
            _ => Ok(Packet::Later),
        }
    }

    /// Answers a key, on this thread whatever happens.
    #[napi(catch_unwind)]
    pub fn get_sync(&mut self, env: Env, key: Raw) -> napi::Result<Packet, CodeName> {
        self.keys.clear();
        self.keys.keys_only = false;
        self.keys.push_with(|bytes| convert::key(env, key, bytes)).at("key").map_err(thrown)?;
        self.read_blocking().map_err(thrown)
    }

    /// Answers keys, likewise; errors name the place of a key.
    #[napi(catch_unwind)]
    pub fn get_many_sync(&mut self, env: Env, keys: Raw, keys_only: bool) -> napi::Result<Packet, CodeName> {
        self.keys.clear();
        self.keys.keys_only = keys_only;
        convert::keys(env, keys, true, &mut self.keys).map_err(thrown)?;
        self.read_blocking().map_err(thrown)
    }

    fn read_blocking(&mut self) -> Result<Packet> {
        self.keys.checks_values = std::mem::take(&mut self.checks_values);
        let request = Request::Get(std::mem::take(&mut self.keys));
        let answer = self.kv().and_then(|kv| kv.read_blocking(&request));
        if let Request::Get(keys) = request {
            self.keys = keys;
        }
        match answer? {
            Answer::Page(page) => Ok(Packet::new(page.text, page.bytes)),
            _ => Err(lost()),
        }
    }

    /// The next batch checks each value, so that one that is no JSON damages no other.
    #[napi(catch_unwind)]
    pub fn check_values(&mut self) {
        self.checks_values = true;
    }

    /// The following reads share a snapshot while nothing is committed, until `release_snapshot`.
    #[napi(catch_unwind)]
    pub fn keep_snapshot(&mut self) {
        if let Some(kv) = &mut self.kv {
            kv.keep_snapshot();
        }
    }

    /// Releases the snapshot.
    #[napi(catch_unwind)]
    pub fn release_snapshot(&mut self) {
        if let Some(kv) = &mut self.kv {
            kv.release_snapshot();
        }
    }

    pub(super) fn read_later(&mut self, id: u32, request: Request) -> Result<()> {
        let mailbox = self.mailbox()?;
        self.kv()?.read_later(request, Box::new(move |answer| mailbox.post_answer(id, answer)));
        Ok(())
    }

    /// Answers a read of something other than entries: now, or by mail under `id`.
    pub(super) fn ask(&mut self, id: u32, request: Request) -> napi::Result<Packet, CodeName> {
        match self.kv().and_then(|kv| kv.read_now(&request)).and_then(written).map_err(thrown)? {
            Written::Page(page) => Ok(Packet::new(page.text, page.bytes)),
            Written::Text(text) => Ok(Packet::new(text, Vec::new())),
            Written::WouldBlock => {
                self.read_later(id, request).map_err(thrown)?;
                Ok(Packet::Later)
            }
        }
    }

    /// Stages a write; its answer comes by mail under `id`.
    pub(super) fn write(&mut self, id: u32, write: Write) -> napi::Result<(), CodeName> {
        let mailbox = self.mailbox().map_err(thrown)?;
        let done = Box::new(move |answer| mailbox.post_answer(id, answer));
        self.kv().map(|kv| kv.write(write, done)).map_err(thrown)
    }

    pub(super) fn stage(&mut self, id: u32, commit: Commit) -> Result<()> {
        let mailbox = self.mailbox()?;
        self.kv()?.stage(commit, Box::new(move |outcome| mailbox.post_outcome(id, outcome)))
    }

    /// Hands the writes staged in this tick to the writer.
    #[napi(catch_unwind)]
    pub fn flush(&mut self) {
        if let Some(kv) = &mut self.kv {
            kv.flush();
        }
    }

    /// What the store is and can do.
    #[napi(catch_unwind)]
    pub fn capabilities(&self) -> napi::Result<StoreCapabilities, CodeName> {
        let kv = self.kv.as_ref().ok_or_else(|| thrown(Error::closed()))?;
        let Capabilities { persistent, backup, sync_reads, max_value_bytes, max_keys } = kv.capabilities();
        let [max_value_bytes, max_keys] = [max_value_bytes, max_keys].map(|limit| limit as f64);
        Ok(StoreCapabilities { persistent, backup, sync_reads, max_value_bytes, max_keys })
    }

    /// The number by which completions are taken (`drain`).
    #[napi(getter, catch_unwind)]
    pub fn mailbox_number(&self) -> u32 {
        self.number.0
    }

    /// Keeps the process alive, or lets it end.
    #[napi(catch_unwind)]
    pub fn hold(&self, env: Env, pending: bool) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.hold(env, pending);
        }
    }

    /// The metrics of this `Kv`: JSON, or Prometheus' text.
    #[napi(catch_unwind)]
    pub fn metrics(&mut self, prometheus: bool) -> napi::Result<String, CodeName> {
        let kv = self.kv().map_err(thrown)?;
        Ok(if prometheus { kv.metrics().prometheus() } else { kv.metrics().json() })
    }

    /// The description of the store, by mail under `id`:
    /// `[sqlite,schema,database,changeLog,retention,bytes,entries,deadLetterRetention]`.
    #[napi(catch_unwind)]
    pub fn info(&mut self, id: u32) -> napi::Result<(), CodeName> {
        self.read_later(id, Request::Info).map_err(thrown)
    }

    /// Milliseconds since the epoch, by the store's clock.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_precision_loss)]
    pub fn now(&mut self) -> napi::Result<f64, CodeName> {
        self.kv().map(|kv| kv.now_ms() as f64).map_err(thrown)
    }

    /// For tests: freezes the store's clock, or lets it run.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn freeze_clock(&mut self, at_ms: Option<f64>) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.freeze_clock(at_ms.map(|ms| ms as i64))).map_err(thrown)
    }

    /// For tests: the system's clock is wrong by so much from now on.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn shift_clock(&mut self, by_ms: f64) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.shift_clock(by_ms as i64)).map_err(thrown)
    }

    /// Sweeps now; its end comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn sweep(&mut self, id: u32) -> napi::Result<(), CodeName> {
        let mailbox = self.mailbox().map_err(thrown)?;
        self.kv().map(|kv| kv.sweep(Box::new(move |result| mailbox.post_done(id, result)))).map_err(thrown)
    }

    /// Closes; its end comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn close(&mut self, id: u32) {
        if let (Some(kv), Some(mailbox)) = (self.kv.take(), self.mailbox.clone()) {
            kv.close(Box::new(move || {
                mailbox.post_done(id, Ok(()));
                mailbox.announce();
            }));
        }
    }

    /// After the end of `close` was read: releases the references to JavaScript.
    #[napi(catch_unwind)]
    pub fn release(&mut self, env: Env) {
        if self.mailbox.take().is_some() {
            tell_collector(env, -OPEN_BYTES);
        }
    }
}

/// A runtime that does not support this collects later, which is no error.
fn tell_collector(env: Env, bytes: i64) {
    let _ = env.adjust_external_memory(bytes);
}
