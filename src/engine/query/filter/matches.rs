//! Whether a stored value matches a filter, which `parse.rs` has read and checked once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use unicase::UniCase;

use super::one_of::OneOf;
use super::operand::Operand;
use super::typed::Typed;
use crate::codec::graph::{Graph, may_have_references, reference};
use crate::codec::json_text::{self, Json};
use crate::codec::tags::TAG;
use crate::codec::value::{JSON, TAGGED_JSON, check};

/// A filter.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All of them match.
    And(Vec<Filter>),
    /// One of them matches.
    Or(Vec<Filter>),
    /// It does not match.
    Not(Box<Filter>),
    /// The value at a path passes a test.
    At(Path, Test),
}

/// The way into a value; empty: the value itself.
pub type Path = Vec<Step>;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member of an object; WTF-8.
    Member(Vec<u8>),
    /// An element of an array.
    Element(usize),
}

/// A test of the value at a path.
#[derive(Debug, Clone)]
pub enum Test {
    /// Equal.
    Equal(Operand),
    /// Less, equal or greater, as listed.
    Order(&'static [Ordering], Operand),
    /// From the first to the second, both included.
    Between(Operand, Operand),
    /// Equal to one of them.
    In(OneOf),
    /// A string that holds, begins with, or ends with another; an array that holds a value.
    Text(Anchor, Typed<'static>),
    /// The same for strings, ignoring case; the operand is folded.
    Folded(Anchor, Vec<u8>),
    /// Null, undefined or absent.
    Null,
    /// The same, or an empty string, array or object.
    Empty,
}

/// The position of one string within another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Anywhere.
    Within,
    /// At the beginning.
    Start,
    /// At the end.
    End,
}

impl Filter {
    /// Whether a stored value matches at a time. An unreadable value matches nothing, not even a filter for
    /// an absent field: indexes do not have it, and a delete must not remove it.
    #[must_use]
    pub fn matches(&self, encoding: u8, bytes: &[u8], now_ms: i64) -> bool {
        let stored = Stored { encoding, bytes, now_ms, graph: OnceCell::new() };
        self.holds(&stored) && check(encoding, bytes).is_ok()
    }

    fn holds(&self, stored: &Stored<'_>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(stored)),
            Self::Or(any) => any.iter().any(|one| one.holds(stored)),
            Self::Not(inner) => !inner.holds(stored),
            Self::At(path, test) => test.passes(stored.at(path).as_ref(), stored.now_ms),
        }
    }
}

struct Stored<'a> {
    encoding: u8,
    bytes: &'a [u8],
    now_ms: i64,
    /// Made where a path meets a reference.
    graph: OnceCell<Option<Graph<'a>>>,
}

impl<'a> Stored<'a> {
    /// The value at a path; `None` if there is none. The rest of the stored value is skipped.
    fn at(&self, path: &Path) -> Option<Typed<'a>> {
        if self.encoding != JSON && self.encoding != TAGGED_JSON {
            return Typed::of_bytes(self.encoding, self.bytes).filter(|_| path.is_empty());
        }
        let mut text = self.bytes;
        for step in path {
            text = match step {
                Step::Element(index) => json_text::element(self.resolved(text)?, *index)?,
                Step::Member(name) => self.member(text, name)?,
            };
        }
        let json = json_text::parse(self.resolved(text)?)?;
        if self.encoding == TAGGED_JSON && may_have_references(text) {
            return Some(Typed::of(self.graph()?.expanded(json), TAGGED_JSON));
        }
        Some(Typed::of(json, self.encoding))
    }

    fn graph(&self) -> Option<&Graph<'a>> {
        self.graph.get_or_init(|| Graph::of(self.bytes)).as_ref()
    }

    /// What a reference leads to; anything else is itself.
    fn resolved(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.encoding != TAGGED_JSON || json_text::member(text, TAG).is_none() {
            return Some(text);
        }
        match reference(text) {
            Some(number) => self.graph()?.node(number),
            None => Some(text),
        }
    }

    fn member(&self, text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let text = if self.encoding == TAGGED_JSON { own_members(self.resolved(text)?)? } else { text };
        json_text::member(text, name)
    }
}

/// The members of an object; of a tag only if it stands for a user's own member of that name.
fn own_members(text: &[u8]) -> Option<&[u8]> {
    let Some(tag) = json_text::member(text, TAG) else { return Some(text) };
    if json_text::parse(tag)? == Json::String(Cow::Borrowed(b"object")) {
        return json_text::member(text, b"value");
    }
    None
}

impl Test {
    fn passes(&self, found: Option<&Typed<'_>>, now_ms: i64) -> bool {
        let value = match found {
            None | Some(Typed::Undefined) => return matches!(self, Self::Null | Self::Empty),
            Some(value) => value,
        };
        match self {
            Self::Equal(operand) => operand.equals(value, now_ms),
            Self::Order(orders, operand) => {
                operand.order(value, now_ms).is_some_and(|order| orders.contains(&order))
            }
            Self::Between(low, high) => {
                low.order(value, now_ms).is_some_and(Ordering::is_ge)
                    && high.order(value, now_ms).is_some_and(Ordering::is_le)
            }
            Self::In(among) => among.has(value, now_ms),
            Self::Text(place, operand) => match (value, operand) {
                (Typed::String(text), Typed::String(part)) => place.has(text, part),
                (Typed::Array(elements), _) if *place == Anchor::Within => {
                    elements.iter().any(|element| element.equals(operand))
                }
                _ => false,
            },
            Self::Folded(place, part) => match value {
                Typed::String(text) => place.has(&folded(text), part),
                Typed::Array(elements) if *place == Anchor::Within => elements
                    .iter()
                    .any(|element| matches!(element, Typed::String(text) if folded(text) == *part)),
                _ => false,
            },
            Self::Null => *value == Typed::Null,
            Self::Empty => match value {
                Typed::Null => true,
                Typed::String(text) => text.is_empty(),
                Typed::Array(elements) => elements.is_empty(),
                Typed::Object(members) => members.is_empty(),
                Typed::Bytes(bytes) => bytes.is_empty(),
                _ => false,
            },
        }
    }
}

