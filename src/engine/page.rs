//! Entries as one JSON text, which JavaScript turns into its objects with a single `JSON.parse`:
//! `{"entries":[{"key":[…],"value":…,"versionstamp":"…","expiresAt":…}, …],"odd":[index,flags,…],"more":false}`.
//! `odd` names the entries that need more than that; bytes travel beside the text.

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
    odd: Vec<(usize, u8)>,
    entries: usize,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        let mut page = Self::default();
        page.text.extend_from_slice(b"{\"entries\":[");
        page
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
        let Some(row) = row else {
            self.begin();
            self.text.extend_from_slice(b"{\"key\":null,\"value\":null,\"versionstamp\":null}");
            return Ok(());
        };
        self.begin();
        self.text.extend_from_slice(b"{\"key\":null,\"value\":");
        self.value(&row, 0)?;
        self.end(&row);
        Ok(())
    }

    /// Appends a listed entry, with its key.
    ///
    /// # Errors
    /// `CORRUPT` for a key that is none, `UNSUPPORTED` as above.
    pub fn push_listed(&mut self, row: &Row<'_>, keys_only: bool) -> Result<()> {
        self.begin();
        self.text.extend_from_slice(b"{\"key\":");
        let flags = if key_json::write(row.key, &mut self.text)? { KEY_IS_TAGGED } else { 0 };
        if keys_only {
            self.note_odd(flags);
        } else {
            self.text.extend_from_slice(b",\"value\":");
            self.value(row, flags)?;
        }
        self.end(row);
        self.last_key.clear();
        self.last_key.extend_from_slice(row.key);
        Ok(())
    }

    fn begin(&mut self) {
        if self.entries > 0 {
            self.text.push(b',');
        }
        self.entries += 1;
    }

    fn value(&mut self, row: &Row<'_>, flags: u8) -> Result<()> {
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
        self.note_odd(flags | row.encoding);
        Ok(())
    }

    fn note_odd(&mut self, flags: u8) {
        if flags != 0 {
            self.odd.push((self.entries - 1, flags));
        }
    }

    fn end(&mut self, row: &Row<'_>) {
        self.text.extend_from_slice(b",\"versionstamp\":\"");
        self.text.extend_from_slice(row.versionstamp.as_bytes());
        self.text.push(b'"');
        if let Some(at) = row.expires_at {
            self.text.extend_from_slice(format!(",\"expiresAt\":{at}").as_bytes());
        }
        self.text.push(b'}');
    }

    /// Closes the text.
    pub fn finish(&mut self) {
        self.text.extend_from_slice(b"],\"odd\":[");
        for (position, (index, flags)) in self.odd.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            self.text.extend_from_slice(format!("{comma}{index},{flags}").as_bytes());
        }
        let more: &[u8] = if self.more { b"],\"more\":true}" } else { b"],\"more\":false}" };
        self.text.extend_from_slice(more);
    }
}
