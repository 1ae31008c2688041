//! Consumers of the change feed.

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::At;
use crate::engine::changes::consumer::LeaseHolder;
use crate::engine::request::{Request, Write};

fn holder_of(env: Env, request: Raw) -> LeaseHolder {
    let given = |name| member(env, request, name);
    LeaseHolder {
        name: raw::lossy_text(env, given(c"name")),
        lease: raw::int64(env, given(c"lease")),
        lease_ms: raw::int64(env, given(c"leaseMs")),
        is_loop: false,
    }
}

/// A consumer's name, checked.
#[napi(catch_unwind)]
pub fn check_consumer(env: Env, name: Raw) -> napi::Result<(), CodeName> {
    convert::name(env, name).map(drop).map_err(thrown)
}

#[napi]
impl Handle {
    /// Takes or renews a consumer's lease, `{ name, prefix, lease, leaseMs, isLoop }`;
    /// `[lease,position,prefix]` or `[null,until]` comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_take(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let prefix = member(env, request, c"prefix");
        let given = !raw::is_absent(env, prefix);
        let prefix = given.then(|| convert::own_prefix(env, prefix)).transpose().map_err(thrown)?;
        let is_loop = raw::flag(env, member(env, request, c"isLoop"));
        let holder = LeaseHolder { is_loop, ..holder_of(env, request) };
        self.write(id, Write::TakeConsumer(holder, prefix))
    }

    /// Moves a consumer, `{ name, lease, leaseMs, seq }`; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_commit(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let seq = convert::whole_number(env, member(env, request, c"seq")).at("seq").map_err(thrown)?;
        self.write(id, Write::CommitConsumer(holder_of(env, request), seq))
    }

    /// Gives a consumer's lease back; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_release(&mut self, id: u32, name: String, lease: i64) -> napi::Result<(), CodeName> {
        let holder = LeaseHolder { name, lease, lease_ms: 0, is_loop: false };
        self.write(id, Write::ReleaseConsumer(holder))
    }

    /// Deletes a consumer; whether there was one comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_delete(&mut self, id: u32, name: String) -> napi::Result<(), CodeName> {
        self.write(id, Write::DeleteConsumer(name))
    }

    /// The position of a consumer, now or by mail under `id`: `[position,head,until]`.
    #[napi(catch_unwind)]
    pub fn consumer_status(&mut self, id: u32, name: String) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::Consumer(name))
    }
}
