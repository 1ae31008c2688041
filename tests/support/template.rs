//! A file with data of each kind, and copies of it to change.

use std::path::PathBuf;

use keyval::base::config::{ChangeLog, Options};
use keyval::kv::Kv;
use tempfile::TempDir;

use super::fault::Trap;
use super::raw::{self, Raw, RawState};
use super::{HOUR_MS, T0, close, commit, commit_ok, open, quiet, set, set_for, sum};

/// The time at which the copies are used; entries that live for a second have expired by then.
pub const LATER: i64 = T0 + 5_000;
const A_SECOND: Option<i64> = Some(1_000);

/// A closed file.
pub struct Template {
    folder: TempDir,
    /// Its content.
    pub state: RawState,
    planted: String,
}

/// A copy, open, with its clock at `LATER`.
pub struct Copy {
    folder: TempDir,
    pub trap: Trap,
    pub kv: Kv,
}

/// Writes data of each kind.
pub fn fill(kv: &mut Kv) {
    let plain =
        [set(&["plain"], "1"), set(&["other"], "\"x\""), set(&["list"], "[1,2]"), sum(&["counter"], 5)];
    let mortal = [
        set_for(&["dead"], "0", A_SECOND),
        set_for(&["dead", "too"], "0", A_SECOND),
        set_for(&["tree", "dead"], "0", A_SECOND),
        set_for(&["leased"], "\"l\"", Some(HOUR_MS)),
    ];
    let tree = [set(&["tree", "a"], "1"), set(&["tree", "b"], "2"), set(&["tree", "c"], "3")];
    for mutations in [plain.to_vec(), mortal.to_vec(), tree.to_vec()] {
        commit_ok(kv, commit(mutations));
    }
}

impl Template {
    pub fn new(change_log: ChangeLog) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kv.db");
        let mut kv = open(&path, &Options { change_log: Some(change_log), ..quiet() });
        fill(&mut kv);
        close(kv);
        let state = raw::state(&path);
        Self { folder, state, planted: String::new() }
    }

    /// Changes the file behind the store's back.
    pub fn alter(mut self, sql: &str) -> Self {
        let path = self.folder.path().join("kv.db");
        Raw::open(&path).execute(sql);
        self.state = raw::state(&path);
        self
    }

    /// Runs the SQL in each copy once it is open: a file that was so before would be refused.
    pub fn plant(self, sql: &str) -> Self {
        Self { planted: sql.into(), ..self }
    }

    /// Changes it through the store.
    pub fn after(mut self, work: impl FnOnce(&mut Kv)) -> Self {
        let path = self.folder.path().join("kv.db");
        let mut kv = open(&path, &quiet());
        kv.freeze_clock(Some(T0));
        work(&mut kv);
        close(kv);
        self.state = raw::state(&path);
        self
    }

    pub fn copy(&self) -> Copy {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("kv.db");
        std::fs::copy(self.folder.path().join("kv.db"), &path).unwrap();
        let trap = Trap::default();
        let kv = open(&path, &trap.options());
        kv.freeze_clock(Some(LATER));
        if !self.planted.is_empty() {
            Raw::open(&path).execute(&self.planted);
        }
        Copy { folder, trap, kv }
    }
}

impl Copy {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("kv.db")
    }

    pub fn state(&self) -> RawState {
        raw::state(&self.path())
    }

    /// Closes; gives the state that a new opening finds.
    pub fn close(self) -> RawState {
        let path = self.path();
        close(self.kv);
        Raw::open(&path).assert_sound();
        raw::state(&path)
    }
}
