//! Ends attempts: the message is acknowledged, waits for the next attempt, or is undeliverable.

use std::borrow::Cow;

use super::enqueue::{keys_of, schedule_of};
use crate::base::error::Result;
use crate::base::limits::MAX_ERROR_MESSAGE_BYTES;
use crate::codec::key_json::preview_key;
use crate::codec::{key, value};
use crate::engine::query::unique;
use crate::store::rows::queue::{Claimable, Damaged, Message};
use crate::store::step::Ready;
use crate::store::{Batch, Expiry, Leased, PutKey, ReadTxn, Refusal, Step};

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The message was handled.
    Done,
    /// The handler failed, with this message.
    Failed(String),
    /// No handler was called: the attempt does not count.
    Returned,
    /// The handler was called, and its end is not awaited. The attempt counts, unless it is the last one:
    /// then one is left.
    Released,
    /// The worker that handled the message was terminated, perhaps because of it: the attempt counts, even
    /// the last one.
    Abandoned,
    /// The stored message cannot be read: another attempt would not help.
    Damaged(String),
}

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The message.
    pub id: String,
    /// The lease under which it was handled.
    pub lease: i64,
    /// How it ended.
    pub end: End,
}

/// The lease under which a message was read.
#[must_use]
pub fn leased(message: &Message) -> Leased<'static> {
    Leased { id: Cow::Owned(message.id.clone()), lease: message.state.lease }
}

/// The decision about an ended attempt.
pub enum Ended {
    /// The result of this step says whether its lease was still held.
    At(usize),
    /// The lease was lost.
    Lost,
    /// The lease was held; no step says so.
    Held,
}

/// Ends an attempt.
pub fn end<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    settled: &'a Settled,
    undelivered: &Undelivered,
) -> Result<Ended> {
    let Settled { id, lease, end } = settled;
    let leased = Leased { id: Cow::Borrowed(id.as_str()), lease: *lease };
    if *end == End::Done {
        return Ok(Ended::At(batch.push(Step::DeleteMessage(leased))));
    }
    let message = match seen.leased_message(id, *lease)? {
        Some(Claimable::Message(message) | Claimable::Behind(message)) => *message,
        Some(Claimable::Damaged(mut damaged)) => {
            if let End::Failed(error) | End::Damaged(error) = end {
                damaged.reason = format!("{}; {error}", damaged.reason);
            }
            set_aside(batch, vec![damaged], undelivered);
            return Ok(Ended::Held);
        }
        None => return Ok(Ended::Lost),
    };
    let step = match end {
        End::Failed(error) => fail(batch, &message, error, undelivered),
        End::Damaged(error) => bury(batch, &message, error, undelivered),
        End::Abandoned if message.state.attempts >= message.max_attempts => return Ok(Ended::Held),
        _ => {
            let counted = match end {
                End::Released | End::Abandoned => message.state.attempts.min(message.max_attempts - 1),
                _ => message.state.attempts - 1,
            };
            batch.push(Step::Return { message: leased, attempts: counted.max(0), ready: Ready::AsBefore })
        }
    };
    Ok(Ended::At(step))
}

/// An attempt failed: the message waits for the next attempt, or has used them up.
fn fail(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    if message.state.attempts >= message.max_attempts {
        return exhaust(batch, message, error, undelivered);
    }
    let step = usize::try_from(message.state.attempts - 1).unwrap_or(0);
    let Ok(schedule) = schedule_of(&message.backoff_schedule) else {
        let reason = format!("the message is damaged: its backoff schedule cannot be read; {error}");
        return bury(batch, message, &reason, undelivered);
    };
    let ready = Ready::In(schedule.backoff_ms.get(step).copied().unwrap_or(0));
    batch.push(Step::Return { message: leased(message), attempts: message.state.attempts, ready })
}

/// A message has used up its attempts, and becomes a dead letter unless it was enqueued without one.
pub fn exhaust(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    if schedule_of(&message.backoff_schedule).is_ok_and(|schedule| !schedule.dead_letter) {
        let Message { keys_if_undelivered, encoding, value, .. } = message;
        undelivered.write(batch, keys_if_undelivered.as_deref(), *encoding, value);
        return batch.push(Step::DeleteMessage(leased(message)));
    }
    bury(batch, message, error, undelivered)
}

