//! Backups: each on a thread of its own, from a snapshot, into a file that gets its name when it is whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use self::file::{PartialFile, Target};
use super::schema::settings::Settings;
use super::sqlite::{Connection, Db, PageCopy, Wait, may_fail};
use crate::base::error::{Code, Error, Place, Result};
use crate::store::local::os::identity::display_path;
use crate::store::local::os::threads;
use crate::store::sql::Sql;
use crate::store::{Backup, BackupHandle, BackupRequest, Progress};

mod file;
mod source;

pub use file::remove_second_name;
pub use source::Source;

/// Pages a step of a file: 4 MiB, between two looks at whether it was stopped.
const FILE_STEP: u16 = 1024;
/// Pages a step in memory, while readers and the writer wait: 256 KiB, which takes about as long as a reader
/// waits at most.
const MEMORY_STEP: u16 = 64;
/// In memory every commit makes the copy start over. After so many restarts, the rest is copied in one step.
const MEMORY_RESTARTS: u32 = 3;
/// Bytes written between two syncs. Without these, the disk would get everything at the end, and a commit's
/// sync would wait for it.
const SYNC_BYTES: u64 = 16 << 20;

/// The backups of a store.
#[derive(Default)]
pub struct Backups(Mutex<Vec<(Arc<BackupHandle>, JoinHandle<()>)>>);

impl Backups {
    /// Begins one.
    pub fn start(&self, request: BackupRequest, source: Source) {
        let handle = Arc::clone(&request.handle);
        let work = move || {
            let taken = catch_unwind(AssertUnwindSafe(|| take(&request, &source)));
            let fault = || {
                Err(Error::new(
                    Code::Unavailable,
                    "the backup was stopped by a fault in KeyVal itself; report it",
                ))
            };
            drop(source);
            request.handle.end(taken.unwrap_or_else(|_| fault()));
        };
        match threads::spawn("keyval-backup", work, || {}) {
            Ok(thread) => {
                let mut running = self.0.lock();
                running.retain(|(_, thread)| !thread.is_finished());
                running.push((handle, thread));
            }
            Err(error) => {
                handle.end(Err(error));
            }
        }
    }

    /// Stops all, and waits until they have ended.
    pub fn end(&self) {
        let running = std::mem::take(&mut *self.0.lock());
        for (handle, _) in &running {
            handle.stop(Error::closed(), None);
        }
        for (_, thread) in running {
            let _ = thread.join();
        }
    }
}

fn take(request: &BackupRequest, source: &Source) -> Result<Backup> {
    let at = |error: Error| error.at(Place::subject(format!("backup to {}", display_path(&request.target))));
    request.handle.go_on()?;
    let result = Target::claim(&request.target, request.overwrite, source).and_then(|target| {
        let taken = write(&target, source, &request.handle);
        if taken.is_ok() {
            target.keep_folders();
        }
        taken
    });
    result.map_err(|error| if error.code == Code::Closed { error } else { at(error) })
}

fn write(target: &Target, source: &Source, handle: &BackupHandle) -> Result<Backup> {
    let snapshot = Snapshot::of(source, handle)?;
    let partial = PartialFile::create(target, source)?;
    let fault = snapshot.db.lock().connection.fault();
    let connection = Connection::open(partial.path(), fault.clone())?;
    // The file has a temporary name until it is complete, and is synced then, so SQLite needs neither journal
    // nor syncs.
    connection.execute("PRAGMA journal_mode = OFF")?;
    connection.execute("PRAGMA synchronous = OFF")?;
    let page_bytes = snapshot.page_bytes;
    let mut copy = PageCopy::begin(&snapshot.db, connection)?;
    let mut unsynced = 0;
    loop {
        handle.go_on()?;
        let step = copy.step(Some(FILE_STEP))?;
        if step.done {
            break;
        }
        let total_bytes = step.total * page_bytes;
        handle.report(Progress { copied_bytes: total_bytes - step.remaining * page_bytes, total_bytes });
        unsynced += u64::from(FILE_STEP) * page_bytes;
        if unsynced >= SYNC_BYTES {
            partial.sync()?;
            unsynced = 0;
        }
    }
    drop(copy.finish()?);
    may_fail(fault.as_ref(), "backup: sync")?;
    let bytes = partial.seal()?;
    handle.report(Progress { copied_bytes: bytes, total_bytes: bytes });
    handle.wait_for_approval()?;
    may_fail(fault.as_ref(), "backup: rename")?;
    partial.publish(target)?;
    Ok(Backup { bytes, versionstamp: snapshot.versionstamp })
}

/// A fixed state of the store.
struct Snapshot {
    db: Arc<Mutex<Db>>,
    versionstamp: String,
    page_bytes: u64,
}

impl Snapshot {
    /// Of a file: an open read transaction, which no writer of any process disturbs. In memory: a copy.
    fn of(source: &Source, handle: &BackupHandle) -> Result<Self> {
        let db = match source {
            Source::File { connect, .. } => connect(Wait::BusyTimeout)?,
            Source::Memory(db) => Arc::new(Mutex::new(Db::new(in_memory(db, handle)?))),
        };
        let mut pinned = db.lock();
        pinned.run(Sql::Begin)?;
        let settings = Settings::read(&mut pinned.statement(Sql::Settings)?.query(&[])?)?;
        let page_size = pinned.connection.query_text("PRAGMA page_size", &[])?;
        drop(pinned);
        let page_bytes = page_size.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self { db, versionstamp: settings.clock.text(), page_bytes })
    }
}

fn in_memory(store: &Arc<Mutex<Db>>, handle: &BackupHandle) -> Result<Connection> {
    let fault = store.lock().connection.fault();
    let mut copy = PageCopy::begin(store, Connection::open(Path::new(":memory:"), fault)?)?;
    let (mut last_remaining, mut restarts) = (u64::MAX, 0);
    loop {
        handle.go_on()?;
        let step = copy.step((restarts < MEMORY_RESTARTS).then_some(MEMORY_STEP))?;
        if step.done {
            return copy.finish();
        }
        // The copy gets no closer to its end: a commit came in between, or the store grows as fast.
        if step.remaining >= last_remaining {
            restarts += 1;
        }
        last_remaining = step.remaining;
    }
}
