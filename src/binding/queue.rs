//! Queues: adding, claiming, settling and counting messages; dead letters.

use napi::Env;
use napi_derive::napi;

use super::handle::{CodeName, Handle};
use super::results::text::{Packet, thrown};
use super::values::codes;
use super::values::convert;
use super::values::raw;
use super::values::raw::{Raw, member};
use crate::base::error::{At, Error, Result};
use crate::base::limits::{MAX_LEASE_MS, MIN_LEASE_MS, check_name};
use crate::engine::commit::Mutation;
use crate::engine::queue::deliver::ClaimRequest;
use crate::engine::queue::enqueue::NewMessage;
use crate::engine::queue::settle::Settled;
use crate::engine::request::{Request, Write};
use crate::store::rows::queue::DeadLetterScan;

#[napi]
impl Handle {
    /// Adds a message to the commit that is built, with the members of `KvEnqueueOptions`. A member that is
    /// `undefined` has its default.
    #[napi(catch_unwind)]
    pub fn enqueue(&mut self, env: Env, data: Raw, encoding: u8, options: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, options, name);
        let message = || {
            let mut message = NewMessage::of(encoding, raw::data(env, data));
            if let Some(queue) = convert::optional_text(env, given(c"queue"), "queue")? {
                message.queue = queue;
            }
            message.delay_ms = convert::duration(env, given(c"delay")).at("delay")?.unwrap_or(0);
            if !raw::is_absent(env, given(c"backoffSchedule")) {
                message.backoff_ms =
                    convert::list(env, given(c"backoffSchedule"), "backoffSchedule", |wait| {
                        convert::needed_duration(env, wait)
                    })?;
            }
            if !raw::is_absent(env, given(c"keysIfUndelivered")) {
                let key = |key| {
                    let mut out = Vec::new();
                    convert::key(env, key, &mut out).map(|()| out)
                };
                message.keys_if_undelivered =
                    convert::list(env, given(c"keysIfUndelivered"), "keysIfUndelivered", key)?;
            }
            message.ordering_key = convert::optional_text(env, given(c"orderingKey"), "orderingKey")?;
            message.deduplication_key =
                convert::optional_text(env, given(c"deduplicationKey"), "deduplicationKey")?;
            message.dead_letter = raw::flag(env, given(c"deadLetter"));
            message.validate()?;
            Ok(Mutation::Enqueue(Box::new(message)))
        };
        self.add(message())
    }

    /// Adds an ended attempt to the next `queue_claim`: `{ message, lease, error }`, and `codes::end`.
    #[napi(catch_unwind)]
    pub fn queue_settle(&mut self, env: Env, settlement: Raw, end: u8) -> napi::Result<(), CodeName> {
        self.settling.push(settled(env, settlement, end).map_err(thrown)?);
        Ok(())
    }

    /// Settles these attempts, and claims messages, `{ queue, claim, lockMs }`; the result comes by mail
    /// under `id`.
    #[napi(catch_unwind)]
    pub fn queue_claim(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let given = |name| member(env, request, name);
        let settled = std::mem::take(&mut self.settling);
        let mailbox = self.mailbox().map_err(thrown)?;
        let request = ClaimRequest {
            queue: raw::lossy_text(env, given(c"queue")),
            settled,
            claim: raw::count(env, given(c"claim")),
            lock_ms: raw::int64(env, given(c"lockMs")),
        };
        let done = Box::new(move |answer| mailbox.post_answer(id, answer));
        self.kv().map(|kv| kv.claim(request, done)).map_err(thrown)
    }

    /// A handler has ended, and its message will be settled later: the lease is no longer renewed.
    #[napi(catch_unwind)]
    pub fn queue_stop_renewing(&mut self, message: String, lease: i64) {
        if let Ok(kv) = self.kv() {
            kv.stop_renewing(&message, lease);
        }
    }

    /// Settles one message for good, as `queue_settle`; that comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_settle_now(
        &mut self,
        env: Env,
        id: u32,
        settlement: Raw,
        end: u8,
    ) -> napi::Result<(), CodeName> {
        let settled = settled(env, settlement, end).map_err(thrown)?;
        self.write(id, Write::Settle(settled))
    }

    /// When a queue has something to do next, now or by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_due(&mut self, id: u32, queue: String) -> napi::Result<Packet, CodeName> {
        self.ask(id, Request::QueueDue(queue))
    }

    /// Counts messages, by mail under `id`: `[pending,processing,dead]`.
    #[napi(catch_unwind)]
    pub fn queue_stats(&mut self, env: Env, id: u32, queue: Raw) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, queue).map_err(thrown)?;
        self.read_later(id, Request::QueueStats(queue)).map_err(thrown)
    }

    /// Lists dead letters, `{ queue, offset, limit }`, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_dead_letters(&mut self, env: Env, id: u32, request: Raw) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, member(env, request, c"queue")).map_err(thrown)?;
        let [offset, limit] = [c"offset", c"limit"].map(|name| raw::count(env, member(env, request, name)));
        let scan = DeadLetterScan { queue, offset, limit };
        self.read_later(id, Request::DeadLetters(scan)).map_err(thrown)
    }

    /// One dead letter, by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_dead_letter(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter).at("id").map_err(thrown)?;
        self.read_later(id, Request::DeadLetter(letter)).map_err(thrown)
    }

    /// Puts a dead letter back; the new id comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_requeue(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter).at("id").map_err(thrown)?;
        self.write(id, Write::requeue(letter))
    }

    /// Deletes a dead letter; whether there was one comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_delete_dead_letter(&mut self, env: Env, id: u32, letter: Raw) -> napi::Result<(), CodeName> {
        let letter = convert::text(env, letter).at("id").map_err(thrown)?;
        self.write(id, Write::DeleteDeadLetter(letter))
    }

    /// Deletes a step of the dead letters, of one queue or of all; `[count,more]` comes by mail under `id`.
    #[napi(catch_unwind)]
    pub fn queue_purge_dead_letters(&mut self, env: Env, id: u32, queue: Raw) -> napi::Result<(), CodeName> {
        let queue = queue_name(env, queue).map_err(thrown)?;
        self.write(id, Write::PurgeDeadLetters(queue))
    }
}

fn settled(env: Env, settlement: Raw, end: u8) -> Result<Settled> {
    let given = |name| member(env, settlement, name);
    Ok(Settled {
        id: raw::lossy_text(env, given(c"message")),
        lease: raw::int64(env, given(c"lease")),
        end: codes::end(end, raw::lossy_text(env, given(c"error")))?,
    })
}

fn queue_name(env: Env, queue: Raw) -> Result<Option<String>> {
    let queue = convert::optional_text(env, queue, "queue")?;
    queue.as_deref().map_or(Ok(()), check_name).at("queue")?;
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
    let within = |ms| match (MIN_LEASE_MS..=MAX_LEASE_MS).contains(&ms) {
        true => Ok(ms as f64),
        false => Err(Error::invalid(format!("{ms} ms; give {MIN_LEASE_MS} to {MAX_LEASE_MS} ms"))),
    };
    convert::needed_duration(env, lease).and_then(within).at(name).map_err(thrown)
}
