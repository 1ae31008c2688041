//! The transaction that a group of operations shares: each runs under its own savepoint, all are committed at
//! once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::schema::settings::Settings;
use super::shared::Shared;
use super::sqlite::{Announced, Db, Doubt};
use super::txn::read::LocalRead;
use super::txn::write::{Failed, LocalWrite};
use crate::base::clock::Stopwatch;
use crate::base::error::{Code, Error, Result};
use crate::store::rows::index::Define;
use crate::store::rows::released::Released;
use crate::store::sql::Sql;
use crate::store::{Batch, Next, Notice, Step, WriteJob};

/// Seldom enough that claims and heartbeats do not write a page of `kv_meta` each time.
const TIME_NOTED_EVERY_MS: i64 = 1000;

/// An operation.
pub type Job = Box<dyn WriteJob>;

/// Operations that ran in one transaction, with their outcomes.
pub type Group = Vec<(Job, Result<()>)>;

/// The end of a group.
pub enum Ending {
    /// Each operation has its own outcome.
    Done,
    /// Nothing was applied, because of one of them or of their total size: each must run alone.
    RunAlone,
    /// The files have moved. The group may be in a file that nobody will open.
    Moved(Error),
    /// The only operation must run again, in a new transaction, because a step was refused.
    Again,
    /// The same, after rebuilding the indexes: a row of the operation differs between an index and its table.
    AgainIndexed,
    /// The code of an operation panicked; the store cannot be trusted with another one.
    Panicked,
}

/// The end of an operation's run.
enum Ran {
    /// It is done.
    Ended(Result<()>),
    /// A step was refused, and it would now decide differently. Its effects must be undone.
    Refused,
}

/// How an operation that fails is undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// With its transaction, which it has to itself.
    Transaction,
    /// By its savepoint.
    Savepoint,
    /// There is nothing to undo, or it is undone together with the rest of the group.
    Group,
}

/// Whether a batch is applied without a savepoint. A savepoint is two statements and a copy of each page that
/// is changed: without it a set takes a fifth less instructions. A single step that is refused, by a unique
/// index for example, has changed nothing. If it fails later than that, on an error of the disk for example,
/// the group is undone and each of its operations runs alone.
fn is_simple(batch: &Batch<'_>) -> bool {
    matches!(
        batch.steps.as_slice(),
        [] | [Step::Put { .. } | Step::Enqueue(_) | Step::Expire(..) | Step::Delete(_)]
    )
}

/// One transaction that a group shares.
pub struct Transaction<'a> {
    pub shared: &'a Shared,
    pub db: &'a mut Db,
    /// The settings at the beginning of the transaction.
    pub before: Settings,
    pub settings: Settings,
    /// Rows that the connection had changed before it.
    pub changes: u64,
    pub slice: Duration,
    pub define: Define,
    /// The notice to deliver once it is committed.
    pub notice: Notice,
    /// Whether it has rebuilt the indexes.
    pub rebuilt: bool,
}

