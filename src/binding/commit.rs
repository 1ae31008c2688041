//! Commits, built call by call (`begin`, `check`, `put`, …, `submit`). JavaScript makes the calls without a pause, so
//! that no array of operations has to be made there and walked here.

use std::ops::Range;

use napi::Env;
use napi_derive::napi;

use super::convert;
use super::convert::{Raw, one_key, selector};
use super::handle::{CodeName, Handle};
use super::text::thrown;
use crate::base::error::{Error, Result};
use crate::base::limits::MAX_KEY_PARTS;
use crate::codec::key;
use crate::codec::value::ArrayText;
use crate::engine::commit::arithmetic::Arithmetic;
use crate::engine::commit::patch::Encoded;
use crate::engine::commit::{Check, Commit, Mutation, Stamping};

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
        self.building
            .checks
            .push(check().map_err(|error: Error| thrown(error.at(&format!("checks[{index}]: "))))?);
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
    pub fn remove(&mut self, env: Env, key: Raw) -> napi::Result<(), CodeName> {
        self.add(one_key(env, key).map(Mutation::Delete))
    }

    /// Adds a delete of a key and its descendants, or (`exact`) of the key alone, if they match.
    #[napi(catch_unwind)]
    pub fn remove_tree(
        &mut self,
        env: Env,
        key: Raw,
        exact: bool,
        filter: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let key = one_key(env, key)?;
            let range = if exact { key.clone()..key::successor(&key) } else { key::tree(&key) };
            removal(env, range, filter)
        };
        self.add(mutation())
    }

    /// Adds a delete of a range.
    #[napi(catch_unwind)]
    pub fn remove_range(
        &mut self,
        env: Env,
        prefix: Raw,
        start: Raw,
        end: Raw,
        filter: Raw,
    ) -> napi::Result<(), CodeName> {
        let range = selector(env, prefix, start, end).and_then(|selector| selector.range());
        self.add(range.and_then(|range| removal(env, range, filter)))
    }

    /// Adds a sum (0), max (1) or min (2), by the bigint of a `KvU64` or by an integer.
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
        let operation = match operation {
            0 => Arithmetic::Sum,
            1 => Arithmetic::Max,
            _ => Arithmetic::Min,
        };
        let mutation = || {
            let key = one_key(env, key)?;
            let (operand, expires_in_ms) =
                (convert::operand(env, operand, is_u64)?, convert::expires_in(env, expires_in)?);
            Ok(Mutation::Arithmetic { key, operation, operand, expires_in_ms })
        };
        self.add(mutation())
    }

    /// Adds values to an array, in front or at the end.
    #[napi(catch_unwind)]
    pub fn splice(
        &mut self,
        env: Env,
        front: bool,
        key: Raw,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let values = ArrayText { encoding, text: convert::data(env, data) };
            Ok(Mutation::Splice {
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
            let patch = Encoded { encoding, bytes: convert::data(env, data) };
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
            let missing = || Error::invalid("expiresIn: it is missing; give a duration");
            Ok(Mutation::Touch {
                key,
                expires_in_ms: convert::expires_in(env, expires_in)?.ok_or_else(missing)?,
            })
        };
        self.add(mutation())
    }

    /// Stages the commit that was built; its outcome comes by mail under `id`. It issues a versionstamp always (0), if
    /// something is changed (1), or never (2).
    #[napi(catch_unwind)]
    pub fn submit(&mut self, id: u32, stamping: u8) -> napi::Result<(), CodeName> {
        let stamping = match stamping {
            0 => Stamping::Always,
            1 => Stamping::IfChanged,
            _ => Stamping::Never,
        };
        let commit = Commit { stamping, ..std::mem::take(&mut self.building) };
        self.stage(id, commit).map_err(thrown)
    }
}

/// A delete of a range, or of what matches in it.
fn removal(env: Env, range: Range<Vec<u8>>, filter: Raw) -> Result<Mutation> {
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
    // The placeholder of the versionstamp was taken off: it counts as a part.
    let parts = convert::prefix(env, key, "key", &mut out)? as usize + usize::from(stamped);
    if parts == 0 {
        return Err(Error::invalid(format!("key: it is empty; give 1 to {MAX_KEY_PARTS} parts")));
    }
    if parts > MAX_KEY_PARTS {
        return Err(Error::limit("key", parts, MAX_KEY_PARTS, "parts"));
    }
    let expires_in_ms = convert::expires_in(env, expires_in)?;
    Ok(Mutation::Set { key: out, stamped, encoding, value: convert::data(env, data), expires_in_ms })
}
