//! Operations for the writer that do what a test tells them to.

use std::sync::mpsc::{Receiver, Sender, channel};

use keyval::config::Durability;
use keyval::error::Result;
use keyval::store::{Store, WriteJob, WriteTxn};

use super::wait;

type Body = Box<dyn FnMut(&mut dyn WriteTxn) -> Result<()> + Send>;

/// An operation that runs a closure and sends its end.
pub struct Job {
    body: Body,
    done: Sender<Result<()>>,
}

impl Job {
    pub fn boxed(
        done: &Sender<Result<()>>,
        body: impl FnMut(&mut dyn WriteTxn) -> Result<()> + Send + 'static,
    ) -> Box<dyn WriteJob> {
        Box::new(Self { body: Box::new(body), done: done.clone() })
    }
}

impl WriteJob for Job {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<()> {
        (self.body)(txn)
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        drop(self.done.send(outcome));
    }

    fn durability(&self) -> Durability {
        Durability::Off
    }
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
        store.write(vec![Job::boxed(&finish, move |_| {
            let _ = enter.send(());
            let _ = gone.recv();
            Ok(())
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
