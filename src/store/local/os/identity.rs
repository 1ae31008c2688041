//! The identity of a file, so that two paths of one file share one store.

use std::io;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use crate::base::clock::Stopwatch;
use crate::base::error::{Code, Error, Place, Result, SystemError, short};

/// A file: its device and inode, or, where there are none, its canonical path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileId {
    /// Device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The canonical path.
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl FileId {
    /// The file at a path; `None` if there is none.
    pub fn of(path: &Path) -> Option<Self> {
        Self::look(path).ok()
    }

    /// The file at a path. It is looked at, not opened.
    #[cfg(unix)]
    fn look(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|found| Self::Inode(found.dev(), found.ino()))
    }

    /// The file at a path.
    #[cfg(not(unix))]
    fn look(path: &Path) -> io::Result<Self> {
        std::fs::canonicalize(path).map(Self::Path)
    }
}

/// A path, for a message.
pub fn display_path(path: &Path) -> String {
    short(&path.display().to_string()).into_owned()
}

/// How many names a file has in its file system.
#[cfg(unix)]
pub fn names(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or(0, |file| file.nlink())
}

/// There it is not asked.
#[cfg(not(unix))]
pub fn names(_: &Path) -> u64 {
    1
}

/// The files of an open store, as they were when they were opened: the database, its log, and the log's
/// index.
#[derive(Debug)]
pub struct Whereabouts {
    files: Vec<(PathBuf, FileId)>,
    #[cfg(unix)]
    folders: Folders,
    /// How a file is looked at.
    #[cfg(unix)]
    look: Look,
}

type Look = fn(&Path) -> io::Result<FileId>;

impl Whereabouts {
    /// Those of a store that has just opened them.
    ///
    /// # Errors
    /// `UNAVAILABLE` if one of them cannot be looked at: nobody would notice later that it is another one.
    pub fn of(path: &Path) -> Result<Self> {
        Self::by(path, FileId::look)
    }

    fn by(path: &Path, look: Look) -> Result<Self> {
        // SQLite names the others after the file that a symbolic link leads to.
        let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let beside = |suffix: &str| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let mut files = Vec::new();
        for path in [path.to_path_buf(), beside("-wal"), beside("-shm")] {
            match look(&path) {
                Ok(id) => files.push((path, id)),
                Err(error) if error.kind() == NotFound => {}
                Err(error) => return Err(no_look(&path, &error)),
            }
        }
        Ok(Self {
            files,
            #[cfg(unix)]
            folders: Folders::of(path, &file, keeps_times),
            #[cfg(unix)]
            look,
        })
    }

    /// Whether one of them has moved. An error that says nothing about this is ignored for now: such a file
    /// is checked again the next time, whatever its folder says.
    #[cfg(unix)]
    pub fn have_changed(&mut self) -> bool {
        if self.folders.are_as_they_were() {
            return false;
        }
        let mut are_known = true;
        for (path, id) in &self.files {
            let found = (self.look)(path);
            are_known &= found.is_ok();
            if is_elsewhere(id, found) {
                return true;
            }
        }
        if !are_known {
            self.folders.begin_anew();
        }
        false
    }

    /// An open file cannot be moved or deleted there.
    #[cfg(not(unix))]
    pub fn have_changed(&mut self) -> bool {
        false
    }

    /// The error of moved files.
    pub fn error(&self) -> Error {
        self.files.first().map_or_else(Error::closed, |(path, _)| {
            Error::new(Code::Unavailable, MOVED).at(Place::subject(display_path(path)))
        })
    }
}

fn no_look(path: &Path, error: &io::Error) -> Error {
    let message = "a file of the store cannot be looked at; try again, or check its file system";
    Error::new(Code::Unavailable, message).because(SystemError::of(error, "stat", Some(path)))
}

/// Whether a look at its path says that a file is not there. Other errors say nothing about that and may
/// pass: those of a disk, and `ESTALE`, which a file server returns for a moment; reads and writes meet them
/// too if they last.
#[cfg(unix)]
fn is_elsewhere(id: &FileId, found: io::Result<FileId>) -> bool {
    use std::io::ErrorKind::NotADirectory;
    found.map_or_else(|error| matches!(error.kind(), NotFound | NotADirectory), |found| found != *id)
}

