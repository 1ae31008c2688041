//! Watches and the change feed: begun, read page by page.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;

use super::convert;
use super::convert::Raw;
use super::handle::{CodeName, Handle};
use super::text::{Packet, thrown};
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
    /// Its number, by which `watch_news` names it.
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
    /// From now on these reasons to look are told under the id 0: bits of `store::Notice`. Any of them: other processes and
    /// times are paid attention to.
    #[napi(catch_unwind)]
    pub fn attend(&mut self, reasons: u8) -> napi::Result<(), CodeName> {
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

    /// Begins a watch of keys, or of what is under the only one. `reach`: the key alone (0), what is under it too (1), or
    /// that alone (2).
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn watch(
        &mut self,
        env: Env,
        keys: Raw,
        reach: u8,
        emit_initial: bool,
        from: Raw,
        buffer_keys: Option<u32>,
        drop_newest: bool,
    ) -> napi::Result<Watch, CodeName> {
        let reach = match reach {
            0 => Reach::Exact,
            1 => Reach::Tree,
            _ => Reach::Under,
        };
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
                targets: convert::list(env, keys, "keys", target)?,
                emit_initial,
                from: convert::optional_text(env, from, "from")?,
                buffer_keys: buffer_keys.map(|keys| keys as usize),
                drop_newest,
            })
        };
        let watch = request().and_then(|request| self.kv()?.watch(request)).map_err(thrown)?;
        Ok(Watch { watch })
    }

    /// Reads the next batch of a watch, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn watch_step(&mut self, watch: &Watch, id: u32) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::Watch(Arc::clone(&watch.watch)))
    }

    /// Ends a watch.
    #[napi(catch_unwind)]
    pub fn stop_watch(&self, watch: &Watch) {
        watch.watch.stop();
    }

    /// Which watches and feeds changes concern, now or by mail under `id`: `[more,number,…]`.
    #[napi(catch_unwind)]
    pub fn watch_news(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        self.ask(id, Request::Wakeups(followers))
    }

    /// Begins a change feed after a number, or at the oldest change.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn feed(&self, env: Env, after: Option<f64>, prefix: Raw) -> napi::Result<Feed, CodeName> {
        let mut out = Vec::new();
        if !convert::is_absent(env, prefix) {
            convert::prefix(env, prefix, "prefix", &mut out).map_err(thrown)?;
        }
        let after = after.map(|seq| seq as i64);
        let query = ChangesQuery { after, prefix: out, limit: 0, follower: None };
        Ok(Feed { query: Arc::new(Mutex::new(query)) })
    }

    /// Reads the next page of at most `limit` changes, now or by mail under `id`. The feed goes on after `after`, if that is
    /// given.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn feed_page(
        &mut self,
        feed: &Feed,
        after: Option<f64>,
        limit: u32,
        id: u32,
    ) -> napi::Result<Packet, CodeName> {
        let query = {
            let mut query = feed.query.lock();
            query.after = after.map(|seq| seq as i64).or(query.after);
            ChangesQuery { limit: limit as usize, ..query.clone() }
        };
        self.ask(id, Request::Changes(query))
    }

    /// From now on `watch_news` names a feed by the number that this gives, each time that it has read to the end of the log
    /// and there is more for it.
    #[napi(catch_unwind)]
    pub fn follow(&mut self, feed: &Feed) -> napi::Result<u32, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        let mut query = feed.query.lock();
        let follower = Arc::new(Follower::of(followers, query.prefix.clone()));
        let id = follower.id;
        query.follower = Some(follower);
        Ok(id)
    }

    /// Not any more.
    #[napi(catch_unwind)]
    pub fn unfollow(&self, feed: &Feed) {
        feed.query.lock().follower = None;
    }

    /// The newest change, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn log_head(&mut self, id: u32) -> napi::Result<(), CodeName> {
        self.read_later(id, Request::Head).map_err(thrown)
    }

    /// Forgets a step of the changes up to a number (-1: all); `[count,more,number]` comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn trim_log(&mut self, env: Env, id: u32, seq: Raw) -> napi::Result<(), CodeName> {
        let seq = convert::whole_number(env, seq, "seq").map_err(thrown)?;
        self.write(id, Write::TrimLog(seq))
    }
}
