//! Damaged messages become dead letters, each alone: one would end every claim that meets it, or no claim would ever look at
//! it.

use std::collections::BTreeSet;

use super::write::LocalWrite;
use crate::base::clock;
use crate::base::error::Result;
use crate::store::local::schema::LAST_NUMBER;
use crate::store::local::sqlite::Rows;
use crate::store::rows::queue::Damaged;
use crate::store::sql::Sql;

/// In which columns a statement has what is needed of a row.
pub struct Columns {
    /// The message's id.
    pub id: i32,
    /// The rowid.
    pub row: i32,
    /// The queue's name.
    pub queue: i32,
    /// The ordering key, or null.
    pub ordering_key: i32,
}

/// A row, and why it cannot be read.
pub fn damaged(rows: &Rows<'_>, columns: &Columns, reason: &str) -> Damaged {
    Damaged {
        row: rows.int(columns.row),
        id: lossy(rows, columns.id),
        queue: lossy(rows, columns.queue),
        ordering_key: sound_text(rows, columns.ordering_key),
        reason: format!("the message is damaged: {reason}"),
    }
}

fn lossy(rows: &Rows<'_>, column: i32) -> String {
    String::from_utf8_lossy(rows.blob(column)).into_owned()
}

/// `None` if there is none, or none that can be read.
fn sound_text(rows: &Rows<'_>, column: i32) -> Option<String> {
    rows.optional_int(column).and_then(|_| rows.text(column).ok()).map(str::to_string)
}

/// The columns of `Sql::CheckMessages`.
const CHECKED: Columns = Columns { id: 0, row: 1, queue: 2, ordering_key: 6 };

/// Why no claim would ever look at a message, by its row as `Sql::CheckMessages` gives it.
fn stranded_by(rows: &Rows<'_>) -> Option<&'static str> {
    let (has_ready_at, has_locked_until) = (rows.int(4) != 0, rows.int(5) != 0);
    match (rows.text(2), rows.text(3)) {
        (queue, _) if queue.is_err() || rows.int(7) == 0 => Some("its queue is no text"),
        (_, Ok("pending" | "blocked")) if !has_ready_at => Some("ready_at is no time"),
        (_, Ok("processing")) if !has_locked_until => Some("its lease has no end"),
        (_, Ok("pending" | "blocked" | "processing")) => None,
        _ => Some("its status is unknown"),
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
        ])?;
        self.read.db.statement(Sql::RemoveRow)?.run(&[one.row.into()])
    }

    /// See `Step::SetStrandedAside`.
    pub fn check_messages(&mut self, limit: usize) -> Result<()> {
        let after = self.read.db.checked_row;
        let params = [after.into(), limit.into(), LAST_NUMBER.into()];
        let mut rows = self.read.db.statement(Sql::CheckMessages)?.query(&params)?;
        let (mut stranded, mut behind_nothing) = (Vec::new(), BTreeSet::new());
        let (mut last, mut looked) = (after, 0);
        while rows.next()? {
            (last, looked) = (rows.int(CHECKED.row), looked + 1);
            if let Some(reason) = stranded_by(&rows) {
                stranded.push(damaged(&rows, &CHECKED, reason));
            } else if rows.int(8) != 0 {
                let key = sound_text(&rows, CHECKED.ordering_key);
                behind_nothing.extend(key.map(|key| (lossy(&rows, CHECKED.queue), key)));
            }
        }
        drop(rows);
        self.read.db.checked_row = if looked < limit { i64::MIN } else { last };
        // What is let go behind a stranded message is not behind nothing any more.
        for one in &stranded {
            behind_nothing.remove(&(one.queue.clone(), one.ordering_key.clone().unwrap_or_default()));
        }
        self.set_aside(&stranded)?;
        behind_nothing.iter().try_for_each(|(queue, key)| self.let_next_go(queue, Some(key)))
    }
}
