//! Tests of `identity.rs`: which changes of folders and names are seen, and how soon.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use tempfile::TempDir;

use super::*;

const NAMES: [&str; 3] = ["app.db", "app.db-wal", "app.db-shm"];

thread_local! {
    /// What the system says of each file.
    static ERROR: Cell<Option<i32>> = const { Cell::new(None) };
}

fn look(path: &Path) -> io::Result<FileId> {
    ERROR.get().map_or_else(|| FileId::look(path), |errno| Err(io::Error::from_raw_os_error(errno)))
}

struct Files {
    folder: TempDir,
    files: Whereabouts,
    /// How often the folder was made an old one: each time another age.
    times: u64,
}

impl Files {
    /// Opened in the folder `inner`, by a path.
    fn open(path: impl Fn(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for name in NAMES {
            fs::write(inner.join(name), "").unwrap();
        }
        let path = path(folder.path());
        let mut store = Self { folder, files: Whereabouts::by(&path, look).unwrap(), times: 0 };
        // The folder for tests may be on any file system.
        let folders = Folders::of(&path, &inner.join("app.db"), |_| true);
        store.files.folders =
            Folders { steps: Steps { fine: Duration::ZERO, coarse: Duration::ZERO }, ..folders };
        store.settle();
        store
    }

    /// Opened in a folder in which nothing has happened for long.
    fn settled() -> Self {
        let store = Self::open(|folder| folder.join("inner/app.db"));
        assert!(store.files.folders.is_settled);
        store
    }

    /// Nothing has happened in the folder for long: a change is certain to give it another time.
    fn settle(&mut self) {
        self.times += 1;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(10 * self.times);
        fs::File::open(self.path("")).unwrap().set_modified(time).unwrap();
        for _ in 0..2 {
            assert!(!self.files.have_changed());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("inner").join(name)
    }
}

/// Seen to fail: with stamps that hold the folder's inode alone.
#[test]
fn a_change_of_each_name_is_noticed_also_where_nothing_happened_for_long() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("renamed", |path| fs::rename(path, path.with_extension("moved")).unwrap()),
        ("moved to another folder", |path| {
            fs::rename(path, path.parent().unwrap().with_extension("moved")).unwrap();
        }),
        ("replaced", |path| {
            let other = path.parent().unwrap().with_extension("other");
            fs::write(&other, "").unwrap();
            fs::rename(other, path).unwrap();
        }),
    ];
    for name in NAMES {
        for (what, change) in changes {
            let mut store = Files::settled();
            change(&store.path(name));
            assert!(store.files.have_changed(), "{name} {what}");
            assert!(store.files.have_changed(), "{name} {what}, again");
        }
    }
}

/// Seen to fail: where a folder that cannot be looked at counted as one that is as it was.
#[test]
fn a_folder_that_is_moved_or_replaced_is_noticed() {
    let mut store = Files::settled();
    let inner = store.path("");
    fs::rename(&inner, store.folder.path().join("other")).unwrap();
    assert!(store.files.have_changed());
    fs::create_dir(&inner).unwrap();
    assert!(store.files.have_changed());
}

/// Seen to fail: where a change of the folder itself counted as one of the files.
#[test]
fn other_names_in_the_folder_are_of_no_concern() {
    let mut store = Files::settled();
    let other = store.path("other.log");
    fs::write(&other, "").unwrap();
    assert!(!store.files.have_changed() && !store.files.folders.is_settled);
    store.settle();
    assert!(store.files.folders.is_settled);
    fs::remove_file(&other).unwrap();
    assert!(!store.files.have_changed());
    store.settle();
    fs::remove_file(store.path("app.db")).unwrap();
    assert!(store.files.have_changed());
}

/// A folder's times have steps: until longer than one has passed, a change may leave them as they were.
///
/// Seen to fail: with two looks at any distance from each other.
#[test]
fn the_files_themselves_are_looked_at_until_the_folder_has_settled() {
    let mut store = Files::settled();
    store.files.folders.steps = Steps { fine: Duration::MAX, coarse: Duration::MAX };
    store.files.folders.is_settled = false;
    for _ in 0..3 {
        assert!(!store.files.have_changed() && !store.files.folders.is_settled);
    }
    fs::remove_file(store.path("app.db-wal")).unwrap();
    assert!(store.files.have_changed());
}

