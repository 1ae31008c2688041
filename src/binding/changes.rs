//! The change feed: begins a feed, reads it page by page, and trims the log.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::raw;
use super::values::raw::Raw;
use crate::base::error::At;
use crate::engine::changes::feed::ChangesQuery;
use crate::engine::changes::followers::Follower;
use crate::engine::request::{Request, Write};

/// A change feed.
#[napi]
pub struct Feed {
    query: Arc<Mutex<ChangesQuery>>,
}

#[napi]
impl Handle {
    /// Begins a change feed after a number, or at the oldest change.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn changes_open(&self, env: Env, after: Option<f64>, prefix: Raw) -> napi::Result<Feed, CodeName> {
        let given = !raw::is_absent(env, prefix);
        let prefix = given.then(|| convert::own_prefix(env, prefix)).transpose().map_err(thrown)?;
        let after = after.map(|seq| seq as i64);
        let query = ChangesQuery { after, prefix: prefix.unwrap_or_default(), limit: 0, follower: None };
        Ok(Feed { query: Arc::new(Mutex::new(query)) })
    }

    /// Reads the next page of at most `limit` changes, now or by mail under `id`. The feed continues after
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

    /// Gives the number by which `changed_subscribers` names a feed from now on, whenever it has read to the
    /// end of the log and there is more for it.
    #[napi(catch_unwind)]
    pub fn changes_subscribe(&mut self, feed: &Feed) -> napi::Result<u32, CodeName> {
        let followers = self.kv().map_err(thrown)?.followers();
        let mut query = feed.query.lock();
        let follower = Arc::new(Follower::of(followers, query.prefix.clone()));
        let id = follower.id;
        query.follower = Some(follower);
        Ok(id)
    }

    /// Ends that.
    #[napi(catch_unwind)]
    pub fn changes_unsubscribe(&self, feed: &Feed) {
        feed.query.lock().follower = None;
    }

    /// The newest change, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn changes_head(&mut self, id: u32) -> napi::Result<(), CodeName> {
        self.read_later(id, Request::Head).map_err(thrown)
    }

    /// Removes a step of the changes up to a number (-1: all); `[count,more,number]` comes by mail under
    /// `id`.
    #[napi(catch_unwind)]
    pub fn changes_trim(&mut self, env: Env, id: u32, seq: Raw) -> napi::Result<(), CodeName> {
        let seq = convert::whole_number(env, seq).at("seq").map_err(thrown)?;
        self.write(id, Write::TrimChanges(seq))
    }
}
