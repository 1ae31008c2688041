//! How attempts end: the message is gone, waits for the next attempt, or is undelivered.

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

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The message was handled.
    Done,
    /// The handler failed, with this message.
    Failed(String),
    /// No handler was begun: the attempt does not count.
    Returned,
    /// The handler was begun, and its end is not waited for. The attempt counts, unless it is the last one: then one is left.
    Released,
    /// The worker that handled the message was ended, perhaps by it: the attempt counts, and the last one is not given back.
    Abandoned,
    /// What is stored cannot be read: no attempt would make it better.
    Damaged(String),
}

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The message.
    pub id: String,
    /// The lease under which it was handled.
    pub lease: i64,
    /// How.
    pub end: End,
}

/// The lease under which a message was read.
#[must_use]
pub fn leased(message: &Message) -> Leased<'static> {
    Leased { id: Cow::Owned(message.id.clone()), lease: message.state.lease }
}

/// What is decided of an attempt that has ended.
pub enum Ended {
    /// This step tells whether its lease still stood.
    At(usize),
    /// It did not.
    Lost,
    /// It did, and no step tells it.
    Stood,
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
            return Ok(Ended::Stood);
        }
        None => return Ok(Ended::Lost),
    };
    let step = match end {
        End::Failed(error) => fail(batch, &message, error, undelivered),
        End::Damaged(error) => bury(batch, &message, error, undelivered),
        End::Abandoned if message.state.attempts >= message.max_attempts => return Ok(Ended::Stood),
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

/// An attempt failed: the message waits for the next one, or has none left.
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

/// A message has used up its attempts, and is a dead letter unless it said otherwise.
pub fn exhaust(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    if schedule_of(&message.backoff_schedule).is_ok_and(|schedule| !schedule.dead_letter) {
        let Message { keys_if_undelivered, encoding, value, .. } = message;
        undelivered.write(batch, keys_if_undelivered.as_deref(), *encoding, value);
        return batch.push(Step::DeleteMessage(leased(message)));
    }
    bury(batch, message, error, undelivered)
}

/// What unique indexes say of the keys for undelivered values.
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

    /// Writes a value to its keys for undelivered ones, as their column has them; says what is left out: all
    /// of it where the keys or the value cannot be read, and what a unique index refuses. The message would
    /// come back for ever, and end every listener that meets it.
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

/// The value goes to the keys for undelivered ones and into the dead letter queue, and the message is gone.
fn bury(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    let Message { keys_if_undelivered, encoding, value, .. } = message;
    let left_out = undelivered.write(batch, keys_if_undelivered.as_deref(), *encoding, value);
    let reason = with_left_out(error, &left_out);
    batch.push(Step::Bury { message: leased(message), reason })
}

/// The same for rows that cannot be read: what can be read of them.
pub fn set_aside(batch: &mut Batch<'_>, mut damaged: Vec<Damaged>, undelivered: &Undelivered) {
    for one in &mut damaged {
        let Damaged { keys_if_undelivered: keys, encoding, value, reason, .. } = one;
        let left_out = undelivered.write(batch, keys.as_deref(), *encoding, value);
        *reason = with_left_out(reason, &left_out);
        // A dead letter whose keys cannot be read could not be put back.
        keys.take_if(|keys| keys_of(Some(keys)).is_err());
    }
    if !damaged.is_empty() {
        batch.push(Step::SetAside(damaged));
    }
}

/// What the handler said, or what is damaged, and the first of what was not written.
fn with_left_out(error: &str, left_out: &[String]) -> String {
    let Some(first) = left_out.first() else { return cut(error, MAX_ERROR_MESSAGE_BYTES).to_string() };
    let more = if left_out.len() > 1 { format!("; and {} more", left_out.len() - 1) } else { String::new() };
    let note = format!("; keysIfUndelivered: {first}{more}");
    format!("{}{note}", cut(error, MAX_ERROR_MESSAGE_BYTES.saturating_sub(note.len())))
}

/// The begin of a message that is too long, whole characters of it.
fn cut(error: &str, most: usize) -> &str {
    let fits = |end: &usize| error.is_char_boundary(*end);
    let end = (0..=most.min(error.len())).rev().find(fits).unwrap_or(0);
    error.get(..end).unwrap_or_default()
}
