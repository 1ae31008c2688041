//! Which file a path is, so that two paths of one file share one store.

use std::path::Path;

use crate::error::short;

/// A file: its device and inode, or, where there are none, its canonical path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileId {
    /// Device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The canonical path.
    #[cfg(not(unix))]
    Path(std::path::PathBuf),
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
pub fn shown(path: &Path) -> String {
    short(&path.display().to_string()).into_owned()
}