/// The folders that hold the names of the files. Moving, deleting or replacing a file changes the times of
/// its folder, so while these stay the same, one look at each folder says as much as one at each file. There
/// are two exceptions: another file mounted over a name, and a clock set back to the exact moment of the
/// folder's last change.
#[cfg(unix)]
#[derive(Debug)]
struct Folders {
    /// The name of the database.
    file: PathBuf,
    /// None where the file system may not keep their times.
    paths: Vec<PathBuf>,
    stamps: Option<Vec<Stamp>>,
    /// Since the stamps were taken.
    since: Stopwatch,
    /// The stamps were the same at two looks so far apart that a change after the second one would give other
    /// stamps.
    is_settled: bool,
    steps: Steps,
}

/// Two changes of a folder that are further apart have different times.
#[cfg(unix)]
#[derive(Debug, Clone, Copy)]
struct Steps {
    /// If times have nanoseconds: the clock that a kernel takes them from ticks at least a hundred times a
    /// second.
    fine: Duration,
    /// Elsewhere: the coarsest file system counts in steps of 2 s.
    coarse: Duration,
}

#[cfg(unix)]
impl Steps {
    const USUAL: Self = Self { fine: Duration::from_millis(100), coarse: Duration::from_secs(3) };

    /// That of folders with these stamps. A file system that counts in seconds gives no nanoseconds, whoever
    /// sets a time.
    fn of(self, stamps: &[Stamp]) -> Duration {
        if stamps.iter().all(|stamp| stamp.changed.1 != 0) { self.fine } else { self.coarse }
    }
}

/// A folder, and when its names, or itself, were changed last, in seconds and nanoseconds.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

#[cfg(unix)]
impl Folders {
    /// Of a path, and of the file that it leads to.
    fn of(path: &Path, file: &Path, keeps_times: fn(&Path) -> bool) -> Self {
        let mut paths: Vec<_> =
            [path, file].into_iter().filter_map(Path::parent).map(PathBuf::from).collect();
        paths.dedup();
        if !paths.iter().all(|path| keeps_times(path)) {
            paths.clear();
        }
        Self {
            file: path.to_path_buf(),
            paths,
            stamps: None,
            since: Stopwatch::start(),
            is_settled: false,
            steps: Steps::USUAL,
        }
    }

    /// The files could not be checked: what was seen of the folders says nothing about them.
    fn begin_anew(&mut self) {
        (self.stamps, self.is_settled) = (None, false);
    }

    /// Whether certainly no name in them has changed since the files were checked. If not, the files must be
    /// checked now.
    fn are_as_they_were(&mut self) -> bool {
        let step = self.stamps.as_ref().map_or(self.steps.fine, |stamps| self.steps.of(stamps));
        if self.paths.is_empty() || (!self.is_settled && self.since.elapsed() < step) {
            return false;
        }
        let found: Option<Vec<_>> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        let are_same = found == self.stamps && found.is_some();
        if are_same && self.is_settled {
            return true;
        }
        // A link may lead to further ones: what happens to these shows in neither folder.
        let is_link = || std::fs::symlink_metadata(&self.file).is_ok_and(|found| found.is_symlink());
        self.is_settled = are_same && !is_link();
        (self.stamps, self.since) = (found, Stopwatch::start());
        false
    }
}

/// Whether a folder's file system records the time of every change of a name, visible at once to every
/// process here: a network file system may answer late, and one in user space may answer anything.
#[cfg(target_os = "linux")]
fn keeps_times(folder: &Path) -> bool {
    const EXT: u32 = 0xef53;
    const XFS: u32 = 0x5846_5342;
    const BTRFS: u32 = 0x9123_683e;
    const F2FS: u32 = 0xf2f5_2010;
    const ZFS: u32 = 0x2fc1_2fc1;
    const TMPFS: u32 = 0x0102_1994;
    const OVERLAY: u32 = 0x794c_7630;
    rustix::fs::statfs(folder).is_ok_and(|found| {
        // Its type is another one on each machine; the number has 32 bits.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
        let kind = found.f_type as u32;
        matches!(kind, EXT | XFS | BTRFS | F2FS | ZFS | TMPFS | OVERLAY)
    })
}

/// There it is not known.
#[cfg(all(unix, not(target_os = "linux")))]
fn keeps_times(_: &Path) -> bool {
    false
}

#[cfg(unix)]
impl Stamp {
    fn of(folder: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(folder).ok()?;
        Some(Self {
            inode: (found.dev(), found.ino()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// The file that was opened is not at its path any more, and the advice with it.
pub const MOVED: &str =
    "the file was moved, deleted or replaced while it was open; close every Kv on it and open it again";

#[cfg(target_os = "linux")]
#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
