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

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::answer::Answer;
use super::atomic::shown;
use super::enqueue::{keys_of, new_id, schedule_of};
use super::held::{Extended, extend};
use super::page::Page;
use super::unique::{self, Holder};
use crate::codec::key;
use crate::codec::key_json::write_string;
use crate::config::Durability;
use crate::error::Result;
use crate::limits::{MAX_CLAIM_BYTES, MAX_CLAIM_LOOKS, MAX_ERROR_MESSAGE_BYTES};
use crate::store::queue::{Claimable, Message, State, Status};
use crate::store::step::Ready;
use crate::store::{
    Batch, Expiry, InFlight, Leased, Next, PutKey, ReadTxn, Refusal, Step, StepResult, Verdict, WriteJob,
};

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

/// Told what came of it, once.
pub type WorkDone = Box<dyn FnOnce(Result<Worked>) + Send>;

/// What is decided next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// What becomes of attempts that have ended, and of leases that are due.
    Settle,
    /// Which messages are taken.
    Claim,
    /// When there is something to do next.
    Due,
    /// Nothing.
    End,
}

/// A listener's work on its way through the writer.
pub struct WorkJob {
    work: Work,
    in_flight: Arc<InFlight>,
    durability: Durability,
    undelivered: Undelivered,
    round: Round,
    /// Steps of this round that tell whether a lease was lost, with the number of the attempt.
    settling: Vec<(usize, usize)>,
    extended: Extended,
    looked: usize,
    bytes: usize,
    found: bool,
    worked: Worked,
    done: Option<WorkDone>,
}

impl WorkJob {
    /// Work that tells `done`.
    #[must_use]
    pub fn new(work: Work, in_flight: Arc<InFlight>, durability: Durability, done: WorkDone) -> Self {
        Self {
            work,
            in_flight,
            durability,
            undelivered: Undelivered::default(),
            round: Round::Settle,
            settling: Vec::new(),
            extended: Extended::default(),
            looked: 0,
            bytes: 0,
            found: false,
            worked: Worked::default(),
            done: Some(done),
        }
    }

    /// Claims what is ready. A message may depend on one that is buried before it in this round: it waits for the next one.
    fn claim<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let Self { work, in_flight, undelivered, looked, bytes, found, worked, .. } = self;
        let wanted = work.claim - worked.messages.len();
        let ready = seen.ready_messages(&work.queue, wanted.min(LOOK))?;
        *found = !ready.is_empty();
        batch.steps.reserve(ready.len());
        let (mut keys, mut aside) = (Keys::default(), Vec::new());
        for one in ready {
            *looked += 1;
            let message = match one {
                Claimable::Message(message) => *message,
                Claimable::Damaged(damaged) => {
                    keys.passed.extend(damaged.ordering_key.clone());
                    aside.push(damaged);
                    continue;
                }
            };
            if message.ordering_key.as_ref().is_some_and(|key| keys.passed.contains(key)) {
                continue;
            }
            if let Some(lock_ms) = in_flight.holds(&message.id, message.state.lease) {
                // The clock stepped forward: it is being handled here all the same.
                batch.push(Step::Extend(leased(&message), lock_ms));
                continue;
            }
            *bytes += message.value.len();
            if *bytes > MAX_CLAIM_BYTES && !worked.messages.is_empty() {
                worked.more = true;
                break;
            }
            if let Some(claimed) = take(seen, batch, message, work.lock_ms, undelivered, &mut keys)? {
                worked.messages.push(claimed);
            }
        }
        if !aside.is_empty() {
            batch.push(Step::SetAside(aside));
        }
        worked.more |= *looked >= MAX_CLAIM_LOOKS;
        Ok(())
    }

    fn next(&self) -> Round {
        let Self { work, worked, .. } = self;
        match self.round {
            Round::Settle if work.claim > 0 => Round::Claim,
            Round::Settle | Round::Due | Round::End => Round::End,
            Round::Claim if !self.found || worked.more || worked.messages.len() == work.claim => Round::Due,
            Round::Claim => Round::Claim,
        }
    }
}

