//! The operation of a listener: it settles the attempts that its handlers have ended, and claims messages for
//! them, at once.
//!
//! A claim begins an attempt, which counts from then on: so a message that kills its process uses up its
//! attempts, too. A message whose lease ran out is claimed like a ready one; the lease's number grows with
//! each claim, so that the holder of a lost lease can settle nothing.
//!
//! Of the messages with one ordering key only one is active: it is processing, or pending after failed
//! attempts. A later message of the key is `Blocked`: when it is enqueued, when an earlier one is enqueued,
//! or when a claim meets it while another is active. Claims do not read blocked messages; the first of them
//! is unblocked when the active one is done. So claims read each message at most once, however many there
//! are, and few messages of a key are pending at a time.

use std::collections::HashSet;
use std::sync::Arc;

use super::extend::{Extended, extend};
use super::settle::{End, Ended, Settled, Undelivered, end, exhaust, leased, set_aside};
use crate::base::config::Durability;
use crate::base::error::Result;
use crate::base::limits::{MAX_CLAIM_BYTES, MAX_CLAIM_LOOKS};
use crate::codec::page::{Page, Tail};
use crate::engine::answer::{Answer, lost};
use crate::store::rows::queue::{Claimable, DeliveryState, Message, Status};
use crate::store::{Batch, InFlight, Next, ReadTxn, Refusal, Step, StepResult, Verdict, Want, WriteJob};

/// Messages that are read at a time. More than are wanted, since some may be behind others of their ordering
/// key.
const LOOK: usize = 64;

/// The request of a listener.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The queue's name.
    pub queue: String,
    /// Ended attempts, settled first.
    pub settled: Vec<Settled>,
    /// Claim at most so many messages.
    pub claim: usize,
    /// The duration of their leases.
    pub lock_ms: i64,
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Claimed messages.
    pub messages: Vec<Message>,
    /// Settled attempts whose lease was lost, by number.
    pub lost: Vec<usize>,
    /// There may be more to claim now.
    pub more: bool,
    /// When the queue has something to do next.
    pub due_ms: Option<i64>,
}

impl Claimed {
    /// As a page of the messages.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let mut page = Page::with_capacity(256);
        for message in &self.messages {
            let DeliveryState { lease, attempts, .. } = message.state;
            page.push_message(&message.id, lease, attempts, message.encoding, &message.value);
        }
        page.finish(Tail::Claim { more: self.more, due_ms: self.due_ms, lost: &self.lost });
        Answer::Page(page)
    }
}

/// Called with the result, once.
pub type ClaimDone = Box<dyn FnOnce(Result<Claimed>) + Send>;

/// The next decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Settles ended attempts, and renews leases that are due.
    Settle,
    /// Chooses messages.
    Claim,
    /// Finds out when the queue has something to do next.
    Due,
    /// Nothing.
    End,
}

/// A listener's request on its way through the writer.
pub struct ClaimJob {
    request: ClaimRequest,
    in_flight: Arc<InFlight>,
    durability: Durability,
    undelivered: Undelivered,
    round: Round,
    decided: Decided,
    extended: Extended,
    looked: usize,
    bytes: usize,
    result: Claimed,
    done: Option<ClaimDone>,
}

/// The results of the rounds so far.
struct SoFar<'a> {
    in_flight: &'a InFlight,
    looked: usize,
    bytes: usize,
    claimed: usize,
}

/// The decision of a round. It counts once the steps are applied.
#[derive(Default)]
struct Decided {
    /// Steps whose results say whether a lease was lost, each with the number of the attempt.
    settling: Vec<(usize, usize)>,
    lost: Vec<usize>,
    extended: Extended,
    looked: usize,
    bytes: usize,
    /// Claimed messages, each with its step.
    claiming: Vec<(usize, Message)>,
    more: bool,
    due_ms: Option<i64>,
}

