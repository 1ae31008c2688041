//! What a decision has read, as data: each question with its answer. The decision can be made again on the answers alone, and whether
//! they still hold can be asked of a later snapshot: these are the guards that a server would check.
//! Longer than 400 lines by a few: there is a method for each read of the seam.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::Range;

use keyval::base::error::{Error, Result};
use keyval::store::rows::changes::{Change, ChangeLogState, ChangeScan};
use keyval::store::rows::consumer::{Consumer, Lease};
use keyval::store::rows::index::{Definition, IndexRow, IndexedEntry, OrderedScan, SearchScan};
use keyval::store::rows::lock::Lock;
use keyval::store::rows::queue::{Claimable, DeadLetter, DeadLetterScan, QueueStats, Standing, Stranded};
use keyval::store::{
    ChangeKind, ChangeRead, ConsumerRead, Flow, IndexRead, Info, LockRead, QueueRead, ReadTxn, Row, Scan,
    Visit, is_live,
};

/// All that one decision has read.
#[derive(Default)]
pub struct Seen {
    now_ms: i64,
    read: Vec<Box<dyn Read>>,
}

impl Seen {
    /// How often it has asked.
    pub fn len(&self) -> usize {
        self.read.len()
    }

    /// Whether a later snapshot gives the same answers.
    pub fn holds(&self, txn: &mut dyn ReadTxn) -> bool {
        self.read.iter().all(|one| one.holds(txn))
    }
}

/// A question and its answer.
trait Read: Send {
    fn question(&self) -> &str;
    fn holds(&self, txn: &mut dyn ReadTxn) -> bool;
    fn answer(&self) -> &dyn Any;
}

type Ask<T> = Box<dyn Fn(&mut dyn ReadTxn) -> Result<T> + Send>;

struct Answered<T> {
    question: String,
    ask: Ask<T>,
    answer: Result<T>,
}

impl<T: Debug + Send + 'static> Read for Answered<T> {
    fn question(&self) -> &str {
        &self.question
    }

    fn holds(&self, txn: &mut dyn ReadTxn) -> bool {
        format!("{:?}", (self.ask)(txn)) == format!("{:?}", self.answer)
    }

    fn answer(&self) -> &dyn Any {
        &self.answer
    }
}

/// What a decision reads from.
enum Source<'a> {
    /// A snapshot; what is read is noted.
    Snapshot(&'a mut dyn ReadTxn, &'a mut Seen),
    /// What was noted, and how much of it was read again.
    Seen(&'a Seen, usize),
}

/// The reads of one decision.
pub struct Reads<'a>(RefCell<Source<'a>>);

impl<'a> Reads<'a> {
    /// Reads a snapshot, and notes it.
    pub fn noting(txn: &'a mut dyn ReadTxn, seen: &'a mut Seen) -> Self {
        *seen = Seen { now_ms: txn.now_ms(), read: Vec::new() };
        Self(RefCell::new(Source::Snapshot(txn, seen)))
    }

    /// Gives the same answers again, to the same questions; nothing else can be asked.
    pub fn again(seen: &'a Seen) -> Self {
        Self(RefCell::new(Source::Seen(seen, 0)))
    }

    fn ask<T: Clone + Debug + Send + 'static>(
        &self,
        question: impl Debug,
        ask: impl Fn(&mut dyn ReadTxn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let question = format!("{question:?}");
        match &mut *self.0.borrow_mut() {
            Source::Snapshot(txn, seen) => {
                let answer = ask(*txn);
                let given = answer.clone();
                seen.read.push(Box::new(Answered { question, ask: Box::new(ask), answer }));
                given
            }
            Source::Seen(seen, next) => {
                let read = seen.read.get(*next).unwrap_or_else(|| panic!("not asked before: {question}"));
                assert_eq!(read.question(), question, "a decision that asks something else than before");
                *next += 1;
                read.answer().downcast_ref::<Result<T>>().expect("an answer of another type").clone()
            }
        }
    }
}

/// A row that is kept. Whether it is live is part of the answer: it may expire before the steps are applied.
#[derive(Debug, Clone)]
struct Kept {
    key: Vec<u8>,
    versionstamp: String,
    expires_at: Option<i64>,
    encoding: u8,
    value: Vec<u8>,
    withheld: bool,
    #[allow(dead_code, reason = "compared as part of the answer's text")]
    live: bool,
}

impl Kept {
    fn of(row: &Row<'_>, now_ms: i64) -> Self {
        Self {
            key: row.key.to_vec(),
            versionstamp: row.versionstamp.to_string(),
            expires_at: row.expires_at,
            encoding: row.encoding,
            value: row.value.to_vec(),
            withheld: row.withheld,
            live: row.is_live(now_ms),
        }
    }

