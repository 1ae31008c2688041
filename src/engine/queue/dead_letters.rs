//! The dead letter queue.

use super::enqueue::{NewMessage, Schedule, keys_of, schedule_of};
use crate::base::error::{Error, Place, Result, short};
use crate::base::limits::MAX_PAGE_BYTES;
use crate::codec::key_json::json_string;
use crate::codec::page::{self, Page, Tail};
use crate::engine::answer::{Answer, Ending, lost};
use crate::store::rows::queue::{DeadLetter, DeadLetterScan};
use crate::store::{Batch, Flow, ReadTxn, Step, StepResult};

/// Lists dead letters, by pages.
pub fn list(txn: &mut dyn ReadTxn, scan: &DeadLetterScan) -> Result<Answer> {
    let mut page = Page::with_capacity(256);
    txn.scan_dead_letters(scan, &mut |letter| {
        // Dead letters that do not fit are read again with the next page.
        page.more |= !page.is_empty() && page.size_bytes() >= MAX_PAGE_BYTES;
        if page.more {
            return Ok(Flow::Stop);
        }
        push(&mut page, &letter);
        Ok(Flow::Continue)
    })?;
    page.finish(Tail::List);
    Ok(Answer::Page(page))
}

/// One dead letter, as a page of one or none.
pub fn get(txn: &mut dyn ReadTxn, id: &str) -> Result<Answer> {
    let mut page = Page::with_capacity(256);
    if let Some(letter) = txn.dead_letter(id)? {
        push(&mut page, &letter);
    }
    page.finish(Tail::List);
    Ok(Answer::Page(page))
}

fn push(page: &mut Page, letter: &DeadLetter) {
    let DeadLetter { id, error_message, failed_at, message, .. } = letter;
    page.push_dead_letter(&page::DeadLetter {
        id,
        original: &message.id,
        error: error_message,
        attempts: message.state.attempts,
        created_at: message.created_at,
        failed_at: *failed_at,
        queue: &message.queue,
        encoding: message.encoding,
        value: &message.value,
    });
}

/// Puts a dead letter back into its queue as a new message with this id and all its attempts; returns the id,
/// or `null`.
///
/// # Errors
/// `CORRUPT` if an essential part of it cannot be read.
pub fn requeue<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    letter: &'a str,
    id: &str,
) -> Result<Ending> {
    let Some(DeadLetter { message, damaged, .. }) = seen.dead_letter(letter)? else {
        return Ok(Ending::Known(Answer::Id(None)));
    };
    let unreadable = |part: &str| {
        let place = Place::subject(format!("dead letter {}", json_string(&short(letter))));
        Error::corrupt(format!("its {part} cannot be read; delete it")).at(place)
    };
    if let Some(column) = damaged {
        return Err(unreadable(column));
    }
    let schedule = schedule_of(&message.backoff_schedule).map_err(|_| unreadable("schedule"))?;
    let Schedule { backoff_ms, dead_letter } = schedule;
    let keys = keys_of(message.keys_if_undelivered.as_deref()).map_err(|_| unreadable("keys"))?;
    // Another message may have its deduplication key by now: this one is requeued without the key, so that it
    // is not lost.
    let deduplication_key = match message.deduplication_key {
        Some(key) if seen.duplicate_message(&message.queue, &key)?.is_some() => None,
        key => key,
    };
    batch.push(Step::DeleteDeadLetter(letter));
    let again = NewMessage {
        id: id.into(),
        delay_ms: 0,
        backoff_ms,
        dead_letter,
        keys_if_undelivered: keys,
        queue: message.queue,
        ordering_key: message.ordering_key,
        deduplication_key,
        encoding: message.encoding,
        value: message.value,
    };
    batch.push(again.into_step());
    Ok(Ending::of(|result| match result {
        StepResult::Id(id) => Ok(Answer::Id(Some(id))),
        _ => Err(lost()),
    }))
}
