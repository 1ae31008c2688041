//! The reads of an operation from the known answers (`cache.rs`), and the question that each of them asks a
//! snapshot.

use std::collections::BTreeSet;
use std::ops::Range;

use keyval::base::error::Result;
use keyval::store::rows::changes::{Change, ChangeLogState, ChangeScan};
use keyval::store::rows::consumer::{Consumer, Lease};
use keyval::store::rows::index::{Definition, IndexRow, IndexedEntry, OrderedScan, SearchScan};
use keyval::store::rows::lock::Lock;
use keyval::store::rows::queue::{Claimable, DeadLetter, DeadLetterScan, Duplicate, QueueStats, Stranded};
use keyval::store::rows::released::ReleasedNames;
use keyval::store::{
    ChangeRead, ConsumerRead, Flow, IndexRead, Info, LockRead, QueueRead, ReadTxn, Row, Scan, Visit, Want,
};

use super::cache::{Cache, Question, QuestionOf};
use super::kept::{Kept, KeptChange, kept_of, show, with_life};

/// The reads of one run.
pub struct Reads<'a>(pub &'a mut Cache);

/// The question of a read that is announced.
pub fn question_of(want: Want<'_>) -> Box<dyn Question> {
    match want {
        Want::Entry(key, max_value_bytes) => entry(key, max_value_bytes).boxed(),
        Want::Scan(scan) => entries(&scan).boxed(),
        Want::Count(range) => count(range).boxed(),
        Want::Info => info().boxed(),
        Want::ChangeLogState => change_log_state().boxed(),
        Want::Changes(scan) => log(scan).boxed(),
        Want::Consumer(name) => consumer(name).boxed(),
        Want::Leases(names) => leases(names).boxed(),
        Want::ReleasedSince(number) => released(number).boxed(),
        Want::Indexes => indexes().boxed(),
        Want::OrderedScan(scan) => ordered(&scan).boxed(),
        Want::IndexedEntry(entry, max_value_bytes) => indexed(entry, max_value_bytes).boxed(),
        Want::Match(scan, key) => is_match(scan, key).boxed(),
        Want::DuplicateMessage(queue, key) => duplicate(queue, key).boxed(),
        Want::ReadyMessages(queue, limit) => ready(queue, limit).boxed(),
        Want::LeasedMessage(id, lease) => leased(id, lease).boxed(),
        Want::QueueDue(queue) => due(queue).boxed(),
        Want::QueuesAddedTo(after, most) => added_to(after, most).boxed(),
    }
}

fn entry(key: &[u8], max_value_bytes: usize) -> QuestionOf<Option<Kept>> {
    let key = key.to_vec();
    QuestionOf::new(("get", key.clone(), max_value_bytes), move |txn| {
        kept_of(txn, |txn, visit| txn.get(&key, max_value_bytes, visit))
    })
}

fn entries(scan: &Scan) -> QuestionOf<Vec<Kept>> {
    let scan = scan.clone();
    QuestionOf::new(("scan", scan.clone()), move |txn| {
        let (now_ms, mut rows) = (txn.now_ms(), Vec::new());
        txn.scan(&scan, &mut |row| {
            rows.push(Kept::of(&row, now_ms));
            Ok(Flow::Continue)
        })?;
        Ok(rows)
    })
}

fn count(range: &Range<Vec<u8>>) -> QuestionOf<u64> {
    let range = range.clone();
    QuestionOf::new(("count", range.clone()), move |txn| txn.count(&range))
}

fn info() -> QuestionOf<Info> {
    QuestionOf::new("info", |txn| txn.info())
}

fn change_log_state() -> QuestionOf<ChangeLogState> {
    QuestionOf::new("change_log_state", |txn| txn.change_log_state())
}

fn log(scan: ChangeScan) -> QuestionOf<Vec<KeptChange>> {
    QuestionOf::new(("scan_changes", scan), move |txn| {
        let mut changes = Vec::new();
        txn.scan_changes(scan, &mut |change| {
            changes.push(KeptChange::of(&change));
            Ok(Flow::Continue)
        })?;
        Ok(changes)
    })
}

fn consumer(name: &str) -> QuestionOf<Option<(Consumer, bool)>> {
    let name = name.to_string();
    QuestionOf::new(("consumer", name.clone()), move |txn| {
        let consumer = txn.consumer(&name)?;
        Ok(consumer.map(|one| (one.locked_until, one)).map(|(ends, one)| with_life(txn, one, ends)))
    })
}

