//! The thread of the store: it decides, applies, reads and reports in an order that a seed repeats.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use keyval::base::error::Result;
use keyval::store::{Next, Notice, ReadJob, ReadTxn, Verdict, finish};

use super::super::jobs::reading;
use super::super::random::Random;
use super::super::wait;
use super::apply::{Apply, End, Loss, Waiting};
use super::shared::{Done, Job, Shared, count};

/// The next action.
#[derive(Clone, Copy)]
enum Turn {
    Decide,
    Apply,
    Read,
    Finish,
}

/// The thread that does everything, in an order that a seed repeats. Writes are committed in the order in
/// which they came.
pub struct Driver {
    shared: Arc<Shared>,
    random: Random,
    /// Some decisions are repeated without a reason.
    has_doubts: bool,
    last_number: u64,
    writes: VecDeque<Waiting>,
    reads: Vec<(u64, Box<dyn ReadJob>)>,
    ended: Vec<(u64, Job, Result<()>)>,
    barriers: Vec<Done>,
}

impl Driver {
    /// A driver with its choices; `run` it on a thread.
    pub fn of(shared: &Arc<Shared>, random: Random, has_doubts: bool) -> Self {
        Self {
            shared: Arc::clone(shared),
            random,
            has_doubts,
            last_number: 0,
            writes: VecDeque::new(),
            reads: Vec::new(),
            ended: Vec::new(),
            barriers: Vec::new(),
        }
    }

    /// Works until the last opener has left.
    pub fn run(mut self) {
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
                Turn::Decide => self.decide(),
                Turn::Apply => self.apply(),
                Turn::Read => self.read(),
                Turn::Finish => self.finish(),
            }
        }
    }

    fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        turns.extend((!self.undecided().is_empty()).then_some(Turn::Decide));
        let first = self.writes.front();
        turns.extend(first.is_some_and(|write| write.decision.is_some()).then_some(Turn::Apply));
        turns.extend((!self.reads.is_empty()).then_some(Turn::Read));
        turns.extend((!self.ended.is_empty()).then_some(Turn::Finish));
        turns
    }

    fn undecided(&self) -> Vec<usize> {
        let writes = self.writes.iter().enumerate();
        writes.filter(|(_, write)| write.decision.is_none()).map(|(index, _)| index).collect()
    }

    /// Takes the operations handed over; waits for them if there is nothing else to do. When all is done and
    /// the last opener has left, gives its callback.
    fn take(&mut self, is_idle: bool) -> Option<Done> {
        let shared = Arc::clone(&self.shared);
        let mut inbox = shared.inbox.lock();
        while is_idle && inbox.is_empty() {
            if let Some(leaving) = inbox.leaving.take() {
                return Some(leaving);
            }
            shared.signal.wait(&mut inbox);
        }
        for job in inbox.writes.drain(..) {
            self.last_number += 1;
            let cache = shared.cache(shared.rows.clock().now_ms());
            self.writes.push_back(Waiting {
                number: self.last_number,
                job,
                has_begun: false,
                cache,
                decision: None,
            });
        }
        for job in inbox.reads.drain(..) {
            self.last_number += 1;
            self.reads.push((self.last_number, job));
        }
        self.barriers.append(&mut inbox.barriers);
        None
    }

    /// Lets writes decide; the unknown reads of some of them are one request, and those decide again.
    fn decide(&mut self) {
        let mut undecided = self.undecided();
        undecided.truncate(1 + self.random.below(undecided.len()));
        let mut missed = Vec::new();
        for index in undecided {
            let write = &mut self.writes[index];
            write.decide();
            if write.decision.is_none() {
                missed.push((index, std::mem::take(&mut write.cache)));
            }
        }
        if missed.is_empty() {
            return;
        }
        let (send, receive) = channel();
        let mut missed = Some(missed);
        self.shared.rows.read(reading(move |txn| {
            let mut missed = missed.take().unwrap_or_default();
            missed.iter_mut().for_each(|(index, cache)| cache.fetch(txn, *index == 0));
            send.send(missed).unwrap();
        }));
        count(&self.shared.counts.requests);
        for (index, cache) in wait(&receive, "what was missed") {
            self.shared.remember(&cache);
            self.writes[index].cache = cache;
        }
    }

    /// Applies the first decisions. A write that has lost, or has another turn, decides again before the
    /// writes after it.
    fn apply(&mut self) {
        let passes = self.writes.front().is_some_and(Waiting::has_nothing_to_apply);
        if let Some(mut write) = passes.then(|| self.writes.pop_front()).flatten() {
            write.pass();
            let again = self.end_turn(write, End::Applied(Verdict::default()));
            return again.into_iter().for_each(|write| self.writes.push_front(write));
        }
        let decided = self.writes.iter().take_while(|write| write.decision.is_some()).count();
        let many = 1 + self.random.below(decided);
        let lost: Arc<[AtomicBool]> = (0..many).map(|_| AtomicBool::new(false)).collect();
        let (send, receive) = channel();
        let mut jobs: Vec<Job> = Vec::new();
        for (index, write) in self.writes.drain(..many).enumerate() {
            let (lost, back) = (Arc::clone(&lost), send.clone());
            let is_doubted = self.has_doubts && self.random.one_in(8);
            jobs.push(Box::new(Apply { index, lost, write, is_doubted, end: None, left: None, back }));
        }
        self.shared.rows.write(jobs);
        count(&self.shared.counts.requests);
        let mut ends: Vec<_> = (0..many).map(|_| wait(&receive, "the end of a write")).collect();
        ends.sort_by_key(|(index, ..)| *index);
        let again: Vec<_> =
            ends.into_iter().filter_map(|(_, write, end)| self.end_turn(write, end)).collect();
        again.into_iter().rev().for_each(|write| self.writes.push_front(write));
    }

    /// Returns the write if it decides again.
    fn end_turn(&mut self, mut write: Waiting, end: End) -> Option<Waiting> {
        write.decision = None;
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
        self.shared.rows.read(Box::new(LateRead { job, shared: Arc::clone(&self.shared) }));
    }

    fn finish(&mut self) {
        let (number, job, outcome) = self.ended.swap_remove(self.random.below(self.ended.len()));
        if self.ended.iter().any(|(other, ..)| *other < number) {
            count(&self.shared.counts.writes_swapped);
        }
        finish(job, outcome);
        self.shared.wakes.wake(&Notice::NONE);
    }
}

/// A read, which runs until all its questions are answered. Its requests share a snapshot.
struct LateRead {
    job: Box<dyn ReadJob>,
    shared: Arc<Shared>,
}

impl ReadJob for LateRead {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        let mut cache = self.shared.cache(txn.now_ms());
        loop {
            let ran = cache.run(|reads| self.job.run(reads));
            if let Some(ran) = ran.filter(|_| !cache.is_unconfirmed()) {
                return ran;
            }
            cache.fetch(txn, true);
            count(&self.shared.counts.requests);
            self.shared.remember(&cache);
        }
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        self.job.finish(ran);
    }
}
