//! A message on its way into a queue: the user's options, their limits, and the row.

use std::borrow::Cow;

use crate::base::error::{At, Error, Result};
use crate::base::limits::{MAX_BACKOFF_STEPS, MAX_DURATION_MS, MAX_UNDELIVERED_KEYS, check_name};
use crate::codec::key;
use crate::store::Step;
use crate::store::rows::queue;

/// The waits before the second, third and fourth attempt.
pub const DEFAULT_BACKOFF_MS: [i64; 3] = [1_000, 5_000, 10_000];
/// The last element of a stored schedule, behind the delays, if no dead letter is to be kept. It adds no
/// attempt, so a version that does not know it keeps a dead letter.
const NO_DEAD_LETTER: i64 = -1;
/// The queue if none is named.
pub const DEFAULT_QUEUE: &str = "default";

/// A message as a user enqueues it.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Made when it is enqueued, so that a commit that is retried adds the same message.
    pub id: String,
    /// Its queue's name.
    pub queue: String,
    /// From the commit on.
    pub delay_ms: i64,
    /// Before the second attempt, the third, …
    pub backoff_ms: Vec<i64>,
    /// Whether a dead letter is kept when its attempts are used up.
    pub dead_letter: bool,
    /// Encoded keys.
    pub keys_if_undelivered: Vec<Vec<u8>>,
    /// Messages with the same one are handled one after another.
    pub ordering_key: Option<String>,
    /// Unique in the queue.
    pub deduplication_key: Option<String>,
    /// See `codec::value`.
    pub encoding: u8,
    /// The value.
    pub value: Vec<u8>,
}

impl NewMessage {
    /// A message with every default.
    #[must_use]
    pub fn of(encoding: u8, value: Vec<u8>) -> Self {
        Self {
            id: new_id(),
            queue: DEFAULT_QUEUE.into(),
            delay_ms: 0,
            backoff_ms: DEFAULT_BACKOFF_MS.into(),
            dead_letter: true,
            keys_if_undelivered: Vec::new(),
            ordering_key: None,
            deduplication_key: None,
            encoding,
            value,
        }
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
    pub fn validate(&self) -> Result<()> {
        check_name(&self.queue).at("queue")?;
        for (name, key) in
            [("orderingKey", &self.ordering_key), ("deduplicationKey", &self.deduplication_key)]
        {
            key.as_deref().map_or(Ok(()), |key| check_name(key).at(name))?;
        }
        check_duration(self.delay_ms).at("delay")?;
        if self.backoff_ms.len() > MAX_BACKOFF_STEPS {
            return Err(Error::limit(self.backoff_ms.len(), MAX_BACKOFF_STEPS, "waits").at("backoffSchedule"));
        }
        for (index, ms) in self.backoff_ms.iter().enumerate() {
            check_duration(*ms).at(("backoffSchedule", index))?;
        }
        let keys = self.keys_if_undelivered.len();
        if keys > MAX_UNDELIVERED_KEYS {
            return Err(Error::limit(keys, MAX_UNDELIVERED_KEYS, "keys").at("keysIfUndelivered"));
        }
        Ok(())
    }
}

impl NewMessage {
    /// The step that adds it.
    #[must_use]
    pub fn step(&self) -> Step<'_> {
        Step::Enqueue(queue::NewMessage {
            id: Cow::Borrowed(&self.id),
            queue: Cow::Borrowed(&self.queue),
            ordering_key: self.ordering_key.as_deref().map(Cow::Borrowed),
            deduplication_key: self.deduplication_key.as_deref().map(Cow::Borrowed),
            value: Cow::Borrowed(&self.value),
            ..self.row()
        })
    }

    /// The same, for a message that is not needed afterwards.
    #[must_use]
    pub fn into_step(self) -> Step<'static> {
        let row = self.row();
        Step::Enqueue(queue::NewMessage {
            id: Cow::Owned(self.id),
            queue: Cow::Owned(self.queue),
            ordering_key: self.ordering_key.map(Cow::Owned),
            deduplication_key: self.deduplication_key.map(Cow::Owned),
            value: Cow::Owned(self.value),
            ..row
        })
    }

    /// The row without the user's texts and value.
    fn row(&self) -> queue::NewMessage<'static> {
        let attempts = i64::try_from(self.backoff_ms.len()).unwrap_or(i64::MAX);
        queue::NewMessage {
            delay_ms: self.delay_ms,
            max_attempts: attempts.saturating_add(1),
            backoff_schedule: schedule_text(&self.backoff_ms, self.dead_letter),
            keys_if_undelivered: keys_text(&self.keys_if_undelivered),
            encoding: self.encoding,
            ..queue::NewMessage::default()
        }
    }
}

/// A new id: a UUIDv7.
#[must_use]
pub fn new_id() -> String {
    crate::base::clock::new_id().to_string()
}

fn check_duration(ms: i64) -> Result<()> {
    if (0..=MAX_DURATION_MS).contains(&ms) {
        return Ok(());
    }
    Err(Error::invalid(format!("{ms} ms; give 0 to {MAX_DURATION_MS} ms")))
}

fn schedule_text(backoff_ms: &[i64], dead_letter: bool) -> String {
    let mark = (!dead_letter).then_some(NO_DEAD_LETTER);
    let all: Vec<i64> = backoff_ms.iter().copied().chain(mark).collect();
    serde_json::to_string(&all).unwrap_or_default()
}

fn keys_text(keys: &[Vec<u8>]) -> Option<String> {
    let hex = |key: &Vec<u8>| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let texts: Vec<String> = keys.iter().map(hex).collect();
    (!texts.is_empty()).then(|| serde_json::to_string(&texts).unwrap_or_default())
}

/// The keys for undelivered values of a row.
///
/// # Errors
/// `CORRUPT` if one of them is no key.
pub fn keys_of(text: Option<&str>) -> Result<Vec<Vec<u8>>> {
    let damaged = || Error::corrupt("the keys cannot be read");
    let texts: Vec<String> = text.map_or(Ok(Vec::new()), serde_json::from_str).map_err(|_| damaged())?;
    texts.iter().map(|hex| bytes_of(hex).filter(|key| key::is_key(key)).ok_or_else(damaged)).collect()
}

/// The treatment of a message whose attempts fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Before the second attempt, the third, …
    pub backoff_ms: Vec<i64>,
    /// Whether a dead letter is kept in the end.
    pub dead_letter: bool,
}

/// The schedule of a row.
///
/// # Errors
/// `CORRUPT`.
pub fn schedule_of(text: &str) -> Result<Schedule> {
    let damaged = |_| Error::corrupt("the schedule cannot be read");
    let mut backoff_ms: Vec<i64> = serde_json::from_str(text).map_err(damaged)?;
    let dead_letter = backoff_ms.pop_if(|last| *last == NO_DEAD_LETTER).is_none();
    Ok(Schedule { backoff_ms, dead_letter })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
