//! Commits, built call by call (`begin`, `check`, `put`, …, `submit`). JavaScript makes the calls without a
//! pause, so that no array of operations has to be made there and walked here.

use std::ops::Range;

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::thrown;
use super::values::codes;
use super::values::convert;
use super::values::convert::{one_key, selector};
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Error, Result};
use crate::base::limits::MAX_KEY_PARTS;
use crate::codec::key;
use crate::codec::value::ArrayText;
use crate::engine::commit::patch::Encoded;
use crate::engine::commit::{Check, Commit, Mutation};

#[napi]
impl Handle {
    /// Stages a commit of one set; its outcome comes by mail under `id`.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn set(
        &mut self,
        env: Env,
        id: u32,
        key: Raw,
        stamped: bool,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = set_mutation(env, key, stamped, data, encoding, expires_in).map_err(thrown)?;
        self.stage(id, Commit::of(mutation)).map_err(thrown)
    }

    /// Begins a commit.
    #[napi(catch_unwind)]
    pub fn begin(&mut self) {
        self.building = Commit::default();
    }

    /// Adds a precondition.
    #[napi(catch_unwind)]
    pub fn check(&mut self, env: Env, key: Raw, versionstamp: Raw) -> napi::Result<(), CodeName> {
        let check =
            || Ok(Check { key: one_key(env, key)?, versionstamp: convert::versionstamp(env, versionstamp)? });
        let index = self.building.checks.len();
        self.building.checks.push(check().map_err(|error: Error| thrown(error.at(("checks", index))))?);
        Ok(())
    }

    pub(super) fn add(&mut self, mutation: Result<Mutation>) -> napi::Result<(), CodeName> {
        self.building.mutations.push(mutation.map_err(thrown)?);
        Ok(())
    }

    /// Adds a set.
    #[napi(catch_unwind)]
    pub fn put(
        &mut self,
        env: Env,
        key: Raw,
        stamped: bool,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        self.add(set_mutation(env, key, stamped, data, encoding, expires_in))
    }

    /// Adds a delete of one key.
    #[napi(catch_unwind)]
    pub fn delete(&mut self, env: Env, key: Raw) -> napi::Result<(), CodeName> {
        self.add(one_key(env, key).map(Mutation::Delete))
    }

    /// Adds a delete of a key and its descendants, or (`exact`) of the key alone, if they match.
    #[napi(catch_unwind)]
    pub fn delete_tree(
        &mut self,
        env: Env,
        key: Raw,
        exact: bool,
        filter: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let key = one_key(env, key)?;
            let range = if exact { key.clone()..key::successor(&key) } else { key::tree(&key) };
            deletion(env, range, filter)
        };
        self.add(mutation())
    }

    /// Adds a delete of a range, `{ prefix, start, end, where }`.
    #[napi(catch_unwind)]
    pub fn delete_range(&mut self, env: Env, range: Raw) -> napi::Result<(), CodeName> {
        let filter = member(env, range, c"where");
        let range = selector(env, range).and_then(|selector| selector.range());
        self.add(range.and_then(|range| deletion(env, range, filter)))
    }

    /// Adds a sum, a maximum or a minimum (`codes::arithmetic`), by the bigint of a `KvU64` or by an integer.
    #[napi(catch_unwind)]
    pub fn arithmetic(
        &mut self,
        env: Env,
        operation: u8,
        key: Raw,
        operand: Raw,
        is_u64: bool,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let operation = codes::arithmetic(operation)?;
            let key = one_key(env, key)?;
            let (operand, expires_in_ms) =
                (convert::operand(env, operand, is_u64)?, convert::expires_in(env, expires_in)?);
            Ok(Mutation::Arithmetic { key, operation, operand, expires_in_ms })
        };
        self.add(mutation())
    }

    /// Appends values to an array, or prepends them.
    #[napi(catch_unwind)]
    pub fn append(
        &mut self,
        env: Env,
        front: bool,
        key: Raw,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let values = ArrayText { encoding, text: raw::data(env, data) };
            Ok(Mutation::Append {
                key: one_key(env, key)?,
                front,
                values,
                expires_in_ms: convert::expires_in(env, expires_in)?,
            })
        };
        self.add(mutation())
    }

    /// Adds a merge patch.
    #[napi(catch_unwind)]
    pub fn patch(
        &mut self,
        env: Env,
        key: Raw,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let patch = Encoded { encoding, bytes: raw::data(env, data) };
            let (key, expires_in_ms) = (one_key(env, key)?, convert::expires_in(env, expires_in)?);
            Ok(Mutation::Patch { key, patch, expires_in_ms })
        };
        self.add(mutation())
    }

    /// Adds a new time to live.
    #[napi(catch_unwind)]
    pub fn touch(&mut self, env: Env, key: Raw, expires_in: Raw) -> napi::Result<(), CodeName> {
        let mutation = || {
            let key = one_key(env, key)?;
            let missing = || Error::invalid("it is missing; give a duration").at("expiresIn");
            Ok(Mutation::Touch {
                key,
                expires_in_ms: convert::expires_in(env, expires_in)?.ok_or_else(missing)?,
            })
        };
        self.add(mutation())
    }

    /// Stages the commit that was built; its outcome comes by mail under `id`. `codes::stamping`
    /// says when it issues a versionstamp.
    #[napi(catch_unwind)]
    pub fn submit(&mut self, id: u32, stamping: u8) -> napi::Result<(), CodeName> {
        let stamping = codes::stamping(stamping).map_err(thrown)?;
        let commit = Commit { stamping, ..std::mem::take(&mut self.building) };
        self.stage(id, commit).map_err(thrown)
    }
}

/// A delete of a range, or of the matching entries in it.
fn deletion(env: Env, range: Range<Vec<u8>>, filter: Raw) -> Result<Mutation> {
    Ok(match convert::filter(env, filter)? {
        Some(filter) => Mutation::DeleteMatching(range, filter),
        None => Mutation::DeleteRange(range),
    })
}

fn set_mutation(
    env: Env,
    key: Raw,
    stamped: bool,
    data: Raw,
    encoding: u8,
    expires_in: Raw,
) -> Result<Mutation> {
    let mut out = Vec::with_capacity(64);
    // The placeholder of the versionstamp was removed, but counts as a part.
    let parts = convert::prefix(env, key, &mut out).at("key")? as usize + usize::from(stamped);
    if parts == 0 {
        return Err(convert::empty_key().at("key"));
    }
    if parts > MAX_KEY_PARTS {
        return Err(Error::limit(parts, MAX_KEY_PARTS, "parts").at("key"));
    }
    let expires_in_ms = convert::expires_in(env, expires_in)?;
    Ok(Mutation::Set { key: out, stamped, encoding, value: raw::data(env, data), expires_in_ms })
}
