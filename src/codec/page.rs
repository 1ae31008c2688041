//! Entries as one JSON text, which JavaScript turns into its objects with a single `JSON.parse`:
//! `[part,part,…, index,flags,expiry,…, odd,entries,tail]`. The engine hands each row to it while it is read:
//! a row is borrowed from SQLite until the next one, and collecting rows first would copy every value once
//! more.
//!
//! An entry is `value,versionstamp` where the caller knows the keys, `key,value,versionstamp` in a list and
//! `key,versionstamp` in a list of keys: parts side by side, because an object with three names costs a third
//! more to parse than the value alone. A `versionstamp` is `null` for nothing, and 0 for the one of the entry
//! before. A `key` is what follows the prefix that the caller knows: the part, if it is one, or an array of
//! parts. `odd` is the number of entries that need more than that; for each its index, its flags and its
//! expiry (0: none). Bytes travel beside the text.

use super::key_json::write_string;
use super::{key_json, value};
use crate::base::error::Result;

/// Set in the flags of an odd entry whose key has tagged parts; the lower bits are the value's encoding.
const KEY_IS_TAGGED: u8 = 16;

/// Set in the flags of an odd entry whose value cannot be read; there is `null` in its place.
const VALUE_IS_DAMAGED: u8 = 32;
/// The same for one that is nested too deep.
const VALUE_IS_TOO_DEEP: u8 = 64;
/// Set in the flags of an odd entry whose encoding this version does not know; the page has the encoding in
/// the value's place.
const ENCODING_IS_UNKNOWN: u8 = 128;

/// The batch of a watch is part of the current state.
pub const BATCH_INITIAL: u8 = 1;
/// The current state begins again.
pub const BATCH_RESET: u8 = 2;
/// There is a batch; else the watch is at the end of the log.
pub const BATCH_PRESENT: u8 = 4;
/// Nothing was found so far: ask again.
pub const BATCH_AGAIN: u8 = 8;

/// Room for an entry in a page's text, so that a page grows seldom.
pub const TYPICAL_ENTRY_BYTES: usize = 256;

/// An entry as a page shows it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// The commit that wrote it.
    pub versionstamp: &'a str,
    /// Milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// See `codec::value`.
    pub encoding: u8,
    /// The stored value.
    pub value: &'a [u8],
}

/// A change as a page shows it.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its number in the log.
    pub seq: i64,
    /// 0 (create), 1 (update) or 2 (delete).
    pub operation: u8,
    /// The encoded key.
    pub key: &'a [u8],
    /// Encoding and value, if they were noted.
    pub value: Option<(u8, &'a [u8])>,
    /// The commit.
    pub versionstamp: &'a str,
}

/// A dead letter as a page shows it.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// Its id.
    pub id: &'a str,
    /// The id of the message that it was.
    pub original: &'a str,
    /// Why it was given up.
    pub error: &'a str,
    /// How often it was delivered.
    pub attempts: i64,
    /// When it was enqueued.
    pub created_at: i64,
    /// When it was given up.
    pub failed_at: i64,
    /// The queue.
    pub queue: &'a str,
    /// See `codec::value`.
    pub encoding: u8,
    /// The message's value.
    pub value: &'a [u8],
}

/// The tail of a page, after its entries.
#[derive(Debug, Clone, Copy)]
pub enum Tail<'a> {
    /// Of a list: whether there are more (0, 1), or that it is not known yet (2).
    List,
    /// Of a read that continues from a position: `[place,more]`. `more`: there may be more there now.
    From {
        /// The position to continue from.
        place: i64,
        /// Whether there may be more.
        more: bool,
    },
    /// Of a watch: `[flags,token,dropped]`.
    Batch {
        /// `BATCH_…`, together.
        flags: u8,
        /// The commit to resume after.
        token: &'a str,
        /// Keys that a full buffer has dropped.
        dropped: u64,
    },
    /// Of claimed messages: `[more,due,[lost]]`.
    Claim {
        /// There may be more to claim now.
        more: bool,
        /// When the queue has something to do next.
        due_ms: Option<i64>,
        /// Settled attempts whose lease was lost, by number.
        lost: &'a [usize],
    },
}

