//! Messages and dead letters as the engine sees them: rows. The engine decides what happens to a message.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;

use super::entry::Flow;
use crate::base::error::Result;

/// The delivery state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for its time, or for a listener.
    Pending,
    /// It waits behind another message with its ordering key, and is not claimed until that one is done.
    Blocked,
    /// A listener holds its lease.
    Processing,
}

/// The part of a message that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryState {
    /// See `Status`.
    pub status: Status,
    /// Milliseconds since the epoch.
    pub ready_at: i64,
    /// Attempts that were begun.
    pub attempts: i64,
    /// Grows with each lease; the holder of an older one has lost it.
    pub lease: i64,
    /// When the lease runs out.
    pub locked_until: Option<i64>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique.
    pub id: String,
    /// Order of commits.
    pub seq: i64,
    /// Its queue's name.
    pub queue: String,
    /// See `DeliveryState`.
    pub state: DeliveryState,
    /// Then it is a dead letter.
    pub max_attempts: i64,
    /// JSON: milliseconds before the second attempt, the third, …
    pub backoff_schedule: String,
    /// JSON: encoded keys in hexadecimal.
    pub keys_if_undelivered: Option<String>,
    /// One at a time.
    pub ordering_key: Option<String>,
    /// Unique in the queue.
    pub deduplication_key: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// See `codec::value`.
    pub encoding: u8,
    /// The value.
    pub value: Vec<u8>,
}

/// A message to be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewMessage<'a> {
    /// Unique.
    pub id: Cow<'a, str>,
    /// Its queue's name.
    pub queue: Cow<'a, str>,
    /// From the commit on.
    pub delay_ms: i64,
    /// See `Message`.
    pub max_attempts: i64,
    /// See `Message`.
    pub backoff_schedule: String,
    /// See `Message`.
    pub keys_if_undelivered: Option<String>,
    /// One at a time.
    pub ordering_key: Option<Cow<'a, str>>,
    /// Unique in the queue.
    pub deduplication_key: Option<Cow<'a, str>>,
    /// See `codec::value`.
    pub encoding: u8,
    /// The value.
    pub value: Cow<'a, [u8]>,
}

/// A row of a message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The number of the row.
    pub row: i64,
    /// The readable part of its id.
    pub id: String,
    /// The readable part of its queue's name.
    pub queue: String,
    /// The readable part of its ordering key.
    pub ordering_key: Option<String>,
    /// As `Message` has it, if it is a text.
    pub keys_if_undelivered: Option<String>,
    /// See `codec::value`.
    pub encoding: u8,
    /// The value, which may be damaged too.
    pub value: Vec<u8>,
    /// The reason.
    pub reason: String,
}

/// Messages that no claim would ever find.
#[derive(Debug, Clone, Default)]
pub struct Stranded {
    /// Rows damaged so that no claim finds them.
    pub damaged: Vec<Damaged>,
    /// Queues and ordering keys of messages that are blocked behind no message.
    pub behind_nothing: BTreeSet<(String, String)>,
    /// The last row checked, if there may be more.
    pub last: Option<i64>,
}

/// A row that a claim meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimable {
    /// A message.
    Message(Box<Message>),
    /// A message behind another one with its ordering key, which is in flight or waits for a retry.
    Behind(Box<Message>),
    /// A damaged row: it would fail every claim that meets it.
    Damaged(Damaged),
}

/// The message that has a deduplication key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duplicate {
    /// Its id.
    Id(String),
    /// Its row, whose id cannot be read.
    Damaged(Damaged),
}

/// A message whose attempts have failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its own id; of this and all its texts the readable part.
    pub id: String,
    /// Why the last attempt failed.
    pub error_message: String,
    /// Milliseconds since the epoch.
    pub failed_at: i64,
    /// The message.
    pub message: Message,
    /// An unreadable column without which its message cannot be requeued.
    pub damaged: Option<&'static str>,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Pending and blocked messages, and messages whose lease has run out.
    pub pending: u64,
    /// Messages whose lease has not run out.
    pub processing: u64,
    /// Dead letters.
    pub dead: u64,
}

/// The dead letters to read.
#[derive(Debug, Clone)]
pub struct DeadLetterScan {
    /// Of one queue.
    pub queue: Option<String>,
    /// Dead letters to skip.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
}

/// Reads of queues.
pub trait QueueRead {
    /// When a queue has something to do next: a message that becomes ready, a lease that runs out.
    fn queue_due(&mut self, queue: &str) -> Result<Option<i64>>;

    /// The name of the first queue with a message, from this name on in the order of their bytes. They may be
    /// damaged.
    fn next_queue(&mut self, from: &str) -> Result<Option<Vec<u8>>>;

    /// When queues have something to do next, of those that have. `None`: this would take more than `looks`
    /// looks into the tables, which are counted down.
    fn queues_due(
        &mut self,
        queues: &BTreeSet<String>,
        looks: &mut usize,
    ) -> Result<Option<Vec<(String, i64)>>> {
        let mut due = Vec::new();
        let mut next = queues.first().map(String::as_str);
        while let Some(name) = next {
            if *looks == 0 {
                return Ok(None);
            }
            *looks -= 1;
            // Alternates between the names: first to the next queue that has messages, then to the next
            // wanted one. So neither many queues without messages nor many unwanted queues cost anything.
            let Some(found) = self.next_queue(name)? else { break };
            // A damaged name has no position among the others: then each wanted queue is looked up.
            let found = std::str::from_utf8(&found).unwrap_or(name);
            if queues.contains(found)
                && let Some(due_ms) = self.queue_due(found)?
            {
                due.push((found.to_string(), due_ms));
            }
            next =
                queues.range::<str, _>((Bound::Excluded(found), Bound::Unbounded)).next().map(String::as_str);
        }
        Ok(Some(due))
    }

    /// The queues of the messages with a position (`Message::seq`) after a number; `None` if those are more
    /// than `most` messages. Damaged names are left out.
    fn queues_added_to(&mut self, after: i64, most: usize) -> Result<Option<BTreeSet<String>>>;

    /// Counts messages, of one queue or of all.
    fn queue_stats(&mut self, queue: Option<&str>) -> Result<QueueStats>;

    /// Shows dead letters, oldest first.
    ///
    /// # Errors
    /// Those of the store and of `visit`.
    fn scan_dead_letters(
        &mut self,
        scan: &DeadLetterScan,
        visit: &mut dyn FnMut(DeadLetter) -> Result<Flow>,
    ) -> Result<()>;

    /// One dead letter.
    fn dead_letter(&mut self, id: &str) -> Result<Option<DeadLetter>>;

    /// The message of a queue that has this deduplication key.
    fn duplicate_message(&mut self, queue: &str, deduplication_key: &str) -> Result<Option<Duplicate>>;

    /// Messages that a listener may claim: first those whose lease has run out, then the ready ones, in
    /// order. Of a ready message it says whether another one of its ordering key precedes it.
    fn ready_messages(&mut self, queue: &str, limit: usize) -> Result<Vec<Claimable>>;

    /// Checks so many messages after a row for those that no claim would ever find.
    fn stranded_messages(&mut self, after: i64, limit: usize) -> Result<Stranded>;

    /// The message that is held under exactly this lease.
    fn leased_message(&mut self, id: &str, lease: i64) -> Result<Option<Claimable>>;
}