impl WriteJob for WorkJob {
    fn begin(&mut self) {
        self.round = Round::Settle;
        (self.looked, self.bytes) = (0, 0);
        self.extended = Extended::default();
        self.worked = Worked::default();
    }

    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        match self.round {
            Round::Settle => {
                let Self { work, in_flight, undelivered, settling, extended, worked, .. } = self;
                settling.clear();
                batch.steps.reserve(work.settled.len());
                for (index, settled) in work.settled.iter().enumerate() {
                    match end(seen, batch, settled, undelivered)? {
                        Ended::At(step) => settling.push((step, index)),
                        Ended::Lost => worked.lost.push(index),
                        Ended::Left => {}
                    }
                }
                if work.claim > 0 {
                    let now_ms = seen.now_ms();
                    *extended = extend(in_flight.due(now_ms), now_ms, batch);
                }
                Ok(())
            }
            Round::Claim => self.claim(seen, batch),
            Round::Due | Round::End => {
                self.worked.due_ms = seen.queue_due(&self.work.queue)?;
                Ok(())
            }
        }
    }

    fn refused(&mut self, refusal: Refusal, seen: &mut dyn ReadTxn) -> Result<()> {
        self.undelivered.refused(refusal, seen)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        if self.round == Round::Settle {
            self.extended.applied(&verdict.results);
            let is_lost = |step: usize| !verdict.results.get(step).is_some_and(StepResult::is_up);
            self.worked
                .lost
                .extend(self.settling.iter().filter(|(step, _)| is_lost(*step)).map(|(_, index)| *index));
            self.worked.lost.sort_unstable();
        }
        self.round = self.next();
        Ok(if self.round == Round::End { Next::Done } else { Next::Again })
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        if outcome.is_ok() {
            self.extended.note(&self.in_flight);
        }
        let worked = std::mem::take(&mut self.worked);
        if let Some(done) = self.done.take() {
            done(outcome.map(|()| worked));
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Drop for WorkJob {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(super::write::lost()));
        }
    }
}

fn leased(message: &Message) -> Leased<'static> {
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
fn exhaust(batch: &mut Batch<'_>, message: &Message, error: &str, undelivered: &Undelivered) -> usize {
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
                refused.push(format!("{}: {reason}", shown(&key)));
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

/// What the dead letter of a message says whose handler never ended.
const DIED: &str = "the lease ran out: the process that handled the message died, or was cut off";

/// Ordering keys that this round has decided on.
#[derive(Default)]
struct Keys {
    /// A message of it is claimed.
    claimed: HashSet<String>,
    /// A message of it is gone, and the next one is let go.
    passed: HashSet<String>,
}

/// Begins an attempt, or puts the message where it belongs.
fn take(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'_>,
    message: Message,
    lock_ms: i64,
    undelivered: &Undelivered,
    keys: &mut Keys,
) -> Result<Option<Message>> {
    if message.state.status == Status::Processing {
        if message.state.attempts >= message.max_attempts {
            exhaust(batch, &message, DIED, undelivered);
            keys.passed.extend(message.ordering_key);
            return Ok(None);
        }
    } else if let Some(key) = &message.ordering_key
        && (keys.claimed.contains(key) || seen.is_key_busy(&message.queue, key, &message.id)?)
    {
        batch.push(Step::Block(leased(&message)));
        return Ok(None);
    }
    batch.push(Step::Claim { message: leased(&message), lock_ms });
    keys.claimed.extend(message.ordering_key.clone());
    let state = State {
        status: Status::Processing,
        attempts: message.state.attempts + 1,
        lease: message.state.lease + 1,
        locked_until: Some(seen.now_ms().saturating_add(lock_ms)),
        ..message.state
    };
    Ok(Some(Message { state, ..message }))
}
