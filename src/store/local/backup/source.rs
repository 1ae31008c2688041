//! The source of a backup.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::local::os::identity::FileId;
use crate::store::local::sqlite::{Connect, Db};

/// The source of a backup.
pub enum Source {
    /// A connection of its own to the store's file.
    File {
        /// Opens it.
        connect: Connect,
        /// The file.
        path: PathBuf,
        /// Which file that is.
        id: FileId,
    },
    /// The store's only connection.
    Memory(Arc<Mutex<Db>>),
}
