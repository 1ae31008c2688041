//! The file of a test, in a folder of its own that is deleted with it.

use std::path::PathBuf;
use std::sync::Arc;

use keyval::base::config::{Location, Options};
use keyval::engine::query::definition::definition_of;
use keyval::kv::Kv;
use keyval::store::local::{self, LocalStore};
use tempfile::TempDir;

use super::quiet;
use super::raw::{self, RawState};

pub struct File {
    folder: TempDir,
}

impl File {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("kv.db")
    }

    /// Opens it with the machine's clock.
    pub fn open(&self) -> Kv {
        self.open_with(&quiet())
    }

    pub fn open_with(&self, options: &Options) -> Kv {
        Kv::open(self.path().to_str().unwrap(), options).unwrap()
    }

    /// Opens it with the clock at `T0`.
    pub fn open_frozen(&self) -> Kv {
        super::open(&self.path(), &quiet())
    }

    /// The store itself, for operations other than commits; to be detached.
    pub fn store(&self, options: &Options) -> Arc<LocalStore> {
        local::open(&Location::File(self.path()), options, definition_of).unwrap()
    }

    /// The content of the file, row by row.
    pub fn state(&self) -> RawState {
        raw::state(&self.path())
    }
}
