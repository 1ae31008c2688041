//! The one writer of a file in this process. It takes all that waits, runs it in one transaction, each operation
//! under its own savepoint, commits once, and only then tells anyone.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::os::identity::Whereabouts;
use super::schema::reindex::rebuild_indexes;
use super::schema::settings::Settings;
use super::shared::{Shared, fault};
use super::sqlite::{Announced, Doubt};
use super::txn::write::{Failed, LocalWrite};
use crate::base::clock::Stopwatch;
use crate::base::config::Durability;
use crate::base::error::{Code, Error, Result};
use crate::store::local::sqlite::Db;
use crate::store::rows::index::Define;
use crate::store::sql::Sql;
use crate::store::{Batch, Next, Notice, WriteJob, fail_all, finish};

/// Claims and heartbeats write no page of `kv_meta` by themselves.
const TIME_NOTED_EVERY_MS: i64 = 1000;

type Job = Box<dyn WriteJob>;

/// A group of a file ends here, so that other processes get their turn.
const FILE_SLICE: Duration = Duration::from_millis(20);
/// In memory reads share the connection with the writer and wait for the group.
const MEMORY_SLICE: Duration = Duration::from_millis(1);

/// The writer thread's state.
pub struct Writer {
    shared: Arc<Shared>,
    db: Arc<Mutex<Db>>,
    /// Where the files are, if it is not memory.
    whereabouts: Option<Whereabouts>,
    slice: Duration,
    define: Define,
    synchronous: Option<Durability>,
    /// The next transaction builds the indexes again before anything else.
    rebuilds_indexes: bool,
    /// Why nothing is written any more.
    stopped: Option<Error>,
    /// Whom the group concerns that was committed last.
    notice: Notice,
}

/// Operations that ran in one transaction, with what came of each.
type Group = Vec<(Job, Result<()>)>;

/// How a group ended.
enum Ending {
    /// Each operation has its own outcome.
    Done,
    /// Nothing was applied because of one of them, or of their size together: each is to run alone.
    RunAlone,
    /// The files are not where they were. What is in the group may be in a file that nobody will open.
    Moved(Error),
    /// The only operation is to run again, in a transaction of its own: what a step of it met is to be undone.
    Again,
    /// The same, once the indexes are built again: a row of it is not in one as the table has it.
    AgainIndexed,
    /// The code of an operation panicked; the store cannot be trusted with another one.
    Panicked,
}

impl Writer {
    /// The writer of a store.
    pub fn new(
        shared: Arc<Shared>,
        db: Arc<Mutex<Db>>,
        whereabouts: Option<Whereabouts>,
        slice: Option<Duration>,
        define: Define,
    ) -> Self {
        let slice = slice.unwrap_or(if whereabouts.is_none() { MEMORY_SLICE } else { FILE_SLICE });
        Self {
            shared,
            db,
            whereabouts,
            slice,
            define,
            synchronous: None,
            notice: Notice::NONE,
            rebuilds_indexes: false,
            stopped: None,
        }
    }

    /// Commits what waits, in groups. Not inlined, so that its instructions can be counted (`bench/instructions/`).
    #[inline(never)]
    pub fn process(&mut self, jobs: Vec<Job>) {
        let mut waiting = VecDeque::from(jobs);
        self.process_in(&mut waiting, usize::MAX);
        let reason = self.stopped.clone().unwrap_or_else(fault);
        fail_all(waiting.into(), &reason);
        self.shared.wake(&Notice::NONE);
    }

