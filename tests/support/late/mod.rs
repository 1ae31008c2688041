//! A store to throw away, which does what a server does to those who use it: it answers late and out of order, and never on the
//! caller's thread. Writes are decided on a snapshot, and applied after others have committed, if what they have read still holds; else
//! they are decided again. The rows are a local store's.
//!
//! What it is for: whoever passes with it asks nothing while a transaction is open, and decides as often as it is asked to. Each
//! decision is made twice, the second time on what the first one has read and nothing else, and must be the same.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyval::base::clock::Clock;
use keyval::base::config::{Durability, Location, Options};
use keyval::base::error::{Error, Result};
use keyval::engine::query::definition::definition_of;
use keyval::kv::Kv;
use keyval::store::{
    Access, BackupRequest, Batch, InFlight, Next, Notice, ReadJob, ReadTxn, ReadWork, Reader, Refusal, Store,
    Verdict, Wake, WriteJob, fail_all, finish, local,
};
use parking_lot::{Condvar, Mutex};

use self::seen::{Reads, Seen};
use super::random::Random;
use super::wait;

mod seen;

/// What has happened, so that a test can say that it did.
#[derive(Debug, Default)]
pub struct Counts {
    /// What was read did not hold any more, and it was decided again.
    pub lost: AtomicUsize,
    /// The same, but for no reason: as if the server's answer had been lost.
    pub doubted: AtomicUsize,
    /// A step was refused.
    pub refused: AtomicUsize,
    /// A write heard of its end before an earlier one did.
    pub writes_swapped: AtomicUsize,
    /// A read was answered before an earlier one.
    pub reads_swapped: AtomicUsize,
}

