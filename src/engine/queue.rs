//! What a listener does: it settles what its handlers have ended, and claims messages for them, in one operation.
//!
//! A claim begins an attempt: it counts then, so that a message that kills its process comes to the end of its attempts
//! too. A lease that ran out is claimed like a ready message; the lease's number grows with each claim, so that who lost it
//! can settle nothing.
//!
//! Of messages with one ordering key only one is under way: it is processing, or pending with attempts behind it. One that
//! comes after another of its key is put aside (`Blocked`): when it is enqueued, when another that comes before it is, or when
//! a claim meets it while another is under way. No claim looks there; the first of them is let go when the one before is done.
//! So claims look at each at most once, however many there are, and few of a key are pending at a time.

use super::answer::Answer;
use super::atomic::shown;
use super::enqueue::{keys_of, new_id, schedule_of};
use super::held;
use super::net::{NetChange, NetChanges};
use super::page::Page;
use super::unique::{self, Holder};
use crate::codec::key_json::write_string;
use crate::error::{Code, Error, Result};
use crate::limits::{MAX_CLAIM_BYTES, MAX_CLAIM_LOOKS, MAX_ERROR_MESSAGE_BYTES};
use crate::store::queue::{DeadLetter, Message, State, Status};
use crate::store::{InFlight, Row, WriteTxn};

/// Messages that one look at a queue reads. More than are wanted, where some are behind their ordering key.
const LOOK: usize = 64;

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

/// What a listener asks for.
#[derive(Debug, Clone)]
pub struct Work {
    /// The queue's name.
    pub queue: String,
    /// First, all of these.
    pub settled: Vec<Settled>,
    /// Then, at most so many messages.
    pub claim: usize,
    /// Their leases.
    pub lock_ms: i64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Worked {
    /// Claimed messages.
    pub messages: Vec<Message>,
    /// Settled attempts whose lease was lost, by number.
    pub lost: Vec<usize>,
    /// There may be more to claim now.
    pub more: bool,
    /// When the queue has something to do next.
    pub due_ms: Option<i64>,
}

/// Settles and claims.
///
/// # Errors
/// Those of the store.
pub fn work(txn: &mut dyn WriteTxn, work: &Work, in_flight: &InFlight) -> Result<Worked> {
    let (mut worked, mut net) = (Worked::default(), NetChanges::default());
    for (index, settled) in work.settled.iter().enumerate() {
        if !end(txn, settled, &mut net)? {
            worked.lost.push(index);
        }
    }
    if work.claim > 0 {
        held::renew_due(txn, in_flight)?;
        claim(txn, work, in_flight, &mut worked, &mut net)?;
        worked.due_ms = txn.queue_due(&work.queue)?;
    }
    net.log(txn)?;
    Ok(worked)
}

impl Worked {
    /// As a page: an entry is `id,lease,attempts,value`, the tail `[more,due,[lost]]`.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let mut page = Page::with_capacity(256);
        for message in &self.messages {
            let State { lease, attempts, .. } = message.state;
            let (id, lease, attempts) = (quoted(&message.id), lease.to_string(), attempts.to_string());
            page.push_parts(&[&id, &lease, &attempts], message.encoding, &message.value);
        }
        let due = self.due_ms.map_or("null".into(), |ms| ms.to_string());
        page.finish_with(&format!("[{},{due},{:?}]", self.more, self.lost));
        Answer::Page(page)
    }
}

/// Text as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    write_string(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Ends an attempt; false if its lease was lost.
///
/// # Errors
/// Those of the store.
pub fn settle(txn: &mut dyn WriteTxn, settled: &Settled) -> Result<bool> {
    let mut net = NetChanges::default();
    let held = end(txn, settled, &mut net)?;
    net.log(txn)?;
    Ok(held)
}

/// `net`: what became of keys for undelivered values, each told once in a commit.
fn end(txn: &mut dyn WriteTxn, settled: &Settled, net: &mut NetChanges) -> Result<bool> {
    let Settled { id, lease, end } = settled;
    if *end == End::Done {
        let Some((queue, ordering_key)) = txn.remove_leased(id, *lease)? else { return Ok(false) };
        unblock(txn, &queue, ordering_key.as_deref())?;
        return Ok(true);
    }
    let Some(message) = txn.leased_message(id, *lease)? else { return Ok(false) };
    match end {
        End::Failed(error) => fail(txn, &message, error, net)?,
        End::Damaged(error) => bury(txn, &message, error, net)?,
        End::Abandoned if message.state.attempts >= message.max_attempts => {}
        _ => {
            let counted = match end {
                End::Released | End::Abandoned => message.state.attempts.min(message.max_attempts - 1),
                _ => message.state.attempts - 1,
            };
            let attempts = counted.max(0);
            let state = State { status: Status::Pending, attempts, locked_until: None, ..message.state };
            txn.set_message_state(&message, state)?;
        }
    }
    Ok(true)
}

fn unblock(txn: &mut dyn WriteTxn, queue: &str, ordering_key: Option<&str>) -> Result<()> {
    ordering_key.map_or(Ok(()), |key| txn.unblock(queue, key))
}

