//! Operations for the writer that do what a test tells them to.

use std::sync::mpsc::Sender;

use keyval::config::Durability;
use keyval::error::Result;
use keyval::store::{WriteJob, WriteTxn};

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
