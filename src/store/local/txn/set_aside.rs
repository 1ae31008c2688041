//! Damaged messages become dead letters, each alone: one would end every claim that meets it, or no claim
//! would ever look at it.

use std::collections::BTreeSet;

use super::read::{LocalRead, encoding};
use super::write::LocalWrite;
use crate::base::clock;
use crate::base::error::Result;
use crate::base::limits::MAX_CLAIM_BYTES;
use crate::store::local::sqlite::Rows;
use crate::store::rows::queue::{Damaged, Stranded};
use crate::store::sql::Sql;
use crate::store::sql::schema::LAST_NUMBER;

/// A row, and why it cannot be read.
pub fn damaged(rows: &Rows<'_>, reason: &str) -> Damaged {
    Damaged {
        row: rows.int(16),
        id: lossy(rows, 0),
        queue: lossy(rows, 2),
        ordering_key: sound_text(rows, 9),
        keys_if_undelivered: sound_text(rows, 8),
        encoding: encoding(rows.int(14)),
        value: rows.blob(15).to_vec(),
        reason: format!("the message is damaged: {reason}"),
    }
}

/// The readable part of a text.
pub fn lossy(rows: &Rows<'_>, column: i32) -> String {
    String::from_utf8_lossy(rows.blob(column)).into_owned()
}

/// `None` if there is none, or none that can be read.
pub fn sound_text(rows: &Rows<'_>, column: i32) -> Option<String> {
    if rows.is_null(column) { None } else { rows.text(column).ok().map(str::to_string) }
}

/// Why no claim would ever look at a message, by its row as `Sql::CheckMessages` gives it.
fn stranded_by(rows: &Rows<'_>) -> Option<&'static str> {
    let (has_ready_at, has_locked_until) = (rows.int(3) != 0, rows.int(4) != 0);
    match (rows.text(1), rows.text(2)) {
        (queue, _) if queue.is_err() || rows.int(6) == 0 => Some("its queue is no text"),
        (_, Ok("pending" | "blocked")) if !has_ready_at => Some("ready_at is no time"),
        (_, Ok("processing")) if !has_locked_until => Some("its lease has no end"),
        (_, Ok("pending" | "blocked" | "processing")) => None,
        _ => Some("its status is unknown"),
    }
}

impl LocalRead<'_> {
    /// See `QueueRead::stranded_messages`.
    pub fn stranded(&mut self, after: i64, limit: usize) -> Result<Stranded> {
        let params = [after.into(), limit.into(), LAST_NUMBER.into()];
        let mut rows = self.db.statement(Sql::CheckMessages)?.query(&params)?;
        let (mut found, mut reasons) = (Stranded::default(), Vec::new());
        let (mut last, mut looked) = (after, 0);
        while rows.next()? {
            (last, looked) = (rows.int(0), looked + 1);
            if let Some(reason) = stranded_by(&rows) {
                reasons.push((last, reason));
            } else if rows.int(7) != 0 {
                let key = sound_text(&rows, 5);
                found.behind_nothing.extend(key.map(|key| (lossy(&rows, 1), key)));
            }
        }
        drop(rows);
        found.last = Some(last).filter(|_| looked == limit);
        let mut bytes = 0;
        for (row, reason) in reasons {
            let mut rows = self.db.statement(Sql::MessageAt)?.query(&[row.into()])?;
            if rows.next()? {
                let one = damaged(&rows, reason);
                bytes += one.value.len();
                found.damaged.push(one);
            }
            if bytes > MAX_CLAIM_BYTES {
                found.last = Some(row);
                break;
            }
        }
        Ok(found)
    }
}

impl LocalWrite<'_> {
    /// Makes dead letters of some rows, and lets go what was blocked behind them.
    pub fn set_aside(&mut self, damaged: &[Damaged]) -> Result<()> {
        let mut behind = BTreeSet::new();
        for one in damaged {
            self.set_one_aside(one)?;
            behind.extend(one.ordering_key.as_deref().map(|key| (one.queue.as_str(), key)));
        }
        behind.iter().try_for_each(|(queue, key)| self.let_next_go(queue, Some(*key)))
    }

    fn set_one_aside(&mut self, one: &Damaged) -> Result<()> {
        let (now_ms, id) = (self.read.now_ms, clock::new_id().to_string());
        self.read.db.statement(Sql::SetAside)?.run(&[
            one.row.into(),
            id.as_str().into(),
            one.id.as_str().into(),
            one.queue.as_str().into(),
            one.reason.as_str().into(),
            now_ms.into(),
            one.keys_if_undelivered.as_deref().into(),
        ])?;
        self.read.db.statement(Sql::DeleteMessageAt)?.run(&[one.row.into()])
    }
}
