//! Messages and dead letters on a connection.

use super::schema::LAST_NUMBER;
use super::set_aside::{Columns, Damaged};
use super::sql::Sql;
use super::sqlite::{Param, Rows};
use super::txn::{LocalRead, LocalWrite, encoding};
use crate::error::{Error, Result};
use crate::limits::MAX_BACKOFF_STEPS;
use crate::store::queue::{DeadLetter, DeadLetterScan, Message, QueueStats, State, Status};
use crate::store::{Flow, QueueRead, QueueWrite};

/// As many as the longest schedule gives. With more, a message would be delivered for ever, without a wait.
const MOST_ATTEMPTS: i64 = MAX_BACKOFF_STEPS as i64 + 1;

/// The columns of `Sql`'s messages by which a damaged one is set aside.
const ROW: Columns = Columns { id: 0, row: 16, queue: 2, ordering_key: 9 };

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
        let (limit, offset) = (scan.limit.into(), scan.offset.into());
        let mut rows = match &scan.queue {
            Some(queue) => {
                self.db.statement(Sql::ScanDeadLetters)?.query(&[limit, offset, queue.as_str().into()])?
            }
            None => self.db.statement(Sql::ScanAllDeadLetters)?.query(&[limit, offset])?,
        };
        while rows.next()? {
            if visit(dead_letter(&rows)?)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        let mut rows = self.db.statement(Sql::DeadLetter)?.query(&[id.into()])?;
        if rows.next()? { dead_letter(&rows).map(Some) } else { Ok(None) }
    }
}

impl QueueRead for LocalWrite<'_> {
    fn queue_due(&mut self, queue: &str) -> Result<Option<i64>> {
        self.read.queue_due(queue)
    }

    fn next_queue(&mut self, from: &str) -> Result<Option<Vec<u8>>> {
        self.read.next_queue(from)
    }

    fn queue_stats(&mut self, queue: Option<&str>) -> Result<QueueStats> {
        self.read.queue_stats(queue)
    }

    fn scan_dead_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()> {
        self.read.scan_dead_letters(scan, visit)
    }

    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        self.read.dead_letter(id)
    }
}

fn optional_text(rows: &Rows<'_>, column: i32) -> Result<Option<String>> {
    if rows.optional_int(column).is_none() {
        Ok(None)
    } else {
        rows.text(column).map(|text| Some(text.to_string()))
    }
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
        _ => return Err(Error::corrupt("a message in kv_queue has a status that there is not")),
    };
    // Its position, its attempts, its lease; how many attempts it may have.
    if [1, 5, 11].iter().any(|column| !(0..LAST_NUMBER).contains(&rows.int(*column)))
        || !(0..=MOST_ATTEMPTS).contains(&rows.int(6))
    {
        return Err(Error::corrupt("a message in kv_queue has a number that none gets to"));
    }
    Ok(Message {
        id: rows.text(0)?.to_string(),
        seq: rows.int(1),
        queue: rows.text(2)?.to_string(),
        state: State {
            status,
            ready_at: rows.int(4),
            attempts: rows.int(5),
            lease: rows.int(11),
            locked_until: rows.optional_int(12),
        },
        max_attempts: rows.int(6),
        backoff_schedule: rows.text(7)?.to_string(),
        keys_if_undelivered: optional_text(rows, 8)?,
        ordering_key: optional_text(rows, 9)?,
        deduplication_key: optional_text(rows, 10)?,
        created_at: rows.int(13),
        encoding: encoding(rows.int(14)),
        value: rows.blob(15).to_vec(),
    })
}