impl Anchor {
    fn has(self, text: &[u8], part: &[u8]) -> bool {
        match self {
            Self::Within => memchr::memmem::find(text, part).is_some(),
            Self::Start => text.starts_with(part),
            Self::End => text.ends_with(part),
        }
    }
}

/// A string without its case, by Unicode's case folding. A lone surrogate is unchanged.
pub fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(UniCase::new(chunk.valid()).to_folded_case().as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::filter::parse;

    /// Less than a worker's thread has in Node and in Bun, and than the reader thread has.
    const STACK_BYTES: usize = 512 * 1024;

    /// Runs on a small stack, including the filter's drop.
    #[allow(clippy::disallowed_methods)]
    fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(body).unwrap().join().unwrap();
    }

    fn nested(levels: usize, open: &str, inner: &str, close: &str) -> String {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn the_deepest_filters_and_values_fit_a_small_stack() {
        on_a_small_stack(|| {
            let array = nested(98, r#"{"a":["#, r#"{"v":1}"#, "]}");
            let deepest =
                nested(99, r#"{"o":[["$and",{"a":["#, &format!(r#"{{"o":[["a",{array}]]}}"#), "]}]]}");
            let value = format!(r#"{{"a":{}}}"#, nested(98, "[", "1", "]"));
            assert!(parse(deepest.as_bytes()).unwrap().matches(JSON, value.as_bytes(), 0));
            let map = nested(100, r#"{"__type":"map","value":[[1,"#, "2", "]]}");
            let same = parse(format!(r#"{{"o":[["$eq",{{"v":{map}}}]]}}"#).as_bytes()).unwrap();
            assert!(same.matches(TAGGED_JSON, map.as_bytes(), 0));
        });
    }

    /// Seen to fail: a reference was taken for an object without members.
    #[test]
    fn a_path_follows_references() {
        let reference = |number: usize| format!(r#"{{"__type":"object","ref":{number}}}"#);
        let text =
            |number| format!(r#"{{"a":{{"x":[1]}},"b":{},"self":{}}}"#, reference(number), reference(0));
        let matches = |path: &str, text: &str| {
            let filter = format!(r#"{{"o":[["{path}",{{"v":1}}]]}}"#);
            parse(filter.as_bytes()).unwrap().matches(TAGGED_JSON, text.as_bytes(), 0)
        };
        for path in ["a.x[0]", "b.x[0]", "self.b.x[0]", "self.self.self.a.x[0]"] {
            assert!(matches(path, &text(1)), "{path}");
        }
        // One that leads nowhere spoils the whole value, and so does one that leads forward.
        for number in [3, 4] {
            assert!(!matches("a.x[0]", &text(number)) && !matches("b.x[0]", &text(number)));
            let absent = parse(br#"{"o":[["c",{"o":[["$null",{"v":true}]]}]]}"#).unwrap();
            assert!(!absent.matches(TAGGED_JSON, text(number).as_bytes(), 0));
        }
    }

    /// Seen to be slow: a naive search for 50 KB in 1 MB took 1.4 s, and looking up each of 20,000 names
    /// among all of them 0.5 s.
    #[test]
    fn large_values_take_time_as_their_size() {
        let text = format!("\"{}\"", "a".repeat(2_000_000));
        let part = format!(r#"{{"o":[["$contains",{{"v":"{}b"}}]]}}"#, "a".repeat(1_000_000));
        assert!(!parse(part.as_bytes()).unwrap().matches(JSON, text.as_bytes(), 0));
        let members = |order: &mut dyn Iterator<Item = u32>| {
            format!("{{{}}}", order.map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(","))
        };
        let (up, down) = (members(&mut (0..200_000)), members(&mut (0..200_000).rev()));
        let same = parse(format!(r#"{{"o":[["$eq",{{"v":{up}}}]]}}"#).as_bytes()).unwrap();
        assert!(same.matches(JSON, down.as_bytes(), 0));
    }

    #[test]
    fn deeper_ones_are_refused_and_hold_nothing() {
        on_a_small_stack(|| {
            for (open, close) in
                [("[", "]"), (r#"{"a":["#, "]}"), (r#"{"o":[["a","#, "]]}"), (r#"{"v":"#, "}")]
            {
                for levels in [101, 500, 100_000] {
                    let text = nested(levels, open, "1", close);
                    assert!(parse(text.as_bytes()).is_err(), "{levels} of {open}");
                    let any = parse(br#"{"o":[["$null",{"v":true}]]}"#).unwrap();
                    let _ = any.matches(TAGGED_JSON, text.as_bytes(), 0);
                }
            }
        });
    }
}
