//! References in tagged text. An array, object, map, set or error that is in a value several times is written
//! where JavaScript meets it first; in its other places is `{"__type":"object","ref":N}`. `N` counts, from 0,
//! all that a reference can lead to, in the order in which JavaScript meets them when it reads the text
//! (`lib/value/decode.ts`): the order of the text, but for members whose names are indexes, which come first.
//!
//! It has the type `object` because ordered indexes mark each entry whose text holds such a tag: they cannot
//! look through one, and neither through a reference.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::json_text::{Json, Member, elements, members, parse};
use super::tags::{HIDDEN_FIELDS, REF, TAG, number_of, own};
use crate::base::error::{Error, Result};

/// As deep as a value can be read (`value::is_too_deep`).
const MAX_DEPTH: usize = 200;

/// So much text is put in the places of references where a value is compared as a whole.
const MAX_EXPANDED_BYTES: usize = 4 * 1024 * 1024;

/// Whether a tagged text can have references; surely not, if false.
#[must_use]
pub fn may_have_references(text: &[u8]) -> bool {
    // The name may be written with escapes.
    [&b"\"ref\""[..], b"\\u"].iter().any(|part| memchr::memmem::find(text, part).is_some())
}

/// Whether each reference leads to what begins before it. The tags must be sound.
#[must_use]
pub fn are_references_sound(text: &[u8]) -> bool {
    !may_have_references(text) || Graph::of(text).is_some()
}

/// The number of a reference's text; `None` if it is none.
#[must_use]
pub fn reference(text: &[u8]) -> Option<usize> {
    match shape_of(text)? {
        Shape::Reference(number) => Some(number),
        _ => None,
    }
}

/// What a text is, as far as references concern it.
enum Shape<'a> {
    /// A primitive, or a tag that no reference leads to.
    Leaf,
    /// A reference.
    Reference(usize),
    /// An object's members, in the order in which JavaScript has them. `escaped`: the object has one that is
    /// named like the tag.
    Object { members: Vec<Member<'a>>, escaped: bool },
    /// An array, map, set or error, and what is in it.
    Other(Vec<&'a [u8]>),
}

fn shape_of(text: &[u8]) -> Option<Shape<'_>> {
    match text.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'[' => elements(text).map(Shape::Other),
        b'{' => shape_of_object(members(text)?),
        _ => Some(Shape::Leaf),
    }
}

fn shape_of_object(members_of: Vec<Member<'_>>) -> Option<Shape<'_>> {
    let Some(tag) = own(&members_of, TAG) else {
        return Some(Shape::Object { members: in_order(members_of), escaped: false });
    };
    let Json::String(tag) = parse(tag)? else { return None };
    let value = own(&members_of, b"value");
    match tag.as_ref() {
        b"object" => match own(&members_of, REF) {
            Some(number) => number_of(number).map(Shape::Reference),
            None => Some(Shape::Object { members: in_order(members(value?)?), escaped: true }),
        },
        b"map" => {
            let pairs = elements(value?)?.into_iter().map(elements).collect::<Option<Vec<_>>>()?;
            Some(Shape::Other(pairs.concat()))
        }
        b"set" => elements(value?).map(Shape::Other),
        b"error" => {
            let fields = members(value?)?;
            let mut inner: Vec<&[u8]> = HIDDEN_FIELDS.iter().filter_map(|name| own(&fields, name)).collect();
            let own_members = own(&fields, b"members").and_then(members).unwrap_or_default();
            inner.extend(in_order(own_members).into_iter().map(|member| member.value));
            Some(Shape::Other(inner))
        }
        _ => Some(Shape::Leaf),
    }
}

/// Members as JavaScript has them: those named like indexes first, by number; of several with one name the
/// last value in the first place.
#[must_use]
pub fn in_order(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let mut names = HashSet::new();
    if !members.iter().all(|member| names.insert(member.name.clone())) {
        let last: HashMap<_, _> = members.iter().map(|one| (one.name.clone(), one.value)).collect();
        members.retain(|member| names.remove(&member.name));
        for member in &mut members {
            member.value = last.get(&member.name).copied().unwrap_or(member.value);
        }
    }
    members.sort_by_key(|member| place_of(&member.name));
    members
}

/// Where a member is among those of an object; those that are in one place keep their order.
#[must_use]
pub fn place_of(name: &[u8]) -> (bool, Option<u32>) {
    let index = index_of(name);
    (index.is_none(), index)
}

/// The number of a name that is an index of an array.
fn index_of(name: &[u8]) -> Option<u32> {
    let is_plain = name.iter().all(u8::is_ascii_digit) && (name.len() == 1 || name.first() != Some(&b'0'));
    let index = std::str::from_utf8(name).ok().filter(|_| is_plain)?.parse().ok()?;
    (index < u32::MAX).then_some(index)
}

/// What the references of a text lead to.
#[derive(Debug)]
pub struct Graph<'a> {
    nodes: Vec<&'a [u8]>,
    /// Whether a reference leads to what it is in.
    pub has_cycle: bool,
}

