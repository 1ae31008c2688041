//! Folders that are made for a file. A new name is on disk when the folder that holds it is: so each is synced in its parent.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::identity::display_path;
use crate::base::error::{Code, Error, Result, SystemError};
use crate::store::local::sqlite::{NO_DESCRIPTOR, is_lack_of_descriptors};

/// Makes a folder and those above it that are missing; `made` gets them, the innermost last.
///
/// # Errors
/// `UNAVAILABLE`.
pub fn make(folder: &Path, made: &mut Vec<PathBuf>) -> Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !exists(folder)).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => made.push(folder.to_path_buf()),
            // Another process has made it, and may not have synced it yet.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(failed(folder, "created", &error)),
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new("."))).map_err(|error| failed(folder, "synced to disk", &error))?;
    }
    Ok(())
}

/// Waits until the names in a folder are on disk, where the file system can do that.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub fn sync(folder: &Path) -> io::Result<()> {
    let opened = match fs::File::open(folder) {
        // One that may be written, and not read.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        opened => opened?,
    };
    match opened.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// There folders cannot be synced.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A symbolic link that leads nowhere exists, too.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What to say of a folder that cannot be made or synced.
pub fn failed(folder: &Path, what: &str, error: &io::Error) -> Error {
    let operation = if what == "created" { "mkdir" } else { "sync" };
    let source = SystemError::of(error, operation, Some(folder));
    if is_lack_of_descriptors(error) {
        return Error::new(Code::Unavailable, NO_DESCRIPTOR).because(source);
    }
    let message = format!("the folder {} cannot be {what}: {error}", display_path(folder));
    Error::new(Code::Unavailable, message).because(source)
}