/// Whole seconds are waited out, nanoseconds are not.
///
/// Seen to fail: with the short step for every file system; with the long one.
#[test]
fn the_step_is_short_only_where_all_times_have_nanoseconds() {
    let stamp = |nanoseconds| Stamp { inode: (1, 2), modified: (3, 4), changed: (5, nanoseconds) };
    assert_eq!(Steps::USUAL.of(&[stamp(6), stamp(7)]), Duration::from_millis(100));
    assert_eq!(Steps::USUAL.of(&[stamp(6), stamp(0)]), Duration::from_secs(3));
}

/// Seen to fail: where a path that is a link settled, too.
#[test]
fn a_link_that_leads_elsewhere_is_noticed() {
    let relink = |link: &Path, to: &Path| {
        let _ = fs::remove_file(link);
        symlink(to, link).unwrap();
    };
    let mut store = Files::open(|folder| {
        fs::create_dir(folder.join("between")).unwrap();
        fs::write(folder.join("inner/other.db"), "").unwrap();
        relink(&folder.join("between/link"), &folder.join("inner/app.db"));
        relink(&folder.join("link"), &folder.join("between/link"));
        folder.join("link")
    });
    relink(&store.folder.path().join("between/link"), &store.path("other.db"));
    assert!(store.files.have_changed());
}

/// Seen to fail: where the path was looked at only when the store was opened.
#[test]
fn a_path_that_becomes_a_link_is_followed() {
    let mut store = Files::settled();
    let (file, between) = (store.path("app.db"), store.folder.path().join("between"));
    fs::rename(&file, store.folder.path().join("moved.db")).unwrap();
    symlink(store.folder.path().join("moved.db"), &between).unwrap();
    symlink(&between, &file).unwrap();
    store.settle();
    fs::remove_file(&between).unwrap();
    assert!(store.files.have_changed());
}

/// Seen to fail: where only the folder that it led to was looked at.
#[test]
fn a_folder_that_is_a_link_and_leads_elsewhere_is_noticed() {
    let mut store = Files::open(|folder| {
        fs::create_dir(folder.join("other")).unwrap();
        fs::write(folder.join("other/app.db"), "").unwrap();
        symlink(folder.join("inner"), folder.join("link")).unwrap();
        folder.join("link/app.db")
    });
    assert!(store.files.folders.is_settled);
    let link = store.folder.path().join("link");
    fs::remove_file(&link).unwrap();
    symlink(store.folder.path().join("other"), link).unwrap();
    assert!(store.files.have_changed());
}

/// Their times come from elsewhere, if at all.
#[test]
fn folders_of_other_kinds_of_file_systems_tell_nothing() {
    assert!(!keeps_times(Path::new("/proc/self")) && !keeps_times(Path::new("/nowhere/at/all")));
}

/// Seen to fail: with `ESTALE` among the errors that mean that a file was moved, a single one stopped the
/// store for good.
#[test]
fn an_error_tells_that_a_file_was_moved_only_if_its_path_leads_nowhere() {
    use std::io::Error;
    const ENOENT: i32 = 2;
    const ENOTDIR: i32 = 20;
    let id = FileId::Inode(1, 2);
    assert!(!is_elsewhere(&id, Ok(FileId::Inode(1, 2))));
    assert!(is_elsewhere(&id, Ok(FileId::Inode(1, 3))));
    let errors: Vec<_> =
        (1..134).filter(|errno| is_elsewhere(&id, Err(Error::from_raw_os_error(*errno)))).collect();
    assert_eq!(errors, [ENOENT, ENOTDIR]);
}

/// Seen to fail: where a folder settled at two looks at which no file could be looked at.
#[test]
fn a_folder_says_nothing_of_files_that_could_not_be_looked_at() {
    const EIO: i32 = 5;
    let mut store = Files::settled();
    let (file, other) = (store.path("app.db"), store.folder.path().join("other.db"));
    fs::write(&other, "").unwrap();
    fs::rename(&other, &file).unwrap();
    ERROR.set(Some(EIO));
    store.settle();
    for _ in 0..3 {
        assert!(!store.files.have_changed() && !store.files.folders.is_settled);
    }
    ERROR.set(None);
    assert!(store.files.have_changed());
}

/// Seen to fail: where such a file was left out for ever.
#[test]
fn files_that_cannot_be_looked_at_are_not_taken_as_opened() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.db"), "").unwrap();
    let refused = Whereabouts::by(&folder.path().join("app.db"), |path| {
        if path.ends_with("app.db-wal") { Err(io::Error::from_raw_os_error(5)) } else { look(path) }
    });
    assert_eq!(refused.unwrap_err().code, Code::Unavailable);
    Whereabouts::by(&folder.path().join("app.db"), look).unwrap();
}
