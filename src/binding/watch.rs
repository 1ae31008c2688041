//! Watches and the change feed: begun, read page by page.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;

use super::handle::{CodeName, Handle};
use super::text::{Packet, thrown};
use super::values::codes;
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::engine::changes::feed::ChangesQuery;
use crate::engine::changes::followers::{Follower, Reach, Target};
use crate::engine::changes::watch::WatchRequest;
use crate::engine::request::{Request, Write};
use crate::store::Notice;

/// A watch under way.
#[napi]
pub struct Watch {
    watch: Arc<crate::engine::changes::watch::Watch>,
}

#[napi]
impl Watch {
    /// Its number, by which `changed_subscribers` names it.
    #[napi(getter, catch_unwind)]
    pub fn id(&self) -> u32 {
        self.watch.id
    }
}

/// A change feed: what it reads.
#[napi]
pub struct Feed {
    query: Arc<Mutex<ChangesQuery>>,
}

#[napi]
impl Handle {
    /// From now on these reasons to look are told under the id 0: bits of `store::Notice`. Any of them: other
    /// processes and times are paid attention to.
    #[napi(catch_unwind)]
    pub fn set_notice_reasons(&mut self, reasons: u8) -> napi::Result<(), CodeName> {
        let reasons = Notice::from_bits(reasons);
        self.mailbox().map_err(thrown)?.wait_for(&reasons);
        let attentive = reasons != Notice::NONE;
        self.kv().map(|kv| kv.attend(attentive, reasons.has(&Notice::CHANGES))).map_err(thrown)
    }

    /// Asks to be told when the store's clock has reached a time; it may come early.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn wake_at(&mut self, at_ms: f64) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.wake_at(at_ms as i64)).map_err(thrown)
    }

    /// Begins a watch, `{ keys, emitInitial, from, bufferKeys, dropNewest }`, of keys or of what is under the
    /// only one: `codes::reach`.
    #[napi(catch_unwind)]
    pub fn watch_open(&mut self, env: Env, request: Raw, reach: u8) -> napi::Result<Watch, CodeName> {
        let given = |name| member(env, request, name);
        let reach = codes::reach(reach).map_err(thrown)?;
        let target = |key: Raw, name: &str| {
            let mut out = Vec::new();
            let named = if reach == Reach::Under {
                convert::prefix(env, key, "prefix", &mut out).map(drop)
            } else {
                convert::key(env, key, "key", &mut out)
            };
            named.map_err(|error| if name == "keys[0]" { error } else { error.at(&format!("{name}: ")) })?;
            Ok(Target { key: out, reach })
        };
        let request = || {
            Ok(WatchRequest {
                targets: convert::list(env, given(c"keys"), "keys", target)?,
                emit_initial: raw::flag(env, given(c"emitInitial")),
                from: convert::optional_text(env, given(c"from"), "from")?,
                buffer_keys: Some(given(c"bufferKeys"))
                    .filter(|keys| !raw::is_absent(env, *keys))
                    .map(|keys| raw::count(env, keys)),
                drop_newest: raw::flag(env, given(c"dropNewest")),
            })
        };
        let watch = request().and_then(|request| self.kv()?.watch(request)).map_err(thrown)?;
        Ok(Watch { watch })
    }

    /// Reads the next batch of a watch, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn watch_next(&mut self, id: u32, watch: &Watch) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::Watch(Arc::clone(&watch.watch)))
    }

    /// Ends a watch.
    #[napi(catch_unwind)]
    pub fn watch_stop(&self, watch: &Watch) {
        watch.watch.stop();
    }

    /// Which watches and feeds changes concern, now or by mail under `id`: `[more,number,…]`.
    #[napi(catch_unwind)]
    pub fn changed_subscribers(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        self.ask(id, Request::Wakeups(followers))
    }

    /// Begins a change feed after a number, or at the oldest change.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn changes_open(&self, env: Env, after: Option<f64>, prefix: Raw) -> napi::Result<Feed, CodeName> {
        let mut out = Vec::new();
        if !raw::is_absent(env, prefix) {
            convert::prefix(env, prefix, "prefix", &mut out).map_err(thrown)?;
        }
        let after = after.map(|seq| seq as i64);
        let query = ChangesQuery { after, prefix: out, limit: 0, follower: None };
        Ok(Feed { query: Arc::new(Mutex::new(query)) })
    }

    /// Reads the next page of at most `limit` changes, now or by mail under `id`. The feed goes on after
    /// `after`, if that is given.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn changes_page(
        &mut self,
        id: u32,
        feed: &Feed,
        after: Option<f64>,
        limit: u32,
    ) -> napi::Result<Packet, CodeName> {
        let query = {
            let mut query = feed.query.lock();
            query.after = after.map(|seq| seq as i64).or(query.after);
            ChangesQuery { limit: limit as usize, ..query.clone() }
        };
        self.ask(id, Request::Changes(query))
    }

    /// From now on `changed_subscribers` names a feed by the number that this gives, each time that it has
    /// read to the end of the log and there is more for it.
    #[napi(catch_unwind)]
    pub fn changes_subscribe(&mut self, feed: &Feed) -> napi::Result<u32, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        let mut query = feed.query.lock();
        let follower = Arc::new(Follower::of(followers, query.prefix.clone()));
        let id = follower.id;
        query.follower = Some(follower);
        Ok(id)
    }

    /// Not any more.
    #[napi(catch_unwind)]
    pub fn changes_unsubscribe(&self, feed: &Feed) {
        feed.query.lock().follower = None;
    }

    /// The newest change, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn changes_head(&mut self, id: u32) -> napi::Result<(), CodeName> {
        self.read_later(id, Request::Head).map_err(thrown)
    }

    /// Forgets a step of the changes up to a number (-1: all); `[count,more,number]` comes by mail under
    /// `id`.
    #[napi(catch_unwind)]
    pub fn changes_trim(&mut self, env: Env, id: u32, seq: Raw) -> napi::Result<(), CodeName> {
        let seq = convert::whole_number(env, seq, "seq").map_err(thrown)?;
        self.write(id, Write::TrimLog(seq))
    }
}
