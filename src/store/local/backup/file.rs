//! The file of a backup: forbidden targets, the temporary name while it is written, and the final name.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::source::Source;
use crate::base::error::{Code, Error, Result, SystemError};
use crate::store::local::os::folders;
use crate::store::local::os::folders::exists;
use crate::store::local::os::identity::{FileId, display_path};
use crate::store::local::sqlite::{NO_DESCRIPTOR, is_lack_of_descriptors};

/// Files that SQLite puts beside a database. One beside a copy would be taken for the copy's own.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Between the name of a copy and the id of the attempt.
const PARTIAL: &str = ".keyval-partial-";
/// In the header: the versions for writing and reading, 1 for a database of one file, 2 for one with a
/// write-ahead log.
const VERSIONS_AT: u64 = 18;

/// The targets that are written to in this process.
static BUSY_TARGETS: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// The target of a copy, reserved until this is dropped.
pub struct Target {
    path: PathBuf,
    name: OsString,
    folder: PathBuf,
    overwrite: bool,
    /// Folders that were made for it, the innermost last; removed again unless they are kept.
    made: Vec<PathBuf>,
    kept: AtomicBool,
    own: Option<FileId>,
    held: Option<PathBuf>,
}

impl Target {
    /// Checks the target, makes its folder and removes the leftovers of killed attempts.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` where no copy may be, `BUSY` if another backup writes there, `UNAVAILABLE`.
    pub fn claim(path: &Path, overwrite: bool, source: &Source) -> Result<Self> {
        let is_folder = path.to_string_lossy().ends_with(std::path::is_separator);
        let (Some(name), Some(folder), false) = (path.file_name(), path.parent(), is_folder) else {
            return Err(Error::invalid("it is no name of a file; give another path"));
        };
        let own = match source {
            Source::File { id, .. } => Some(id.clone()),
            Source::Memory(_) => None,
        };
        let mut target = Self {
            path: path.to_path_buf(),
            name: name.to_os_string(),
            folder: folder.to_path_buf(),
            overwrite,
            made: Vec::new(),
            kept: AtomicBool::new(false),
            own,
            held: None,
        };
        target.check()?;
        folders::make(&target.folder, &mut target.made)?;
        folders::sync_all_above(&target.folder)?;
        target.hold()?;
        target.remove_leftovers();
        Ok(target)
    }

    /// Keeps the folders that were made.
    pub fn keep_folders(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> Result<()> {
        if FileId::of(&self.path).is_some_and(|id| self.own.as_ref() == Some(&id)) {
            return Err(Error::invalid("it is the store's own file; give another path"));
        }
        for side in SIDE_FILES {
            if exists(&with_suffix(&self.path, side)) {
                let message = format!(
                    "{}{side} lies beside it: a database of that name is open, or was not closed well; give another path",
                    display_path(Path::new(&self.name))
                );
                return Err(Error::invalid(message));
            }
            if let Some(base) = without_suffix(&self.path, side).filter(|base| exists(base)) {
                let message = format!("it is a side file of {}; give another path", display_path(&base));
                return Err(Error::invalid(message));
            }
        }
        match fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => {
                Err(Error::invalid("it exists and is not a file; give another path"))
            }
            _ if exists(&self.path) && !self.overwrite => {
                Err(Error::invalid("the file exists; give another path, or overwrite: true"))
            }
            _ => Ok(()),
        }
    }

    fn hold(&mut self) -> Result<()> {
        let folder = fs::canonicalize(&self.folder).map_err(failed(
            "the folder cannot be used",
            "open",
            &self.folder,
        ))?;
        let place = folder.join(&self.name);
        if !BUSY_TARGETS.lock().insert(place.clone()) {
            return Err(Error::new(Code::Busy, "another backup to this path is running; wait for its end"));
        }
        self.held = Some(place);
        Ok(())
    }