fn dead_letter(rows: &Rows<'_>) -> Result<DeadLetter> {
    Ok(DeadLetter {
        id: rows.text(0)?.to_string(),
        error_message: rows.text(3)?.to_string(),
        failed_at: rows.int(6),
        message: Message {
            id: rows.text(1)?.to_string(),
            seq: 0,
            queue: rows.text(2)?.to_string(),
            state: State {
                status: Status::Pending,
                ready_at: 0,
                attempts: rows.int(4),
                lease: 0,
                locked_until: None,
            },
            max_attempts: rows.int(7),
            backoff_schedule: rows.text(8)?.to_string(),
            keys_if_undelivered: optional_text(rows, 9)?,
            ordering_key: optional_text(rows, 10)?,
            deduplication_key: optional_text(rows, 11)?,
            created_at: rows.int(5),
            encoding: encoding(rows.int(12)),
            value: rows.blob(13).to_vec(),
        },
    })
}

fn optional(text: Option<&String>) -> Param<'_> {
    text.map_or(Param::Int(None), |text| text.as_str().into())
}

impl LocalWrite<'_> {
    fn messages(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Message>> {
        let mut rows = self.read.db.statement(sql)?.query(params)?;
        let mut messages = Vec::new();
        while rows.next()? {
            messages.push(message(&rows)?);
        }
        Ok(messages)
    }

    /// The same of one queue. A row that is damaged becomes a dead letter: it would end every claim that meets it.
    fn sound_messages(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Message>> {
        let mut rows = self.read.db.statement(sql)?.query(params)?;
        let (mut messages, mut damaged) = (Vec::new(), Vec::new());
        while rows.next()? {
            match message(&rows) {
                Ok(message) => messages.push(message),
                Err(error) => damaged.push(Damaged::of(&rows, &ROW, &error.message)),
            }
        }
        drop(rows);
        self.set_aside(&damaged)?;
        Ok(messages)
    }
}

impl QueueWrite for LocalWrite<'_> {
    fn standing_message(&mut self, queue: &str, deduplication_key: &str) -> Result<Option<String>> {
        let params = [queue.into(), deduplication_key.into()];
        let mut rows = self.read.db.statement(Sql::StandingMessage)?.query(&params)?;
        if rows.next()? { rows.text(0).map(|id| Some(id.to_string())) } else { Ok(None) }
    }

    fn insert_message(&mut self, message: &Message) -> Result<()> {
        if message.state.status == Status::Pending {
            self.notice.add_queue(&message.queue);
        }
        self.read.db.statement(Sql::InsertMessage)?.run(&[
            message.id.as_str().into(),
            message.seq.into(),
            message.queue.as_str().into(),
            message.state.ready_at.into(),
            message.max_attempts.into(),
            message.backoff_schedule.as_str().into(),
            optional(message.keys_if_undelivered.as_ref()),
            optional(message.ordering_key.as_ref()),
            optional(message.deduplication_key.as_ref()),
            message.created_at.into(),
            i64::from(message.encoding).into(),
            message.value.as_slice().into(),
            name_of(message.state.status).into(),
        ])
    }

    fn ready_messages(&mut self, queue: &str, limit: usize) -> Result<Vec<Message>> {
        let now_ms = self.read.now_ms;
        let (from_ms, to_ms) = self.read.gap.open(now_ms);
        let params = [queue.into(), now_ms.into(), limit.into(), from_ms.into(), to_ms.into()];
        let mut found = self.sound_messages(Sql::LapsedMessages, &params)?;
        let left = limit.saturating_sub(found.len());
        if left > 0 {
            let params = [queue.into(), now_ms.into(), left.into()];
            found.append(&mut self.sound_messages(Sql::ReadyMessages, &params)?);
        }
        Ok(found)
    }

    fn is_behind_key(&mut self, queue: &str, ordering_key: &str, ready_at: i64) -> Result<bool> {
        let params = [queue.into(), ordering_key.into(), ready_at.into()];
        self.read.db.statement(Sql::IsBehindKey)?.query(&params)?.next()
    }

    fn block_later(&mut self, queue: &str, ordering_key: &str, ready_at: i64) -> Result<()> {
        let params = [queue.into(), ordering_key.into(), ready_at.into()];
        self.read.db.statement(Sql::BlockLater)?.run(&params)
    }

    fn is_key_busy(&mut self, queue: &str, ordering_key: &str, id: &str) -> Result<bool> {
        let params = [queue.into(), ordering_key.into(), id.into()];
        self.read.db.statement(Sql::IsKeyBusy)?.query(&params)?.next()
    }

    fn leased_message(&mut self, id: &str, lease: i64) -> Result<Option<Message>> {
        Ok(self.messages(Sql::LeasedMessage, &[id.into(), lease.into()])?.pop())
    }

    fn set_message_state(&mut self, message: &Message, state: State) -> Result<()> {
        if state.status == Status::Pending {
            self.notice.add_queue(&message.queue);
        }
        self.read.db.statement(Sql::SetMessageState)?.run(&[
            message.id.as_str().into(),
            name_of(state.status).into(),
            state.ready_at.into(),
            state.attempts.into(),
            state.lease.into(),
            state.locked_until.into(),
            self.read.now_ms.into(),
        ])
    }

    fn remove_leased(&mut self, id: &str, lease: i64) -> Result<Option<(String, Option<String>)>> {
        let mut rows = self.read.db.statement(Sql::RemoveLeased)?.query(&[id.into(), lease.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        let removed = (rows.text(0)?.to_string(), optional_text(&rows, 1)?);
        // The change is made whole by running to the end.
        while rows.next()? {}
        Ok(Some(removed))
    }

    fn extend_lease(&mut self, id: &str, lease: i64, locked_until: i64) -> Result<bool> {
        let db = &mut *self.read.db;
        db.statement(Sql::ExtendLease)?.run(&[id.into(), lease.into(), locked_until.into()])?;
        Ok(db.connection.changes() > 0)
    }

    fn unblock(&mut self, queue: &str, ordering_key: &str) -> Result<()> {
        let db = &mut *self.read.db;
        db.statement(Sql::Unblock)?.run(&[queue.into(), ordering_key.into()])?;
        if db.connection.changes() > 0 {
            self.notice.add_queue(queue);
        }
        Ok(())
    }

    fn set_stranded_aside(&mut self, limit: usize) -> Result<()> {
        self.check_messages(limit)
    }

    fn insert_dead_letter(&mut self, letter: &DeadLetter) -> Result<()> {
        let DeadLetter { id, error_message, failed_at, message } = letter;
        self.read.db.statement(Sql::InsertDeadLetter)?.run(&[
            id.as_str().into(),
            message.id.as_str().into(),
            message.queue.as_str().into(),
            error_message.as_str().into(),
            message.state.attempts.into(),
            message.created_at.into(),
            (*failed_at).into(),
            message.max_attempts.into(),
            message.backoff_schedule.as_str().into(),
            optional(message.keys_if_undelivered.as_ref()),
            optional(message.ordering_key.as_ref()),
            optional(message.deduplication_key.as_ref()),
            i64::from(message.encoding).into(),
            message.value.as_slice().into(),
        ])
    }

    fn remove_dead_letter(&mut self, id: &str) -> Result<bool> {
        let db = &mut *self.read.db;
        db.statement(Sql::RemoveDeadLetter)?.run(&[id.into()])?;
        Ok(db.connection.changes() > 0)
    }

    fn sweep_dead_letters(&mut self, until_ms: i64, limit: usize) -> Result<u64> {
        let db = &mut *self.read.db;
        db.statement(Sql::SweepDeadLetters)?.run(&[until_ms.into(), limit.into()])?;
        Ok(db.connection.changes())
    }

    fn purge_dead_letters(&mut self, queue: Option<&str>, limit: usize) -> Result<u64> {
        let db = &mut *self.read.db;
        match queue {
            Some(queue) => db.statement(Sql::PurgeDeadLetters)?.run(&[limit.into(), queue.into()])?,
            None => db.statement(Sql::PurgeAllDeadLetters)?.run(&[limit.into()])?,
        };
        Ok(db.connection.changes())
    }
}
