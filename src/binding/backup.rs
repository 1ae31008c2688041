//! Backups: begun, asked for events, stopped.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::thrown;
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Error};
use crate::store::BackupHandle;

/// A backup in progress.
#[napi]
pub struct Backup {
    handle: Arc<BackupHandle>,
}

#[napi]
impl Handle {
    /// Begins one, `{ path, overwrite, watched }`; it reports progress only if it is `watched`.
    #[napi(catch_unwind)]
    pub fn backup_open(&mut self, env: Env, request: Raw) -> napi::Result<Backup, CodeName> {
        let path = convert::text(env, member(env, request, c"path")).at("path");
        let [overwrite, watched] =
            [c"overwrite", c"watched"].map(|name| raw::flag(env, member(env, request, name)));
        let handle = path.and_then(|path| self.kv()?.backup(&path, overwrite, watched));
        Ok(Backup { handle: handle.map_err(thrown)? })
    }

    /// Asks for the next event, which comes by mail under `id`: `[copied,total]`, or the outcome.
    #[napi(catch_unwind)]
    pub fn backup_next(&self, id: u32, backup: &Backup) -> napi::Result<(), CodeName> {
        let mailbox = self.mailbox().map_err(thrown)?;
        backup.handle.next(Box::new(move |event| {
            mailbox.post_backup_event(id, event);
            mailbox.announce();
        }));
        Ok(())
    }

    /// Stops one; the caller must still ask for its end.
    #[napi(catch_unwind)]
    pub fn backup_stop(&self, backup: &Backup) {
        backup.handle.stop(Error::closed(), None);
    }

    /// Stops all backups of this `Kv`; for `close`, which waits for pending calls before it comes here.
    #[napi(catch_unwind)]
    pub fn backup_stop_all(&mut self) {
        if let Ok(kv) = self.kv() {
            kv.stop_backups();
        }
    }
}
