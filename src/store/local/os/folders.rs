//! Folders made for a file, and their names on disk: a new name is durable once the folder that holds it is
//! synced.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::identity::display_path;
use crate::base::error::{Code, Error, Result, SystemError};
use crate::store::local::sqlite::{NO_DESCRIPTOR, is_lack_of_descriptors};

/// Makes a folder and those above it that are missing; `made` gets them, the innermost last. Their names are
/// not on disk yet: see `sync_all_above`.
///
/// # Errors
/// `UNAVAILABLE`.
pub fn make(folder: &Path, made: &mut Vec<PathBuf>) -> Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !exists(folder)).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => made.push(folder.to_path_buf()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(failed(folder, "created", &error)),
        }
    }
    Ok(())
}

/// Waits until a folder, the folders above it in its file system, and the names in it are on disk. Also if
/// they existed: their maker may have been killed before it synced them, or may not have synced them yet.
///
/// # Errors
/// `UNAVAILABLE`.
pub fn sync_all_above(folder: &Path) -> Result<()> {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let device = device(&folder);
    for above in folder.ancestors().take_while(|above| self::device(above) == device) {
        sync(above).map_err(|error| failed(above, "synced to disk", &error))?;
    }
    Ok(())
}

#[cfg(unix)]
fn device(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().map(|found| found.dev())
}

/// Folders cannot be synced there.
#[cfg(not(unix))]
fn device(_: &Path) -> Option<u64> {
    None
}

/// Waits until the names in a folder are on disk, if the file system can do that.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub fn sync(folder: &Path) -> io::Result<()> {
    let opened = match fs::File::open(folder) {
        // A folder that may be written but not read.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        opened => opened?,
    };
    match opened.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Folders cannot be synced there.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A symbolic link that leads nowhere exists, too.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The error of a folder that cannot be made or synced.
fn failed(folder: &Path, what: &str, error: &io::Error) -> Error {
    let operation = if what == "created" { "mkdir" } else { "sync" };
    let source = SystemError::of(error, operation, Some(folder));
    if is_lack_of_descriptors(error) {
        return Error::new(Code::Unavailable, NO_DESCRIPTOR).because(source);
    }
    let message = format!("the folder {} cannot be {what}: {error}", display_path(folder));
    Error::new(Code::Unavailable, message).because(source)
}