impl Counts {
    /// Everything that can happen has happened: a test that only had luck does not pass.
    pub fn assert_all(&self) {
        let Self { lost, doubted, refused, writes_swapped, reads_swapped } = self;
        for one in [lost, doubted, refused, writes_swapped, reads_swapped] {
            assert!(one.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }
}

/// One more.
fn count(of: &AtomicUsize) {
    of.fetch_add(1, Ordering::Relaxed);
}

type Job = Box<dyn WriteJob>;
type Done = Box<dyn FnOnce() + Send>;

/// The store.
pub struct LateStore {
    shared: Arc<Shared>,
    openers: AtomicUsize,
}

struct Shared {
    rows: Arc<dyn Store>,
    inbox: Mutex<Inbox>,
    signal: Condvar,
    wakes: Mutex<Vec<Wake>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Inbox {
    writes: Vec<Job>,
    reads: Vec<ReadJob>,
    /// Reads that are to run before the writes that wait for them.
    first: usize,
    behind: Vec<Job>,
    /// Who is to hear when all that was handed over before has ended.
    barriers: Vec<Done>,
    /// The last opener has left; nothing is taken any more.
    leaving: Option<Done>,
    has_left: bool,
}

/// Opens a place late. `counts` may be shared by several.
pub fn open(url: &str, options: &Options, seed: u64, counts: &Arc<Counts>) -> Kv {
    Kv::on(LateStore::over(url, options, seed, counts), options).unwrap()
}

impl LateStore {
    /// Over a local store.
    pub fn over(url: &str, options: &Options, seed: u64, counts: &Arc<Counts>) -> Arc<Self> {
        let rows = local::open(&Location::parse(url).unwrap(), options, definition_of).unwrap();
        let shared = Arc::new(Shared {
            rows,
            inbox: Mutex::default(),
            signal: Condvar::new(),
            wakes: Mutex::default(),
            counts: Arc::clone(counts),
        });
        let weak = Arc::downgrade(&shared);
        shared.rows.on_finished(Box::new(move |notice| {
            weak.upgrade().inspect(|shared| shared.wake(notice)).is_some()
        }));
        let driver = Driver::of(&shared, Random::new(seed));
        #[allow(clippy::disallowed_methods, reason = "a test that panics fails")]
        std::thread::spawn(move || driver.run());
        Arc::new(Self { shared, openers: AtomicUsize::new(0) })
    }
}

impl Shared {
    fn wake(&self, notice: &Notice) {
        self.wakes.lock().retain(|wake| wake(notice));
    }

    fn write(&self, jobs: Vec<Job>) {
        let mut inbox = self.inbox.lock();
        if inbox.has_left {
            drop(inbox);
            return fail_all(jobs, &Error::closed());
        }
        let writes = if inbox.first > 0 { &mut inbox.behind } else { &mut inbox.writes };
        writes.extend(jobs);
        self.signal.notify_one();
    }

    /// A read that goes first has run.
    fn let_in(&self) {
        let mut inbox = self.inbox.lock();
        inbox.first -= 1;
        if inbox.first == 0 {
            let Inbox { writes, behind, .. } = &mut *inbox;
            writes.append(behind);
        }
        self.signal.notify_one();
    }
}

/// Answers nothing: every read goes the long way.
struct LateReader;

impl Reader for LateReader {
    fn try_read(&mut self, _: Access, _: ReadWork<'_>) -> Result<bool> {
        Ok(false)
    }

    fn keep(&mut self) {}

    fn release(&mut self) {}
}

impl Store for LateStore {
    fn reader(&self) -> Result<Box<dyn Reader>> {
        self.openers.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(LateReader))
    }

    fn write(&self, jobs: Vec<Job>) {
        self.shared.write(jobs);
    }

    fn read(&self, job: ReadJob) {
        self.shared.inbox.lock().reads.push(job);
        self.shared.signal.notify_one();
    }

    fn read_first(&self, job: ReadJob) {
        let shared = Arc::clone(&self.shared);
        shared.inbox.lock().first += 1;
        self.read(Box::new(move |txn| {
            job(txn);
            shared.let_in();
        }));
    }

    fn backup(&self, request: BackupRequest) {
        self.shared.rows.backup(request);
    }

    fn clock(&self) -> &Clock {
        self.shared.rows.clock()
    }

    fn in_flight(&self) -> &Arc<InFlight> {
        self.shared.rows.in_flight()
    }

    fn every(&self, interval: Duration, make: Box<dyn Fn() -> Job + Send>) {
        let shared = Arc::downgrade(&self.shared);
        let relay = move || -> Job { Box::new(Relay { shared: Weak::clone(&shared), job: Some(make()) }) };
        self.shared.rows.every(interval, Box::new(relay));
    }

    fn on_finished(&self, wake: Wake) {
        self.shared.wakes.lock().push(wake);
    }

    fn attend(&self, expiries: bool) -> Box<dyn Any + Send> {
        self.shared.rows.attend(expiries)
    }

    fn wake_at(&self, at_ms: i64) {
        self.shared.rows.wake_at(at_ms);
    }

    fn freeze_clock(&self, at_ms: Option<i64>) {
        self.shared.rows.freeze_clock(at_ms);
    }

    fn shift_clock(&self, by_ms: i64) {
        self.shared.rows.shift_clock(by_ms);
    }

    fn is_new(&self) -> bool {
        self.shared.rows.is_new()
    }

    fn detach(&self, done: Done) {
        let mut inbox = self.shared.inbox.lock();
        if self.openers.fetch_sub(1, Ordering::Relaxed) > 1 {
            inbox.barriers.push(done);
        } else {
            inbox.leaving = Some(done);
            inbox.has_left = true;
        }
        self.shared.signal.notify_one();
    }
}

/// Hands over what the rows' store has made at its interval.
struct Relay {
    shared: Weak<Shared>,
    job: Option<Job>,
}

impl WriteJob for Relay {
    fn finish(mut self: Box<Self>, _: Result<()>) {
        if let (Some(shared), Some(job)) = (self.shared.upgrade(), self.job.take()) {
            shared.write(vec![job]);
        }
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }
}

/// A write that is under way.
struct Waiting {
    number: u64,
    job: Job,
    /// An earlier turn of it is committed.
    has_begun: bool,
}

/// A write that is decided.
struct Decided {
    write: Waiting,
    seen: Seen,
    decision: String,
}

/// What came of the steps of a decision.
enum End {
    Lost(Loss),
    Refused(Refusal),
    Applied(Verdict),
    Failed(Error),
}

/// Why a decision was not applied.
#[derive(Clone, Copy)]
enum Loss {
    /// What it has read does not hold any more.
    Stale,
    /// It would have, as it may be where an answer is lost.
    Doubted,
    /// One before it has lost, and writes are committed in their order.
    Behind,
}

/// What is done next.
#[derive(Clone, Copy)]
enum Turn {
    Decide,
    Apply,
    Read,
    Finish,
}

/// The thread that does everything, in an order that a seed repeats. Writes are committed in the order in which they came.
struct Driver {
    shared: Arc<Shared>,
    random: Random,
    last_number: u64,
    waiting: VecDeque<Waiting>,
    decided: VecDeque<Decided>,
    reads: Vec<(u64, ReadJob)>,
    ended: Vec<(u64, Job, Result<()>)>,
    barriers: Vec<Done>,
}

impl Driver {
    fn of(shared: &Arc<Shared>, random: Random) -> Self {
        Self {
            shared: Arc::clone(shared),
            random,
            last_number: 0,
            waiting: VecDeque::new(),
            decided: VecDeque::new(),
            reads: Vec::new(),
            ended: Vec::new(),
            barriers: Vec::new(),
        }
    }

    fn run(mut self) {
        loop {
            let turns = self.turns();
            let is_idle = turns.is_empty();
            if is_idle {
                self.barriers.drain(..).for_each(|done| done());
            }
            if let Some(leaving) = self.take(is_idle) {
                return self.shared.rows.detach(leaving);
            }
            if is_idle {
                continue;
            }
            match *self.random.pick(&turns) {
                Turn::Decide => {
                    let many = 1 + self.random.below(self.waiting.len());
                    let writes = self.waiting.drain(..many).collect();
                    let decided = self.decide(writes);
                    self.decided.extend(decided);
                }
                Turn::Apply => self.apply(),
                Turn::Read => self.read(),
                Turn::Finish => self.finish(),
            }
        }
    }

    fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        turns.extend((!self.waiting.is_empty()).then_some(Turn::Decide));
        turns.extend((!self.decided.is_empty()).then_some(Turn::Apply));
        turns.extend((!self.reads.is_empty()).then_some(Turn::Read));
        turns.extend((!self.ended.is_empty()).then_some(Turn::Finish));
        turns
    }

    /// Takes what was handed over; waits for it, if there is nothing else to do. Gives who has left last, when nothing is left to do.
    fn take(&mut self, is_idle: bool) -> Option<Done> {
        let shared = Arc::clone(&self.shared);
        let mut inbox = shared.inbox.lock();
        let is_empty =
            |inbox: &Inbox| inbox.writes.is_empty() && inbox.reads.is_empty() && inbox.barriers.is_empty();
        while is_idle && is_empty(&inbox) {
            if let Some(leaving) = inbox.leaving.take() {
                return Some(leaving);
            }
            shared.signal.wait(&mut inbox);
        }
        for job in inbox.writes.drain(..) {
            self.last_number += 1;
            self.waiting.push_back(Waiting { number: self.last_number, job, has_begun: false });
        }
        for job in inbox.reads.drain(..) {
            self.last_number += 1;
            self.reads.push((self.last_number, job));
        }
        self.barriers.append(&mut inbox.barriers);
        None
    }

    /// Has writes decide on one snapshot.
    fn decide(&self, writes: Vec<Waiting>) -> Vec<Decided> {
        let (send, receive) = channel();
        self.shared.rows.read(Box::new(move |txn| {
            let txn = txn.expect("a snapshot");
            let decided: Vec<_> = writes.into_iter().map(|write| decide(write, txn)).collect();
            send.send(decided).unwrap();
        }));
        wait(&receive, "decisions")
    }

    /// Applies the first decisions. Who has lost, or has another turn, decides again, before those that come after it.
    fn apply(&mut self) {
        let many = 1 + self.random.below(self.decided.len());
        let lost: Arc<[AtomicBool]> = (0..many).map(|_| AtomicBool::new(false)).collect();
        let (send, receive) = channel();
        let mut jobs: Vec<Job> = Vec::new();
        for (index, decided) in self.decided.drain(..many).enumerate() {
            let (lost, back) = (Arc::clone(&lost), send.clone());
            let is_doubted = self.random.one_in(8);
            jobs.push(Box::new(Apply { index, lost, decided, is_doubted, end: None, back }));
        }
        self.shared.rows.write(jobs);
        let mut ends: Vec<_> = (0..many).map(|_| wait(&receive, "the end of a write")).collect();
        ends.sort_by_key(|(index, ..)| *index);
        let again: Vec<_> =
            ends.into_iter().filter_map(|(_, write, end)| self.end_turn(write, end)).collect();
        for decided in self.decide(again).into_iter().rev() {
            self.decided.push_front(decided);
        }
    }

    /// Gives the write if it decides again.
    fn end_turn(&mut self, mut write: Waiting, end: End) -> Option<Waiting> {
        let next = match end {
            End::Lost(loss) => {
                match loss {
                    Loss::Stale => count(&self.shared.counts.lost),
                    Loss::Doubted => count(&self.shared.counts.doubted),
                    Loss::Behind => {}
                }
                Ok(Next::Again)
            }
            End::Refused(refusal) => {
                count(&self.shared.counts.refused);
                write.job.refused(refusal).map(|()| Next::Again)
            }
            End::Applied(verdict) => {
                write.has_begun = true;
                write.job.applied(verdict)
            }
            End::Failed(error) => Err(error),
        };
        match next {
            Ok(Next::Again) => return Some(write),
            Ok(Next::Done) => self.ended.push((write.number, write.job, Ok(()))),
            Err(error) => self.ended.push((write.number, write.job, Err(error))),
        }
        None
    }

    fn read(&mut self) {
        let (number, job) = self.reads.swap_remove(self.random.below(self.reads.len()));
        if self.reads.iter().any(|(other, _)| *other < number) {
            count(&self.shared.counts.reads_swapped);
        }
        self.shared.rows.read(job);
    }

    fn finish(&mut self) {
        let (number, job, outcome) = self.ended.swap_remove(self.random.below(self.ended.len()));
        if self.ended.iter().any(|(other, ..)| *other < number) {
            count(&self.shared.counts.writes_swapped);
        }
        finish(job, outcome);
        self.shared.wake(&Notice::NONE);
    }
}

fn decide(mut write: Waiting, txn: &mut dyn ReadTxn) -> Decided {
    if !write.has_begun {
        write.job.begin();
    }
    let (mut seen, mut batch) = (Seen::default(), Batch::default());
    let result = write.job.decide(&mut Reads::noting(txn, &mut seen), &mut batch);
    let decision = text(&result, &batch);
    drop(batch);
    Decided { write, seen, decision }
}

/// A decision, to compare it.
fn text(result: &Result<()>, batch: &Batch<'_>) -> String {
    match result {
        Ok(()) => format!("{batch:?}"),
        Err(error) => format!("{error:?}"),
    }
}

/// Applies a decision in the rows' store, if what it has read still holds.
struct Apply {
    index: usize,
    /// Which of those that are applied together have lost: those after the first one have, too.
    lost: Arc<[AtomicBool]>,
    decided: Decided,
    is_doubted: bool,
    end: Option<End>,
    back: Sender<(usize, Waiting, End)>,
}

impl Apply {
    fn has_lost(&self, whether: bool) {
        self.lost[self.index].store(whether, Ordering::Relaxed);
    }

