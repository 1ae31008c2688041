//! Whether the files of a store are where they were opened. Each write looks, reads and the commit monitor do so about
//! once a second, and what one of them has noticed all of them refuse from then on.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;

use super::os::identity::Whereabouts;
use crate::base::clock::Stopwatch;
use crate::base::error::{Error, Result};

/// Reads look again when the last look was longer ago: a look takes 1 to 4 µs, and a get 3.
const PAUSE: Duration = Duration::from_secs(1);

/// What the threads of a store know of its files.
pub struct FileCheck {
    /// None in memory.
    files: Option<Mutex<Files>>,
    /// What was noticed. It holds for ever, also if the file comes back: its log may have been written by others.
    moved: OnceLock<Error>,
}

struct Files {
    whereabouts: Whereabouts,
    looked: Stopwatch,
    pause: Duration,
}

impl FileCheck {
    /// Of a store that has just opened its files, or that has none.
    pub fn of(path: Option<&Path>) -> Self {
        let files = path.map(|path| Files {
            whereabouts: Whereabouts::of(path),
            looked: Stopwatch::start(),
            pause: PAUSE,
        });
        Self { files: files.map(Mutex::new), moved: OnceLock::new() }
    }

    /// Whether there are no files.
    pub fn is_in_memory(&self) -> bool {
        self.files.is_none()
    }

    /// What was noticed until now.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they were not where they were opened.
    pub fn known(&self) -> Result<()> {
        self.moved.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Looks now.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they are not where they were opened, or were not at an earlier look.
    pub fn look(&self) -> Result<()> {
        self.known()?;
        self.files.as_ref().map_or(Ok(()), |files| self.look_at(&mut files.lock()))
    }

    /// Looks if the last look was long ago, and nobody else does so at this moment.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn look_sometimes(&self) -> Result<()> {
        self.known()?;
        match self.files.as_ref().and_then(Mutex::try_lock) {
            Some(mut files) if files.looked.elapsed() >= files.pause => self.look_at(&mut files),
            _ => Ok(()),
        }
    }

    fn look_at(&self, files: &mut Files) -> Result<()> {
        files.looked = Stopwatch::start();
        if !files.whereabouts.have_changed() {
            return Ok(());
        }
        Err(self.moved.get_or_init(|| files.whereabouts.error()).clone())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn opened(pause: Duration) -> (tempfile::TempDir, FileCheck) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.db"), "").unwrap();
        let check = FileCheck::of(Some(&folder.path().join("app.db")));
        check.files.as_ref().unwrap().lock().pause = pause;
        (folder, check)
    }

    /// Seen to fail: where only writes look.
    #[test]
    fn reads_look_when_the_last_look_was_long_ago() {
        let (folder, check) = opened(Duration::ZERO);
        check.look_sometimes().unwrap();
        fs::remove_file(folder.path().join("app.db")).unwrap();
        check.known().unwrap();
        check.look_sometimes().unwrap_err();
        check.known().unwrap_err();
    }

    /// Seen to fail: where each read looks.
    #[test]
    fn reads_do_not_look_all_the_time_nor_wait_for_another_look() {
        let (folder, check) = opened(Duration::MAX);
        fs::remove_file(folder.path().join("app.db")).unwrap();
        check.look_sometimes().unwrap();
        let looks = check.files.as_ref().unwrap().lock();
        check.look_sometimes().unwrap();
        drop(looks);
        check.look().unwrap_err();
    }

    /// Seen to fail: where what was noticed is forgotten.
    #[test]
    fn a_file_that_comes_back_stays_refused() {
        let (folder, check) = opened(Duration::ZERO);
        let [path, other] = ["app.db", "other.db"].map(|name| folder.path().join(name));
        fs::rename(&path, &other).unwrap();
        check.look().unwrap_err();
        fs::rename(&other, &path).unwrap();
        for look in [FileCheck::look, FileCheck::look_sometimes, FileCheck::known] {
            look(&check).unwrap_err();
        }
    }

    #[test]
    fn there_is_nothing_to_look_at_in_memory() {
        let check = FileCheck::of(None);
        check.look().unwrap();
        check.look_sometimes().unwrap();
    }
}
