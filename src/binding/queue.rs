//! Queues: messages added, handled and counted; dead letters.

use napi::Env;
use napi_derive::napi;

use super::convert;
use super::convert::Raw;
use super::handle::{CodeName, Handle};
use super::text::{Packet, thrown};
use crate::base::error::{Error, Result};
use crate::base::limits::{MAX_LEASE_MS, MIN_LEASE_MS};
use crate::engine::awaited::Kind;
use crate::engine::commit::Mutation;
use crate::engine::queue::deliver::Work;
use crate::engine::queue::enqueue::{NewMessage, check_name};
use crate::engine::queue::settle::{End, Settled};
use crate::engine::request::{Request, Write};
use crate::store::rows::queue::DeadLetterScan;

#[napi]
impl Handle {
    /// Adds a message to the commit that is built. What is `undefined` has its default.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn enqueue(
        &mut self,
        env: Env,
        data: Raw,
        encoding: u8,
        queue: Raw,
        delay: Raw,
        backoff_schedule: Raw,
        keys_if_undelivered: Raw,
        ordering_key: Raw,
        deduplication_key: Raw,
        dead_letter: bool,
    ) -> napi::Result<(), CodeName> {
        let message = || {
            let mut message = NewMessage::of(encoding, convert::data(env, data));
            if let Some(queue) = convert::optional_text(env, queue, "queue")? {
                message.queue = queue;
            }
            message.delay_ms = convert::duration(env, delay, "delay")?.unwrap_or(0);
            if !convert::is_absent(env, backoff_schedule) {
                message.backoff_ms =
                    convert::list(env, backoff_schedule, "backoffSchedule", |wait, name| {
                        let missing = || Error::invalid(format!("{name}: it is missing; give a duration"));
                        convert::duration(env, wait, name)?.ok_or_else(missing)
                    })?;
            }
            if !convert::is_absent(env, keys_if_undelivered) {
                let key = |key, name: &str| {
                    let mut out = Vec::new();
                    convert::key(env, key, name, &mut out).map(|()| out)
                };
                message.keys_if_undelivered =
                    convert::list(env, keys_if_undelivered, "keysIfUndelivered", key)?;
            }
            message.ordering_key = convert::optional_text(env, ordering_key, "orderingKey")?;
            message.deduplication_key = convert::optional_text(env, deduplication_key, "deduplicationKey")?;
            message.dead_letter = dead_letter;
            message.validate()?;
            Ok(Mutation::Enqueue(Box::new(message)))
        };
        self.add(message())
    }

    /// Notes an attempt that has ended, for the next `work`: handled (0), failed (1),
    /// never begun (2), begun and given back (3), or damaged (4).
    #[napi(catch_unwind)]
    pub fn settle(&mut self, message: String, lease: i64, end: u8, error: String) {
        self.settling.push(Settled { id: message, lease, end: end_of(end, error) });
    }

    /// Settles what was noted, and claims at most `claim` messages; what came of it comes by mail under `id`.
    #[napi(catch_unwind)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn work(&mut self, id: u32, queue: String, claim: u32, lock_ms: f64) -> napi::Result<(), CodeName> {
        let settled = std::mem::take(&mut self.settling);
        let mailbox = self.mailbox().map_err(thrown)?;
        let request = Work { queue, settled, claim: claim as usize, lock_ms: lock_ms as i64 };
        let told = Box::new(move |answer| mailbox.post_answer(id, answer));
        self.kv().map(|kv| kv.work(request, told)).map_err(thrown)
    }

    /// A handler has ended, and its message will be settled later: its lease is not extended any more.
    #[napi(catch_unwind)]
    pub fn stop_renewing(&mut self, message: String, lease: i64) {
        if let Ok(kv) = self.kv() {
            kv.stop_renewing(&message, lease);
        }
    }

    /// Settles one message for good; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn settle_now(
        &mut self,
        id: u32,
        message: String,
        lease: i64,
        end: u8,
        error: String,
    ) -> napi::Result<(), CodeName> {
        let settled = Settled { id: message, lease, end: end_of(end, error) };
        self.write(id, Write::Settle(settled))
    }

    /// When a queue has something to do next, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_due(&mut self, queue: String, id: u32) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::QueueDue(queue))
    }

    /// Somebody waits for the messages of a queue (0), or for the lease of a consumer (1).
    #[napi(catch_unwind)]
    pub fn wait_for(&mut self, kind: u8, name: String) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.awaited().add(kind_of(kind), name)).map_err(thrown)
    }

    /// Nobody does any more.
    #[napi(catch_unwind)]
    pub fn wait_no_more(&mut self, kind: u8, name: String) {
        if let Ok(kv) = self.kv() {
            kv.awaited().remove(kind_of(kind), &name);
        }
    }

    /// When what is waited for has something to do next, now or by mail under `id`: see `awaited::dues`.
    #[napi(catch_unwind)]
    pub fn dues(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let awaited = self.kv().map_err(thrown)?.awaited();
        self.ask(id, Request::Dues(awaited))
    }

    /// Counts messages, by mail under `id`: `[pending,processing,dead]`.
    #[napi(catch_unwind)]
    pub fn queue_stats(&mut self, env: Env, id: u32, queue: Raw) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, queue).map_err(thrown)?;
        self.read_later(id, Request::QueueStats(queue)).map_err(thrown)
    }

    /// Lists dead letters, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn dead_letters(
        &mut self,
        env: Env,
        id: u32,
        queue: Raw,
        offset: i64,
        limit: u32,
    ) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, queue).map_err(thrown)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let scan = DeadLetterScan { queue, offset, limit: limit as usize };
        self.read_later(id, Request::DeadLetters(scan)).map_err(thrown)
    }

    /// One dead letter, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn dead_letter(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter, "id").map_err(thrown)?;
        self.read_later(id, Request::DeadLetter(letter)).map_err(thrown)
    }

    /// Puts a dead letter back; the new id comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn requeue(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter, "id").map_err(thrown)?;
        self.write(id, Write::requeue(letter))
    }

    /// Deletes a dead letter; whether there was one comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn delete_dead_letter(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter, "id").map_err(thrown)?;
        self.write(id, Write::DeleteDeadLetter(letter))
    }

    /// Deletes a step of the dead letters, of one queue or of all; `[count,more]` comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn purge_dead_letters(&mut self, env: Env, id: u32, queue: Raw) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, queue).map_err(thrown)?;
        self.write(id, Write::PurgeDeadLetters(queue))
    }
}

