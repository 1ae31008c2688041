//! JSON merge patches (RFC 7396), on the text: members that a patch does not name are copied as they are
//! stored.
//!
//! Of the tagged values only a user's own object with a member `__type` can be merged; any other is replaced
//! like a scalar. A member that is `undefined` in the patch changes nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::base::error::{Code, Error, Result};
use crate::codec::graph::{self, Graph, GraphWriter};
use crate::codec::json_text;
use crate::codec::json_text::{Json, Member};
use crate::codec::tags::TAG;
use crate::codec::value::{JSON, TAGGED_JSON, check_changeable};

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
    /// Those of `codec::value::check_changeable`.
    pub fn decode(encoding: u8, bytes: &[u8]) -> Result<Self> {
        check_changeable(encoding, bytes)?;
        Ok(Self { encoding, bytes: bytes.to_vec() })
    }
}

/// The result of merging a patch into a stored value, or into nothing. What is shared and changed is changed
/// in the one place that the patch names: the other places keep it as it was.
///
/// # Errors
/// `TYPE_MISMATCH` for a stored object with a cycle, in which no place is the one; those of `GraphWriter`.
pub fn merge(stored: Option<&Encoded>, patch: &Encoded) -> Result<Encoded> {
    if patch.encoding > TAGGED_JSON || own_object(&patch.bytes).is_none() {
        return Ok(patch.clone());
    }
    let target = stored.filter(|stored| stored.encoding <= TAGGED_JSON);
    let text = target.map(|target| target.bytes.trim_ascii());
    let mut merger = Merger { graph: None, writer: GraphWriter::default() };
    merger.writer.out.reserve(patch.bytes.len() + text.map_or(0, <[u8]>::len));
    if let Some(Encoded { encoding: TAGGED_JSON, .. }) = target
        && let Some(text) = text.filter(|text| graph::may_have_references(text) && own_object(text).is_some())
    {
        let graph = Graph::of(text).ok_or_else(damaged)?;
        if graph.has_cycle {
            return Err(Error::new(Code::TypeMismatch, CYCLE));
        }
        merger.graph = Some(graph);
    }
    let tagged = merger.merge(text, &patch.bytes, 0)?;
    let encoding = target.map_or(JSON, |target| target.encoding).max(patch.encoding);
    let bytes = merger.writer.out;
    Ok(Encoded { encoding: if tagged { TAGGED_JSON } else { encoding }, bytes })
}

const CYCLE: &str = "the stored value holds a cycle, which no patch can be merged into; \
                     read it, change it and set it in a transaction";

fn damaged() -> Error {
    Error::corrupt("the stored value has a tag that is damaged")
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
struct Merged<'m, 'a> {
    member: &'m Member<'a>,
    old: Option<&'a [u8]>,
    change: Option<&'a [u8]>,
}

/// Existing members that are not removed, in their order, then new ones; as JavaScript reads them.
fn merged_members<'m, 'a>(stored: &'m [Member<'a>], changes: &'m [Member<'a>]) -> Vec<Merged<'m, 'a>> {
    let by_name: HashMap<&[u8], &'a [u8]> =
        changes.iter().map(|one| (one.name.as_ref(), one.value)).collect();
    let known: HashSet<&[u8]> = stored.iter().map(|one| one.name.as_ref()).collect();
    let kept = stored.iter().map(|member| {
        let change = by_name.get(member.name.as_ref()).copied();
        Merged { member, old: Some(member.value), change }
    });
    let added = changes.iter().filter(|one| !known.contains(one.name.as_ref()));
    let added = added.map(|member| Merged { member, old: None, change: Some(member.value) });
    let mut merged: Vec<Merged<'m, 'a>> =
        kept.chain(added).filter(|one| one.change != Some(b"null".as_slice())).collect();
    merged.sort_by_key(|one| graph::place_of(&one.member.name));
    merged
}

struct Merger<'a> {
    /// Of the stored value, if it may have references. A patch has none.
    graph: Option<Graph<'a>>,
    writer: GraphWriter,
}

impl<'a> Merger<'a> {
    /// Writes the merged value; true if the text needs to be read as tagged. `depth`: the levels around it.
    fn merge(&mut self, target: Option<&'a [u8]>, patch: &'a [u8], depth: usize) -> Result<bool> {
        let Some(changes) = own_object(patch) else {
            self.copy_patch(patch, depth)?;
            return Ok(false);
        };
        let stored = target.map(|text| self.resolved(text)).and_then(own_object).unwrap_or_default();
        let changes: Vec<Member<'_>> = changes.into_iter().filter(|one| !is_undefined(one.value)).collect();
        let members = merged_members(&stored, &changes);

        // A user's own member of that name would be taken for a tag.
        let wrapped = members.iter().any(|one| one.member.name.as_ref() == TAG);
        let mut tagged = wrapped;
        self.writer.begin();
        if wrapped {
            self.put(b"{\"__type\":\"object\",\"value\":");
        }
        self.put(b"{");
        for (index, Merged { member, old, change }) in members.into_iter().enumerate() {
            if index > 0 {
                self.put(b",");
            }
            self.put(member.name_text);
            self.put(b":");
            match (change, old) {
                (Some(change), old) => tagged |= self.merge(old, change, depth + 1)?,
                (None, Some(old)) => self.copy_stored(old, depth + 1)?,
                (None, None) => {}
            }
        }
        self.put(if wrapped { b"}}" } else { b"}" });
        Ok(tagged)
    }

    fn put(&mut self, text: &[u8]) {
        self.writer.out.extend_from_slice(text);
    }

    /// What a reference leads to; anything else is itself.
    fn resolved(&self, text: &'a [u8]) -> &'a [u8] {
        let target = self.graph.as_ref().and_then(|graph| graph.node(graph::reference(text)?));
        target.unwrap_or(text)
    }

    fn copy_stored(&mut self, text: &'a [u8], depth: usize) -> Result<()> {
        match &self.graph {
            Some(graph) => self.writer.value(text, graph, depth),
            None => {
                self.put(text);
                Ok(())
            }
        }
    }

    /// What is in it counts, where there are references to what follows.
    fn copy_patch(&mut self, text: &[u8], depth: usize) -> Result<()> {
        if self.graph.is_none() {
            self.put(text);
            return Ok(());
        }
        let graph = Graph::of(text).ok_or_else(damaged)?;
        self.writer.value(text, &graph, depth)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// `[encoding, stored, patch, result]` (or the code of an error), the examples of RFC 7396 among them.
    /// The patches of transactions that have not committed pass the same table
    /// (`__test__/unit/merge-patch.test.js`).
    const CASES: &str = include_str!("../../../testdata/merge-patches.json");

    fn merged_as(encoding: u8, stored: Option<&str>, patch: &str) -> String {
        let of = |text: &str| Encoded { encoding, bytes: text.as_bytes().to_vec() };
        match merge(stored.map(of).as_ref(), &of(patch)) {
            Ok(merged) => String::from_utf8(merged.bytes).unwrap(),
            Err(error) => error.code.as_str().into(),
        }
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
