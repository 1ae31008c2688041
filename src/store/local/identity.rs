//! Which file a path is, so that two paths of one file share one store.

use std::path::{Path, PathBuf};

use crate::base::error::{Code, Error, short};

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
    /// The file at a path; `None` if there is none. It is looked at, not opened.
    #[cfg(unix)]
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self::Inode(metadata.dev(), metadata.ino()))
    }

    /// The file at a path; `None` if there is none.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::canonicalize(path).ok().map(Self::Path)
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

/// The files of an open store, each as it was found when they were opened: the database, its log, and the log's index.
#[derive(Debug, Clone)]
pub struct Whereabouts(Vec<(PathBuf, FileId)>);

impl Whereabouts {
    /// Those of a store that has just opened them.
    pub fn of(path: &Path) -> Self {
        // SQLite names the others after the file that a symbolic link leads to.
        let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let beside = |suffix: &str| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let paths = [path.to_path_buf(), beside("-wal"), beside("-shm")];
        let found = paths.into_iter().filter_map(|path| FileId::of(&path).map(|id| (path, id)));
        Self(found.collect())
    }

    /// Whether one of them is not where it was. An error that says nothing of it is passed over.
    #[cfg(unix)]
    pub fn have_changed(&self) -> bool {
        use std::io::ErrorKind;
        use std::os::unix::fs::MetadataExt;
        self.0.iter().any(|(path, id)| match std::fs::metadata(path) {
            Ok(found) => *id != FileId::Inode(found.dev(), found.ino()),
            Err(error) => matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::StaleNetworkFileHandle
            ),
        })
    }

    /// An open file cannot be moved or deleted there.
    #[cfg(not(unix))]
    pub fn have_changed(&self) -> bool {
        false
    }

    /// What is said of it.
    pub fn error(&self) -> Error {
        self.0.first().map_or_else(Error::closed, |(path, _)| moved(path))
    }
}

/// The advice with it.
pub const MOVED: &str =
    "the file was moved, deleted or replaced while it was open; close every Kv on it and open it again";

/// The file that was opened is not at its path any more.
pub fn moved(path: &Path) -> Error {
    Error::new(Code::Unavailable, format!("{}: {MOVED}", display_path(path)))
}