impl ClaimRequest {
    /// Settles ended attempts, and renews leases that are due.
    fn settle<'a>(
        &'a self,
        seen: &mut dyn ReadTxn,
        batch: &mut Batch<'a>,
        in_flight: &InFlight,
        undelivered: &Undelivered,
    ) -> Result<Decided> {
        let mut decided = Decided::default();
        batch.steps.reserve(self.settled.len());
        let read = self.settled.iter().filter(|settled| settled.end != End::Done);
        seen.prefetch(&mut read.map(|settled| Want::LeasedMessage(&settled.id, settled.lease)));
        for (index, settled) in self.settled.iter().enumerate() {
            match end(seen, batch, settled, undelivered)? {
                Ended::At(step) => decided.settling.push((step, index)),
                Ended::Lost => decided.lost.push(index),
                Ended::Held => {}
            }
        }
        if self.claim > 0 {
            let now_ms = seen.now_ms();
            decided.extended = extend(in_flight.due(now_ms), now_ms, batch);
            batch.then.extend(self.next_reads(self.claim));
        }
        Ok(decided)
    }

    /// Claims ready messages. A message that depends on one buried earlier in this round waits for the next
    /// round.
    fn claim<'a>(
        &'a self,
        seen: &mut dyn ReadTxn,
        batch: &mut Batch<'a>,
        undelivered: &Undelivered,
        so_far: &SoFar<'_>,
    ) -> Result<Decided> {
        let SoFar { in_flight, looked, bytes, claimed } = *so_far;
        let wanted = self.claim - claimed;
        let (now_ms, ready) = (seen.now_ms(), seen.ready_messages(&self.queue, wanted.min(LOOK))?);
        let mut decided = Decided::default();
        batch.steps.reserve(ready.len());
        let (mut keys, mut aside) = (Keys::default(), Vec::new());
        for one in ready {
            decided.looked += 1;
            let (message, is_behind) = match one {
                Claimable::Message(message) => (*message, false),
                Claimable::Behind(message) => (*message, true),
                Claimable::Damaged(damaged) => {
                    keys.passed.extend(damaged.ordering_key.clone());
                    aside.push(damaged);
                    continue;
                }
            };
            if message.ordering_key.as_ref().is_some_and(|key| keys.passed.contains(key)) {
                continue;
            }
            if message.state.status == Status::Processing
                && let Some(lock_ms) = in_flight.holds(&message.id, message.state.lease)
            {
                // The clock stepped forward, but the message is still in flight here.
                batch.push(Step::Extend(leased(&message), lock_ms));
                continue;
            }
            decided.bytes += message.value.len();
            let is_first = claimed == 0 && decided.claiming.is_empty();
            if bytes + decided.bytes > MAX_CLAIM_BYTES && !is_first {
                decided.more = true;
                break;
            }
            let take = Take { is_behind, now_ms, lock_ms: self.lock_ms };
            decided.claiming.extend(take.message(batch, message, undelivered, &mut keys));
        }
        set_aside(batch, aside, undelivered);
        decided.more |= looked + decided.looked >= MAX_CLAIM_LOOKS;
        batch.then.extend(self.next_reads(wanted - decided.claiming.len()));
        Ok(decided)
    }

    /// The reads of a turn that may claim so many more.
    fn next_reads(&self, wanted: usize) -> impl Iterator<Item = Want<'_>> {
        let ready = (wanted > 0).then(|| Want::ReadyMessages(&self.queue, wanted.min(LOOK)));
        ready.into_iter().chain([Want::QueueDue(&self.queue)])
    }
}

impl ClaimJob {
    /// A request that reports to `done`.
    #[must_use]
    pub fn new(
        request: ClaimRequest,
        in_flight: Arc<InFlight>,
        durability: Durability,
        done: ClaimDone,
    ) -> Self {
        Self {
            request,
            in_flight,
            durability,
            undelivered: Undelivered::default(),
            round: Round::Settle,
            decided: Decided::default(),
            extended: Extended::default(),
            looked: 0,
            bytes: 0,
            result: Claimed::default(),
            done: Some(done),
        }
    }