fn kind_of(kind: u8) -> Kind {
    if kind == 0 { Kind::Queue } else { Kind::Consumer }
}

fn end_of(end: u8, error: String) -> End {
    match end {
        0 => End::Done,
        1 => End::Failed(error),
        3 => End::Released,
        4 => End::Damaged(error),
        _ => End::Returned,
    }
}

fn queue_name(env: Env, queue: Raw) -> Result<Option<String>> {
    let queue = convert::optional_text(env, queue, "queue")?;
    queue.as_deref().map_or(Ok(()), |queue| check_name(queue, "queue"))?;
    Ok(queue)
}

/// A queue's name, checked.
#[napi(catch_unwind)]
pub fn check_queue(env: Env, queue: Raw) -> napi::Result<(), CodeName> {
    queue_name(env, queue).map(drop).map_err(thrown)
}

/// The milliseconds of a lease, checked.
#[napi(catch_unwind)]
#[allow(clippy::cast_precision_loss)]
pub fn lease_ms(env: Env, lease: Raw, name: String) -> napi::Result<f64, CodeName> {
    let missing = || Error::invalid(format!("{name}: it is missing; give a duration"));
    let ms = convert::duration(env, lease, &name).and_then(|ms| ms.ok_or_else(missing)).map_err(thrown)?;
    if (MIN_LEASE_MS..=MAX_LEASE_MS).contains(&ms) {
        return Ok(ms as f64);
    }
    Err(thrown(Error::invalid(format!("{name}: {ms} ms; give {MIN_LEASE_MS} to {MAX_LEASE_MS} ms"))))
}
