//! The thread of the store: what is decided, applied, read and reported, in an order that a seed repeats.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;

use keyval::base::error::Result;
use keyval::store::{Next, Notice, ReadJob, finish};

use super::super::random::Random;
use super::super::wait;
use super::apply::{Apply, Decided, End, Loss, Waiting, decide};
use super::shared::{Done, Job, Shared, count};

/// What is done next.
#[derive(Clone, Copy)]
enum Turn {
    Decide,
    Apply,
    Read,
    Finish,
}

/// The thread that does everything, in an order that a seed repeats. Writes are committed in the order in which they came.
pub struct Driver {
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
    /// It, with its choices; `run` it on a thread.
    pub fn of(shared: &Arc<Shared>, random: Random) -> Self {
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
        while is_idle && inbox.is_empty() {
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
