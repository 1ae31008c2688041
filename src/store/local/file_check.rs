//! Checks whether the files of a store are where they were opened: at each write, and about once a second for
//! reads and the commit monitor. Once one of them has noticed a move, all writes fail, and reads fail a while
//! later: a program can still read what it needs to end, and does not continue with stale data for ever.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;

use super::os::identity::Whereabouts;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::error::{Error, Result};

/// Reads check again after this time: a check takes 1 to 4 µs, and a get 3 µs.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads continue for this long after a move was noticed.
const READS_GO_ON_MS: i64 = 10_000;

/// The knowledge of a store's threads about its files.
pub struct FileCheck {
    /// None in memory.
    files: Option<Mutex<Files>>,
    /// The move that was noticed. It is final, even if the file comes back: others may have written its log.
    moved: OnceLock<Moved>,
}

struct Moved {
    error: Error,
    noticed_ms: i64,
}

struct Files {
    whereabouts: Whereabouts,
    looked: Stopwatch,
    pause: Duration,
}

impl FileCheck {
    /// For a store that has just opened its files, or that has none.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they cannot be looked at.
    pub fn of(path: Option<&Path>) -> Result<Self> {
        let whereabouts = path.map(Whereabouts::of).transpose()?;
        let files =
            whereabouts.map(|whereabouts| Files { whereabouts, looked: Stopwatch::start(), pause: PAUSE });
        Ok(Self { files: files.map(Mutex::new), moved: OnceLock::new() })
    }

    /// Whether there are no files.
    pub fn is_in_memory(&self) -> bool {
        self.files.is_none()
    }

    /// The state noticed so far.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they were not where they were opened.
    pub fn known(&self) -> Result<()> {
        self.moved.get().map_or(Ok(()), |moved| Err(moved.error.clone()))
    }

    /// Whether reads are still allowed.
    ///
    /// # Errors
    /// That of `known`, a while after it was noticed.
    pub fn let_read(&self, clock: &Clock) -> Result<()> {
        match self.moved.get() {
            Some(moved) if clock.now_ms() - moved.noticed_ms >= READS_GO_ON_MS => Err(moved.error.clone()),
            _ => Ok(()),
        }
    }

    /// Checks now.
    ///
    /// # Errors
    /// `UNAVAILABLE` if they are not where they were opened, or were not at an earlier look.
    pub fn look(&self, clock: &Clock) -> Result<()> {
        self.known()?;
        self.files.as_ref().map_or(Ok(()), |files| self.look_at(&mut files.lock(), clock))
    }

    /// Checks if the last check was long ago and no other thread checks at this moment.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn look_sometimes(&self, clock: &Clock) -> Result<()> {
        self.known()?;
        match self.files.as_ref().and_then(Mutex::try_lock) {
            Some(mut files) if files.looked.elapsed() >= files.pause => self.look_at(&mut files, clock),
            _ => Ok(()),
        }
    }

    fn look_at(&self, files: &mut Files, clock: &Clock) -> Result<()> {
        files.looked = Stopwatch::start();
        if !files.whereabouts.have_changed() {
            return Ok(());
        }
        let moved = || Moved { error: files.whereabouts.error(), noticed_ms: clock.now_ms() };
        Err(self.moved.get_or_init(moved).error.clone())
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
        let check = FileCheck::of(Some(&folder.path().join("app.db"))).unwrap();
        check.files.as_ref().unwrap().lock().pause = pause;
        (folder, check)
    }

    /// Seen to fail: where only writes look.
    #[test]
    fn reads_look_when_the_last_look_was_long_ago() {
        let (folder, check) = opened(Duration::ZERO);
        check.look_sometimes(&Clock::default()).unwrap();
        fs::remove_file(folder.path().join("app.db")).unwrap();
        check.known().unwrap();
        check.look_sometimes(&Clock::default()).unwrap_err();
        check.known().unwrap_err();
    }

    /// Seen to fail: where each read looks.
    #[test]
    fn reads_do_not_look_all_the_time_nor_wait_for_another_look() {
        let (folder, check) = opened(Duration::MAX);
        fs::remove_file(folder.path().join("app.db")).unwrap();
        check.look_sometimes(&Clock::default()).unwrap();
        let looks = check.files.as_ref().unwrap().lock();
        check.look_sometimes(&Clock::default()).unwrap();
        drop(looks);
        check.look(&Clock::default()).unwrap_err();
    }

    /// Seen to fail: where what was noticed is forgotten.
    #[test]
    fn a_file_that_comes_back_stays_refused() {
        let (folder, check) = opened(Duration::ZERO);
        let [path, other] = ["app.db", "other.db"].map(|name| folder.path().join(name));
        fs::rename(&path, &other).unwrap();
        check.look(&Clock::default()).unwrap_err();
        fs::rename(&other, &path).unwrap();
        check.look(&Clock::default()).unwrap_err();
        check.known().unwrap_err();
    }

    /// Seen to fail: where reads are refused at once, and where they never are.
    #[test]
    fn reads_go_on_for_a_while_once_it_was_noticed() {
        let (folder, check) = opened(Duration::ZERO);
        let clock = Clock::default();
        clock.freeze(Some(1_000_000));
        fs::remove_file(folder.path().join("app.db")).unwrap();
        check.look(&clock).unwrap_err();
        for (passed_ms, is_read) in [(0, true), (READS_GO_ON_MS - 1, true), (READS_GO_ON_MS, false)] {
            clock.freeze(Some(1_000_000 + passed_ms));
            assert_eq!(check.let_read(&clock).is_ok(), is_read, "{passed_ms}");
        }
    }

    #[test]
    fn there_is_nothing_to_look_at_in_memory() {
        let check = FileCheck::of(None).unwrap();
        check.look(&Clock::default()).unwrap();
        check.look_sometimes(&Clock::default()).unwrap();
    }
}
