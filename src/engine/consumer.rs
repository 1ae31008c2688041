//! Consumers: a named position in the change log, which one holder at a time moves.

use super::answer::Answer;
use super::feed::{check_history, check_logged};
use crate::codec::key_json;
use crate::error::{Code, Error, Result};
use crate::store::lease::Consumer;
use crate::store::{ReadTxn, WriteTxn};

/// What a holder says of itself.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The consumer's name.
    pub name: String,
    /// The lease that it holds; 0: none.
    pub lease: i64,
    /// How long the lease is renewed for.
    pub lease_ms: i64,
}

/// Takes or renews the lease; `prefix` is the encoded one if one was given. `[lease,position,prefix]`, the prefix as the
/// JSON of a key, or `[null,until]` if another holds it.
///
/// # Errors
/// `INVALID_ARGUMENT` for another prefix than the consumer has, `HISTORY_GONE`, `UNSUPPORTED`, those of the store.
pub fn take(txn: &mut dyn WriteTxn, holder: &Holder, prefix: Option<&[u8]>) -> Result<Answer> {
    let state = txn.log_state()?;
    check_logged(&state)?;
    let now = txn.now_ms();
    let stands = txn.consumer(&holder.name)?;
    let mut consumer = stands.unwrap_or_else(|| Consumer {
        prefix: prefix.unwrap_or_default().to_vec(),
        position: state.first - 1,
        lease: 0,
        locked_until: None,
        updated_at: now,
    });
    if prefix.is_some_and(|prefix| prefix != consumer.prefix) {
        let message =
            "prefix: this consumer exists with another one; leave prefix out, or delete the consumer first";
        return Err(Error::invalid(message));
    }
    let ours = holder.lease != 0 && holder.lease == consumer.lease;
    let until = consumer.locked_until.map(|until| txn.end_of_lease(until));
    if let Some(until) = until.filter(|until| *until > now && !ours) {
        return Ok(Answer::json(format!("[null,{until}]")));
    }
    if consumer.position > state.head {
        let message = "the consumer's position is beyond the newest change, where it would never read anything; delete the consumer";
        return Err(Error::corrupt(message));
    }
    check_history(&state, consumer.position)?;
    if !ours {
        consumer.lease = txn.next_number();
    }
    renew(txn, holder, &mut consumer)?;
    let mut text = format!("[{},{},", consumer.lease, consumer.position).into_bytes();
    key_json::write(&consumer.prefix, &mut text)?;
    text.push(b']');
    Ok(Answer::Text(text))
}

fn renew(txn: &mut dyn WriteTxn, holder: &Holder, consumer: &mut Consumer) -> Result<()> {
    consumer.updated_at = txn.now_ms();
    consumer.locked_until = Some(consumer.updated_at.saturating_add(holder.lease_ms));
    txn.put_consumer(&holder.name, consumer)
}

/// Moves the position and renews the lease. A lease that ran out and that nobody took since is still the holder's.
///
/// # Errors
/// `CONFLICT` if the lease was lost, `INVALID_ARGUMENT` for a number out of range, those of the store.
pub fn commit(txn: &mut dyn WriteTxn, holder: &Holder, seq: i64) -> Result<Answer> {
    let lost = || {
        let message = "the consumer's lease was lost: another reader took it, it was given back, or it was never taken; read() takes it";
        Error::new(Code::Conflict, message)
    };
    let Some(mut consumer) = txn.consumer(&holder.name)? else { return Err(lost()) };
    if holder.lease == 0 || holder.lease != consumer.lease || consumer.locked_until.is_none() {
        return Err(lost());
    }
    let head = txn.log_state()?.head;
    if !(consumer.position..=head).contains(&seq) {
        let message = format!(
            "seq: {seq} is not from the position, {}, to the newest change, {head}",
            consumer.position
        );
        return Err(Error::invalid(message));
    }
    consumer.position = seq;
    renew(txn, holder, &mut consumer)?;
    Ok(Answer::json("null"))
}

/// Gives the lease back, if it is still held.
///
/// # Errors
/// Those of the store.
pub fn release(txn: &mut dyn WriteTxn, holder: &Holder) -> Result<Answer> {
    let held = txn.consumer(&holder.name)?.filter(|one| holder.lease != 0 && one.lease == holder.lease);
    if let Some(consumer) = held {
        txn.put_consumer(&holder.name, &Consumer { locked_until: None, ..consumer })?;
    }
    Ok(Answer::json("null"))
}

/// Forgets a consumer: whether there was one.
///
/// # Errors
/// Those of the store.
pub fn delete(txn: &mut dyn WriteTxn, name: &str) -> Result<Answer> {
    Ok(Answer::json(txn.remove_consumer(name)?.to_string()))
}

/// Where it stands: `[position,head,until]`.
///
/// # Errors
/// `UNSUPPORTED`, those of the store.
pub fn status(txn: &mut dyn ReadTxn, name: &str) -> Result<Answer> {
    let state = txn.log_state()?;
    check_logged(&state)?;
    let position = txn.consumer(name)?.map_or(state.first - 1, |consumer| consumer.position);
    let until = held_until(txn, name)?;
    let until = until.map_or("null".into(), |until| until.to_string());
    Ok(Answer::json(format!("[{position},{},{until}]", state.head)))
}

/// Until when somebody holds its lease, if anybody does.
///
/// # Errors
/// Those of the store.
pub fn held_until(txn: &mut dyn ReadTxn, name: &str) -> Result<Option<i64>> {
    let until = txn.consumer(name)?.and_then(|consumer| consumer.locked_until);
    let until = until.map(|until| txn.end_of_lease(until));
    Ok(until.filter(|until| *until > txn.now_ms()))
}
