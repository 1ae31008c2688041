//! Entries as one JSON text, which JavaScript turns into its objects with a single `JSON.parse`:
//! `[part,part,…, index,flags,expiry,…, odd,entries,more]`.
//!
//! An entry is `value,versionstamp` where the caller knows the keys, `key,value,versionstamp` in a list and
//! `key,versionstamp` in a list of keys: parts side by side, because an object with three names costs a third more to
//! parse than the value alone. A `versionstamp` is `null` for nothing, and 0 for the one of the entry before. A `key` is
//! what follows the prefix that the caller knows: the part, if it is one, or an array of parts. `odd` is the number of
//! entries that need more than that; for each its index, its flags and its expiry (0: none). Bytes travel beside the
//! text.

use crate::codec::{key_json, value};
use crate::error::{Code, Error, Result};
use crate::store::Row;

/// Set in the flags of an odd entry whose key has tagged parts; the lower bits are the value's encoding.
const KEY_IS_TAGGED: u8 = 16;

/// A page of entries.
#[derive(Debug, Default)]
pub struct Page {
    /// The JSON text.
    pub text: Vec<u8>,
    /// Values that are bytes, one after another; in the text they are `[offset,length]`.
    pub bytes: Vec<u8>,
    /// Entries that there are more of.
    pub more: bool,
    /// The key of the last entry.
    pub last_key: Vec<u8>,
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

    /// Appends what stands at a key that the caller knows.
    ///
    /// # Errors
    /// `UNSUPPORTED` for an encoding that this version does not know.
    pub fn push_known(&mut self, row: Option<Row<'_>>) -> Result<()> {
        match row {
            Some(row) => {
                self.value(&row)?;
                self.end(&row, row.encoding);
            }
            None => {
                self.text.extend_from_slice(b"null,null,");
                self.entries += 1;
            }
        }
        Ok(())
    }

    /// Appends a listed entry, with its key from `prefix_bytes` on.
    ///
    /// # Errors
    /// `CORRUPT` for a key that is none, `UNSUPPORTED` as above.
    pub fn push_listed(&mut self, row: &Row<'_>, prefix_bytes: usize, keys_only: bool) -> Result<()> {
        let suffix = row.key.get(prefix_bytes..).unwrap_or_default();
        let mut flags = if key_json::write_suffix(suffix, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        self.text.push(b',');
        if !keys_only {
            self.value(row)?;
            flags |= row.encoding;
        }
        self.end(row, flags);
        self.last_key.clear();
        self.last_key.extend_from_slice(row.key);
        Ok(())
    }

    fn value(&mut self, row: &Row<'_>) -> Result<()> {
        match row.encoding {
            value::JSON | value::TAGGED_JSON => self.text.extend_from_slice(row.value),
            value::BYTES | value::U64 => {
                let place = format!("[{},{}]", self.bytes.len(), row.value.len());
                self.text.extend_from_slice(place.as_bytes());
                self.bytes.extend_from_slice(row.value);
            }
            other => {
                let message =
                    format!("a stored value has the encoding {other}, which this version does not read");
                return Err(Error::new(Code::Unsupported, message));
            }
        }
        self.text.push(b',');
        Ok(())
    }

    fn end(&mut self, row: &Row<'_>, flags: u8) {
        if row.versionstamp == self.last_stamp {
            self.text.extend_from_slice(b"0,");
        } else {
            self.text.push(b'"');
            self.text.extend_from_slice(row.versionstamp.as_bytes());
            self.text.extend_from_slice(b"\",");
            self.last_stamp.clear();
            self.last_stamp.push_str(row.versionstamp);
        }
        if flags != 0 || row.expires_at.is_some() {
            let expires_at = row.expires_at.unwrap_or(0);
            self.odd.push(Odd { index: self.entries, flags, expires_at });
        }
        self.entries += 1;
    }

    /// Closes the text.
    pub fn finish(&mut self) {
        for Odd { index, flags, expires_at } in &self.odd {
            self.text.extend_from_slice(format!("{index},{flags},{expires_at},").as_bytes());
        }
        let tail = format!("{},{},{}]", self.odd.len(), self.entries, u8::from(self.more));
        self.text.extend_from_slice(tail.as_bytes());
    }
}