/// The results of unique indexes for the keys of undelivered values.
#[derive(Debug, Default)]
pub struct Undelivered {
    /// A key, and an entry that has expired and makes room for it.
    room: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys that are refused, and why.
    refused: Vec<(Vec<u8>, String)>,
}

impl Undelivered {
    /// See `WriteJob::refused`.
    ///
    /// # Errors
    /// The refusal's own, if it was no unique index that refused it.
    pub fn refused(&mut self, refusal: Refusal) -> Result<()> {
        let (key, by_an_index) = (refusal.key.clone(), refusal.holder.is_some());
        match unique::expired_holder(refusal) {
            Ok(holder) => self.room.push((key, holder)),
            Err(error) if by_an_index => self.refused.push((key, error.to_string())),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes an undelivered value to its keys, as their column has them; returns the omissions: everything
    /// if the keys or the value cannot be read, and keys that a unique index refuses. An error instead would
    /// bring the message back for ever, and fail every listener that meets it.
    fn write(&self, batch: &mut Batch<'_>, keys: Option<&str>, encoding: u8, value: &[u8]) -> Vec<String> {
        let readable = keys_of(keys).and_then(|keys| {
            if keys.is_empty() { Ok(keys) } else { value::check(encoding, value).map(|()| keys) }
        });
        let mut keys = match readable {
            Ok(keys) => keys,
            Err(error) => return vec![error.to_string()],
        };
        keys.sort();
        keys.dedup();
        let mut refused = Vec::new();
        for key in keys {
            if let Some((_, reason)) = self.refused.iter().find(|(refused, _)| *refused == key) {
                refused.push(format!("{}: {reason}", preview_key(&key)));
                continue;
            }
            for (_, holder) in self.room.iter().filter(|(room, _)| *room == key) {
                batch.push(Step::SweepRange(Cow::Owned(holder.clone()..key::successor(holder))));
            }
            batch.push(Step::Put {
                key: PutKey::Known(Cow::Owned(key)),
                encoding,
                value: Cow::Owned(value.to_vec()),
                expiry: Expiry::Never,
            });
        }
        refused
    }
}

/// Writes the value to the keys for undelivered values and into the dead letter queue, and removes the
/// message.
fn bury(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    let Message { keys_if_undelivered, encoding, value, .. } = message;
    let left_out = undelivered.write(batch, keys_if_undelivered.as_deref(), *encoding, value);
    let reason = with_left_out(error, &left_out);
    batch.push(Step::Bury { message: leased(message), reason })
}

/// The same for damaged rows, with their readable parts.
pub fn set_aside(batch: &mut Batch<'_>, mut damaged: Vec<Damaged>, undelivered: &Undelivered) {
    for one in &mut damaged {
        let Damaged { keys_if_undelivered: keys, encoding, value, reason, .. } = one;
        let left_out = undelivered.write(batch, keys.as_deref(), *encoding, value);
        *reason = with_left_out(reason, &left_out);
        // A dead letter with unreadable keys could not be requeued.
        keys.take_if(|keys| keys_of(Some(keys)).is_err());
    }
    if !damaged.is_empty() {
        batch.push(Step::SetAside(damaged));
    }
}

/// The handler's error, or the damage, and the first omission.
fn with_left_out(error: &str, left_out: &[String]) -> String {
    let Some(first) = left_out.first() else { return cut(error, MAX_ERROR_MESSAGE_BYTES).to_string() };
    let more = if left_out.len() > 1 { format!("; and {} more", left_out.len() - 1) } else { String::new() };
    let note = format!("; keysIfUndelivered: {first}{more}");
    format!("{}{note}", cut(error, MAX_ERROR_MESSAGE_BYTES.saturating_sub(note.len())))
}

/// The beginning of a message that is too long, in whole characters.
fn cut(error: &str, most: usize) -> &str {
    let fits = |end: &usize| error.is_char_boundary(*end);
    let end = (0..=most.min(error.len())).rev().find(fits).unwrap_or(0);
    error.get(..end).unwrap_or_default()
}
