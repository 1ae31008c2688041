//! Consumers: a named position in the change log, which one lease holder at a time moves.

use std::borrow::Cow;

use super::feed::{check_history, check_logged};
use crate::base::error::{Code, Error, Result};
use crate::codec::key::Parts;
use crate::engine::answer::{Answer, ConsumerLease, Ending, lost};
use crate::store::rows::consumer::Consumer;
use crate::store::{Batch, InFlight, ReadTxn, Step, StepResult, Want};

/// The reader that holds, or asks for, the lease of a consumer.
#[derive(Debug, Clone)]
pub struct LeaseHolder {
    /// The consumer's name.
    pub name: String,
    /// The lease that it holds; 0: none.
    pub lease: i64,
    /// How long the lease is renewed for.
    pub lease_ms: i64,
    /// It is a loop: while it runs, no other reader of its process takes the lease, even after its end.
    pub is_loop: bool,
}

/// Takes or renews the lease, unless another holds it; `prefix` is the encoded one if one was given.
///
/// # Errors
/// `INVALID_ARGUMENT` for another prefix than the consumer has, `HISTORY_GONE`, `UNSUPPORTED`, those of the
/// store.
pub fn take<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    holder: &'a LeaseHolder,
    prefix: Option<&'a [u8]>,
    in_flight: &InFlight,
) -> Result<Ending> {
    seen.prefetch(&mut [Want::ChangeLogState, Want::Consumer(&holder.name)].into_iter());
    let state = seen.change_log_state()?;
    check_logged(&state)?;
    let (now, stored) = (seen.now_ms(), seen.consumer(&holder.name)?);
    let position = stored.as_ref().map_or(state.first - 1, |consumer| consumer.position);
    let lease = stored.as_ref().map_or(0, |consumer| consumer.lease);
    let locked_until = stored.as_ref().and_then(|consumer| consumer.locked_until);
    let own_prefix = match stored {
        Some(consumer) if prefix.is_some_and(|prefix| prefix != consumer.prefix) => {
            let message =
                "this consumer exists with another one; leave prefix out, or delete the consumer first";
            return Err(Error::invalid(message).at("prefix"));
        }
        Some(consumer) => Cow::Owned(consumer.prefix),
        None => Cow::Borrowed(prefix.unwrap_or_default()),
    };
    let ours = holder.lease != 0 && holder.lease == lease;
    if let Some(until) = locked_until.filter(|until| *until > now && !ours) {
        return Ok(Ending::Known(Answer::ConsumerTaken(ConsumerLease::Held(until))));
    }
    // A loop of this process runs on: its body takes longer than the lease, or the process was suspended.
    if !ours
        && locked_until.is_some()
        && let Some(lease_ms) = in_flight.runs_loop(&holder.name, lease)
    {
        let (name, prefix) = (holder.name.as_str(), own_prefix);
        batch.push(Step::PutConsumer {
            name,
            prefix,
            position,
            lease: Some(lease),
            lease_ms: Some(lease_ms),
        });
        let until = now.saturating_add(lease_ms);
        return Ok(Ending::Known(Answer::ConsumerTaken(ConsumerLease::Held(until))));
    }
    if position > state.head {
        let message = "the consumer's position is beyond the newest change, where it would never read anything; delete the consumer";
        return Err(Error::corrupt(message));
    }
    check_history(&state, position)?;
    // The lease of a consumer that cannot be read is not taken.
    Parts::new(&own_prefix).try_for_each(|part| part.map(drop))?;
    let prefix = own_prefix.to_vec();
    batch.push(Step::PutConsumer {
        name: &holder.name,
        prefix: own_prefix,
        position,
        lease: ours.then_some(lease),
        lease_ms: Some(holder.lease_ms),
    });
    Ok(Ending::of(move |result| {
        let StepResult::Lease { number, .. } = result else { return Err(lost()) };
        Ok(Answer::ConsumerTaken(ConsumerLease::Taken { lease: number, position, prefix }))
    }))
}

/// Moves the position and renews the lease. A lease that expired is still the holder's until another reader
/// takes it.
///
/// # Errors
/// `CONFLICT` if the lease was lost, `INVALID_ARGUMENT` for a number out of range, those of the store.
pub fn commit<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    holder: &'a LeaseHolder,
    seq: i64,
) -> Result<Ending> {
    let lost = || {
        let message = "the consumer's lease was lost: another reader took it, it was given back, or it was never taken; read() takes it";
        Error::new(Code::Conflict, message)
    };
    seen.prefetch(&mut [Want::ChangeLogState, Want::Consumer(&holder.name)].into_iter());
    let Some(consumer) = seen.consumer(&holder.name)? else { return Err(lost()) };
    if holder.lease == 0 || holder.lease != consumer.lease || consumer.locked_until.is_none() {
        return Err(lost());
    }
    let head = seen.change_log_state()?.head;
    if !(consumer.position..=head).contains(&seq) {
        let message =
            format!("{seq} is not from the position, {}, to the newest change, {head}", consumer.position);
        return Err(Error::invalid(message).at("seq"));
    }
    batch.push(Step::PutConsumer {
        name: &holder.name,
        prefix: Cow::Owned(consumer.prefix),
        position: seq,
        lease: Some(consumer.lease),
        lease_ms: Some(holder.lease_ms),
    });
    Ok(Ending::Known(Answer::Done))
}

/// Gives the lease back, if it is still held.
pub fn release<'a>(seen: &mut dyn ReadTxn, batch: &mut Batch<'a>, holder: &'a LeaseHolder) -> Result<Ending> {
    let held = seen.consumer(&holder.name)?.filter(|one| holder.lease != 0 && one.lease == holder.lease);
    if let Some(Consumer { prefix, position, lease, .. }) = held {
        let (name, prefix) = (holder.name.as_str(), Cow::Owned(prefix));
        batch.push(Step::PutConsumer { name, prefix, position, lease: Some(lease), lease_ms: None });
    }
    Ok(Ending::Known(Answer::Done))
}

/// The consumer's position, and the end of its reader's lease.
///
/// # Errors
/// `UNSUPPORTED`, those of the store.
pub fn status(txn: &mut dyn ReadTxn, name: &str) -> Result<Answer> {
    txn.prefetch(&mut [Want::ChangeLogState, Want::Consumer(name)].into_iter());
    let state = txn.change_log_state()?;
    check_logged(&state)?;
    let position = txn.consumer(name)?.map_or(state.first - 1, |consumer| consumer.position);
    Ok(Answer::Consumer { position, head: state.head, held_until_ms: held_until(txn, name)? })
}

/// The end of its lease, if a reader holds one.
pub fn held_until(txn: &mut dyn ReadTxn, name: &str) -> Result<Option<i64>> {
    let until = txn.consumer(name)?.and_then(|consumer| consumer.locked_until);
    Ok(until.filter(|until| *until > txn.now_ms()))
}
