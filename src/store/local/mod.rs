//! An embedded libSQL file, or memory: a writer thread, a reader thread, and a reader for each opener's own
//! thread. Opening, sharing and closing are together here, because they decide when the file may be used.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use self::backup::Source;
use self::connect::{connect, create_parent, refuse_second_name};
use self::file_check::FileCheck;
use self::inbox::{Taker, Turn};
use self::os::identity::{FileId, MOVED, display_path};
use self::os::threads;
use self::reader::{LocalReader, ReaderThread};
use self::shared::Shared;
use self::sqlite::{Connect, Connection, Db, Wait};
use self::writer::Writer;
use super::rows::index::Define;
use super::{
    BackupRequest, Capabilities, InFlight, Notice, ReadJob, Reader, Store, Subscription, Wake, WriteJob,
    fail_all,
};
use crate::base::clock::Clock;
use crate::base::config::{Durability, Fault, Location, Options};
use crate::base::error::{At, Code, Error, Place, Result, SystemError};
use crate::base::limits::{MAX_KEYS, MAX_VALUE_BYTES};

mod backup;
mod commit_monitor;
mod connect;
mod file_check;
mod group;
mod inbox;
mod observer;
mod os;
mod reader;
mod schema;
mod shared;
mod sqlite;
mod txn;
mod writer;

/// Pages that an opener keeps for its gets: 32 MB at most. A get of one in 33 MB of entries costs a fourth
/// less than with SQLite's 2 MB.
const POINT_CACHE: &str = "PRAGMA cache_size = -32000";

/// Pages kept by the connection for ranges: a scan returns to few of them.
const RANGE_CACHE: &str = "PRAGMA cache_size = -4000";

/// Pages kept by the commit monitor: none of its queries reads many.
const MONITOR_CACHE: &str = "PRAGMA cache_size = -500";

/// Pages that a backup keeps: it reads each once.
const COPY_CACHE: &str = "PRAGMA cache_size = -1000";

/// An open local store.
pub struct LocalStore {
    shared: Arc<Shared>,
    place: Storage,
    openers: Mutex<usize>,
}

/// The source of connections for reading.
enum Storage {
    File { id: FileId, path: PathBuf, fault: Option<Fault> },
    Memory(Arc<Mutex<Db>>),
}

/// The files that are open in this process. The lock is held while one is opened or closed.
static OPEN_FILES: LazyLock<Mutex<HashMap<FileId, Weak<LocalStore>>>> = LazyLock::new(Mutex::default);

/// Opens a store, or joins the one that this process has open on the same file.
///
/// # Errors
/// `CORRUPT`, `UNSUPPORTED`, `BUSY`, `UNAVAILABLE`; the file is left as it was.
pub fn open(location: &Location, options: &Options, define: Define) -> Result<Arc<LocalStore>> {
    match location {
        Location::Memory => {
            let db = Arc::new(Mutex::new(connect(Path::new(":memory:"), options, define)?));
            LocalStore::start(Storage::Memory(Arc::clone(&db)), db, options, define)
        }
        Location::File(path) => {
            open_file(path, options, define).map_err(|error| error.at(Place::subject(display_path(path))))
        }
    }
}

fn open_file(path: &Path, options: &Options, define: Define) -> Result<Arc<LocalStore>> {
    // Further connections are opened later, when the working directory may be another one.
    let absolute = std::path::absolute(path).map_err(|error| no_absolute_path(path, &error)).at("url")?;
    let path = absolute.as_path();
    if path.is_dir() {
        return Err(Error::invalid("it is a folder; give a file in it, such as \"app.db\""));
    }
    let mut open_files = OPEN_FILES.lock();
    // A file that is open is only looked up, never opened by another way than SQLite's: closing any
    // descriptor of it would drop the locks that this process holds on it.
    if let Some(store) = FileId::of(path).and_then(|id| open_files.get(&id)).and_then(Weak::upgrade)
        && store.join(path, options, define)?
    {
        return Ok(store);
    }
    // The log of that store lies where the log of this file would be.
    if open_files.values().filter_map(Weak::upgrade).any(|store| store.is_of(path)) {
        return Err(Error::new(Code::Unavailable, MOVED));
    }
    refuse_second_name(path)?;
    create_parent(path)?;
    let db = connect(path, options, define)?;
    let id = FileId::of(path)
        .ok_or_else(|| Error::new(Code::Unavailable, "the file vanished while it was opened"))?;
    let place = Storage::File { id: id.clone(), path: path.to_path_buf(), fault: options.fault.clone() };
    let store = LocalStore::start(place, Arc::new(Mutex::new(db)), options, define)?;
    open_files.insert(id, Arc::downgrade(&store));
    Ok(store)
}

