//! The change feed: pages of the change log, and its trimming.

use std::sync::Arc;

use super::followers::Follower;
use crate::base::config::ChangeLog;
use crate::base::error::{Code, Error, Result};
use crate::base::limits::{MAX_INLINE_LOG_ROWS, MAX_LOG_ROWS, MAX_PAGE_BYTES, TRIM_STEP_ROWS};
use crate::codec::key;
use crate::codec::page::{self, Page, Tail};
use crate::engine::answer::{Answer, Ending};
use crate::store::rows::changes::{Change, ChangeLogState, ChangeScan};
use crate::store::{Batch, Flow, ReadTxn, Step, Want};

/// A feed, or the rest of one.
#[derive(Debug, Clone)]
pub struct ChangesQuery {
    /// Changes after this number; `None`: from the oldest that is kept.
    pub after: Option<i64>,
    /// Only keys under this encoded prefix; empty: all.
    pub prefix: Vec<u8>,
    /// At most so many changes.
    pub limit: usize,
    /// Notified of changes once the feed has reached the end of the log.
    pub follower: Option<Arc<Follower>>,
}

/// Refuses to read a log that is not written.
///
/// # Errors
/// `UNSUPPORTED`.
pub fn check_logged(state: &ChangeLogState) -> Result<()> {
    if state.mode != ChangeLog::Off {
        return Ok(());
    }
    let message = "the change log of this store is off; open it with changeLog: \"keys\" or \"values\"";
    Err(Error::new(Code::Unsupported, message))
}

/// Refuses to continue after a number if the changes after it were trimmed.
///
/// # Errors
/// `HISTORY_GONE`.
pub fn check_history(state: &ChangeLogState, after: i64) -> Result<()> {
    if after.saturating_add(1) >= state.first {
        return Ok(());
    }
    let message = format!(
        "changes {} to {} were trimmed; the oldest that is kept is {}: read the current state, and continue from there",
        after + 1,
        state.first - 1,
        state.first
    );
    Err(Error::new(Code::HistoryGone, message))
}

/// Reads a page of changes; its tail says where to continue, and whether there may be more now. If there are
/// none, the follower is notified of later ones.
///
/// # Errors
/// `HISTORY_GONE`, `UNSUPPORTED`, those of the store.
pub fn page(txn: &mut dyn ReadTxn, query: &ChangesQuery, inline: bool) -> Result<Answer> {
    let passed = query.follower.as_ref().map_or(0, |follower| follower.passed());
    let rows = if inline { MAX_INLINE_LOG_ROWS } else { MAX_LOG_ROWS };
    let scan = |after| ChangeScan { after, limit: rows, values: true };
    let known = query.after.map(|after| Want::Changes(scan(after.max(passed))));
    txn.prefetch(&mut known.into_iter().chain([Want::ChangeLogState]));
    let state = txn.change_log_state()?;
    check_logged(&state)?;
    let after = query.after.unwrap_or(state.first - 1).max(passed);
    check_history(&state, after)?;
    let mut page = Page::with_capacity(1024);
    let (mut position, mut full) = (after, false);
    txn.scan_changes(scan(after), &mut |change| {
        full = page.len() == query.limit || page.size_bytes() >= MAX_PAGE_BYTES;
        if full {
            return Ok(Flow::Stop);
        }
        if key::is_under(change.key, &query.prefix) {
            page.push_change(&page_change(&change))?;
        }
        position = change.seq;
        Ok(Flow::Continue)
    })?;
    let more = full || position < state.head;
    if inline && more && page.is_empty() {
        return Ok(Answer::WouldBlock);
    }
    let more = more || query.follower.as_ref().is_some_and(|follower| !follower.settle(position));
    page.finish(Tail::From { place: position, more });
    Ok(Answer::Page(page))
}

fn page_change<'a>(change: &Change<'a>) -> page::Change<'a> {
    let &Change { seq, key, kind, versionstamp, value } = change;
    page::Change { seq, operation: kind as u8, key, value, versionstamp }
}

/// The newest number.
///
/// # Errors
/// `UNSUPPORTED`, those of the store.
pub fn head(txn: &mut dyn ReadTxn) -> Result<Answer> {
    let state = txn.change_log_state()?;
    check_logged(&state)?;
    Ok(Answer::Number(state.head))
}

/// Removes one step of the changes up to a number; -1 means all.
///
/// # Errors
/// `INVALID_ARGUMENT` for a number that is still to come, `UNSUPPORTED`, those of the store.
pub fn trim(seen: &mut dyn ReadTxn, batch: &mut Batch<'_>, seq: i64) -> Result<Ending> {
    let state = seen.change_log_state()?;
    check_logged(&state)?;
    if seq > state.head {
        let message = format!("{seq} is beyond the newest change, {}", state.head);
        return Err(Error::invalid(message).at("seq"));
    }
    let up_to = if seq == -1 { state.head } else { seq };
    batch.push(Step::TrimChangesTo(up_to, TRIM_STEP_ROWS));
    Ok(Ending::of(move |result| {
        let count = result.count();
        Ok(Answer::Trimmed { count, more: count == TRIM_STEP_ROWS as u64, up_to })
    }))
}