    /// This process reserves its targets, so a leftover is of a killed process, or of another one that backs
    /// up to the same path at this moment; that backup then fails, and leaves nothing.
    fn remove_leftovers(&self) {
        let mut prefix = self.name.clone();
        prefix.push(PARTIAL);
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        for file in files.flatten() {
            if file.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(place) = &self.held {
            BUSY_TARGETS.lock().remove(place);
        }
        if !self.kept.load(Ordering::Relaxed) {
            for folder in self.made.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// The file while it is written; removed when it is dropped without having been published.
pub struct PartialFile {
    path: PathBuf,
    file: File,
    published: bool,
}

impl PartialFile {
    /// An empty file beside the target, with the permissions of the file that is copied.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub fn create(target: &Target, source: &Source) -> Result<Self> {
        let mut name = target.name.clone();
        let attempt = crate::base::clock::new_id().as_u128() & 0xffff_ffff;
        name.push(format!("{PARTIAL}{attempt:08x}"));
        let path = target.folder.join(name);
        let file = File::create_new(&path).map_err(failed(
            "no file can be made there; check the path and its permissions",
            "open",
            &path,
        ))?;
        let partial = Self { path, file, published: false };
        if let Source::File { path, .. } = source
            && let Ok(original) = fs::metadata(path)
        {
            partial.file.set_permissions(original.permissions()).map_err(failed(
                "its permissions cannot be set",
                "chmod",
                &partial.path,
            ))?;
        }
        Ok(partial)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the written bytes are on disk.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(failed("it cannot be synced to disk", "sync", &self.path))
    }

    /// Turns it into a complete database in one file, on disk; returns its size. No connection may be open on
    /// it.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub fn seal(&self) -> Result<u64> {
        let mut file = &self.file;
        let mut seal = || {
            file.seek(SeekFrom::Start(VERSIONS_AT))?;
            file.write_all(&[1, 1])?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        seal().map_err(failed("it cannot be written to disk", "write", &self.path))
    }

    /// Gives it its final name.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if the target exists by now, `UNAVAILABLE`.
    pub fn publish(mut self, target: &Target) -> Result<()> {
        target.check()?;
        let moved = if target.overwrite { self.replace(target) } else { self.take_free_name(target) };
        moved.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::invalid("the file exists by now; give another path, or overwrite: true")
            }
            ErrorKind::NotFound => {
                let message = "its unfinished file is gone; another process has backed up to the same path";
                let source = SystemError::of(&error, "rename", Some(&self.path));
                Error::new(Code::Unavailable, message).because(source)
            }
            _ => failed("it cannot be renamed", "rename", &target.path)(error),
        })?;
        self.published = true;
        folders::sync(&target.folder).map_err(failed(
            "its folder cannot be synced to disk",
            "sync",
            &target.folder,
        ))
    }

    fn replace(&self, target: &Target) -> io::Result<()> {
        fs::rename(&self.path, &target.path)
    }

    /// A rename would replace a file made since the last check; creating a second name fails then.
    fn take_free_name(&self, target: &Target) -> io::Result<()> {
        match fs::hard_link(&self.path, &target.path) {
            Ok(()) => match fs::remove_file(&self.path) {
                // A process that opened the file has removed the second name.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                Err(error)
            }
            // A file system without hard links.
            Err(_) => self.replace(target),
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the second name of a file, left by a process that was killed in `take_free_name`.
pub fn remove_second_name(path: &Path) {
    let (Some(name), Some(folder), id) = (path.file_name(), path.parent(), FileId::of(path)) else { return };
    let mut prefix = name.to_os_string();
    prefix.push(PARTIAL);
    let Ok(files) = fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let is_ours = file.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        if is_ours && FileId::of(&file.path()) == id {
            let _ = fs::remove_file(file.path());
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn without_suffix(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = path.file_name().and_then(OsStr::to_str)?.strip_suffix(suffix)?;
    (!name.is_empty()).then(|| path.with_file_name(name))
}

/// The error of an operation on a file or a folder.
fn failed(what: &'static str, operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| {
        let message = match error.kind() {
            ErrorKind::StorageFull => format!("the disk is full; free some space ({error})"),
            _ if is_lack_of_descriptors(&error) => NO_DESCRIPTOR.to_string(),
            _ => format!("{what}: {error}"),
        };
        Error::new(Code::Unavailable, message).because(SystemError::of(&error, operation, Some(path)))
    }
}
