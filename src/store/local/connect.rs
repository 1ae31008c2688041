//! The writer's connection: the checks before a file is opened, and after.

use std::path::Path;

use super::os::folders;
use super::os::identity::names;
use super::sqlite::{Connection, Db};
use super::{backup, schema};
use crate::base::config::{DEFAULT_BUSY_TIMEOUT_MS, Options};
use crate::base::error::{Code, Error, Result};
use crate::store::rows::index::Define;

/// Pages that the writer keeps: 8 MB at most; 16 cost no less processor time a set, a load or a delete. All
/// caches take memory as pages are used.
const WRITE_CACHE: &str = "PRAGMA cache_size = -8000";

/// Opens a file, or memory, and makes it ours.
///
/// # Errors
/// `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`; the file is left as it was.
pub fn connect(path: &Path, options: &Options, define: Define) -> Result<Db> {
    refuse_stub(path)?;
    let has_log = has_write_ahead_log(path);
    let mut connection = Connection::open(path, options.fault.clone())?;
    connection.set_busy_timeout(options.busy_timeout_ms.unwrap_or(DEFAULT_BUSY_TIMEOUT_MS));
    connection.execute(WRITE_CACHE)?;
    connection.checkpoint_by_itself();
    let sync_names = || sync_names(path);
    schema::open(&mut connection, options, define, sync_names).inspect_err(|_| {
        // Closing would write a foreign database's log into it. Without a log, closing leaves nothing behind.
        if has_log {
            connection.keep_untouched();
        }
    })?;
    Ok(Db::new(connection))
}

/// SQLite takes a file that is too short for a header for an empty one, and would write over it.
fn refuse_stub(path: &Path) -> Result<()> {
    const MIN_DATABASE_BYTES: u64 = 512;
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() && (1..MIN_DATABASE_BYTES).contains(&file.len()) => {
            Err(Error::corrupt("the file is not a KeyVal database; give another path"))
        }
        _ => Ok(()),
    }
}

fn has_write_ahead_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|file| file.len() > 0)
}

/// Makes the folders above a file.
pub fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    folders::make(parent, &mut Vec::new())
}

/// Waits until the names of a new file, and of the folders above it, are on disk.
fn sync_names(path: &Path) -> Result<()> {
    // SQLite has made the file that a symbolic link leads to. There is none in memory.
    let file = std::fs::canonicalize(path).ok();
    file.as_deref().and_then(Path::parent).map_or(Ok(()), folders::sync_all_above)
}

/// Refuses a file with two names: each name would have its own log, and two processes would lose each other's
/// commits.
pub fn refuse_second_name(path: &Path) -> Result<()> {
    if names(path) > 1 {
        backup::remove_second_name(path);
    }
    if names(path) > 1 {
        let message = "the file has several names (hard links), each of which would have a log of its own; remove all but one, or copy the file";
        return Err(Error::new(Code::Unsupported, message));
    }
    Ok(())
}
