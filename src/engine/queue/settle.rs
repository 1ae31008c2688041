//! How attempts end: the message is gone, waits for the next attempt, or is undelivered.

use std::borrow::Cow;

use super::enqueue::{keys_of, new_id, schedule_of};
use crate::base::error::Result;
use crate::base::limits::MAX_ERROR_MESSAGE_BYTES;
use crate::codec::key;
use crate::codec::key_json::preview_key;
use crate::engine::query::unique;
use crate::engine::query::unique::Holder;
use crate::store::rows::queue::Message;
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
    /// It does, and is left to run out.
    Left,
}

/// Ends an attempt.
///
/// # Errors
/// Those of the store.
pub fn end<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    settled: &'a Settled,
    undelivered: &Undelivered,
) -> Result<Ended> {
    let Settled { id, lease, end } = settled;
    let leased = Leased { id: Cow::Borrowed(id.as_str()), lease: *lease };
    if *end == End::Done {
        return Ok(Ended::At(batch.push(Step::Remove(leased))));
    }
    let Some(message) = seen.leased_message(id, *lease)? else { return Ok(Ended::Lost) };
    let step = match end {
        End::Failed(error) => fail(batch, &message, error, undelivered),
        End::Damaged(error) => bury(batch, &message, error, undelivered),
        End::Abandoned if message.state.attempts >= message.max_attempts => return Ok(Ended::Left),
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
    let Ok(schedule) = schedule_of(message) else {
        let reason = format!("the message is damaged: its backoff schedule cannot be read; {error}");
        return bury(batch, message, &reason, undelivered);
    };
    let ready = Ready::In(schedule.backoff_ms.get(step).copied().unwrap_or(0));
    batch.push(Step::Return { message: leased(message), attempts: message.state.attempts, ready })
}

/// A message has used up its attempts, and is a dead letter unless it said otherwise.
pub fn exhaust(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    if schedule_of(message).is_ok_and(|schedule| !schedule.dead_letter) {
        undelivered.write(batch, message);
        return batch.push(Step::Remove(leased(message)));
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
    /// Those of the store.
    pub fn refused(&mut self, refusal: Refusal, seen: &mut dyn ReadTxn) -> Result<()> {
        let key = refusal.key.clone();
        match unique::holder(seen, refusal)? {
            Holder::Expired(holder) => self.room.push((key, holder)),
            Holder::Live(error) => self.refused.push((key, error.message)),
        }
        Ok(())
    }

    /// Writes the value to the keys for undelivered ones; names those that a unique index refused. They are left out: the message
    /// would come back for ever, and end every listener that meets it.
    fn write(&self, batch: &mut Batch<'_>, message: &Message) -> Vec<String> {
        let mut keys = keys_of(message).unwrap_or_default();
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
                encoding: message.encoding,
                value: Cow::Owned(message.value.clone()),
                expiry: Expiry::Never,
            });
        }
        refused
    }
}

/// The value goes to the keys for undelivered ones and into the dead letter queue, and the message is gone.
fn bury(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
    let refused = undelivered.write(batch, message);
    let reason = with_refused(error, &refused);
    batch.push(Step::Bury { message: leased(message), letter: new_id(), reason })
}

/// What the handler said, and the first of the keys that could not be written.
fn with_refused(error: &str, refused: &[String]) -> String {
    let Some(first) = refused.first() else { return cut(error, MAX_ERROR_MESSAGE_BYTES).to_string() };
    let more = if refused.len() > 1 { format!("; and {} more", refused.len() - 1) } else { String::new() };
    let note = format!("; keysIfUndelivered: {first}{more}");
    format!("{}{note}", cut(error, MAX_ERROR_MESSAGE_BYTES.saturating_sub(note.len())))
}

/// The begin of a message that is too long, whole characters of it.
fn cut(error: &str, most: usize) -> &str {
    let fits = |end: &usize| error.is_char_boundary(*end);
    let end = (0..=most.min(error.len())).rev().find(fits).unwrap_or(0);
    error.get(..end).unwrap_or_default()
}
