//! Notices, reasons to look: which are waited for, and what there is to do then.

use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::codes;
use crate::engine::request::Request;
use crate::store::Notice;

#[napi]
impl Handle {
    /// From now on these reasons are reported under the id 0: bits of `store::Notice`. With any of
    /// them, other processes and times are monitored.
    #[napi(catch_unwind)]
    pub fn set_notice_reasons(&mut self, reasons: u8) -> napi::Result<(), CodeName> {
        let reasons = Notice::from_bits(reasons);
        self.mailbox().map_err(thrown)?.wait_for(&reasons);
        let on = reasons != Notice::NONE;
        self.kv().map(|kv| kv.monitor(on, reasons.has(&Notice::CHANGES))).map_err(thrown)
    }

    /// Asks for a notice when the store's clock has reached a time; it may come early.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn wake_at(&mut self, at_ms: f64) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.wake_at(at_ms as i64)).map_err(thrown)
    }

    /// Somebody waits for the messages of a queue or for the lease of a consumer: `codes::wait`.
    #[napi(catch_unwind)]
    pub fn wait_for_notice(&mut self, kind: u8, name: String) -> napi::Result<(), CodeName> {
        let kind = codes::wait(kind).map_err(thrown)?;
        self.kv().map(|kv| kv.awaited().add(kind, name)).map_err(thrown)
    }

    /// Nobody does any more.
    #[napi(catch_unwind)]
    pub fn stop_waiting_for_notice(&mut self, kind: u8, name: String) {
        if let (Ok(kv), Ok(kind)) = (self.kv(), codes::wait(kind)) {
            kv.awaited().remove(kind, &name);
        }
    }

    /// When what is waited for has something to do next, now or by mail under `id`: see `awaited::dues`.
    #[napi(catch_unwind)]
    pub fn notice_dues(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let awaited = self.kv().map_err(thrown)?.awaited();
        self.ask(id, Request::Dues(awaited))
    }

    /// Which watches and feeds changes concern, now or by mail under `id`: `[more,number,…]`.
    #[napi(catch_unwind)]
    pub fn changed_subscribers(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        self.ask(id, Request::Wakeups(followers))
    }
}
