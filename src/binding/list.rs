//! Lists: begun, read page by page; counts; the children of a key.

use std::ops::Range;
use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::convert::selector;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Result};
use crate::engine::answer::Answer;
use crate::engine::query::children::{ChildrenQuery, Counts};
use crate::engine::query::list::{IndexHits, ListQuery};
use crate::engine::query::range::after_cursor;
use crate::engine::request::Request;

/// A list: its position.
#[napi]
pub struct List {
    position: Arc<Mutex<ListPosition>>,
}

struct ListPosition {
    /// The rest of the list.
    left: ListQuery,
    /// The range before its last page.
    before: Range<Vec<u8>>,
}

#[napi]
impl Handle {
    /// Begins a list: `{ prefix, start, end, after, cursor, reverse, keysOnly, batch, where }`.
    #[napi(catch_unwind)]
    pub fn list_open(&self, env: Env, request: Raw) -> napi::Result<List, CodeName> {
        let given = |name| member(env, request, name);
        let reverse = raw::flag(env, given(c"reverse"));
        let cursor = raw::lossy_text(env, given(c"cursor"));
        let selector = selector(env, request).map_err(thrown)?;
        let after = given(c"after");
        let range = || {
            let range = if raw::is_absent(env, after) {
                selector.range()?
            } else {
                selector.range_behind(&convert::bound_bytes(env, after).at("after")?, reverse)?
            };
            after_cursor(range, &cursor, reverse)
        };
        let range = range().map_err(thrown)?;
        let prefix_bytes = selector.prefix.map_or(0, |prefix| prefix.len());
        let filter = convert::filter(env, given(c"where")).map_err(thrown)?;
        let before = range.clone();
        let left = ListQuery {
            range,
            prefix_bytes,
            reverse,
            keys_only: raw::flag(env, given(c"keysOnly")),
            limit: raw::count(env, given(c"batch")),
            filter,
            found: IndexHits::default(),
            checks_values: false,
        };
        Ok(List { position: Arc::new(Mutex::new(ListPosition { left, before })) })
    }

    /// Reads the next page of at most `limit` entries, or nothing if it comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn list_page(&mut self, id: u32, list: &List, limit: u32) -> napi::Result<Packet, CodeName> {
        let query = ListQuery { limit: limit as usize, ..list.position.lock().left.clone() };
        let request = Request::List(query);
        match self.kv().and_then(|kv| kv.read_now(&request)).map_err(thrown)? {
            Answer::Page(page) => {
                list.position.lock().advance(&page.last_key);
                Ok(Packet::new(page.text, page.bytes))
            }
            _ => {
                let (mailbox, position) = (self.mailbox().map_err(thrown)?, Arc::clone(&list.position));
                let done = move |answer: Result<Answer>| {
                    if let Ok(Answer::Page(page)) = &answer {
                        position.lock().advance(&page.last_key);
                    }
                    mailbox.post_answer(id, answer);
                };
                self.kv().map_err(thrown)?.read_later(request, Box::new(done));
                Ok(Packet::Later)
            }
        }
    }

    /// Counts a range, `{ prefix, start, end, where }`; the answer comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn count(&mut self, env: Env, id: u32, range: Raw) -> napi::Result<(), CodeName> {
        let filter = member(env, range, c"where");
        let range = selector(env, range).and_then(|selector| selector.range()).map_err(thrown)?;
        let filter = convert::filter(env, filter).map_err(thrown)?;
        self.read_later(id, Request::Count(range, filter)).map_err(thrown)
    }

    /// The children of a key, `{ prefix, after, limit, counts }`: now, or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn children(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<Packet, CodeName> {
        let given = |name| member(env, request, name);
        let query = || {
            let after = given(c"after");
            let after = (!raw::is_absent(env, after)).then(|| convert::bound_bytes(env, after).at("after"));
            Ok(ChildrenQuery {
                prefix: convert::own_prefix(env, given(c"prefix"))?,
                after: after.transpose()?,
                limit: raw::count(env, given(c"limit")),
                counts: match raw::count(env, given(c"counts")) {
                    0 => Counts::None,
                    1 => Counts::Some,
                    _ => Counts::All,
                },
            })
        };
        self.ask(id, Request::Children(query().map_err(thrown)?))
    }
}

#[napi]
impl List {
    /// Makes the next page the last one again; from there on each value is checked.
    #[napi(catch_unwind)]
    pub fn again(&self) {
        let mut position = self.position.lock();
        position.left.range = position.before.clone();
        position.left.checks_values = true;
    }
}

impl ListPosition {
    fn advance(&mut self, last_key: &[u8]) {
        self.before = self.left.range.clone();
        if !last_key.is_empty() {
            self.left = self.left.after(last_key);
        }
    }
}
