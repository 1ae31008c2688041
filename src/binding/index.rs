//! Search indexes and ordered indexes: creates, lists and removes them, and explains a filter.

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::thrown;
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Error, Result};
use crate::engine::query::definition;
use crate::engine::query::definition::Tokenizer;
use crate::engine::query::filter::{Path, path_of};
use crate::engine::query::range::Selector;
use crate::engine::request::{Request, Write};

/// The paths of an index's fields, with their names.
fn fields_of(env: Env, fields: Raw, argument: &'static str) -> Result<Vec<(String, Path)>> {
    convert::list(env, fields, argument, |value| {
        let field = convert::text(env, value)?;
        let path = path_of(field.as_bytes())?;
        Ok((field, path))
    })
}

#[napi]
impl Handle {
    /// Makes a search index, `{ prefix, fields, tokenize }`; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn index_create_search(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, request, name);
        let index = || {
            let tokenizer = Tokenizer::parse(&convert::text(env, given(c"tokenize")).at("tokenize")?)?;
            definition::search_index(
                convert::own_prefix(env, given(c"prefix"))?,
                &fields_of(env, given(c"fields"), "fields")?,
                tokenizer,
            )
        };
        let index = index().map_err(thrown)?;
        self.write(id, Write::CreateSearchIndex(index))
    }

    /// Makes an ordered index, `{ prefix, on, unique }`; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn index_create_ordered(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, request, name);
        let unique = raw::flag(env, given(c"unique"));
        let index = || {
            let prefix = convert::own_prefix(env, given(c"prefix"))?;
            let range = Selector { prefix: Some(prefix.clone()), ..Selector::default() }.range()?;
            definition::ordered_index(prefix, range, &fields_of(env, given(c"on"), "on")?, unique)
        };
        let index = index().map_err(thrown)?;
        self.write(id, Write::CreateOrderedIndex(index))
    }

    /// Removes the indexes of a prefix, or one of them by name; their number comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn index_remove(&mut self, env: Env, id: u32, prefix: Raw, name: Raw) -> napi::Result<(), CodeName> {
        let parsed = convert::own_prefix(env, prefix)
            .and_then(|prefix| Ok((prefix, convert::optional_text(env, name, "name")?)));
        let (prefix, name) = parsed.map_err(thrown)?;
        self.write(id, Write::RemoveIndexes(prefix, name))
    }

    /// The plan of a filter, `{ prefix, start, end, where }`, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn explain(&mut self, env: Env, id: u32, range: Raw) -> napi::Result<(), CodeName> {
        let filter = member(env, range, c"where");
        let missing = || Error::invalid("it is missing; give a filter").at("where");
        let range = convert::selector(env, range).and_then(|selector| selector.range());
        let filter = convert::filter(env, filter).and_then(|filter| filter.ok_or_else(missing));
        let request = Request::Explain(range.map_err(thrown)?, filter.map_err(thrown)?);
        self.read_later(id, request).map_err(thrown)
    }

    /// All indexes, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn index_list(&mut self, id: u32) -> napi::Result<(), CodeName> {
        self.read_later(id, Request::Indexes).map_err(thrown)
    }
}