/// An attempt failed: the message waits for the next one, or has none left.
fn fail(txn: &mut dyn WriteTxn, message: &Message, error: &str, net: &mut NetChanges) -> Result<()> {
    if message.state.attempts >= message.max_attempts {
        return exhaust(txn, message, error, net);
    }
    let step = usize::try_from(message.state.attempts - 1).unwrap_or(0);
    let Ok(schedule) = schedule_of(message) else {
        let reason = format!("the message is damaged: its backoff schedule cannot be read; {error}");
        return bury(txn, message, &reason, net);
    };
    let wait_ms = schedule.backoff_ms.get(step).copied().unwrap_or(0);
    let ready_at = txn.now_ms().saturating_add(wait_ms);
    let state = State { status: Status::Pending, ready_at, locked_until: None, ..message.state };
    txn.set_message_state(message, state)
}

/// A message has used up its attempts, and is a dead letter unless it said otherwise.
fn exhaust(txn: &mut dyn WriteTxn, message: &Message, error: &str, net: &mut NetChanges) -> Result<()> {
    if schedule_of(message).is_ok_and(|schedule| !schedule.dead_letter) {
        write_undelivered(txn, message, net)?;
        return remove(txn, message);
    }
    bury(txn, message, error, net)
}

/// The value goes to the keys for undelivered ones and into the dead letter queue, and the message is gone.
fn bury(txn: &mut dyn WriteTxn, message: &Message, error: &str, net: &mut NetChanges) -> Result<()> {
    let refused = write_undelivered(txn, message, net)?;
    let failed_at = txn.now_ms();
    let error_message = with_refused(error, &refused);
    txn.insert_dead_letter(&DeadLetter { id: new_id(), error_message, failed_at, message: message.clone() })?;
    remove(txn, message)
}

fn remove(txn: &mut dyn WriteTxn, message: &Message) -> Result<()> {
    txn.remove_leased(&message.id, message.state.lease)?;
    unblock(txn, &message.queue, message.ordering_key.as_deref())
}

/// Writes the value to the keys for undelivered ones; tells which of them a unique index refused. Those are left out: the message
/// would come back for ever, and end every listener that meets it.
fn write_undelivered(txn: &mut dyn WriteTxn, message: &Message, net: &mut NetChanges) -> Result<Vec<String>> {
    let mut keys = keys_of(message).unwrap_or_default();
    keys.sort();
    keys.dedup();
    let mut refused = Vec::new();
    if !keys.is_empty() {
        let versionstamp = txn.stamp()?;
        let (encoding, value) = (message.encoding, message.value.as_slice());
        for key in &keys {
            let row =
                Row { key, versionstamp: &versionstamp, expires_at: None, encoding, value, withheld: false };
            if let Some(error) = put_undelivered(txn, &row, net)? {
                refused.push(format!("{}: {}", shown(key), error.message));
            }
        }
    }
    Ok(refused)
}

/// Gives the error of a unique index that refuses it.
fn put_undelivered(txn: &mut dyn WriteTxn, row: &Row<'_>, net: &mut NetChanges) -> Result<Option<Error>> {
    loop {
        let refused = match txn.put(row) {
            Err(error) if error.code == Code::Conflict => error,
            found => {
                net.note(row.key, NetChange::put(found?));
                return Ok(None);
            }
        };
        match unique::holder(txn, row, refused)? {
            Holder::Live(error) => return Ok(Some(error)),
            Holder::Expired(key) => {
                txn.remove(&key)?;
                net.note(&key, NetChange::removed(false));
            }
        }
    }
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

/// What the dead letter of a message says whose handler never ended.
const DIED: &str = "the lease ran out: the process that handled the message died, or was cut off";

fn claim(
    txn: &mut dyn WriteTxn,
    work: &Work,
    in_flight: &InFlight,
    worked: &mut Worked,
    net: &mut NetChanges,
) -> Result<()> {
    let (mut looked, mut bytes) = (0, 0);
    loop {
        let wanted = work.claim - worked.messages.len();
        let found = txn.ready_messages(&work.queue, wanted.min(LOOK))?;
        if found.is_empty() {
            return Ok(());
        }
        for message in found {
            looked += 1;
            if let Some(lock_ms) = in_flight.holds(&message.id, message.state.lease) {
                // The clock stepped forward: it is being handled here all the same.
                txn.extend_lease(&message.id, message.state.lease, txn.now_ms().saturating_add(lock_ms))?;
                continue;
            }
            bytes += message.value.len();
            if bytes > MAX_CLAIM_BYTES && !worked.messages.is_empty() {
                worked.more = true;
                return Ok(());
            }
            if let Some(claimed) = take(txn, message, work.lock_ms, net)? {
                worked.messages.push(claimed);
            }
        }
        worked.more = looked >= MAX_CLAIM_LOOKS;
        if worked.more || worked.messages.len() == work.claim {
            return Ok(());
        }
    }
}

/// Begins an attempt, or puts the message where it belongs.
fn take(
    txn: &mut dyn WriteTxn,
    message: Message,
    lock_ms: i64,
    net: &mut NetChanges,
) -> Result<Option<Message>> {
    if message.state.status == Status::Processing {
        if message.state.attempts >= message.max_attempts {
            exhaust(txn, &message, DIED, net)?;
            return Ok(None);
        }
    } else if let Some(key) = &message.ordering_key
        && txn.is_key_busy(&message.queue, key, &message.id)?
    {
        txn.set_message_state(&message, State { status: Status::Blocked, ..message.state })?;
        return Ok(None);
    }
    let state = State {
        status: Status::Processing,
        attempts: message.state.attempts + 1,
        lease: message.state.lease + 1,
        locked_until: Some(txn.now_ms().saturating_add(lock_ms)),
        ..message.state
    };
    txn.set_message_state(&message, state)?;
    Ok(Some(Message { state, ..message }))
}
