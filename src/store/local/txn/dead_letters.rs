//! Dead letters on a connection. Each is shown, with what can be read of it: one that is damaged hides no
//! other, and can be deleted.

use super::queue::flag;
use super::read::{LocalRead, encoding};
use super::set_aside::{lossy, sound_text};
use super::write::LocalWrite;
use crate::base::error::{Error, Result};
use crate::store::local::sqlite::Rows;
use crate::store::rows::queue::{DeadLetter, DeadLetterScan, DeliveryState, Message, Status};
use crate::store::sql::Sql;
use crate::store::{Flow, Step, StepResult};

/// The columns without which a message cannot be put back, and whether they may be null.
const NEEDED: [(i32, &str, bool); 5] = [
    (2, "queue", false),
    (8, "backoff_schedule", false),
    (9, "keys_if_undelivered", true),
    (10, "ordering_key", true),
    (11, "deduplication_key", true),
];

fn dead_letter(rows: &Rows<'_>) -> DeadLetter {
    let is_damaged = |(column, _, may_be_null): &&(i32, &str, bool)| {
        rows.text(*column).is_err() || !may_be_null && rows.is_null(*column)
    };
    DeadLetter {
        id: lossy(rows, 0),
        error_message: lossy(rows, 3),
        failed_at: rows.int(6),
        damaged: NEEDED.iter().find(is_damaged).map(|(_, name, _)| *name),
        message: Message {
            id: lossy(rows, 1),
            seq: 0,
            queue: lossy(rows, 2),
            state: DeliveryState {
                status: Status::Pending,
                ready_at: 0,
                attempts: rows.int(4),
                lease: 0,
                locked_until: None,
            },
            max_attempts: rows.int(7),
            backoff_schedule: lossy(rows, 8),
            keys_if_undelivered: sound_text(rows, 9),
            ordering_key: sound_text(rows, 10),
            deduplication_key: sound_text(rows, 11),
            created_at: rows.int(5),
            encoding: encoding(rows.int(12)),
            value: rows.blob(13).to_vec(),
        },
    }
}

/// Stands for bytes that are no text.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

impl LocalRead<'_> {
    /// See `QueueRead::scan_dead_letters`.
    pub fn scan_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()> {
        let (limit, offset) = (scan.limit.into(), scan.offset.into());
        let mut rows = match &scan.queue {
            Some(queue) => {
                self.db.statement(Sql::ScanDeadLetters)?.query(&[limit, offset, queue.as_str().into()])?
            }
            None => self.db.statement(Sql::ScanAllDeadLetters)?.query(&[limit, offset])?,
        };
        while rows.next()? {
            if visit(dead_letter(&rows))? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    /// See `QueueRead::dead_letter`.
    pub fn letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        let mut rows = self.db.statement(Sql::DeadLetter)?.query(&[id.into()])?;
        if rows.next()? {
            return Ok(Some(dead_letter(&rows)));
        }
        drop(rows);
        let Some(row) = self.damaged_letter(id)? else { return Ok(None) };
        let mut rows = self.db.statement(Sql::DeadLetterAt)?.query(&[row.into()])?;
        Ok(if rows.next()? { Some(dead_letter(&rows)) } else { None })
    }

    /// The row of one whose id is shown so, because it is damaged. All of them are looked at.
    fn damaged_letter(&mut self, id: &str) -> Result<Option<i64>> {
        if !id.contains(REPLACEMENT) {
            return Ok(None);
        }
        let mut rows = self.db.statement(Sql::DeadLetterIds)?.query(&[])?;
        while rows.next()? {
            if lossy(&rows, 1) == id {
                return Ok(Some(rows.int(0)));
            }
        }
        Ok(None)
    }
}

impl LocalWrite<'_> {
    /// A step of dead letters.
    pub fn letter_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        match step {
            Step::DeleteDeadLetter(id) => self.delete_dead_letter(id),
            Step::PurgeDeadLetters(Some(queue), limit) => {
                let params = [(*limit).into(), (*queue).into()];
                self.run(Sql::PurgeDeadLetters, &params).map(StepResult::Count)
            }
            Step::PurgeDeadLetters(None, limit) => {
                self.run(Sql::PurgeAllDeadLetters, &[(*limit).into()]).map(StepResult::Count)
            }
            Step::SweepDeadLetters { after, limit } => self.sweep_letters(*after, *limit),
            _ => Err(Error::corrupt("a step of another kind")),
        }
    }

    fn delete_dead_letter(&mut self, id: &str) -> Result<StepResult> {
        let deleted = self.run(Sql::DeleteDeadLetter, &[id.into()])?;
        if deleted == 0
            && let Some(row) = self.read.damaged_letter(id)?
        {
            return self.run(Sql::DeleteDeadLetterAt, &[row.into()]).map(flag);
        }
        Ok(flag(deleted))
    }

    fn sweep_letters(&mut self, after: i64, limit: usize) -> Result<StepResult> {
        let Some(ms) = self.settings.dead_letter_retention_ms else {
            return Ok(StepResult::Swept { count: 0, last: None });
        };
        let params = [self.read.now_ms.saturating_sub(ms).into(), after.into(), limit.into()];
        let mut rows = self.read.db.statement(Sql::OldDeadLetters)?.query(&params)?;
        let (mut old, mut looked, mut last) = (Vec::new(), 0, None);
        while rows.next()? {
            (looked, last) = (looked + 1, Some(rows.int(0)));
            if rows.int(1) != 0 {
                old.push(rows.int(0));
            }
        }
        drop(rows);
        for row in &old {
            self.run(Sql::DeleteDeadLetterAt, &[(*row).into()])?;
        }
        let last = last.filter(|_| looked == limit);
        Ok(StepResult::Swept { count: old.len() as u64, last })
    }
}