/// The identity of a location's file, if it exists.
#[must_use]
pub fn file_id(location: &Location) -> Option<String> {
    match location {
        Location::Memory => None,
        Location::File(path) => FileId::of(path).map(|id| format!("{id:?}")),
    }
}

/// The error of a relative path when there is no working directory.
fn no_absolute_path(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("the path cannot be made absolute: {error}");
    Error::invalid(message).because(SystemError::of(error, "getcwd", Some(path)))
}

impl LocalStore {
    fn start(place: Storage, db: Arc<Mutex<Db>>, options: &Options, define: Define) -> Result<Arc<Self>> {
        let files = FileCheck::of(match &place {
            Storage::File { path, .. } => Some(path),
            Storage::Memory(_) => None,
        })?;
        let shared = Arc::new(Shared::new(files));
        let store = Arc::new(Self { shared, place, openers: Mutex::new(1) });
        store.apply(options);
        store.shared.clock.witness(schema::seen_ms(&db.lock().connection)?);
        let reader = ReaderThread::new(Arc::clone(&store.shared), store.read_connection(RANGE_CACHE))?;
        let writer = Writer::new(Arc::clone(&store.shared), db, options.group_slice, define);
        let shared = Arc::clone(&store.shared);
        let fault = Arc::clone(&shared);
        let body = move || run(&shared, writer, reader);
        threads::spawn("keyval-writer", body, move || fault.fail())?;
        Ok(store)
    }

    /// Whether it was opened at this path.
    fn is_of(&self, path: &Path) -> bool {
        matches!(&self.place, Storage::File { path: own, .. } if own == path)
    }

    /// Adds an opener; false if the last one has just left.
    fn join(&self, path: &Path, options: &Options, define: Define) -> Result<bool> {
        let mut openers = self.openers.lock();
        if *openers == 0 {
            return Ok(false);
        }
        self.shared.check_files_now()?;
        if options.insists() {
            connect(path, options, define)?;
        }
        self.apply(options);
        *openers += 1;
        Ok(true)
    }

    fn apply(&self, options: &Options) {
        let mut strongest = self.shared.strongest.lock();
        *strongest = strongest.max(options.durability);
        if let Some(ms) = options.busy_timeout_ms {
            self.shared.busy_timeout_ms.store(ms, Ordering::Relaxed);
        }
    }

    /// A function that opens a connection for reading.
    fn read_connection(&self, cache: &'static str) -> Connect {
        match &self.place {
            Storage::Memory(db) => {
                let db = Arc::clone(db);
                Box::new(move |_| Ok(Arc::clone(&db)))
            }
            Storage::File { path, fault, .. } => {
                let (path, fault) = (path.clone(), fault.clone());
                let shared = Arc::clone(&self.shared);
                Box::new(move |wait| {
                    // SQLite opens the file and its log by path: it would read, or create, the files that are
                    // there now.
                    shared.check_files_now()?;
                    let connect = || {
                        let connection = Connection::open_existing(&path, fault.clone())?;
                        // The first read may meet another process that recovers the log after a crash.
                        connection.set_busy_timeout(match wait {
                            Wait::BusyTimeout => shared.busy_timeout_ms(),
                            Wait::Never => 0,
                        });
                        // Only the writer copies the log into the file.
                        connection.keep_untouched();
                        connection.execute("PRAGMA query_only = ON")?;
                        connection.execute(cache)?;
                        let mut db = Db::new(connection);
                        db.open_log()?;
                        db.connection.set_busy_timeout(0);
                        if !db.connection.is_log_whole() {
                            if wait == Wait::Never {
                                return Err(Error::new(Code::Busy, "the log is being repaired"));
                            }
                            shared.mend_log()?;
                        }
                        Ok(Arc::new(Mutex::new(db)))
                    };
                    let db =
                        connect().map_err(|error: Error| error.at(Place::subject(display_path(&path))))?;
                    shared.check_files_now()?;
                    Ok(db)
                })
            }
        }
    }
}

