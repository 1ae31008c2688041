//! Messages on a connection.

use std::collections::BTreeSet;

use super::read::{LocalRead, encoding};
use super::set_aside::{damaged, lossy, sound_text};
use super::write::LocalWrite;
use crate::base::clock;
use crate::base::error::{Error, Result};
use crate::base::limits::MAX_BACKOFF_STEPS;
use crate::store::local::sqlite::Rows;
use crate::store::rows::queue::{
    Claimable, Damaged, DeadLetter, DeadLetterScan, DeliveryState, Duplicate, Message, NewMessage,
    QueueStats, Status, Stranded,
};
use crate::store::sql::Sql;
use crate::store::sql::schema::LAST_NUMBER;
use crate::store::step::Ready;
use crate::store::{Flow, Leased, QueueRead, Step, StepResult};

/// As many as the longest schedule gives. With more, a message would be delivered for ever, without a wait.
const MOST_ATTEMPTS: i64 = MAX_BACKOFF_STEPS as i64 + 1;

impl QueueRead for LocalRead<'_> {
    fn queue_due(&mut self, queue: &str) -> Result<Option<i64>> {
        let mut rows = self.db.statement(Sql::QueueDue)?.query(&[
            queue.into(),
            self.gap.from_ms.into(),
            self.gap.to_ms.into(),
        ])?;
        rows.next()?;
        Ok(rows.optional_int(0))
    }

    fn next_queue(&mut self, from: &str) -> Result<Option<Vec<u8>>> {
        let mut rows = self.db.statement(Sql::NextQueue)?.query(&[from.into()])?;
        Ok(if rows.next()? { Some(rows.blob(0).to_vec()) } else { None })
    }

    fn queues_added_to(&mut self, after: i64, most: usize) -> Result<Option<BTreeSet<String>>> {
        let (mut queues, mut passed) = (BTreeSet::new(), 0);
        let mut rows = self.db.statement(Sql::NewestMessages)?.query(&[most.saturating_add(1).into()])?;
        while rows.next()? {
            if rows.stored_int(0).is_ok_and(|seq| seq <= after) {
                break;
            }
            if passed == most {
                return Ok(None);
            }
            passed += 1;
            if let Ok(queue) = rows.stored_text(1)
                && !queues.contains(queue)
            {
                queues.insert(queue.to_string());
            }
        }
        Ok(Some(queues))
    }

    fn queue_stats(&mut self, queue: Option<&str>) -> Result<QueueStats> {
        let (from_ms, to_ms) = self.gap.open(self.now_ms);
        let times = [self.now_ms.into(), from_ms.into(), to_ms.into()];
        let mut rows = match queue {
            Some(queue) => {
                let [now, from, to] = times;
                self.db.statement(Sql::QueueStats)?.query(&[now, from, to, queue.into()])?
            }
            None => self.db.statement(Sql::AllQueueStats)?.query(&times)?,
        };
        rows.next()?;
        let count = |column| u64::try_from(rows.int(column)).unwrap_or(0);
        Ok(QueueStats { pending: count(0), processing: count(1), dead: count(2) })
    }

    fn scan_dead_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()> {
        self.scan_letters(scan, visit)
    }

    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        self.letter(id)
    }

    fn duplicate_message(&mut self, queue: &str, deduplication_key: &str) -> Result<Option<Duplicate>> {
        let params = [queue.into(), deduplication_key.into()];
        let mut rows = self.db.statement(Sql::DuplicateMessage)?.query(&params)?;
        if !rows.next()? {
            return Ok(None);
        }
        let (row, id) = (rows.int(1), rows.stored_text(0).map(|id| Duplicate::Id(id.to_string())));
        drop(rows);
        let unreadable = |error: Error| {
            let mut rows = self.db.statement(Sql::MessageAt)?.query(&[row.into()])?;
            rows.next()?;
            Ok(Duplicate::Damaged(damaged(&rows, &error.to_string())))
        };
        id.or_else(unreadable).map(Some)
    }

    fn ready_messages(&mut self, queue: &str, limit: usize) -> Result<Vec<Claimable>> {
        let (from_ms, to_ms) = self.gap.open(self.now_ms);
        let now = self.now_ms.into();
        let params = [queue.into(), now, limit.into(), from_ms.into(), to_ms.into()];
        let mut found = Vec::new();
        let mut rows = self.db.statement(Sql::LapsedMessages)?.query(&params)?;
        while rows.next()? {
            found.push(claimable(&rows));
        }
        drop(rows);
        let left = limit.saturating_sub(found.len());
        if left > 0 {
            let params = [queue.into(), self.now_ms.into(), left.into()];
            let mut rows = self.db.statement(Sql::ReadyMessages)?.query(&params)?;
            while rows.next()? {
                found.push(match claimable(&rows) {
                    Claimable::Message(message) if rows.int(17) != 0 => Claimable::Behind(message),
                    other => other,
                });
            }
        }
        Ok(found)
    }

    fn stranded_messages(&mut self, after: i64, limit: usize) -> Result<Stranded> {
        self.stranded(after, limit)
    }

    fn leased_message(&mut self, id: &str, lease: i64) -> Result<Option<Claimable>> {
        let mut rows = self.db.statement(Sql::LeasedMessage)?.query(&[id.into(), lease.into()])?;
        Ok(if rows.next()? { Some(claimable(&rows)) } else { None })
    }
}