impl Transaction<'_> {
    /// Runs waiting operations, at most `most`, until its time is up; then commits, or undoes all of them.
    pub fn run(&mut self, waiting: &mut VecDeque<Job>, most: usize, group: &mut Group) -> Ending {
        let watch = Stopwatch::start();
        let alone = most == 1 || waiting.len() == 1;
        while group.len() < most {
            let Some(mut job) = waiting.pop_front() else { break };
            let Ok(ran) = catch_unwind(AssertUnwindSafe(|| self.operation(job.as_mut(), alone))) else {
                group.push((job, Ok(())));
                let _ = self.db.run(Sql::Rollback);
                return Ending::Panicked;
            };
            // The operation cannot be separated from the others, or SQLite gave up the whole transaction
            // (disk full, I/O error): the others are not at fault.
            let lost = ran.is_err() || self.db.connection.is_autocommit();
            let outcome = match ran {
                // An entry that was damaged after an index had it could otherwise not be replaced or deleted,
                // which repairs it.
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

    /// The outcome of an operation; an outer error if it can no longer be separated from the others. Alone,
    /// it needs no savepoint: the transaction is its own.
    fn operation(&mut self, job: &mut dyn WriteJob, alone: bool) -> Result<Ran> {
        let changes = self.db.connection.total_changes();
        let mut undo = if alone { Undo::Transaction } else { Undo::Group };
        let ran = loop {
            match self.rounds(job, &mut undo)? {
                Ran::Refused if undo == Undo::Savepoint => self.db.run(Sql::RollbackTo)?,
                Ran::Refused if undo == Undo::Group => self.has_changed_nothing_since(changes)?,
                ran => break ran,
            }
        };
        let (Ran::Ended(ended), false) = (&ran, alone) else { return Ok(ran) };
        match ended {
            Ok(()) if undo == Undo::Savepoint => self.db.run(Sql::Release)?,
            Ok(()) => {}
            // SQLite writes no more in a transaction in which it met damage, or took an error of the disk for
            // damage.
            Err(error) if matches!(error.code, Code::Corrupt | Code::Unavailable) => {
                return Err(error.clone());
            }
            // SQLite has undone the whole transaction.
            Err(_) if self.db.connection.is_autocommit() => {}
            Err(_) if undo == Undo::Savepoint => {
                self.db.run(Sql::RollbackTo)?;
                self.db.run(Sql::Release)?;
            }
            Err(_) => self.has_changed_nothing_since(changes)?,
        }
        Ok(ran)
    }

    /// # Errors
    /// Something was changed. Without a savepoint it is undone together with the rest of the group.
    fn has_changed_nothing_since(&self, changes: u64) -> Result<()> {
        let is_unchanged = self.db.connection.total_changes() == changes;
        let halfway = || Error::new(Code::Unavailable, "an operation failed halfway");
        if is_unchanged { Ok(()) } else { Err(halfway()) }
    }

    /// Decides and applies until it is done.
    fn rounds(&mut self, job: &mut dyn WriteJob, undo: &mut Undo) -> Result<Ran> {
        job.begin();
        let before = self.db.connection.total_changes();
        let mut write = LocalWrite::new(self.db, self.shared.clock.moment(), self.settings, self.define);
        loop {
            let mut batch = Batch::default();
            if let Err(error) = job.decide(&mut write.read, &mut batch) {
                return Ok(Ran::Ended(Err(error)));
            }
            if *undo == Undo::Group
                && !is_simple(&batch)
                && write.read.db.connection.total_changes() == before
            {
                write.read.db.run(Sql::Savepoint)?;
                *undo = Undo::Savepoint;
            }
            let verdict = match write.apply(&batch) {
                Ok(verdict) => verdict,
                Err(Failed::Error(error)) => return Ok(Ran::Ended(Err(error))),
                Err(Failed::Refused(refusal)) => {
                    drop(batch);
                    return Ok(match job.refused(refusal) {
                        Ok(()) => Ran::Refused,
                        Err(error) => Ran::Ended(Err(error)),
                    });
                }
            };
            drop(batch);
            match job.applied(verdict) {
                Ok(Next::Again) => {}
                Ok(Next::Done) => break,
                Err(error) => return Ok(Ran::Ended(Err(error))),
            }
        }
        let ended = write.end().map(|written| {
            self.settings = written.settings;
            self.notice |= written.notice;
        });
        Ok(Ran::Ended(ended))
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

    /// Stores the time, so that later openers of the file do not get an earlier one: with each message that
    /// is added (its page is written anyway), else once the stored time is a second old.
    fn note_time(&mut self, numbered: bool) -> Result<()> {
        let (now_ms, seen_ms) = (self.shared.clock.now_ms(), self.settings.seen_ms());
        let late = now_ms.saturating_sub(seen_ms) >= TIME_NOTED_EVERY_MS
            && self.db.connection.total_changes() != self.changes;
        if now_ms > seen_ms && (numbered || late) {
            self.db.statement(Sql::SetTime)?.run(&[now_ms.into()])?;
        }
        Ok(())
    }

    /// Records what the group released. Added messages need no record: their positions are numbers of the
    /// group.
    fn note_released(&mut self) -> Result<()> {
        let known = LocalRead::new(self.db, self.shared.clock.moment()).released()?;
        let mut released = known.unwrap_or_else(|| Released::unknown_up_to(self.before.sequence));
        let (queues, consumers) = (self.notice.released_queues(), self.notice.consumers());
        released.add(self.settings.sequence, queues, consumers);
        self.db.statement(Sql::SetReleased)?.run(&[released.text().as_str().into()])
    }

    fn commit(&mut self) -> Result<()> {
        if self.settings.clock != self.before.clock {
            let clock = self.settings.clock.text();
            self.db.statement(Sql::SetClock)?.run(&[clock.as_str().into()])?;
        }
        // This tells other processes that a look at queues and leases is worth it (`ReadTxn::last_number`).
        if self.notice.is_named() && self.settings.sequence == self.before.sequence {
            self.settings.sequence += 1;
        }
        let numbered = self.settings.sequence != self.before.sequence;
        if numbered {
            self.db.statement(Sql::SetSequence)?.run(&[self.settings.sequence.into()])?;
        }
        if self.notice.is_of_release() {
            self.note_released()?;
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
        // A commit that is cut off the log is certainly undone.
        let outcome_unknown = self.mend().is_err();
        Err(Error { outcome_unknown, ..error })
    }

    /// SQLite's commit has succeeded; its checkpoint may have failed.
    fn committed(&self, announced: &Announced) {
        let connection = &self.db.connection;
        if connection.checkpoint_failed() {
            connection.doubt_log(Doubt::All, announced);
        } else {
            connection.commit_ended(announced);
        }
        self.shared.monitor.committed_here();
    }

    /// A commit is not acknowledged before the log is whole: a sync of another process, or of a checkpoint,
    /// may have failed meanwhile.
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
