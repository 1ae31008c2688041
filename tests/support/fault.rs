//! Makes a statement fail: the nth after `arm`, with an SQLite result code.

use std::sync::Arc;

use keyval::base::config::{Fault, Options};
use parking_lot::Mutex;

/// The codes that statements fail with: a full disk, I/O errors, a lock, no memory, a constraint.
pub const FULL: i32 = 13;
pub const IO_ERROR: i32 = 10;
pub const IO_ERROR_WRITE: i32 = 778;
pub const BUSY: i32 = 5;
pub const NO_MEMORY: i32 = 7;
pub const CONSTRAINT: i32 = 19;
pub const CODES: [i32; 6] = [FULL, IO_ERROR, IO_ERROR_WRITE, BUSY, NO_MEMORY, CONSTRAINT];

/// The steps that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// None: the steps are only noted.
    Watch,
    /// One, by number from 0.
    At(usize, i32),
    /// This one and all that follow, as on a disk that stays full. A rollback goes well: it needs no room.
    From(usize, i32),
}

impl Plan {
    /// Whether statements still fail after a COMMIT that failed: then the store cannot repair what the COMMIT
    /// left in the log.
    pub fn outlasts_a_commit(self) -> bool {
        matches!(self, Self::From(_, code) if code != BUSY)
    }
}

#[derive(Default)]
struct FaultState {
    plan: Option<Plan>,
    steps: Vec<String>,
    failed: Vec<usize>,
}

/// A trap for statements.
#[derive(Clone, Default)]
pub struct Trap(Arc<Mutex<FaultState>>);

/// The steps that ran while the trap was armed.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The text of each step.
    pub steps: Vec<String>,
    /// The numbers of those that failed.
    pub failed: Vec<usize>,
}

impl Trap {
    /// Options with this trap in them.
    pub fn options(&self) -> Options {
        let state = Arc::clone(&self.0);
        let fault = Fault(Arc::new(move |sql: &str| state.lock().step(sql)));
        Options { fault: Some(fault), ..super::quiet() }
    }

    /// From now on steps are counted, from 0.
    pub fn arm(&self, plan: Plan) {
        *self.0.lock() = FaultState { plan: Some(plan), ..FaultState::default() };
    }

    /// Ends the faults; returns the steps that ran.
    pub fn disarm(&self) -> Trace {
        let FaultState { steps, failed, .. } = std::mem::take(&mut *self.0.lock());
        Trace { steps, failed }
    }
}

impl FaultState {
    fn step(&mut self, sql: &str) -> Option<i32> {
        let plan = self.plan?;
        let number = self.steps.len();
        self.steps.push(sql.to_string());
        let code = match plan {
            Plan::Watch => None,
            Plan::At(at, code) => (at == number).then_some(code),
            Plan::From(from, code) => (from <= number && !sql.starts_with("ROLLBACK")).then_some(code),
        };
        self.failed.extend(code.map(|_| number));
        code
    }
}

impl Trace {
    /// The text of the first step that failed.
    pub fn first_failed(&self) -> Option<&str> {
        self.failed.first().map(|number| self.steps[*number].as_str())
    }

    /// The steps of the transaction of the first step that failed, before it.
    pub fn before_failure(&self) -> &[String] {
        let until = self.failed.first().copied().unwrap_or(self.steps.len());
        let before = &self.steps[..until];
        let begin = before.iter().rposition(|sql| sql == "BEGIN IMMEDIATE").unwrap_or(0);
        &before[begin..]
    }
}
