//! Locks and consumers.

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::text::{Packet, thrown};
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{Error, Result};
use crate::engine::changes::consumer::LeaseHolder;
use crate::engine::lock::LockRequest;
use crate::engine::queue::enqueue::check_name;
use crate::engine::request::{Request, Write};

fn name_of(env: Env, name: Raw) -> Result<String> {
    let name = convert::text(env, name, "name")?;
    check_name(&name, "name").map(|()| name)
}

fn holder_of(env: Env, request: Raw) -> LeaseHolder {
    let given = |name| member(env, request, name);
    LeaseHolder {
        name: raw::lossy_text(env, given(c"name")),
        lease: raw::int64(env, given(c"lease")),
        lease_ms: raw::int64(env, given(c"leaseMs")),
    }
}

/// A consumer's name, checked.
#[napi(catch_unwind)]
pub fn check_consumer(env: Env, name: Raw) -> napi::Result<(), CodeName> {
    name_of(env, name).map(drop).map_err(thrown)
}

#[napi]
impl Handle {
    /// Takes or refreshes a lock, `{ name, owner, duration }`; `[acquired,token,expires]` comes by mail under
    /// `id`.
    #[napi(catch_unwind)]
    pub fn lock_take(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, request, name);
        let request = || {
            let missing = || Error::invalid("duration: it is missing; give a duration");
            let request = LockRequest {
                name: name_of(env, given(c"name"))?,
                owner: convert::text(env, given(c"owner"), "owner")?,
                duration_ms: convert::duration(env, given(c"duration"), "duration")?.ok_or_else(missing)?,
            };
            request.validate().map(|()| request)
        };
        let request = request().map_err(thrown)?;
        self.write(id, Write::TakeLock(request))
    }

    /// Gives a lock back; whether it was held comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn lock_release(&mut self, id: u32, name: String, token: i64) -> napi::Result<(), CodeName> {
        self.write(id, Write::ReleaseLock(name, token))
    }

    /// Who holds a lock, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn lock_status(&mut self, env: Env, id: u32, name: Raw) -> napi::Result<Packet, CodeName> {
        let name = name_of(env, name).map_err(thrown)?;
        self.ask(id, Request::Lock(name))
    }

    /// Takes or renews a consumer's lease, `{ name, prefix, lease, leaseMs }`; `[lease,position,prefix]` or
    /// `[null,until]` comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_take(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let prefix = member(env, request, c"prefix");
        let encoded = || {
            let mut out = Vec::new();
            let given = !raw::is_absent(env, prefix);
            given.then(|| convert::prefix(env, prefix, "prefix", &mut out).map(|_| out)).transpose()
        };
        let prefix = encoded().map_err(thrown)?;
        self.write(id, Write::TakeConsumer(holder_of(env, request), prefix))
    }

    /// Moves a consumer, `{ name, lease, leaseMs, seq }`; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_commit(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let seq = convert::whole_number(env, member(env, request, c"seq"), "seq").map_err(thrown)?;
        self.write(id, Write::CommitConsumer(holder_of(env, request), seq))
    }

    /// Gives a consumer's lease back; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_release(&mut self, id: u32, name: String, lease: i64) -> napi::Result<(), CodeName> {
        let holder = LeaseHolder { name, lease, lease_ms: 0 };
        self.write(id, Write::ReleaseConsumer(holder))
    }

    /// Forgets a consumer; whether there was one comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn consumer_delete(&mut self, id: u32, name: String) -> napi::Result<(), CodeName> {
        self.write(id, Write::DeleteConsumer(name))
    }

    /// Where a consumer stands, now or by mail under `id`: `[position,head,until]`.
    #[napi(catch_unwind)]
    pub fn consumer_status(&mut self, id: u32, name: String) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::Consumer(name))
    }
}
