//! JSON merge patches (RFC 7396), on the text: members that a patch does not name are copied as they are
//! stored.
//!
//! Of the tagged values only a user's own object with a member `__type` can be merged; any other is replaced
//! like a scalar. A member that is `undefined` in the patch changes nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::base::error::Result;
use crate::codec::json_text;
use crate::codec::json_text::{Json, Member};
use crate::codec::value::{JSON, TAGGED_JSON, check};
use crate::engine::query::filter::typed::TAG;

/// A value in one of its encodings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// See `codec::value`.
    pub encoding: u8,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Encoded {
    /// Takes a stored value.
    ///
    /// # Errors
    /// Those of `codec::value::check`.
    pub fn decode(encoding: u8, bytes: &[u8]) -> Result<Self> {
        check(encoding, bytes)?;
        Ok(Self { encoding, bytes: bytes.to_vec() })
    }
}

/// The result of merging a patch into a stored value, or into nothing.
#[must_use]
pub fn merge(stored: Option<&Encoded>, patch: &Encoded) -> Encoded {
    if patch.encoding > TAGGED_JSON || own_object(&patch.bytes).is_none() {
        return patch.clone();
    }
    let target = stored.filter(|stored| stored.encoding <= TAGGED_JSON);
    let mut bytes = Vec::with_capacity(patch.bytes.len() + target.map_or(0, |target| target.bytes.len()));
    let tagged = merge_text(target.map(|target| target.bytes.as_slice()), &patch.bytes, &mut bytes);
    let encoding = target.map_or(JSON, |target| target.encoding).max(patch.encoding);
    Encoded { encoding: if tagged { TAGGED_JSON } else { encoding }, bytes }
}

/// The members of an object that can be merged. A plain text holds no tag by accident.
fn own_object(text: &[u8]) -> Option<Vec<Member<'_>>> {
    let members = json_text::members(text)?;
    match members.first() {
        Some(first) if first.name.as_ref() == TAG => {
            let is_object = json_text::parse(first.value) == Some(Json::String(Cow::Borrowed(b"object")));
            is_object.then(|| json_text::member(text, b"value").and_then(json_text::members)).flatten()
        }
        _ => Some(members),
    }
}

fn is_undefined(text: &[u8]) -> bool {
    let tag = json_text::member(text, TAG).and_then(json_text::parse);
    tag == Some(Json::String(Cow::Borrowed(b"undefined")))
}

/// A member of the merged object: unchanged, changed, or new.
struct Merged<'a> {
    member: &'a Member<'a>,
    old: Option<&'a [u8]>,
    change: Option<&'a [u8]>,
}

/// Existing members that are not removed, in their order, then new ones.
fn merged_members<'a>(stored: &'a [Member<'a>], changes: &'a [Member<'a>]) -> Vec<Merged<'a>> {
    let by_name: HashMap<&[u8], &[u8]> = changes.iter().map(|one| (one.name.as_ref(), one.value)).collect();
    let known: HashSet<&[u8]> = stored.iter().map(|one| one.name.as_ref()).collect();
    let kept = stored.iter().map(|member| {
        let change = by_name.get(member.name.as_ref()).copied();
        Merged { member, old: Some(member.value), change }
    });
    let added = changes.iter().filter(|one| !known.contains(one.name.as_ref()));
    let added = added.map(|member| Merged { member, old: None, change: Some(member.value) });
    kept.chain(added).filter(|one| one.change != Some(b"null".as_slice())).collect()
}

/// Writes the merged value; true if the text needs to be read as tagged.
fn merge_text(target: Option<&[u8]>, patch: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(changes) = own_object(patch) else {
        out.extend_from_slice(patch);
        return false;
    };
    let stored = target.and_then(own_object).unwrap_or_default();
    let changes: Vec<Member<'_>> = changes.into_iter().filter(|one| !is_undefined(one.value)).collect();
    let members = merged_members(&stored, &changes);

    // A user's own member of that name would be taken for a tag.
    let wrapped = members.iter().any(|one| one.member.name.as_ref() == TAG);
    let mut tagged = wrapped;
    if wrapped {
        out.extend_from_slice(b"{\"__type\":\"object\",\"value\":");
    }
    out.push(b'{');
    for (index, Merged { member, old, change }) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member.name_text);
        out.push(b':');
        match change {
            Some(change) => tagged |= merge_text(old, change, out),
            None => out.extend_from_slice(member.value),
        }
    }
    out.push(b'}');
    if wrapped {
        out.push(b'}');
    }
    tagged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// `[encoding, stored, patch, result]`, the examples of RFC 7396 among them. The patches of transactions
    /// that have not committed pass the same table (`__test__/unit/merge-patch.test.js`).
    const CASES: &str = include_str!("../../../testdata/merge-patches.json");

    fn merged_as(encoding: u8, stored: Option<&str>, patch: &str) -> String {
        let of = |text: &str| Encoded { encoding, bytes: text.as_bytes().to_vec() };
        String::from_utf8(merge(stored.map(of).as_ref(), &of(patch)).bytes).unwrap()
    }

    fn merged(stored: Option<&str>, patch: &str) -> String {
        merged_as(JSON, stored, patch)
    }

    #[test]
    fn every_case_of_the_table() {
        let cases: Vec<(String, Option<String>, String, String)> = serde_json::from_str(CASES).unwrap();
        assert!(cases.len() > 40);
        for (encoding, stored, patch, result) in cases {
            let encoding = if encoding == "plain" { JSON } else { TAGGED_JSON };
            assert_eq!(merged_as(encoding, stored.as_deref(), &patch), result, "{stored:?} {patch}");
        }
    }

    /// The algorithm of the RFC as it is printed there.
    fn by_the_book(target: Value, patch: &Value) -> Value {
        let Value::Object(changes) = patch else { return patch.clone() };
        let mut merged = match target {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        for (name, value) in changes {
            if value.is_null() {
                merged.remove(name);
            } else {
                let old = merged.remove(name).unwrap_or(Value::Null);
                merged.insert(name.clone(), by_the_book(old, value));
            }
        }
        Value::Object(merged)
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!("x\"y")), Just(json!([1, {"a": 2}]))];
        leaf.prop_recursive(4, 24, 4, |inner| {
            proptest::collection::hash_map("[abc\"]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn means_what_the_rfc_says(stored in values(), patch in values()) {
            let text = merged(Some(&stored.to_string()), &patch.to_string());
            let result: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(result, by_the_book(stored, &patch));
        }
    }
}