fn leases(names: &[&str]) -> QuestionOf<Vec<Lease>> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    QuestionOf::new(("leases", names.clone()), move |txn| {
        txn.leases(&names.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn released(number: i64) -> QuestionOf<Option<ReleasedNames>> {
    QuestionOf::new(("released_since", number), move |txn| txn.released_since(number))
}

/// The definitions of all indexes, which are remembered from one operation to the next.
pub fn indexes() -> QuestionOf<Vec<IndexRow>> {
    QuestionOf::new("indexes", |txn| txn.indexes())
}

fn ordered(scan: &OrderedScan) -> QuestionOf<Vec<IndexedEntry>> {
    let scan = scan.clone();
    QuestionOf::new(("scan_index", scan.clone()), move |txn| {
        let mut entries = Vec::new();
        txn.scan_index(&scan, &mut |entry| entries.push(entry))?;
        Ok(entries)
    })
}

fn indexed(entry: &IndexedEntry, max_value_bytes: usize) -> QuestionOf<Option<Kept>> {
    let entry = entry.clone();
    QuestionOf::new(("get_indexed", entry.clone(), max_value_bytes), move |txn| {
        kept_of(txn, |txn, visit| txn.get_indexed(&entry, max_value_bytes, visit))
    })
}

fn is_match(scan: &SearchScan, key: &[u8]) -> QuestionOf<bool> {
    let (scan, key) = (scan.clone(), key.to_vec());
    QuestionOf::new(("is_match", scan.clone(), key.clone()), move |txn| txn.is_match(&scan, &key))
}

fn duplicate(queue: &str, deduplication_key: &str) -> QuestionOf<Option<Duplicate>> {
    let of = (queue.to_string(), deduplication_key.to_string());
    QuestionOf::new(("duplicate_message", of.clone()), move |txn| txn.duplicate_message(&of.0, &of.1))
}

fn ready(queue: &str, limit: usize) -> QuestionOf<Vec<Claimable>> {
    let queue = queue.to_string();
    QuestionOf::new(("ready_messages", queue.clone(), limit), move |txn| txn.ready_messages(&queue, limit))
}

fn leased(id: &str, lease: i64) -> QuestionOf<Option<Claimable>> {
    let id = id.to_string();
    QuestionOf::new(("leased_message", id.clone(), lease), move |txn| txn.leased_message(&id, lease))
}

fn due(queue: &str) -> QuestionOf<Option<i64>> {
    let queue = queue.to_string();
    QuestionOf::new(("queue_due", queue.clone()), move |txn| txn.queue_due(&queue))
}

fn added_to(after: i64, most: usize) -> QuestionOf<Option<BTreeSet<String>>> {
    QuestionOf::new(("queues_added_to", after, most), move |txn| txn.queues_added_to(after, most))
}

impl ReadTxn for Reads<'_> {
    fn now_ms(&self) -> i64 {
        self.0.now_ms
    }

    fn prefetch<'w>(&mut self, wants: &mut dyn Iterator<Item = Want<'w>>) {
        wants.for_each(|want| self.0.note(question_of(want)));
    }

    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let kept = self.0.answer(entry(key, max_value_bytes))?;
        visit(kept.as_ref().map(Kept::row))
    }

    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        show(&self.0.answer(entries(scan))?, visit)
    }

    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        self.0.answer(count(range))
    }

    fn last_number(&mut self) -> Result<i64> {
        self.0.answer(QuestionOf::new("last_number", |txn| txn.last_number()))
    }

    fn released_since(&mut self, number: i64) -> Result<Option<ReleasedNames>> {
        self.0.answer(released(number))
    }

    fn info(&mut self) -> Result<Info> {
        self.0.answer(info())
    }
}