    fn row(&self) -> Row<'_> {
        Row {
            key: &self.key,
            versionstamp: &self.versionstamp,
            expires_at: self.expires_at,
            encoding: self.encoding,
            value: &self.value,
            withheld: self.withheld,
        }
    }
}

fn kept_of(
    txn: &mut dyn ReadTxn,
    read: impl FnOnce(&mut dyn ReadTxn, Visit<'_>) -> Result<()>,
) -> Result<Option<Kept>> {
    let (now_ms, mut kept) = (txn.now_ms(), None);
    read(txn, &mut |row| {
        kept = row.map(|row| Kept::of(&row, now_ms));
        Ok(())
    })?;
    Ok(kept)
}

fn show(rows: &[Kept], visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
    for row in rows {
        if visit(row.row())? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

impl ReadTxn for Reads<'_> {
    fn now_ms(&self) -> i64 {
        match &*self.0.borrow() {
            Source::Snapshot(txn, _) => txn.now_ms(),
            Source::Seen(seen, _) => seen.now_ms,
        }
    }

    fn get(&mut self, key: &[u8], max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let key = key.to_vec();
        let kept = self.ask(("get", key.clone(), max_value_bytes), move |txn| {
            kept_of(txn, |txn, visit| txn.get(&key, max_value_bytes, visit))
        })?;
        visit(kept.as_ref().map(Kept::row))
    }

    fn scan(&mut self, scan: &Scan, visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        let scan = scan.clone();
        let rows = self.ask(("scan", scan.clone()), move |txn| {
            let (now_ms, mut rows) = (txn.now_ms(), Vec::new());
            txn.scan(&scan, &mut |row| {
                rows.push(Kept::of(&row, now_ms));
                Ok(Flow::Continue)
            })?;
            Ok(rows)
        })?;
        show(&rows, visit)
    }

    fn count(&mut self, range: &Range<Vec<u8>>) -> Result<u64> {
        let range = range.clone();
        self.ask(("count", range.clone()), move |txn| txn.count(&range))
    }

    fn last_number(&mut self) -> Result<i64> {
        self.ask("last_number", |txn| txn.last_number())
    }

    fn info(&mut self) -> Result<Info> {
        self.ask("info", |txn| txn.info())
    }
}

/// A change that is kept.
#[derive(Debug, Clone)]
struct KeptChange {
    seq: i64,
    key: Vec<u8>,
    kind: ChangeKind,
    versionstamp: String,
    value: Option<(u8, Vec<u8>)>,
}

impl ChangeRead for Reads<'_> {
    fn change_log_state(&mut self) -> Result<ChangeLogState> {
        self.ask("change_log_state", |txn| txn.change_log_state())
    }

    fn scan_changes(
        &mut self,
        scan: ChangeScan,
        visit: &mut dyn FnMut(Change<'_>) -> Result<Flow>,
    ) -> Result<()> {
        let changes = self.ask(("scan_changes", scan), move |txn| {
            let mut changes = Vec::new();
            txn.scan_changes(scan, &mut |change| {
                let value = change.value.map(|(encoding, value)| (encoding, value.to_vec()));
                let (key, versionstamp) = (change.key.to_vec(), change.versionstamp.to_string());
                changes.push(KeptChange { seq: change.seq, key, kind: change.kind, versionstamp, value });
                Ok(Flow::Continue)
            })?;
            Ok(changes)
        })?;
        for KeptChange { seq, key, kind, versionstamp, value } in &changes {
            let value = value.as_ref().map(|(encoding, value)| (*encoding, value.as_slice()));
            if visit(Change { seq: *seq, key, kind: *kind, versionstamp, value })? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

impl QueueRead for Reads<'_> {
    fn queue_due(&mut self, queue: &str) -> Result<Option<i64>> {
        let queue = queue.to_string();
        self.ask(("queue_due", queue.clone()), move |txn| txn.queue_due(&queue))
    }

    fn next_queue(&mut self, from: &str) -> Result<Option<Vec<u8>>> {
        let from = from.to_string();
        self.ask(("next_queue", from.clone()), move |txn| txn.next_queue(&from))
    }

    fn queue_stats(&mut self, queue: Option<&str>) -> Result<QueueStats> {
        let queue = queue.map(str::to_string);
        self.ask(("queue_stats", queue.clone()), move |txn| txn.queue_stats(queue.as_deref()))
    }

    fn scan_dead_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()> {
        let scan = scan.clone();
        let letters = self.ask(("scan_dead_letters", scan.clone()), move |txn| {
            let mut letters = Vec::new();
            txn.scan_dead_letters(&scan, &mut |letter| {
                letters.push(letter);
                Ok(Flow::Continue)
            })?;
            Ok(letters)
        })?;
        for letter in letters {
            if visit(letter)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>> {
        let id = id.to_string();
        self.ask(("dead_letter", id.clone()), move |txn| txn.dead_letter(&id))
    }

    fn standing_message(&mut self, queue: &str, deduplication_key: &str) -> Result<Option<Standing>> {
        let of = (queue.to_string(), deduplication_key.to_string());
        self.ask(("standing_message", of.clone()), move |txn| txn.standing_message(&of.0, &of.1))
    }

    fn ready_messages(&mut self, queue: &str, limit: usize) -> Result<Vec<Claimable>> {
        let queue = queue.to_string();
        self.ask(("ready_messages", queue.clone(), limit), move |txn| txn.ready_messages(&queue, limit))
    }

    fn is_key_busy(&mut self, queue: &str, ordering_key: &str, id: &str) -> Result<bool> {
        let of = (queue.to_string(), ordering_key.to_string(), id.to_string());
        self.ask(("is_key_busy", of.clone()), move |txn| txn.is_key_busy(&of.0, &of.1, &of.2))
    }

    fn stranded_messages(&mut self, after: i64, limit: usize) -> Result<Stranded> {
        self.ask(("stranded_messages", after, limit), move |txn| txn.stranded_messages(after, limit))
    }

    fn leased_message(&mut self, id: &str, lease: i64) -> Result<Option<Claimable>> {
        let id = id.to_string();
        self.ask(("leased_message", id.clone(), lease), move |txn| txn.leased_message(&id, lease))
    }
}

/// A lease is kept with whether it still runs, as a row is.
fn with_life<T>(txn: &dyn ReadTxn, lease: T, ends: Option<i64>) -> (T, bool) {
    (lease, is_live(ends, txn.now_ms()))
}

impl LockRead for Reads<'_> {
    fn lock(&mut self, name: &str) -> Result<Option<Lock>> {
        let name = name.to_string();
        let lock = self.ask(("lock", name.clone()), move |txn| {
            let lock = txn.lock(&name)?;
            Ok(lock.map(|lock| (Some(lock.expires_at), lock)).map(|(ends, lock)| with_life(txn, lock, ends)))
        })?;
        Ok(lock.map(|(lock, _)| lock))
    }
}

impl ConsumerRead for Reads<'_> {
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        let name = name.to_string();
        let consumer = self.ask(("consumer", name.clone()), move |txn| {
            let consumer = txn.consumer(&name)?;
            Ok(consumer.map(|one| (one.locked_until, one)).map(|(ends, one)| with_life(txn, one, ends)))
        })?;
        Ok(consumer.map(|(consumer, _)| consumer))
    }

    fn leases(&mut self, _: &[&str]) -> Result<Vec<Lease>> {
        panic!("no decision looks at the leases of many")
    }

    fn last_release(&mut self) -> Result<i64> {
        panic!("nor at when one was given back")
    }
}

impl IndexRead for Reads<'_> {
    fn indexes(&mut self) -> Result<Vec<IndexRow>> {
        self.ask("indexes", |txn| txn.indexes())
    }

    fn stands(&mut self, id: i64, index: &Definition) -> Result<bool> {
        let index = index.clone();
        self.ask(("stands", id, index.clone()), move |txn| txn.stands(id, &index))
    }

    fn scan_index(&mut self, scan: &OrderedScan, visit: &mut dyn FnMut(IndexedEntry)) -> Result<()> {
        let scan = scan.clone();
        let entries = self.ask(("scan_index", scan.clone()), move |txn| {
            let mut entries = Vec::new();
            txn.scan_index(&scan, &mut |entry| entries.push(entry))?;
            Ok(entries)
        })?;
        entries.into_iter().for_each(visit);
        Ok(())
    }

    fn get_indexed(&mut self, entry: &IndexedEntry, max_value_bytes: usize, visit: Visit<'_>) -> Result<()> {
        let entry = entry.clone();
        let kept = self.ask(("get_indexed", entry.clone(), max_value_bytes), move |txn| {
            kept_of(txn, |txn, visit| txn.get_indexed(&entry, max_value_bytes, visit))
        })?;
        visit(kept.as_ref().map(Kept::row))
    }

    fn search(&mut self, _: &SearchScan, _: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
        Err(no_search())
    }

    fn rank(&mut self, _: &SearchScan, _: usize, _: &mut dyn FnMut(IndexedEntry, &str)) -> Result<()> {
        Err(no_search())
    }

    fn is_match(&mut self, _: &SearchScan, _: &[u8]) -> Result<bool> {
        Err(no_search())
    }
}

fn no_search() -> Error {
    Error::invalid("no write decides by a search")
}
