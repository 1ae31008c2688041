//! Backups: begun, asked for news, stopped.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;

use super::convert;
use super::convert::Raw;
use super::handle::{CodeName, Handle};
use super::text::thrown;
use crate::base::error::Error;
use crate::store::BackupHandle;

/// A backup under way.
#[napi]
pub struct Backup {
    handle: Arc<BackupHandle>,
}

#[napi]
impl Handle {
    /// Begins one; it tells of progress only if it is `watched`.
    #[napi(catch_unwind)]
    pub fn backup(
        &mut self,
        env: Env,
        path: Raw,
        overwrite: bool,
        watched: bool,
    ) -> napi::Result<Backup, CodeName> {
        let path = convert::text(env, path, "path");
        let handle = path.and_then(|path| self.kv()?.backup(&path, overwrite, watched));
        Ok(Backup { handle: handle.map_err(thrown)? })
    }

    /// Asks for the next news, which comes by mail under `id`: `[copied,total]`, or what came of it.
    #[napi(catch_unwind)]
    pub fn backup_news(&self, backup: &Backup, id: u32) -> napi::Result<(), CodeName> {
        let mailbox = self.mailbox().map_err(thrown)?;
        backup.handle.next(Box::new(move |news| {
            mailbox.post_backup_event(id, news);
            mailbox.announce();
        }));
        Ok(())
    }

    /// Stops one; its end is still to be asked for.
    #[napi(catch_unwind)]
    pub fn stop_backup(&self, backup: &Backup) {
        backup.handle.stop(Error::closed(), None);
    }

    /// Stops all of this `Kv`, as `close` does, which waits for what is pending before it comes here.
    #[napi(catch_unwind)]
    pub fn stop_backups(&mut self) {
        if let Ok(kv) = self.kv() {
            kv.stop_backups();
        }
    }
}
