//! The targets of the fuzzer. `tests/corpus.rs` gives the corpus to the same functions, so that no finding
//! comes back.

use std::cmp::Ordering;
use std::sync::LazyLock;

use keyval::base::config::{Durability, Location};
use keyval::base::duration;
use keyval::codec::graph::may_have_references;
use keyval::codec::key::{Part, decode, encode};
use keyval::codec::page::{Entry, Page, Tail};
use keyval::codec::value::{ArrayText, Counter, JSON};
use keyval::codec::{cursor, key_json, value};
use keyval::engine::query::filter;
use keyval::engine::query::filter::Filter;
use serde_json::Value;

/// A key that decodes is the only encoding of its parts; its JSON is an array of as many parts (after a
/// prefix, of the parts that follow it: a single part is written without an array); and bytes compare as the
/// parts do.
pub fn keys(data: &[u8]) {
    let (first, second) = data.split_at(data.len() / 2);
    for bytes in [data, first, second] {
        let mut json = Vec::new();
        let written = key_json::write(bytes, &mut json);
        let mut suffix = Vec::new();
        let suffix_written = key_json::write_suffix(bytes, &mut suffix);
        let Ok(parts) = decode(bytes) else { continue };
        let tagged = written.unwrap();
        let json: Vec<Value> = serde_json::from_slice(&json).unwrap();
        assert_eq!(json.len(), parts.len());
        assert_eq!(json.iter().any(Value::is_object), tagged);
        assert_eq!(suffix_written.unwrap(), tagged);
        let suffix: Value = serde_json::from_slice(&suffix).unwrap();
        assert_eq!(suffix, if let [part] = json.as_slice() { part.clone() } else { Value::Array(json) });
        // A key over a limit decodes, but is not encoded again.
        if let Ok(again) = encode(&parts) {
            assert_eq!(again, bytes);
        }
    }
    if let (Ok(a), Ok(b)) = (decode(first), decode(second)) {
        assert_eq!(order(&a, &b), first.cmp(second), "{a:?} {b:?}");
    }
}

fn order(a: &[Part<'_>], b: &[Part<'_>]) -> Ordering {
    let parts = a.iter().zip(b).map(|(a, b)| order_of_parts(a, b));
    parts.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
}