impl ChangeRead for Reads<'_> {
    fn change_log_state(&mut self) -> Result<ChangeLogState> {
        self.0.answer(change_log_state())
    }

    fn scan_changes(
        &mut self,
        scan: ChangeScan,
        visit: &mut dyn FnMut(Change<'_>) -> Result<Flow>,
    ) -> Result<()> {
        for change in &self.0.answer(log(scan))? {
            if visit(change.change())? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn position_after(&mut self, log: &ChangeLogState, stamp: &str) -> Result<i64> {
        let (log, stamp) = (log.clone(), stamp.to_string());
        let text = ("position_after", log.clone(), stamp.clone());
        self.0.answer(QuestionOf::new(text, move |txn| txn.position_after(&log, &stamp)))
    }
}

impl QueueRead for Reads<'_> {
    fn queue_due(&mut self, queue: &str) -> Result<Option<i64>> {
        self.0.answer(due(queue))
    }

    fn next_queue(&mut self, from: &str) -> Result<Option<Vec<u8>>> {
        let from = from.to_string();
        self.0.answer(QuestionOf::new(("next_queue", from.clone()), move |txn| txn.next_queue(&from)))
    }

    fn queues_due(
        &mut self,
        queues: &BTreeSet<String>,
        looks: &mut usize,
    ) -> Result<Option<Vec<(String, i64)>>> {
        let (queues, most) = (queues.clone(), *looks);
        let text = ("queues_due", queues.clone(), most);
        self.0.answer(QuestionOf::new(text, move |txn| txn.queues_due(&queues, &mut most.clone())))
    }

    fn queues_added_to(&mut self, after: i64, most: usize) -> Result<Option<BTreeSet<String>>> {
        self.0.answer(added_to(after, most))
    }

    fn queue_stats(&mut self, queue: Option<&str>) -> Result<QueueStats> {
        let queue = queue.map(str::to_string);
        let text = ("queue_stats", queue.clone());
        self.0.answer(QuestionOf::new(text, move |txn| txn.queue_stats(queue.as_deref())))
    }

    fn scan_dead_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()> {
        let scan = scan.clone();
        let letters = self.0.answer(QuestionOf::new(("scan_dead_letters", scan.clone()), move |txn| {
            let mut letters = Vec::new();
            txn.scan_dead_letters(&scan, &mut |letter| {
                letters.push(letter);
                Ok(Flow::Continue)
            })?;
            Ok(letters)
        }))?;
        for letter in letters {
            if visit(letter)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        let id = id.to_string();
        self.0.answer(QuestionOf::new(("dead_letter", id.clone()), move |txn| txn.dead_letter(&id)))
    }

    fn duplicate_message(&mut self, queue: &str, deduplication_key: &str) -> Result<Option<Duplicate>> {
        self.0.answer(duplicate(queue, deduplication_key))
    }

    fn ready_messages(&mut self, queue: &str, limit: usize) -> Result<Vec<Claimable>> {
        self.0.answer(ready(queue, limit))
    }

    fn stranded_messages(&mut self, after: i64, limit: usize) -> Result<Stranded> {
        let text = ("stranded_messages", after, limit);
        self.0.answer(QuestionOf::new(text, move |txn| txn.stranded_messages(after, limit)))
    }

    fn leased_message(&mut self, id: &str, lease: i64) -> Result<Option<Claimable>> {
        self.0.answer(leased(id, lease))
    }
}

impl LockRead for Reads<'_> {
    fn lock(&mut self, name: &str) -> Result<Option<Lock>> {
        let name = name.to_string();
        let lock = self.0.answer(QuestionOf::new(("lock", name.clone()), move |txn| {
            let lock = txn.lock(&name)?;
            Ok(lock.map(|lock| (Some(lock.expires_at), lock)).map(|(ends, lock)| with_life(txn, lock, ends)))
        }))?;
        Ok(lock.map(|(lock, _)| lock))
    }
}

impl ConsumerRead for Reads<'_> {
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        Ok(self.0.answer(consumer(name))?.map(|(consumer, _)| consumer))
    }

    fn leases(&mut self, names: &[&str]) -> Result<Vec<Lease>> {
        self.0.answer(leases(names))
    }
}

impl IndexRead for Reads<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        self.0.answer(indexes())
    }

    fn is_intact(&mut self, id: i64, index: &Definition) -> Result<bool> {
        let index = index.clone();
        self.0.answer(QuestionOf::new(("is_intact", id, index.clone()), move |txn| txn.is_intact(id, &index)))
    }

    fn scan_index(&mut self, scan: &OrderedScan, visit: &mut dyn FnMut(IndexedEntry)) -> Result<()> {
        self.0.answer(ordered(scan))?.into_iter().for_each(visit);
        Ok(())
    }

    fn get_indexed(&mut self, entry: &IndexedEntry, max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let kept = self.0.answer(indexed(entry, max_value_bytes))?;
        visit(kept.as_ref().map(Kept::row))
    }

    fn search(&mut self, scan: &SearchScan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let scan = scan.clone();
        let rows = self.0.answer(QuestionOf::new(("search", scan.clone()), move |txn| {
            let (now_ms, mut rows) = (txn.now_ms(), Vec::new());
            txn.search(&scan, &mut |row| {
                rows.push(Kept::of(&row, now_ms));
                Ok(Flow::Continue)
            })?;
            Ok(rows)
        }))?;
        show(&rows, visit)
    }

    fn rank(
        &mut self,
        scan: &SearchScan,
        limit: usize,
        visit: &mut dyn FnMut(IndexedEntry, &str),
    ) -> Result<()> {
        let scan = scan.clone();
        let ranked = self.0.answer(QuestionOf::new(("rank", scan.clone(), limit), move |txn| {
            let mut ranked = Vec::new();
            txn.rank(&scan, limit, &mut |entry, stamp| ranked.push((entry, stamp.to_string())))?;
            Ok(ranked)
        }))?;
        ranked.into_iter().for_each(|(entry, stamp)| visit(entry, &stamp));
        Ok(())
    }

    fn is_match(&mut self, scan: &SearchScan, key: &[u8]) -> Result<bool> {
        self.0.answer(is_match(scan, key))
    }
}
