//! Locks.

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::convert;
use super::values::raw::{Raw, member};
use crate::base::error::At;
use crate::engine::lock::LockRequest;
use crate::engine::request::{Request, Write};

#[napi]
impl Handle {
    /// Takes or refreshes a lock, `{ name, owner, duration }`; `[acquired,token,expires]` comes by mail under
    /// `id`.
    #[napi(catch_unwind)]
    pub fn lock_take(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, request, name);
        let request = || {
            let request = LockRequest {
                name: convert::name(env, given(c"name"))?,
                owner: convert::text(env, given(c"owner")).at("owner")?,
                duration_ms: convert::needed_duration(env, given(c"duration")).at("duration")?,
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

    /// The holder of a lock, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn lock_status(&mut self, env: Env, id: u32, name: Raw) -> napi::Result<Packet, CodeName> {
        let name = convert::name(env, name).map_err(thrown)?;
        self.ask(id, Request::Lock(name))
    }
}