fn order_of_parts(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    match (a, b) {
        (Part::Bytes(a), Part::Bytes(b)) => a.cmp(b),
        (Part::String(a), Part::String(b)) => a.cmp(b),
        (Part::Number(a), Part::Number(b)) => a.total_cmp(b),
        (Part::BigInt(a), Part::BigInt(b)) => a.cmp(b),
        (Part::Bool(a), Part::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(part: &Part<'_>) -> u8 {
    match part {
        Part::Bytes(_) => 0,
        Part::String(_) => 1,
        Part::Number(_) => 2,
        Part::BigInt(_) => 3,
        Part::Bool(_) => 4,
    }
}

/// Whatever is stored as a counter or an array is decoded or refused. A counter reads back unchanged; two
/// joined arrays are an array of both lengths.
pub fn values(data: &[u8]) {
    let Some((encoding, bytes)) = data.split_first() else { return };
    let encoding = encoding % 6;
    if let Ok(counter) = Counter::decode(encoding, bytes) {
        let (encoding, bytes) = counter.encode();
        assert_eq!(Counter::decode(encoding, &bytes).unwrap(), counter);
    }
    let Ok(array) = ArrayText::decode(encoding, bytes) else { return };
    let Ok(parsed) = serde_json::from_slice::<Vec<Value>>(bytes) else { return };
    let Ok(both) = array.clone().join(&array) else { return };
    assert_eq!(both.len(), 2 * parsed.len() as u64);
    let joined: Vec<Value> = serde_json::from_slice(&both.text).unwrap();
    // References have other numbers.
    if encoding == JSON || !may_have_references(bytes) {
        assert_eq!(joined, [parsed.clone(), parsed].concat());
    }
    assert!(value::check(both.encoding, &both.text).is_ok());
}

/// A page of stored rows is JSON of the documented shape if the stored values are, or if they are looked at.
pub fn pages(data: &[u8]) {
    let mut known = Page::with_capacity(64);
    let mut listed = Page::with_capacity(64);
    let mut checked = Page::with_capacity(64);
    checked.checks_values = true;
    let mut rows = 0;
    for (index, chunk) in data.chunks(24).enumerate() {
        let Some((head, value)) = chunk.split_at_checked(3) else { break };
        let [encoding, expiry, same] = *head else { break };
        let is_json = serde_json::from_slice::<Value>(value).is_ok();
        let stored = encoding % 6;
        let encoding = if is_json { stored } else { 2 + encoding % 4 };
        #[allow(clippy::cast_precision_loss)]
        let key = encode(&[Part::String("p".into()), Part::Number(index as f64)]).unwrap();
        let entry = Entry {
            key: &key,
            versionstamp: if same % 2 == 0 { "stamp-a" } else { "stamp-b" },
            expires_at: (expiry % 2 == 0).then_some(i64::from(expiry)),
            encoding,
            value,
        };
        listed.push_listed(&entry, 3, false).unwrap();
        checked.push_listed(&Entry { encoding: stored, ..entry }, 3, false).unwrap();
        known.push_known(Some(entry), false);
        rows += 1;
    }
    for (mut page, stride) in [(known, 2), (listed, 3), (checked, 3)] {
        page.finish(Tail::List);
        let parts: Vec<Value> = serde_json::from_slice(&page.text).unwrap();
        let [.., odd, entries, more] = parts.as_slice() else { panic!("no tail") };
        assert_eq!((entries.as_u64(), more.as_u64()), (Some(rows), Some(0)));
        let expected = 3 + 3 * odd.as_u64().unwrap() + stride * rows;
        assert_eq!(parts.len() as u64, expected);
    }
}

/// A cursor that decodes is one that was given out.
pub fn cursors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for reverse in [false, true] {
        if let Ok(key) = cursor::decode(text, reverse) {
            assert_eq!(cursor::decode(&cursor::encode(&key, reverse), reverse).unwrap(), key);
        }
    }
}

/// Durations, locations and choices are parsed or refused.
pub fn words(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(ms) = duration::parse(text) {
        assert!(ms >= 0);
    }
    let _ = Location::parse(text);
    let _ = Durability::parse(text);
}

/// Filters and their opposites, in the form that `lib/api/query/filter.ts` writes.
static FILTERS: LazyLock<Vec<(Filter, Filter)>> = LazyLock::new(|| {
    let texts = [
        r#"{"o":[["$null",{"v":true}]]}"#,
        r#"{"o":[["$empty",{"v":true}]]}"#,
        r#"{"o":[["$gte",{"v":{"__type":"bigint","value":"9007199254740993"}}]]}"#,
        r#"{"o":[["$lt",{"n":-1000}]]}"#,
        r#"{"o":[["$containsi",{"v":"\u0130ß"}]]}"#,
        r#"{"o":[["a",{"o":[["$ne",{"v":1}]]}]]}"#,
        r#"{"o":[["a.__type[1][0].b",{"o":[["$in",{"a":[{"v":"x"},{"v":null}]}]]}]]}"#,
        r#"{"o":[["a",{"a":[{"v":1},{"o":[["b",{"v":"x"}]]}]}]]}"#,
    ];
    let read = |text: String| filter::parse(text.as_bytes()).unwrap();
    texts.map(|text| (read(text.into()), read(format!(r#"{{"o":[["$not",{text}]]}}"#)))).into()
});

/// The encoding, then the text of a filter up to 0xff, then a stored value: a filter is parsed or refused,
/// and a parsed one judges any value. A value that matches does not match the opposite, and an unreadable
/// value matches neither.
pub fn filters(data: &[u8]) {
    const NOW_MS: i64 = 4_000_000_000_000;
    let Some((encoding, data)) = data.split_first() else { return };
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let (text, stored) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Ok(filter) = filter::parse(text) {
        let _ = filter.matches(encoding % 6, stored, NOW_MS);
        let _ = filter.matches(encoding % 6, text, NOW_MS);
    }
    for stored in [stored, text] {
        for (filter, opposite) in FILTERS.iter() {
            let matches = [filter, opposite].map(|one| one.matches(encoding % 6, stored, NOW_MS));
            let can_be_read = value::check(encoding % 6, stored).is_ok();
            assert_eq!(matches[0] ^ matches[1], can_be_read, "{filter:?}");
            assert!(!(matches[0] && matches[1]), "{filter:?}");
        }
    }
}