    /// Before the connection closes. A file that was moved gets what its log holds: SQLite would leave it in the log, where
    /// the file was. What is undecided stays in the log, for who opens it next.
    pub fn leave(&mut self) {
        let db = self.db.lock();
        if self.whereabouts.as_mut().is_some_and(Whereabouts::have_changed) {
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

    /// Whether the files are not where they were. Then what is committed goes into the file, wherever it is now, and leaves no
    /// log behind that another file at its path would be taken to own.
    fn moved(&mut self, db: &Db) -> Option<Error> {
        let files = self.whereabouts.as_mut()?;
        if !files.have_changed() {
            return None;
        }
        let _ = db.connection.empty_log();
        Some(files.error())
    }

    fn begin(&mut self, db: &mut Db, asked: Durability, rebuild: bool) -> Result<Settings> {
        db.end_stray_transaction()?;
        // Under OFF a checkpoint, of a commit or of the closing, syncs nothing: it would take durable commits out of the
        // log and leave them in memory. So OFF is only for stores of which every opener asked for it.
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

/// How an operation ran.
enum Ran {
    /// It is at its end.
    Ended(Result<()>),
    /// A step was refused, and it would decide otherwise now. What it did is to be undone.
    Refused,
}

/// One transaction that a group shares.
struct Transaction<'a> {
    shared: &'a Shared,
    db: &'a mut Db,
    /// As the transaction found them.
    before: Settings,
    settings: Settings,
    /// Rows that the connection had changed before it.
    changes: u64,
    slice: Duration,
    define: Define,
    /// Whom it concerns, once it is committed.
    notice: Notice,
    /// Whether the indexes were built again in it.
    rebuilt: bool,
}

impl Transaction<'_> {
    fn run(&mut self, waiting: &mut VecDeque<Job>, most: usize, group: &mut Group) -> Ending {
        let watch = Stopwatch::start();
        let alone = most == 1 || waiting.len() == 1;
        while group.len() < most {
            let Some(mut job) = waiting.pop_front() else { break };
            let Ok(ran) = catch_unwind(AssertUnwindSafe(|| self.operation(job.as_mut(), alone))) else {
                group.push((job, Ok(())));
                let _ = self.db.run(Sql::Rollback);
                return Ending::Panicked;
            };
            // Where one ends cannot be told, or SQLite gave the whole transaction up (disk full, I/O error): the others
            // did nothing wrong.
            let lost = ran.is_err() || self.db.connection.is_autocommit();
            let outcome = match ran {
                // What was damaged after an index had it cannot be replaced or deleted, which is how it is mended.
                Ok(Ran::Ended(Err(_)))
                    if alone && !self.rebuilt && self.db.connection.met_damaged_index() =>
                {
                    let _ = self.db.run(Sql::Rollback);
                    waiting.push_front(job);
                    return Ending::AgainIndexed;
                }
                Ok(Ran::Ended(outcome)) => outcome,
                Ok(Ran::Refused) => {
                    let _ = self.db.run(Sql::Rollback);
                    waiting.push_front(job);
                    return Ending::Again;
                }
                Err(error) => Err(error),
            };
            group.push((job, outcome));
            if lost {
                let _ = self.db.end_stray_transaction();
                return Ending::RunAlone;
            }
            if watch.elapsed() >= self.slice {
                break;
            }
        }
        self.end(alone, group)
    }

    /// What came of an operation; an error of the outer kind if it cannot be told from the others any more. Alone, it
    /// needs no savepoint: the transaction is its own.
    fn operation(&mut self, job: &mut dyn WriteJob, alone: bool) -> Result<Ran> {
        if !alone {
            self.db.run(Sql::Savepoint)?;
        }
        let ran = loop {
            match self.rounds(job) {
                Ran::Refused if !alone => self.db.run(Sql::RollbackTo)?,
                ran => break ran,
            }
        };
        match &ran {
            Ran::Ended(Ok(())) if !alone => self.db.run(Sql::Release)?,
            // SQLite does not write any more in a transaction in which it met damage, or took an error of the disk for it.
            Ran::Ended(Err(error)) if !alone && matches!(error.code, Code::Corrupt | Code::Unavailable) => {
                return Err(error.clone());
            }
            Ran::Ended(Err(_)) if !alone && !self.db.connection.is_autocommit() => {
                self.db.run(Sql::RollbackTo)?;
                self.db.run(Sql::Release)?;
            }
            _ => {}
        }
        Ok(ran)
    }

    /// Decides and applies until it is done.
    fn rounds(&mut self, job: &mut dyn WriteJob) -> Ran {
        job.begin();
        let mut write = LocalWrite::new(self.db, self.shared.clock.moment(), self.settings, self.define);
        loop {
            let mut batch = Batch::default();
            if let Err(error) = job.decide(&mut write.read, &mut batch) {
                return Ran::Ended(Err(error));
            }
            let verdict = match write.apply(&batch) {
                Ok(verdict) => verdict,
                Err(Failed::Error(error)) => return Ran::Ended(Err(error)),
                Err(Failed::Refused(refusal)) => {
                    drop(batch);
                    return match job.refused(refusal) {
                        Ok(()) => Ran::Refused,
                        Err(error) => Ran::Ended(Err(error)),
                    };
                }
            };
            drop(batch);
            match job.applied(verdict) {
                Ok(Next::Again) => {}
                Ok(Next::Done) => break,
                Err(error) => return Ran::Ended(Err(error)),
            }
        }
        let ended = write.end().map(|written| {
            self.settings = written.settings;
            self.notice |= written.notice;
        });
        Ran::Ended(ended)
    }

    fn end(&mut self, alone: bool, group: &mut Group) -> Ending {
        if alone && group.iter().any(|(_, outcome)| outcome.is_err()) {
            let _ = self.db.run(Sql::Rollback);
            return Ending::Done;
        }
        let Err(error) = self.commit().and_then(|()| self.settle()) else { return Ending::Done };
        self.notice = Notice::NONE;
        if group.len() > 1 && !error.outcome_unknown {
            return Ending::RunAlone;
        }
        for (_, outcome) in group.iter_mut().filter(|(_, outcome)| outcome.is_ok()) {
            *outcome = Err(error.clone());
        }
        Ending::Done
    }

    /// Notes the time, so that it is not earlier for whoever opens the file next: with each message that is added (its
    /// page is written anyway), else when what is noted is a second old.
    fn note_time(&mut self, numbered: bool) -> Result<()> {
        let (now_ms, seen_ms) = (self.shared.clock.now_ms(), self.settings.seen_ms());
        let late = now_ms.saturating_sub(seen_ms) >= TIME_NOTED_EVERY_MS
            && self.db.connection.total_changes() != self.changes;
        if now_ms > seen_ms && (numbered || late) {
            self.db.statement(Sql::SetTime)?.run(&[now_ms.into()])?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.settings.clock != self.before.clock {
            let clock = self.settings.clock.to_string();
            self.db.statement(Sql::SetClock)?.run(&[clock.as_str().into()])?;
        }
        // Another process sees by it that a look at queues and leases is worth it (`ReadTxn::last_number`).
        if self.notice.is_named() && self.settings.sequence == self.before.sequence {
            self.settings.sequence += 1;
        }
        let numbered = self.settings.sequence != self.before.sequence;
        if numbered {
            self.db.statement(Sql::SetSequence)?.run(&[self.settings.sequence.into()])?;
        }
        self.note_time(numbered)?;
        let announced = self.db.connection.announce_commit();
        let Err(error) = self.db.run(Sql::Commit) else {
            self.committed(&announced);
            if numbered {
                self.notice.took_numbers(self.before.sequence, self.settings.sequence);
            }
            return Ok(());
        };
        let _ = self.db.end_stray_transaction();
        if error.code == Code::Busy {
            self.db.connection.commit_ended(&announced);
            return Err(error);
        }
        let of_sync = error.outcome_unknown;
        self.db.connection.doubt_log(if of_sync { Doubt::All } else { Doubt::End }, &announced);
        // What is cut off the log is undone for certain.
        let outcome_unknown = self.mend().is_err();
        Err(Error { outcome_unknown, ..error })
    }

    /// SQLite's commit has passed, and so has its checkpoint, or not.
    fn committed(&self, announced: &Announced) {
        let connection = &self.db.connection;
        if connection.checkpoint_failed() {
            connection.doubt_log(Doubt::All, announced);
        } else {
            connection.commit_ended(announced);
        }
        self.shared.monitor.committed_here();
    }

    /// What is committed is not acknowledged before the log is whole: a sync of another process, or in a checkpoint, may
    /// have failed meanwhile.
    fn settle(&mut self) -> Result<()> {
        if self.db.connection.is_log_whole() {
            return Ok(());
        }
        self.mend().map_err(|error| Error { outcome_unknown: true, ..error })
    }

    fn mend(&mut self) -> Result<()> {
        self.db.run(Sql::BeginImmediate)?;
        let mended = self.db.connection.mend_log();
        let ended = self.db.run(Sql::Rollback);
        mended.and(ended)
    }
}
