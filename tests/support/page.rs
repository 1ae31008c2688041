//! Reads a page as JavaScript does (`lib/wire/page.ts`).

use keyval::codec::page::Page;
use serde_json::Value;

/// The members of each entry's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// The caller knows the keys.
    Known,
    /// Key and value.
    Listed,
    /// The key alone.
    Keys,
}

/// An entry of a page.
#[derive(Debug)]
pub struct Entry {
    pub key: Value,
    pub value: Value,
    pub versionstamp: Option<String>,
    pub expires_at: Option<i64>,
    pub encoding: u8,
    pub bytes: Vec<u8>,
}

/// The entries of a page; keys are whole (nothing of them is known as a prefix).
pub fn entries(page: &Page, parts: Parts) -> Vec<Entry> {
    let stride = if parts == Parts::Listed { 3 } else { 2 };
    let json: Vec<Value> = serde_json::from_slice(&page.text).unwrap();
    let (items, tail) = json.split_at(json.len() - 3);
    let size = usize::try_from(tail[1].as_u64().unwrap()).unwrap();
    let (listed, odd) = items.split_at(size * stride);
    assert_eq!(odd.len(), 3 * usize::try_from(tail[0].as_u64().unwrap()).unwrap());
    assert_eq!((tail[2] == 1, size), (page.more, page.len()));
    let mut found: Vec<Entry> = Vec::new();
    for entry in listed.chunks(stride) {
        let versionstamp = match entry.last().unwrap() {
            Value::Number(same) if same.as_u64() == Some(0) => newest_stamp(&found),
            stamp => stamp.as_str().map(str::to_string),
        };
        let key = if parts == Parts::Known { Value::Null } else { whole(&entry[0]) };
        let value = if parts == Parts::Keys { Value::Null } else { entry[stride - 2].clone() };
        found.push(Entry { key, value, versionstamp, expires_at: None, encoding: 0, bytes: Vec::new() });
    }
    for odd in odd.chunks(3) {
        let number = |at: usize| odd[at].as_i64().unwrap();
        let entry = &mut found[usize::try_from(number(0)).unwrap()];
        entry.encoding = u8::try_from(number(1) & 15).unwrap();
        entry.expires_at = Some(number(2)).filter(|at| *at != 0);
        if entry.encoding > 1 {
            let place = |at: usize| usize::try_from(entry.value[at].as_u64().unwrap()).unwrap();
            entry.bytes = page.bytes[place(0)..place(0) + place(1)].to_vec();
        }
    }
    found
}

fn newest_stamp(found: &[Entry]) -> Option<String> {
    found.iter().rev().find_map(|entry| entry.versionstamp.clone())
}

fn whole(key: &Value) -> Value {
    if key.is_array() { key.clone() } else { Value::Array(vec![key.clone()]) }
}
