//! Watches: begins a watch, and reads it batch by batch.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::codes;
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Result};
use crate::engine::changes::followers::{Reach, Target};
use crate::engine::changes::watch::WatchRequest;
use crate::engine::request::Request;

/// A watch in progress.
#[napi]
pub struct Watch {
    watch: Arc<crate::engine::changes::watch::Watch>,
}

#[napi]
impl Watch {
    /// Its number, by which `changed_subscribers` names it.
    #[napi(getter, catch_unwind)]
    pub fn id(&self) -> u32 {
        self.watch.id
    }
}

#[napi]
impl Handle {
    /// Begins a watch, `{ keys, emitInitial, from, bufferKeys, dropNewest }`, of keys, or of those under a
    /// single one: `codes::reach`.
    #[napi(catch_unwind)]
    pub fn watch_open(&mut self, env: Env, request: Raw, reach: u8) -> napi::Result<Watch, CodeName> {
        let given = |name| member(env, request, name);
        let reach = codes::reach(reach).map_err(thrown)?;
        let target = |(index, key): (usize, Raw)| {
            let mut out = Vec::new();
            let encoded = if reach == Reach::Under {
                convert::prefix(env, key, &mut out).map(drop).at("prefix")
            } else {
                convert::key(env, key, &mut out).at("key")
            };
            if index == 0 { encoded } else { encoded.at(("keys", index)) }?;
            Ok(Target { key: out, reach })
        };
        let request = || {
            Ok(WatchRequest {
                targets: convert::elements(env, given(c"keys"))
                    .at("keys")?
                    .map(target)
                    .collect::<Result<_>>()?,
                emit_initial: raw::flag(env, given(c"emitInitial")),
                from: convert::optional_text(env, given(c"from"), "from")?,
                buffer_keys: Some(given(c"bufferKeys"))
                    .filter(|keys| !raw::is_absent(env, *keys))
                    .map(|keys| raw::count(env, keys)),
                drop_newest: raw::flag(env, given(c"dropNewest")),
            })
        };
        let watch = request().and_then(|request| self.kv()?.watch(request)).map_err(thrown)?;
        Ok(Watch { watch })
    }

    /// Reads the next batch of a watch, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn watch_next(&mut self, id: u32, watch: &Watch) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::Watch(Arc::clone(&watch.watch)))
    }

    /// Ends a watch.
    #[napi(catch_unwind)]
    pub fn watch_stop(&self, watch: &Watch) {
        watch.watch.stop();
    }
}
