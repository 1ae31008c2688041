//! Reads: gets, lists and counts here, the others with their capabilities. The same code answers on the
//! JavaScript thread, where it gives up if a read takes long, and on the reader thread.

use super::answer::{Answer, lost};
use super::changes::{consumer, feed};
use super::get::get;
use super::query::children::children;
use super::query::list::list;
use super::query::matching::count_matching;
use super::query::range::END_OF_KEYS;
use super::query::{indexes, plan, search};
use super::queue::dead_letters;
use super::request::Request;
use super::write::AnswerDone;
use super::{awaited, lock};
use crate::base::error::Result;
use crate::store::{ReadJob, ReadTxn, Want};

/// Answers a read. `inline`: on a thread that must not block.
pub fn answer(txn: &mut dyn ReadTxn, request: &Request, inline: bool) -> Result<Answer> {
    match request {
        Request::Get(keys) => get(txn, keys, inline),
        Request::List(query) => list(txn, query, inline),
        Request::Children(query) => children(txn, query, inline),
        Request::Count(..) | Request::QueueStats(_) | Request::Info if inline => Ok(Answer::WouldBlock),
        Request::Count(range, None) => txn.count(range).map(Answer::Count),
        Request::Count(range, Some(filter)) => count_matching(txn, range, filter).map(Answer::Count),
        Request::Changes(query) => feed::page(txn, query, inline),
        Request::Head => feed::head(txn),
        Request::Watch(watch) => watch.step(txn, inline),
        Request::Wakeups(followers) => followers.wakeups(txn),
        Request::QueueDue(queue) => txn.queue_due(queue).map(Answer::Due),
        Request::Dues(awaited) => awaited::dues(txn, awaited, inline),
        Request::QueueStats(queue) => txn.queue_stats(queue.as_deref()).map(Answer::QueueStats),
        Request::DeadLetters(scan) => dead_letters::list(txn, scan),
        Request::DeadLetter(id) => dead_letters::get(txn, id),
        Request::Lock(name) => lock::status(txn, name),
        Request::Consumer(name) => consumer::status(txn, name),
        Request::Indexes => indexes::list(txn),
        Request::Explain(..) if inline => Ok(Answer::WouldBlock),
        Request::Explain(range, filter) => plan::explain(txn, range, filter),
        Request::Search(query) => search::page(txn, query, inline),
        Request::Info => info(txn),
    }
}

fn info(txn: &mut dyn ReadTxn) -> Result<Answer> {
    let all = Vec::new()..vec![END_OF_KEYS];
    txn.prefetch(&mut [Want::Count(&all), Want::Info].into_iter());
    let entries = txn.count(&all)?;
    Ok(Answer::Info(Box::new(txn.info()?), entries))
}

/// A read on its way through the reader thread.
pub struct AnswerRead {
    request: Request,
    found: Option<Answer>,
    done: AnswerDone,
}

impl AnswerRead {
    /// A read that reports to `done`.
    #[must_use]
    pub fn new(request: Request, done: AnswerDone) -> Self {
        Self { request, found: None, done }
    }
}

impl ReadJob for AnswerRead {
    fn run(&mut self, txn: &mut dyn ReadTxn) -> Result<()> {
        self.found = Some(answer(txn, &self.request, false)?);
        Ok(())
    }

    fn finish(self: Box<Self>, ran: Result<()>) {
        let Self { found, done, .. } = *self;
        done(ran.and_then(|()| found.ok_or_else(lost)));
    }
}