    /// Why it must be decided again.
    fn loss(&self, txn: &mut dyn ReadTxn) -> Option<Loss> {
        if self.lost.iter().take(self.index).any(|lost| lost.load(Ordering::Relaxed)) {
            return Some(Loss::Behind);
        }
        if self.is_doubted {
            return Some(Loss::Doubted);
        }
        (!self.decided.seen.holds(txn)).then_some(Loss::Stale)
    }
}

impl WriteJob for Apply {
    fn begin(&mut self) {
        self.end = None;
    }

    fn decide<'a>(&'a mut self, seen: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        let loss = self.loss(seen);
        self.has_lost(loss.is_some());
        if let Some(loss) = loss {
            self.end = Some(End::Lost(loss));
            return Ok(());
        }
        let Self { decided: Decided { write, seen, decision }, .. } = self;
        let result = write.job.decide(&mut Reads::again(seen), batch);
        assert_eq!(text(&result, batch), *decision, "decided otherwise on the same");
        result
    }

    fn refused(&mut self, refusal: Refusal) -> Result<()> {
        self.has_lost(true);
        let error = refusal.error.clone();
        self.end = Some(End::Refused(refusal));
        Err(error)
    }

    fn applied(&mut self, verdict: Verdict) -> Result<Next> {
        self.end.get_or_insert(End::Applied(verdict));
        Ok(Next::Done)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let Self { index, decided, end, back, .. } = *self;
        let end = match (outcome, end) {
            (Ok(()), Some(end)) | (Err(_), Some(end @ End::Refused(_))) => end,
            (Err(error), _) => End::Failed(error),
            (Ok(()), None) => End::Failed(Error::invalid("a write of which nothing came")),
        };
        drop(back.send((index, decided.write, end)));
    }

    fn durability(&self) -> Durability {
        self.decided.write.job.durability()
    }
}