impl<'a> Graph<'a> {
    /// Walks a text; `None` if a reference leads to nothing that begins before it, a tag is damaged, or it is
    /// nested deeper than a value can be.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Option<Self> {
        let mut graph = Self { nodes: Vec::new(), has_cycle: false };
        graph.walk(text.trim_ascii(), &mut Vec::new())?;
        Some(graph)
    }

    fn walk(&mut self, text: &'a [u8], open: &mut Vec<usize>) -> Option<()> {
        if open.len() > MAX_DEPTH {
            return None;
        }
        let inner = match shape_of(text)? {
            Shape::Leaf => return Some(()),
            Shape::Reference(number) => {
                self.has_cycle |= open.contains(&number);
                return self.nodes.get(number).map(drop);
            }
            Shape::Object { members, .. } => members.into_iter().map(|member| member.value).collect(),
            Shape::Other(inner) => inner,
        };
        open.push(self.nodes.len());
        self.nodes.push(text);
        for one in inner {
            self.walk(one, open)?;
        }
        open.pop();
        Some(())
    }

    /// The text that a number stands for.
    #[must_use]
    pub fn node(&self, number: usize) -> Option<&'a [u8]> {
        self.nodes.get(number).copied()
    }

    /// Puts what references lead to in their places, as far as a bound of text and of levels goes: what holds
    /// itself has no end.
    #[must_use]
    pub fn expanded(&self, json: Json<'a>) -> Json<'a> {
        self.expand(json, MAX_DEPTH, &mut MAX_EXPANDED_BYTES.clone())
    }

    fn expand(&self, json: Json<'a>, depth: usize, room: &mut usize) -> Json<'a> {
        let Some(deeper) = depth.checked_sub(1) else { return json };
        match json {
            Json::Array(elements) => {
                Json::Array(elements.into_iter().map(|one| self.expand(one, deeper, room)).collect())
            }
            Json::Object(members) => {
                let target = number_in(&members).and_then(|number| self.node(number));
                if let Some(text) = target.filter(|text| text.len() <= *room)
                    && let Some(json) = parse(text)
                {
                    *room -= text.len();
                    return self.expand(json, deeper, room);
                }
                let each = members.into_iter().map(|(name, one)| (name, self.expand(one, deeper, room)));
                Json::Object(each.collect())
            }
            scalar => scalar,
        }
    }
}

/// The number of a reference that was parsed.
fn number_in(members: &[(Cow<'_, [u8]>, Json<'_>)]) -> Option<usize> {
    match members {
        [(tag, Json::String(kind)), (name, Json::Number(number))]
            if tag.as_ref() == TAG && kind.as_ref() == b"object" && name.as_ref() == REF =>
        {
            number_of(number.to_string().as_bytes())
        }
        _ => None,
    }
}

/// Writes one text of the values of others. What a reference leads to is written in full in the first of its
/// places, and referred to from then on, whatever has been left out or put before it.
#[derive(Debug, Default)]
pub struct GraphWriter {
    /// The text so far.
    pub out: Vec<u8>,
    /// How much of it references can lead to.
    count: usize,
    /// The number of what was written, by the address of its text.
    written: HashMap<usize, usize>,
}

impl GraphWriter {
    /// Begins an array, object, map, set or error that is none of the texts'.
    pub fn begin(&mut self) {
        self.count += 1;
    }

    /// What leads to this text leads to what has this number here.
    pub fn record_as(&mut self, text: &[u8], number: usize) {
        self.written.insert(address_of(text), number);
    }

    fn begin_with(&mut self, text: &[u8]) {
        self.record_as(text, self.count);
        self.begin();
    }

    /// Writes a value of a text with its references.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` where it would be nested too deep; `CORRUPT`.
    pub fn value(&mut self, text: &[u8], graph: &Graph<'_>, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::limit(depth, MAX_DEPTH, "levels").at("nesting of the result"));
        }
        if let Some(written) = self.written.get(&address_of(text)) {
            let reference = format!("{{\"__type\":\"object\",\"ref\":{written}}}");
            self.out.extend_from_slice(reference.as_bytes());
            return Ok(());
        }
        match shape_of(text).ok_or_else(damaged)? {
            Shape::Leaf => self.out.extend_from_slice(text),
            Shape::Reference(number) => {
                return self.value(graph.node(number).ok_or_else(damaged)?, graph, depth);
            }
            Shape::Object { members, escaped } => {
                self.begin_with(text);
                self.out.extend_from_slice(if escaped {
                    b"{\"__type\":\"object\",\"value\":{"
                } else {
                    b"{"
                });
                for (index, member) in members.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    self.out.extend_from_slice(member.name_text);
                    self.out.push(b':');
                    self.value(member.value, graph, depth + 1)?;
                }
                self.out.extend_from_slice(if escaped { b"}}" } else { b"}" });
            }
            Shape::Other(inner) => {
                self.begin_with(text);
                let mut rest = text;
                for one in inner {
                    let before = address_of(one).wrapping_sub(address_of(rest));
                    let (between, from) = rest.split_at_checked(before).ok_or_else(damaged)?;
                    self.out.extend_from_slice(between);
                    self.value(one, graph, depth + 1)?;
                    rest = from.get(one.len()..).ok_or_else(damaged)?;
                }
                self.out.extend_from_slice(rest);
            }
        }
        Ok(())
    }
}

fn address_of(text: &[u8]) -> usize {
    text.as_ptr() as usize
}

fn damaged() -> Error {
    Error::corrupt("the stored value has a tag that is damaged")
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
