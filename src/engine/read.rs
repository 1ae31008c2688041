//! Reads: gets, lists and counts here, the others where they belong. The same code answers on the JavaScript
//! thread, where it gives up on what takes long, and on the reader thread.

use super::answer::Answer;
use super::changes::{consumer, feed};
use super::get::get;
use super::query::list::list;
use super::query::matching::count_matching;
use super::query::range::END_OF_KEYS;
use super::query::{indexes, plan, search};
use super::queue::dead_letters;
use super::request::Request;
use super::{awaited, lock};
use crate::base::error::Result;
use crate::codec::key_json::json_string;
use crate::store::rows::queue::QueueStats;
use crate::store::{Info, ReadTxn};

/// Answers a read. `inline`: on a thread that must not be held.
pub fn answer(txn: &mut dyn ReadTxn, request: &Request, inline: bool) -> Result<Answer> {
    match request {
        Request::Get(keys) => get(txn, keys, inline),
        Request::List(query) => list(txn, query, inline),
        Request::Count(..) | Request::QueueStats(_) | Request::Info if inline => Ok(Answer::WouldBlock),
        Request::Count(range, None) => txn.count(range).map(Answer::Count),
        Request::Count(range, Some(filter)) => count_matching(txn, range, filter).map(Answer::Count),
        Request::Changes(query) => feed::page(txn, query, inline),
        Request::Head => feed::head(txn),
        Request::Watch(watch) => watch.step(txn, inline),
        Request::Wakeups(followers) => followers.wakeups(txn),
        Request::QueueDue(queue) => queue_due(txn, queue),
        Request::Dues(awaited) => awaited::dues(txn, awaited, inline),
        Request::QueueStats(queue) => queue_stats(txn, queue.as_deref()),
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

/// `[sqlite,schema,database,changeLog,retention,bytes,entries,deadLetterRetention]`
fn info(txn: &mut dyn ReadTxn) -> Result<Answer> {
    let entries = txn.count(&(Vec::new()..vec![END_OF_KEYS]))?;
    let info = txn.info()?;
    let Info { sqlite_version, schema_version, database_id, change_log, retention_ms, size_bytes, .. } = info;
    let letters_ms = info.dead_letter_retention_ms.map_or("null".into(), |ms| ms.to_string());
    Ok(Answer::json(format!(
        "[\"{sqlite_version}\",{schema_version},{},{},{retention_ms},{size_bytes},{entries},{letters_ms}]",
        json_string(&database_id),
        json_string(&change_log),
    )))
}

fn queue_due(txn: &mut dyn ReadTxn, queue: &str) -> Result<Answer> {
    let due = txn.queue_due(queue)?;
    Ok(Answer::json(due.map_or("null".into(), |ms| ms.to_string())))
}

fn queue_stats(txn: &mut dyn ReadTxn, queue: Option<&str>) -> Result<Answer> {
    let QueueStats { pending, processing, dead } = txn.queue_stats(queue)?;
    Ok(Answer::json(format!("[{pending},{processing},{dead}]")))
}
