//! The one writer of a file in this process. It takes all that waits, runs it in one transaction
//! (`group.rs`), and only then reports to anyone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::group::{Ending, Group, Job, Transaction};
use super::schema::reindex::rebuild_indexes;
use super::schema::settings::Settings;
use super::shared::{Shared, fault};
use super::sqlite::Db;
use crate::base::config::Durability;
use crate::base::error::{Error, Result};
use crate::store::rows::index::Define;
use crate::store::sql::Sql;
use crate::store::{Notice, fail_all, finish};

/// A group of a file ends here, so that other processes get their turn.
const FILE_SLICE: Duration = Duration::from_millis(20);
/// In memory reads share the connection with the writer and wait for the group.
const MEMORY_SLICE: Duration = Duration::from_millis(1);

/// The writer thread's state.
pub struct Writer {
    shared: Arc<Shared>,
    db: Arc<Mutex<Db>>,
    slice: Duration,
    define: Define,
    synchronous: Option<Durability>,
    /// The next transaction builds the indexes again before anything else.
    rebuilds_indexes: bool,
    /// Why nothing is written any more.
    stopped: Option<Error>,
    /// The notice of the last committed group.
    notice: Notice,
}

impl Writer {
    /// The writer of a store.
    pub fn new(shared: Arc<Shared>, db: Arc<Mutex<Db>>, slice: Option<Duration>, define: Define) -> Self {
        let slice = slice.unwrap_or(if shared.files.is_in_memory() { MEMORY_SLICE } else { FILE_SLICE });
        Self {
            shared,
            db,
            slice,
            define,
            synchronous: None,
            notice: Notice::NONE,
            rebuilds_indexes: false,
            stopped: None,
        }
    }

    /// Commits what waits, in groups. Not inlined, so that its instructions can be counted
    /// (`bench/instructions/`).
    #[inline(never)]
    pub fn process(&mut self, jobs: Vec<Job>) {
        let mut waiting = VecDeque::from(jobs);
        self.process_in(&mut waiting, usize::MAX);
        let reason = self.stopped.clone().unwrap_or_else(fault);
        fail_all(waiting.into(), &reason);
        self.shared.wake(&Notice::NONE);
    }

    /// Before the connection closes. A file that was moved gets what its log holds: SQLite would leave it in
    /// the log, where the file was. What is undecided stays in the log, for who opens it next.
    pub fn leave(&mut self) {
        let db = self.db.lock();
        if self.shared.files.look(&self.shared.clock).is_err() {
            let _ = db.connection.empty_log();
        }
        if !db.connection.is_log_at_rest() {
            db.connection.keep_untouched();
        }
    }

    /// Leaves something waiting only if an operation panicked, or the file is gone.
    fn process_in(&mut self, waiting: &mut VecDeque<Job>, most: usize) {
        loop {
            while waiting.front().is_some_and(|job| job.is_barrier()) {
                self.finish(waiting.pop_front().map(|barrier| (barrier, Ok(()))).into_iter().collect());
            }
            if waiting.is_empty() {
                return;
            }
            let mut group = Group::with_capacity(waiting.len().min(most));
            match self.commit(waiting, most, &mut group) {
                Ending::RunAlone if most > 1 => {
                    let mut alone = group.into_iter().map(|(job, _)| job).collect();
                    self.process_in(&mut alone, 1);
                    if !alone.is_empty() {
                        waiting.extend(alone);
                        return;
                    }
                }
                Ending::Done | Ending::RunAlone => self.finish(group),
                Ending::Again => {}
                Ending::AgainIndexed => self.rebuilds_indexes = true,
                Ending::Moved(error) => {
                    for (job, outcome) in group {
                        let outcome = outcome.and(Err(Error { outcome_unknown: true, ..error.clone() }));
                        finish(job, outcome);
                    }
                    waiting.extend(self.shared.writes.fail(error.clone()));
                    self.stopped = Some(error);
                    return;
                }
                Ending::Panicked => {
                    waiting.extend(group.into_iter().map(|(job, _)| job));
                    waiting.extend(self.shared.writes.fail(fault()));
                    return;
                }
            }
        }
    }

    fn finish(&mut self, group: Group) {
        for (job, outcome) in group {
            finish(job, outcome);
        }
        self.shared.wake(&std::mem::take(&mut self.notice));
    }

    fn commit(&mut self, waiting: &mut VecDeque<Job>, most: usize, group: &mut Group) -> Ending {
        let shared = Arc::clone(&self.shared);
        let connection = Arc::clone(&self.db);
        let mut db = connection.lock();
        if let Some(error) = self.moved(&db) {
            return Ending::Moved(error);
        }
        let durability = waiting.iter().map(|job| job.durability()).max().unwrap_or_default();
        let rebuilt = std::mem::take(&mut self.rebuilds_indexes);
        let mut ending = match self.begin(&mut db, durability, rebuilt) {
            Ok(settings) => {
                let (slice, define, notice, before) = (self.slice, self.define, Notice::NONE, settings);
                let changes = db.connection.total_changes();
                let mut transaction = Transaction {
                    shared: &shared,
                    db: &mut db,
                    before,
                    settings,
                    changes,
                    slice,
                    define,
                    notice,
                    rebuilt,
                };
                let ending = transaction.run(waiting, most, group);
                self.notice = transaction.notice;
                ending
            }
            Err(error) => {
                let taken = waiting.len().min(most);
                group.extend(waiting.drain(..taken).map(|job| (job, Err(error.clone()))));
                Ending::Done
            }
        };
        // It may have been moved while the group was committed.
        if let (Ending::Done, Some(error)) = (&ending, self.moved(&db)) {
            ending = Ending::Moved(error);
        }
        MutexGuard::unlock_fair(db);
        ending
    }

    /// Whether the files are not where they were. Then what is committed goes into the file, wherever it is
    /// now, and leaves no log behind that another file at its path would be taken to own.
    fn moved(&self, db: &Db) -> Option<Error> {
        let error = self.shared.files.look(&self.shared.clock).err()?;
        let _ = db.connection.empty_log();
        Some(error)
    }

    fn begin(&mut self, db: &mut Db, asked: Durability, rebuild: bool) -> Result<Settings> {
        db.end_stray_transaction()?;
        // Under OFF a checkpoint, after a commit or while closing, syncs nothing: it would take durable
        // commits out of the log and leave them in memory. So OFF is used only if every opener of the store
        // asked for it.
        let durability = asked.max(self.shared.strongest().min(Durability::Normal));
        if self.synchronous != Some(durability) {
            let pragma = match durability {
                Durability::Full => "PRAGMA synchronous = FULL",
                Durability::Normal => "PRAGMA synchronous = NORMAL",
                Durability::Off => "PRAGMA synchronous = OFF",
            };
            db.connection.execute(pragma)?;
            self.synchronous = Some(durability);
        }
        db.connection.set_busy_timeout(self.shared.busy_timeout_ms());
        db.run(Sql::BeginImmediate)?;
        let settings = db
            .connection
            .mend_log()
            .and_then(|()| if rebuild { rebuild_indexes(&db.connection) } else { Ok(()) })
            .and_then(|()| Settings::read(&mut db.statement(Sql::Settings)?.query(&[])?));
        settings
            .inspect(|settings| self.shared.clock.witness(settings.seen_ms()))
            .inspect_err(|_| drop(db.run(Sql::Rollback)))
    }
}
