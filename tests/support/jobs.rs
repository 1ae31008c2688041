//! Operations for the writer whose code a test supplies.

use std::sync::mpsc::{Receiver, Sender, channel};

use keyval::base::config::Durability;
use keyval::base::error::Result;
use keyval::store::{Batch, Next, ReadJob, ReadTxn, Store, Verdict, WriteJob};

use super::wait;

type Body = Box<dyn FnMut(usize, &mut Batch<'_>) -> Result<Next> + Send>;

/// An operation that runs a closure in each of its rounds, and sends its outcome.
pub struct Job {
    body: Body,
    round: usize,
    next: Next,
    done: Sender<Result<()>>,
}

impl Job {
    pub fn boxed(
        done: &Sender<Result<()>>,
        body: impl FnMut(usize, &mut Batch<'_>) -> Result<Next> + Send + 'static,
    ) -> Box<dyn WriteJob> {
        Box::new(Self { body: Box::new(body), round: 0, next: Next::Done, done: done.clone() })
    }
}

impl WriteJob for Job {
    fn begin(&mut self) {
        self.round = 0;
    }

    fn decide<'a>(&'a mut self, _: &mut dyn ReadTxn, batch: &mut Batch<'a>) -> Result<()> {
        self.round += 1;
        self.next = (self.body)(self.round, batch)?;
        Ok(())
    }

    fn applied(&mut self, _: Verdict) -> Result<Next> {
        Ok(self.next)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        drop(self.done.send(outcome));
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }
}

struct Reading<F>(F);

impl<F: FnMut(&mut dyn ReadTxn) + Send> ReadJob for Reading<F> {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        (self.0)(txn);
        Ok(())
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        ran.expect("a read");
    }
}

/// A read that runs a closure.
pub fn reading(body: impl FnMut(&mut dyn ReadTxn) + Send + 'static) -> Box<dyn ReadJob> {
    Box::new(Reading(body))
}

/// Panics without the noise of the panic hook.
pub fn fault_in_the_code() -> ! {
    std::panic::resume_unwind(Box::new("a fault that a test put into the code"))
}

/// Holds the writer inside of an operation, until it is opened.
pub struct Gate {
    go: Sender<()>,
    done: Receiver<Result<()>>,
}

impl Gate {
    /// Returns when the writer is inside.
    pub fn shut(store: &dyn Store) -> Self {
        let ((enter, entered), (go, gone), (finish, done)) = (channel(), channel(), channel());
        store.write(vec![Job::boxed(&finish, move |_, _| {
            let _ = enter.send(());
            let _ = gone.recv();
            Ok(Next::Done)
        })]);
        wait(&entered, "the gate");
        Self { go, done }
    }

    /// Lets the writer go on.
    pub fn open(self) {
        self.go.send(()).unwrap();
        wait(&self.done, "the gate's end").unwrap();
    }
}