fn claimable(rows: &Rows<'_>) -> Claimable {
    match message(rows) {
        Ok(message) => Claimable::Message(Box::new(message)),
        Err(error) => Claimable::Damaged(damaged(rows, &error.to_string())),
    }
}

fn optional_text(rows: &Rows<'_>, column: i32) -> Result<Option<String>> {
    if rows.is_null(column) { Ok(None) } else { rows.text(column).map(|text| Some(text.to_string())) }
}

fn name_of(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Blocked => "blocked",
        Status::Processing => "processing",
    }
}

fn message(rows: &Rows<'_>) -> Result<Message> {
    let status = match rows.text(3)? {
        "pending" => Status::Pending,
        "blocked" => Status::Blocked,
        "processing" => Status::Processing,
        _ => return Err(Error::corrupt("a message in kv_queue has an unknown status")),
    };
    // Its position, its attempts, its lease; how many attempts it may have.
    let (seq, attempts, lease) = (rows.stored_int(1)?, rows.stored_int(5)?, rows.stored_int(11)?);
    let max_attempts = rows.stored_int(6)?;
    if [seq, attempts, lease].iter().any(|number| !(0..LAST_NUMBER).contains(number))
        || !(0..=MOST_ATTEMPTS).contains(&max_attempts)
    {
        return Err(Error::corrupt("a message in kv_queue has an impossible number"));
    }
    Ok(Message {
        id: rows.stored_text(0)?.to_string(),
        seq,
        queue: rows.text(2)?.to_string(),
        state: DeliveryState {
            status,
            ready_at: rows.int(4),
            attempts,
            lease,
            locked_until: rows.optional_int(12),
        },
        max_attempts,
        backoff_schedule: rows.text(7)?.to_string(),
        keys_if_undelivered: optional_text(rows, 8)?,
        ordering_key: optional_text(rows, 9)?,
        deduplication_key: optional_text(rows, 10)?,
        created_at: rows.int(13),
        encoding: encoding(rows.int(14)),
        value: rows.blob(15).to_vec(),
    })
}