/// A page of entries.
#[derive(Debug, Default)]
pub struct Page {
    /// The JSON text.
    pub text: Vec<u8>,
    /// Values that are bytes, one after another; in the text they are `[offset,length]`.
    pub bytes: Vec<u8>,
    /// The list goes on.
    pub more: bool,
    /// Whether there is another entry is not known yet.
    pub unsure: bool,
    /// The last key that was read.
    pub last_key: Vec<u8>,
    /// Whether each value of a list is checked: one that is no JSON would make the whole text invalid.
    /// JavaScript asks for this once it has met such a text.
    pub checks_values: bool,
    odd: Vec<Odd>,
    entries: usize,
    last_stamp: String,
}

#[derive(Debug)]
struct Odd {
    index: usize,
    flags: u8,
    expires_at: i64,
}

impl Page {
    /// An empty page, with room for a text of this size.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'[');
        Self { text, ..Self::default() }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Text and bytes together.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.text.len() + self.bytes.len()
    }

    /// Appends the entry of a key that the caller knows.
    pub fn push_known(&mut self, entry: Option<Entry<'_>>, keys_only: bool) {
        match entry {
            Some(entry) if keys_only => self.end(&entry, 0),
            Some(entry) => {
                let encoding = self.value(entry.encoding, entry.value, self.checks_values);
                self.end(&entry, encoding);
            }
            None => {
                self.text.extend_from_slice(if keys_only { b"null," } else { b"null,null," });
                self.entries += 1;
            }
        }
    }

    /// Appends a listed entry, with its key from `prefix_bytes` on.
    ///
    /// # Errors
    /// `CORRUPT` for a key that is none.
    pub fn push_listed(&mut self, entry: &Entry<'_>, prefix_bytes: usize, keys_only: bool) -> Result<()> {
        let suffix = entry.key.get(prefix_bytes..).unwrap_or_default();
        let mut flags = if key_json::write_suffix(suffix, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        if !keys_only {
            flags |= self.value(entry.encoding, entry.value, self.checks_values);
        }
        self.end(entry, flags);
        self.passed(entry.key);
        Ok(())
    }

    /// The list has passed a key, and continues after it.
    pub fn passed(&mut self, key: &[u8]) {
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    /// Appends the current state of a watched key: a listed entry, or its key and two `null`.
    ///
    /// # Errors
    /// As `push_listed`.
    pub fn push_watched(&mut self, key: &[u8], entry: Option<&Entry<'_>>) -> Result<()> {
        let Some(entry) = entry else {
            let tagged = key_json::write(key, &mut self.text)?;
            self.text.extend_from_slice(b",null,null,");
            self.end_entry(if tagged { KEY_IS_TAGGED } else { 0 }, 0);
            return Ok(());
        };
        let flags = if key_json::write(key, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        let encoding = self.value(entry.encoding, entry.value, true);
        self.end(entry, flags | encoding);
        Ok(())
    }

    /// Appends a change: `seq,operation,key,value,versionstamp`, the operation being 3 more if there is a
    /// value.
    ///
    /// # Errors
    /// As `push_listed`.
    pub fn push_change(&mut self, change: &Change<'_>) -> Result<()> {
        let operation = change.operation + if change.value.is_some() { 3 } else { 0 };
        self.text.extend_from_slice(format!("{},{operation},", change.seq).as_bytes());
        let mut flags = if key_json::write(change.key, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        match change.value {
            Some((encoding, value)) => {
                flags |= self.value(encoding, value, true);
            }
            None => self.json_part("null"),
        }
        self.stamp(change.versionstamp);
        self.end_entry(flags, 0);
        Ok(())
    }

    /// Appends a claimed message: `id,lease,attempts,value`.
    pub fn push_message(&mut self, id: &str, lease: i64, attempts: i64, encoding: u8, value: &[u8]) {
        self.string_part(id);
        self.json_part(&format!("{lease},{attempts}"));
        self.end_with_value(encoding, value);
    }

    /// Appends a dead letter: `id,original,error,attempts,created,failed,queue,value`.
    pub fn push_dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let DeadLetter { attempts, created_at, failed_at, .. } = letter;
        self.string_part(letter.id);
        self.string_part(letter.original);
        self.string_part(letter.error);
        self.json_part(&format!("{attempts},{created_at},{failed_at}"));
        self.string_part(letter.queue);
        self.end_with_value(letter.encoding, letter.value);
    }

    /// A damaged value affects no other entry.
    fn end_with_value(&mut self, encoding: u8, value: &[u8]) {
        let flags = self.value(encoding, value, true);
        self.end_entry(flags, 0);
    }

    fn string_part(&mut self, text: &str) {
        write_string(text, &mut self.text);
        self.text.push(b',');
    }

    fn json_part(&mut self, json: &str) {
        self.text.extend_from_slice(json.as_bytes());
        self.text.push(b',');
    }

    /// Gives the flags that JavaScript is to read it by.
    fn value(&mut self, encoding: u8, bytes: &[u8], checks: bool) -> u8 {
        match encoding {
            value::JSON | value::TAGGED_JSON => {
                let unread = if value::is_too_deep(encoding, bytes) {
                    VALUE_IS_TOO_DEEP
                } else if checks && !value::is_json(bytes) {
                    VALUE_IS_DAMAGED
                } else {
                    self.text.extend_from_slice(bytes);
                    self.text.push(b',');
                    return encoding;
                };
                self.json_part("null");
                unread
            }
            value::BYTES | value::U64 => {
                self.json_part(&format!("[{},{}]", self.bytes.len(), bytes.len()));
                self.bytes.extend_from_slice(bytes);
                encoding
            }
            other => {
                self.json_part(&other.to_string());
                ENCODING_IS_UNKNOWN
            }
        }
    }

    fn end(&mut self, entry: &Entry<'_>, flags: u8) {
        self.stamp(entry.versionstamp);
        self.end_entry(flags, entry.expires_at.unwrap_or(0));
    }

    fn stamp(&mut self, versionstamp: &str) {
        if versionstamp == self.last_stamp {
            self.text.extend_from_slice(b"0,");
        } else {
            self.string_part(versionstamp);
            self.last_stamp.clear();
            self.last_stamp.push_str(versionstamp);
        }
    }

    fn end_entry(&mut self, flags: u8, expires_at: i64) {
        if flags != 0 || expires_at != 0 {
            self.odd.push(Odd { index: self.entries, flags, expires_at });
        }
        self.entries += 1;
    }

    /// Closes the text.
    pub fn finish(&mut self, tail: Tail<'_>) {
        for Odd { index, flags, expires_at } in &self.odd {
            self.text.extend_from_slice(format!("{index},{flags},{expires_at},").as_bytes());
        }
        let end = format!("{},{},", self.odd.len(), self.entries);
        self.text.extend_from_slice(end.as_bytes());
        self.tail(tail);
        self.text.push(b']');
    }

    fn tail(&mut self, tail: Tail<'_>) {
        match tail {
            Tail::List => self.text.push(match (self.more, self.unsure) {
                (false, _) => b'0',
                (true, false) => b'1',
                (true, true) => b'2',
            }),
            Tail::From { place, more } => {
                self.text.extend_from_slice(format!("[{place},{}]", u8::from(more)).as_bytes());
            }
            Tail::Batch { flags, token, dropped } => {
                self.text.extend_from_slice(format!("[{flags},").as_bytes());
                write_string(token, &mut self.text);
                self.text.extend_from_slice(format!(",{dropped}]").as_bytes());
            }
            Tail::Claim { more, due_ms, lost } => {
                let due = due_ms.map_or("null".into(), |ms| ms.to_string());
                self.text.extend_from_slice(format!("[{more},{due},{lost:?}]").as_bytes());
            }
        }
    }
}