impl Store for LocalStore {
    fn reader(&self) -> Result<Box<dyn Reader>> {
        let points = self.read_connection(POINT_CACHE)(Wait::BusyTimeout)?;
        let ranges = self.read_connection(RANGE_CACHE);
        let in_memory = matches!(self.place, Storage::Memory(_));
        Ok(Box::new(LocalReader::new(Arc::clone(&self.shared), points, ranges, in_memory)))
    }

    fn write(&self, jobs: Vec<Box<dyn WriteJob>>) {
        if let Err((jobs, error)) = self.shared.writes.push(jobs) {
            fail_all(jobs, &error);
            self.shared.wake(&Notice::NONE);
        }
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.shared.read(job);
    }

    fn read_first(&self, job: Box<dyn ReadJob>) {
        self.shared.read_first(job);
    }

    fn backup(&self, request: BackupRequest) {
        let source = match &self.place {
            Storage::Memory(db) => Source::Memory(Arc::clone(db)),
            Storage::File { id, path, .. } => {
                Source::File { connect: self.read_connection(COPY_CACHE), path: path.clone(), id: id.clone() }
            }
        };
        self.shared.backups.start(request, source);
    }

    fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    fn capabilities(&self) -> Capabilities {
        let persistent = matches!(self.place, Storage::File { .. });
        let (max_value_bytes, max_keys) = (MAX_VALUE_BYTES, MAX_KEYS);
        Capabilities { persistent, backup: true, sync_reads: true, max_value_bytes, max_keys }
    }

    fn in_flight(&self) -> &Arc<InFlight> {
        &self.shared.in_flight
    }

    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Box<dyn WriteJob> + Send>) {
        *self.shared.tick.lock() = Some(make);
        self.shared.writes.set_interval((!interval.is_zero()).then_some(interval));
    }

    fn on_finished(&self, wake: Wake) -> Subscription {
        self.shared.wakes.subscribe(wake)
    }

    fn monitor(&self, expiries: bool) -> Box<dyn Any + Send> {
        Box::new(observer::monitor(&self.shared, || self.read_connection(MONITOR_CACHE), expiries))
    }

    fn wake_at(&self, at_ms: i64) {
        self.shared.monitor.wake_at(at_ms);
    }

    fn freeze_clock(&self, at_ms: Option<i64>) {
        self.shared.clock.freeze(at_ms);
        self.shared.monitor.poll();
    }

    fn shift_clock(&self, by_ms: i64) {
        self.shared.clock.shift(by_ms);
        self.shared.monitor.poll();
    }

    fn is_new(&self) -> bool {
        self.shared.tick.lock().is_none()
    }

    fn detach(&self, done: Box<dyn FnOnce() + Send>) {
        let mut open_files = OPEN_FILES.lock();
        let mut openers = self.openers.lock();
        *openers = openers.saturating_sub(1);
        if *openers > 0 {
            drop((openers, open_files));
            self.write(vec![Box::new(Barrier(Some(done)))]);
            return;
        }
        if let Storage::File { id, .. } = &self.place {
            open_files.remove(id);
        }
        self.shared.on_released.lock().push(done);
        self.shared.writes.stop();
    }
}

/// Runs a callback once the operations handed to the writer before it are on disk.
struct Barrier(Option<Box<dyn FnOnce() + Send>>);

impl WriteJob for Barrier {
    fn finish(mut self: Box<Self>, _: Result<()>) {
        if let Some(done) = self.0.take() {
            done();
        }
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }

    fn is_barrier(&self) -> bool {
        true
    }
}

/// The writer thread, from opening to the release of the files.
fn run(shared: &Arc<Shared>, mut writer: Writer, reader: ReaderThread) {
    let mut taker = Taker::default();
    loop {
        match shared.writes.next(&mut taker) {
            Turn::Work(jobs) => writer.process(jobs),
            Turn::Tick => {
                let made = shared.tick.lock().as_ref().map(|make| make());
                writer.process(made.into_iter().collect());
            }
            Turn::Stop => break,
        }
    }
    shared.monitor.stop();
    shared.reads.stop();
    reader.join();
    shared.backups.end();
    writer.leave();
    drop(writer);
    for done in shared.on_released.lock().drain(..) {
        let _ = catch_unwind(AssertUnwindSafe(done));
    }
    shared.wake(&Notice::NONE);
}
