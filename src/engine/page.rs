//! Entries as one JSON text, which JavaScript turns into its objects with a single `JSON.parse`:
//! `[part,part,…, index,flags,expiry,…, odd,entries,tail]`. The tail of a list says whether there are more
//! (0, 1), or that it is not known yet (2).
//!
//! An entry is `value,versionstamp` where the caller knows the keys, `key,value,versionstamp` in a list and
//! `key,versionstamp` in a list of keys: parts side by side, because an object with three names costs a third
//! more to parse than the value alone. A `versionstamp` is `null` for nothing, and 0 for the one of the entry
//! before. A `key` is what follows the prefix that the caller knows: the part, if it is one, or an array of
//! parts. `odd` is the number of entries that need more than that; for each its index, its flags and its
//! expiry (0: none). Bytes travel beside the text.

use crate::base::error::Result;
use crate::codec::{key_json, value};
use crate::store::Row;
use crate::store::rows::changes::Change;

/// Set in the flags of an odd entry whose key has tagged parts; the lower bits are the value's encoding.
const KEY_IS_TAGGED: u8 = 16;

/// Set in the flags of an odd entry whose value cannot be read; there is `null` in its place.
const VALUE_IS_DAMAGED: u8 = 32;
/// The same for one that is nested too deep.
const VALUE_IS_TOO_DEEP: u8 = 64;
/// Set in the flags of an odd entry whose encoding this version does not know; the page has the encoding in
/// the value's place.
const ENCODING_IS_UNKNOWN: u8 = 128;

/// Room for an entry in a page's text, so that a page grows seldom.
pub const TYPICAL_ENTRY_BYTES: usize = 256;

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
    /// The last key that was looked at.
    pub last_key: Vec<u8>,
    /// Whether each value of a list is looked at: one that is no JSON would make all of the text none.
    /// JavaScript asks for it once it has met such a text.
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
    pub fn push_known(&mut self, row: Option<Row<'_>>) {
        match row {
            Some(row) => {
                let encoding = self.value(row.encoding, row.value, self.checks_values);
                self.end(&row, encoding);
            }
            None => {
                self.text.extend_from_slice(b"null,null,");
                self.entries += 1;
            }
        }
    }

    /// Appends a listed entry, with its key from `prefix_bytes` on.
    ///
    /// # Errors
    /// `CORRUPT` for a key that is none.
    pub fn push_listed(&mut self, row: &Row<'_>, prefix_bytes: usize, keys_only: bool) -> Result<()> {
        let suffix = row.key.get(prefix_bytes..).unwrap_or_default();
        let mut flags = if key_json::write_suffix(suffix, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        if !keys_only {
            flags |= self.value(row.encoding, row.value, self.checks_values);
        }
        self.end(row, flags);
        self.passed(row.key);
        Ok(())
    }

    /// The list has passed a key, and goes on after it.
    pub fn passed(&mut self, key: &[u8]) {
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    /// Appends what became of a watched key: a listed entry, or its key and two `null`.
    ///
    /// # Errors
    /// As `push_listed`.
    pub fn push_watched(&mut self, key: &[u8], row: Option<&Row<'_>>) -> Result<()> {
        let Some(row) = row else {
            let tagged = key_json::write(key, &mut self.text)?;
            self.text.extend_from_slice(b",null,null,");
            self.end_entry(if tagged { KEY_IS_TAGGED } else { 0 }, 0);
            return Ok(());
        };
        let flags = if key_json::write(key, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        let encoding = self.value(row.encoding, row.value, true);
        self.end(row, flags | encoding);
        Ok(())
    }

    /// Appends a change: `seq,operation,key,value,versionstamp`. The operation is 0 (create), 1 or 2
    /// (delete), and 3 more if there is a value.
    ///
    /// # Errors
    /// As `push_listed`.
    pub fn push_change(&mut self, change: &Change<'_>) -> Result<()> {
        let operation = change.kind as u8 + if change.value.is_some() { 3 } else { 0 };
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

    /// Appends parts that are JSON already, and a value; they are one entry. A value that is damaged spoils
    /// no other entry.
    pub fn push_parts(&mut self, parts: &[&str], encoding: u8, value: &[u8]) {
        for part in parts {
            self.json_part(part);
        }
        let read_by = self.value(encoding, value, true);
        self.end_entry(read_by, 0);
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

    fn end(&mut self, row: &Row<'_>, flags: u8) {
        self.stamp(row.versionstamp);
        self.end_entry(flags, row.expires_at.unwrap_or(0));
    }

    fn stamp(&mut self, versionstamp: &str) {
        if versionstamp == self.last_stamp {
            self.text.extend_from_slice(b"0,");
        } else {
            key_json::write_string(versionstamp, &mut self.text);
            self.text.push(b',');
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

    /// Closes the text of a list.
    pub fn finish(&mut self) {
        self.finish_with(match (self.more, self.unsure) {
            (false, _) => "0",
            (true, false) => "1",
            (true, true) => "2",
        });
    }

    /// Closes the text; `tail` is JSON.
    pub fn finish_with(&mut self, tail: &str) {
        for Odd { index, flags, expires_at } in &self.odd {
            self.text.extend_from_slice(format!("{index},{flags},{expires_at},").as_bytes());
        }
        let end = format!("{},{},{tail}]", self.odd.len(), self.entries);
        self.text.extend_from_slice(end.as_bytes());
    }
}