impl LocalWrite<'_> {
    /// A step of messages or dead letters.
    pub fn message_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        match step {
            Step::Enqueue(message) => self.enqueue(message).map(StepResult::Id),
            Step::Claim { message, lock_ms } => {
                let (now_ms, until_ms) = (self.read.now_ms, self.read.now_ms.saturating_add(*lock_ms));
                let params = [(&*message.id).into(), message.lease.into(), until_ms.into(), now_ms.into()];
                self.run(Sql::Claim, &params).map(flag)
            }
            Step::Block(Leased { id, lease }) => {
                let params = [(&**id).into(), (*lease).into(), self.read.now_ms.into()];
                self.run(Sql::Block, &params).map(flag)
            }
            Step::Return { message, attempts, ready } => self.give_back(message, *attempts, *ready),
            Step::DeleteMessage(message) => self.delete_message(message).map(StepResult::Flag),
            Step::Extend(Leased { id, lease }, ms) => {
                let until_ms = self.read.now_ms.saturating_add(*ms);
                let params = [(&**id).into(), (*lease).into(), until_ms.into()];
                self.run(Sql::ExtendLease, &params).map(flag)
            }
            Step::Bury { message, reason } => self.bury(message, reason),
            Step::SetAside(damaged) => self.set_aside(damaged).map(|()| StepResult::Done),
            Step::Unblock(keys) => {
                let mut keys = keys.iter();
                let each = keys.try_for_each(|(queue, key)| self.let_next_go(queue, Some(key)));
                each.map(|()| StepResult::Done)
            }
            of_letters => self.letter_step(of_letters),
        }
    }

    fn enqueue(&mut self, new: &NewMessage<'_>) -> Result<String> {
        if let Some(key) = &new.deduplication_key
            && let Some(duplicate) = self.read.duplicate_message(&new.queue, key)?
        {
            return match duplicate {
                Duplicate::Id(id) => Ok(id),
                Duplicate::Damaged(Damaged { reason, .. }) => Err(Error::corrupt(reason)),
            };
        }
        let now_ms = self.read.now_ms;
        let ready_at = now_ms.saturating_add(new.delay_ms);
        let status = match &new.ordering_key {
            Some(key) => self.first_status(&new.queue, key, ready_at)?,
            None => Status::Pending,
        };
        if status == Status::Pending {
            self.notice.add_queue(&new.queue);
        }
        let seq = self.next_number();
        self.run(
            Sql::InsertMessage,
            &[
                (&*new.id).into(),
                seq.into(),
                (&*new.queue).into(),
                ready_at.into(),
                new.max_attempts.into(),
                new.backoff_schedule.as_str().into(),
                new.keys_if_undelivered.as_deref().into(),
                new.ordering_key.as_deref().into(),
                new.deduplication_key.as_deref().into(),
                now_ms.into(),
                i64::from(new.encoding).into(),
                (&*new.value).into(),
                name_of(status).into(),
            ],
        )?;
        Ok(new.id.clone().into_owned())
    }

    /// One that comes after another one of its ordering key need not be looked at before that is done. One
    /// that comes before another takes its place: else those of a key that are each ready earlier would all
    /// be looked at by the next one.
    fn first_status(&mut self, queue: &str, ordering_key: &str, ready_at: i64) -> Result<Status> {
        let params = [queue.into(), ordering_key.into(), ready_at.into()];
        if self.read.db.statement(Sql::IsBehindKey)?.query(&params)?.next()? {
            return Ok(Status::Blocked);
        }
        self.read.db.statement(Sql::BlockLater)?.run(&params)?;
        Ok(Status::Pending)
    }

    fn give_back(&mut self, message: &Leased<'_>, attempts: i64, ready: Ready) -> Result<StepResult> {
        let now_ms = self.read.now_ms;
        let ready_at = if let Ready::In(ms) = ready { Some(now_ms.saturating_add(ms)) } else { None };
        let params =
            [(&*message.id).into(), message.lease.into(), ready_at.into(), attempts.into(), now_ms.into()];
        let mut rows = self.read.db.statement(Sql::Return)?.query(&params)?;
        if !rows.next()? {
            return Ok(StepResult::Flag(false));
        }
        self.notice.release_queue(&lossy(&rows, 0));
        // The change is made whole by running to the end.
        while rows.next()? {}
        Ok(StepResult::Flag(true))
    }

    /// Whether it was found.
    fn delete_message(&mut self, Leased { id, lease }: &Leased<'_>) -> Result<bool> {
        let mut rows = self.read.db.statement(Sql::LeasedRow)?.query(&[(&**id).into(), (*lease).into()])?;
        if !rows.next()? {
            return Ok(false);
        }
        // They may have been damaged meanwhile: then nothing was let go by them, and the sweep looks for it.
        let (row, ordered) = (rows.int(0), sound_text(&rows, 2).map(|key| (lossy(&rows, 1), key)));
        drop(rows);
        self.run(Sql::DeleteMessageAt, &[row.into()])?;
        if let Some((queue, key)) = ordered {
            self.let_next_go(&queue, Some(&key))?;
        }
        Ok(true)
    }

    pub fn let_next_go(&mut self, queue: &str, ordering_key: Option<&str>) -> Result<()> {
        let Some(key) = ordering_key else { return Ok(()) };
        if self.run(Sql::Unblock, &[queue.into(), key.into()])? > 0 {
            self.notice.release_queue(queue);
        }
        Ok(())
    }

    fn bury(&mut self, message: &Leased<'_>, reason: &str) -> Result<StepResult> {
        let letter = clock::new_id().to_string();
        let params = [
            (&*message.id).into(),
            message.lease.into(),
            letter.as_str().into(),
            reason.into(),
            self.read.now_ms.into(),
        ];
        self.run(Sql::Bury, &params)?;
        self.delete_message(message).map(StepResult::Flag)
    }
}

pub fn flag(changes: u64) -> StepResult {
    StepResult::Flag(changes > 0)
}
