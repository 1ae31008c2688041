//! Notices: which are awaited, and what they concern.

use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::codes;
use crate::engine::request::Request;
use crate::store::Notice;

#[napi]
impl Handle {
    /// Sets the reasons to report under the id 0: bits of `store::Notice`. If there are any, other processes
    /// and times are monitored.
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

    /// Adds a queue whose messages are awaited, or a consumer whose lease is: `codes::wait`.
    #[napi(catch_unwind)]
    pub fn wait_for_notice(&mut self, kind: u8, name: String) -> napi::Result<(), CodeName> {
        let kind = codes::wait(kind).map_err(thrown)?;
        self.kv().map(|kv| kv.awaited().add(kind, name)).map_err(thrown)
    }

    /// Removes it again.
    #[napi(catch_unwind)]
    pub fn stop_waiting_for_notice(&mut self, kind: u8, name: String) {
        if let (Ok(kv), Ok(kind)) = (self.kv(), codes::wait(kind)) {
            kv.awaited().remove(kind, &name);
        }
    }

    /// When the awaited names have something to do next, now or by mail under `id`: see `awaited::dues`.
    #[napi(catch_unwind)]
    pub fn notice_dues(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let awaited = self.kv().map_err(thrown)?.awaited();
        self.ask(id, Request::Dues(awaited))
    }

    /// The watches and feeds that new changes concern, now or by mail under `id`: `[more,number,…]`.
    #[napi(catch_unwind)]
    pub fn changed_subscribers(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        self.ask(id, Request::Wakeups(followers))
    }
}
