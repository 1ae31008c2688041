//! Searches: begins a search, and reads it page by page.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::raw::{Raw, member};
use crate::base::error::At;
use crate::engine::query::range::Selector;
use crate::engine::query::search::SearchQuery;
use crate::engine::request::Request;

/// A search in progress.
#[napi]
pub struct Search {
    query: Arc<Mutex<SearchQuery>>,
}

#[napi]
impl Handle {
    /// Begins a search: `{ prefix, query, where }`.
    #[napi(catch_unwind)]
    pub fn search_open(&mut self, env: Env, request: Raw) -> napi::Result<Search, CodeName> {
        let given = |name| member(env, request, name);
        let query = || {
            let prefix = convert::own_prefix(env, given(c"prefix"))?;
            Ok(SearchQuery {
                range: Selector { prefix: Some(prefix.clone()), ..Selector::default() }.range()?,
                prefix,
                words: convert::text(env, given(c"query")).at("query")?,
                filter: convert::filter(env, given(c"where"))?,
                offset: 0,
                wanted: 0,
                ranked: Arc::default(),
            })
        };
        Ok(Search { query: Arc::new(Mutex::new(query().map_err(thrown)?)) })
    }

    /// Reads the next page of a search after `offset` matches; `wanted` entries are still to come;
    /// or nothing, if it comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn search_page(
        &mut self,
        id: u32,
        search: &Search,
        offset: u32,
        wanted: u32,
    ) -> napi::Result<Packet, CodeName> {
        let query =
            SearchQuery { offset: offset as usize, wanted: wanted as usize, ..search.query.lock().clone() };
        self.ask(id, Request::Search(Box::new(query)))
    }
}