    /// Adds the results of a round; returns whether it found messages.
    fn take_in(&mut self, decided: Decided, results: &[StepResult]) -> bool {
        let is_up = |step: usize| results.get(step).is_some_and(StepResult::is_up);
        let Self { result, .. } = self;
        if self.round == Round::Settle {
            self.extended = decided.extended;
            self.extended.applied(results);
        }
        result.lost.extend(decided.lost);
        let lost = decided.settling.into_iter().filter(|(step, _)| !is_up(*step));
        result.lost.extend(lost.map(|(_, index)| index));
        result.lost.sort_unstable();
        let claimed = decided.claiming.into_iter().filter(|(step, _)| is_up(*step));
        result.messages.extend(claimed.map(|(_, message)| message));
        result.more |= decided.more;
        result.due_ms = decided.due_ms;
        self.looked += decided.looked;
        self.bytes += decided.bytes;
        decided.looked > 0
    }

    fn after(&self, round: Round, found: bool) -> Round {
        let Self { request, result, .. } = self;
        match round {
            Round::Settle if request.claim > 0 => Round::Claim,
            Round::Settle | Round::Due | Round::End => Round::End,
            Round::Claim if !found || result.more || result.messages.len() == request.claim => Round::Due,
            Round::Claim => Round::Claim,
        }
    }
}

impl WriteJob for ClaimJob {
    fn begin(&mut self) {
        self.round = Round::Settle;
        (self.looked, self.bytes) = (0, 0);
        self.extended = Extended::default();
        self.result = Claimed::default();
    }

    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        match self.round {
            Round::Settle => {
                let Self { request, in_flight, undelivered, decided, .. } = self;
                *decided = request.settle(seen, batch, in_flight, undelivered)?;
            }
            Round::Claim => {
                let Self { request, in_flight, undelivered, looked, bytes, result, decided, .. } = self;
                let claimed = result.messages.len();
                let so_far = SoFar { in_flight, looked: *looked, bytes: *bytes, claimed };
                *decided = request.claim(seen, batch, undelivered, &so_far)?;
            }
            Round::Due | Round::End => {
                let due_ms = seen.queue_due(&self.request.queue)?;
                self.decided = Decided { due_ms, ..Decided::default() };
            }
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.undelivered.refused(refusal)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        let decided = std::mem::take(&mut self.decided);
        let found = self.take_in(decided, &verdict.results);
        self.round = self.after(self.round, found);
        Ok(if self.round == Round::End { Next::Done } else { Next::Again })
    }

    fn finish(mut self: Box<Self>, outcome: Result<()>) {
        if outcome.is_ok() {
            self.extended.note(&self.in_flight);
        }
        let result = std::mem::take(&mut self.result);
        if let Some(done) = self.done.take() {
            done(outcome.map(|()| result));
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Drop for ClaimJob {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            done(Err(lost()));
        }
    }
}

/// The reason in the dead letter of a message whose handler never ended.
const DIED: &str = "the lease ran out: the process that handled the message died, or was cut off";

/// Ordering keys that this round has decided on.
#[derive(Default)]
struct Keys {
    /// A message of it is claimed.
    claimed: HashSet<String>,
    /// A message of it is gone, and the next one is unblocked.
    passed: HashSet<String>,
}

/// Chooses the step for a message.
struct Take {
    is_behind: bool,
    now_ms: i64,
    lock_ms: i64,
}

impl Take {
    /// Begins an attempt, blocks the message or gives it up.
    fn message(
        &self,
        batch: &mut Batch<'_>,
        message: Message,
        undelivered: &Undelivered,
        keys: &mut Keys,
    ) -> Option<(usize, Message)> {
        if message.state.status == Status::Processing {
            if message.state.attempts >= message.max_attempts {
                exhaust(batch, &message, DIED, undelivered);
                keys.passed.extend(message.ordering_key);
                return None;
            }
        } else if self.is_behind
            || message.ordering_key.as_ref().is_some_and(|key| keys.claimed.contains(key))
        {
            batch.push(Step::Block(leased(&message)));
            return None;
        }
        let step = batch.push(Step::Claim { message: leased(&message), lock_ms: self.lock_ms });
        keys.claimed.extend(message.ordering_key.clone());
        let state = DeliveryState {
            status: Status::Processing,
            attempts: message.state.attempts + 1,
            lease: message.state.lease + 1,
            locked_until: Some(self.now_ms.saturating_add(self.lock_ms)),
            ..message.state
        };
        Some((step, Message { state, ..message }))
    }
}
