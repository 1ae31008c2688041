//! Parses a filter from its text, as `lib/api/query/filter.ts` writes it: `{"o":[[name,node],…]}` for an
//! object, `{"a":[node,…]}` for an array, `{"n":milliseconds}` for the store's time, `{"v":value}` for any
//! other value, with tags. So no name of a user can be taken for something else. An invalid filter is
//! refused, with the place of the error.

use std::cmp::Ordering;

use super::advice::{NO_PATTERNS, OPERATORS, advice};
use super::matches::{Anchor, Filter, Path, Step, Test, folded};
use super::one_of::OneOf;
use super::operand::Operand;
use super::typed::Typed;
use crate::base::error::{At, Error, Place, Result, short};
use crate::base::limits::{MAX_FILTER_CONDITIONS, MAX_FILTER_DEPTH};
use crate::codec::json_text;
use crate::codec::json_text::Json;
use crate::codec::value::TAGGED_JSON;

/// The operators that may be beside fields.
const COMBINING: [&[u8]; 3] = [b"$and", b"$or", b"$not"];

/// `$and` and its array are two nested objects or arrays, each of up to three levels of text; the rest is for
/// values.
const MAX_TEXT_DEPTH: usize = 3 * (2 * MAX_FILTER_DEPTH + 100) + 400;

/// A part of a filter, as it was given.
enum Node {
    Object(Vec<(Vec<u8>, Node)>),
    Array(Vec<Node>),
    Leaf(Operand),
    Damaged,
}

/// Reads a filter.
///
/// # Errors
/// `INVALID_ARGUMENT` with the place of the error, `LIMIT_EXCEEDED`.
pub fn parse(text: &[u8]) -> Result<Filter> {
    let node = json_text::parse_within(text, MAX_TEXT_DEPTH).map(node_of).ok_or_else(damaged)?;
    let mut parser = Parser { conditions: 0 };
    parser.condition(node, &Vec::new(), &Trail::Where, 0)
}

fn damaged() -> Error {
    Error::invalid("it cannot be read").at("where")
}

/// The path to the condition being read; it is written as text only if the condition is refused.
enum Trail<'a> {
    /// The argument itself.
    Where,
    /// A member of an object.
    Member(&'a Trail<'a>, &'a str),
    /// An element of an array.
    Element(&'a Trail<'a>, usize),
}

impl From<&Trail<'_>> for Place {
    fn from(trail: &Trail<'_>) -> Self {
        match trail {
            Trail::Where => Self::from("where"),
            Trail::Member(outer, name) => Self::from(*outer).member(name),
            Trail::Element(outer, index) => Self::from(*outer).index(*index),
        }
    }
}

fn refused(place: &Trail<'_>, message: impl Into<String>) -> Error {
    Error::invalid(message).at(place)
}

fn node_of(json: Json<'_>) -> Node {
    let Json::Object(members) = json else { return Node::Damaged };
    let Some((kind, value)) = members.into_iter().next() else { return Node::Damaged };
    match (kind.as_ref(), value) {
        (b"o", Json::Array(pairs)) => {
            pairs.into_iter().map(member_of).collect::<Option<_>>().map_or(Node::Damaged, Node::Object)
        }
        (b"a", Json::Array(elements)) => Node::Array(elements.into_iter().map(node_of).collect()),
        (b"n", Json::Number(offset_ms)) => Node::Leaf(Operand::Now(offset_ms)),
        (b"v", value) => Node::Leaf(Operand::Value(Typed::of(value, TAGGED_JSON).into_owned())),
        _ => Node::Damaged,
    }
}

/// `[name,node]`
fn member_of(pair: Json<'_>) -> Option<(Vec<u8>, Node)> {
    let Json::Array(parts) = pair else { return None };
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(Json::String(name)), Some(value)) => Some((name.into_owned(), node_of(value))),
        _ => None,
    }
}

/// A path is copied for each condition that it leads to, so its length is bounded: with one step more than
/// values have levels it leads nowhere.
const MAX_PATH_STEPS: usize = 101;

struct Parser {
    conditions: usize,
}

impl Parser {
    /// A condition on the value at a path.
    fn condition(&mut self, node: Node, path: &Path, place: &Trail<'_>, depth: usize) -> Result<Filter> {
        if depth > MAX_FILTER_DEPTH {
            return Err(Error::limit(depth, MAX_FILTER_DEPTH, "levels").at(place));
        }
        self.conditions += 1;
        if self.conditions > MAX_FILTER_CONDITIONS {
            let limit = Error::limit(self.conditions, MAX_FILTER_CONDITIONS, "conditions");
            return Err(limit.at(&Trail::Where));
        }
        let members = match node {
            Node::Object(members) => members,
            other if path.is_empty() && matches!(place, Trail::Where) => {
                let what = if matches!(other, Node::Array(_)) { "an array" } else { "a value" };
                let message = format!("{what} is no filter; give an object such as {{ status: \"open\" }}");
                return Err(refused(place, message));
            }
            other => {
                return Ok(Filter::At(path.clone(), Test::Equal(no_pattern(operand(other, place)?, place)?)));
            }
        };
        if members.is_empty() {
            let message =
                "it is empty, and would match everything; leave it out, or name a field or an operator";
            return Err(refused(place, message));
        }
        let is_field = |name: &[u8]| !name.starts_with(b"$");
        let compares = |name: &[u8]| {
            OPERATORS.iter().any(|known| known.as_bytes() == name) && !COMBINING.contains(&name)
        };
        if members.iter().any(|(name, _)| is_field(name)) && members.iter().any(|(name, _)| compares(name)) {
            let message = "it has operators and fields side by side; put them into $and";
            return Err(refused(place, message));
        }
        let mut all = Vec::with_capacity(members.len());
        for (name, value) in members {
            let text = String::from_utf8_lossy(&name);
            let place = &Trail::Member(place, &text);
            all.push(if is_field(&name) {
                let mut longer = path.clone();
                longer.extend(path_of(&name).at(place)?);
                longer.truncate(MAX_PATH_STEPS);
                self.condition(value, &longer, place, depth + 1)?
            } else {
                self.operator(&text, value, path, place, depth)?
            });
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn operator(
        &mut self,
        name: &str,
        node: Node,
        path: &Path,
        place: &Trail<'_>,
        depth: usize,
    ) -> Result<Filter> {
        let at = |test: Test| Filter::At(path.clone(), test);
        let not = |test: Test| Filter::Not(Box::new(Filter::At(path.clone(), test)));
        Ok(match name {
            "$and" => Filter::And(self.several(node, path, place, depth)?),
            "$or" => Filter::Or(self.several(node, path, place, depth)?),
            "$not" => match node {
                Node::Object(_) => Filter::Not(Box::new(self.condition(node, path, place, depth + 1)?)),
                Node::Leaf(operand) if is_pattern(&operand) => return Err(pattern(place)),
                _ => return Err(refused(place, "give a condition, such as { $gt: 5 }")),
            },
            "$eq" => at(Test::Equal(operand(node, place)?)),
            "$ne" => not(Test::Equal(operand(node, place)?)),
            "$gt" => at(Test::Order(&[Ordering::Greater], ordered(node, place)?)),
            "$gte" => at(Test::Order(&[Ordering::Greater, Ordering::Equal], ordered(node, place)?)),
            "$lt" => at(Test::Order(&[Ordering::Less], ordered(node, place)?)),
            "$lte" => at(Test::Order(&[Ordering::Less, Ordering::Equal], ordered(node, place)?)),
            "$between" => at(between(node, place)?),
            "$in" => at(Test::In(among(node, place)?)),
            "$nin" => not(Test::In(among(node, place)?)),
            "$contains" => at(Test::Text(Anchor::Within, sought(node, place)?)),
            "$notContains" => not(Test::Text(Anchor::Within, sought(node, place)?)),
            "$startsWith" => at(Test::Text(Anchor::Start, text(node, place)?)),
            "$endsWith" => at(Test::Text(Anchor::End, text(node, place)?)),
            "$containsi" => at(Test::Folded(Anchor::Within, folded_text(node, place)?)),
            "$notContainsi" => not(Test::Folded(Anchor::Within, folded_text(node, place)?)),
            "$startsWithi" => at(Test::Folded(Anchor::Start, folded_text(node, place)?)),
            "$endsWithi" => at(Test::Folded(Anchor::End, folded_text(node, place)?)),
            "$null" => when(flag(node, place)?, at(Test::Null)),
            "$notNull" => when(!flag(node, place)?, at(Test::Null)),
            "$empty" => when(flag(node, place)?, at(Test::Empty)),
            "$notEmpty" => when(!flag(node, place)?, at(Test::Empty)),
            unknown => {
                let advice = advice(unknown);
                let unknown = short(unknown);
                return Err(refused(place, format!("there is no operator {unknown}; {advice}")));
            }
        })
    }

    fn several(&mut self, node: Node, path: &Path, place: &Trail<'_>, depth: usize) -> Result<Vec<Filter>> {
        let Node::Array(conditions) = node else {
            return Err(refused(place, "give an array of conditions"));
        };
        if conditions.is_empty() {
            return Err(refused(place, "it is empty; give at least one condition"));
        }
        let mut all = Vec::with_capacity(conditions.len());
        for (index, condition) in conditions.into_iter().enumerate() {
            let place = &Trail::Element(place, index);
            if !matches!(condition, Node::Object(_)) {
                return Err(refused(place, "it is no condition; give an object"));
            }
            all.push(self.condition(condition, path, place, depth + 1)?);
        }
        Ok(all)
    }
}

fn when(holds: bool, filter: Filter) -> Filter {
    if holds { filter } else { Filter::Not(Box::new(filter)) }
}

/// `profile.verified`, `items[0].price`.
pub fn path_of(name: &[u8]) -> Result<Path> {
    let refuse =
        || Error::invalid("it is no path; give one such as \"profile.verified\" or \"items[0].price\"");
    let mut path = Vec::new();
    for part in name.split(|byte| *byte == b'.') {
        let bracket = part.iter().position(|byte| *byte == b'[');
        let (member, mut rest) = part.split_at(bracket.unwrap_or(part.len()));
        if member.is_empty() && (path.is_empty() || rest.is_empty()) {
            return Err(refuse());
        }
        if !member.is_empty() {
            path.push(Step::Member(member.to_vec()));
        }
        while let Some(inner) = rest.strip_prefix(b"[") {
            let end = inner.iter().position(|byte| *byte == b']').ok_or_else(refuse)?;
            path.push(Step::Element(inner.get(..end).and_then(index_of).ok_or_else(refuse)?));
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            return Err(refuse());
        }
    }
    Ok(path)
}

fn index_of(digits: &[u8]) -> Option<usize> {
    let only_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| only_digits)?.parse().ok()
}

fn operand(node: Node, place: &Trail<'_>) -> Result<Operand> {
    match node {
        Node::Leaf(Operand::Value(Typed::Undefined)) => Err(undefined(place)),
        Node::Leaf(operand) => Ok(operand),
        node => value(node, place).map(Operand::Value),
    }
}

fn is_pattern(operand: &Operand) -> bool {
    matches!(operand, Operand::Value(value) if value.holds_regexp())
}

/// Refuses a RegExp: it would be compared with a stored RegExp, while nearly everybody wants matching
/// strings. Only with `$eq` and `$ne` is the comparison evident.
fn no_pattern(operand: Operand, place: &Trail<'_>) -> Result<Operand> {
    if is_pattern(&operand) { Err(pattern(place)) } else { Ok(operand) }
}

fn pattern(place: &Trail<'_>) -> Error {
    refused(
        place,
        format!(
            "a RegExp matches no text here, and {NO_PATTERNS}; an equal RegExp that is stored is found by $eq"
        ),
    )
}

/// The operand of `$contains`.
fn sought(node: Node, place: &Trail<'_>) -> Result<Typed<'static>> {
    let value = value(node, place)?;
    if value.holds_regexp() { Err(pattern(place)) } else { Ok(value) }
}

fn undefined(place: &Trail<'_>) -> Error {
    refused(place, "it is undefined; leave it out, or match absent values with { $null: true }")
}

/// A whole value: arrays and objects are compared as they are.
fn value(node: Node, place: &Trail<'_>) -> Result<Typed<'static>> {
    match node {
        Node::Leaf(Operand::Value(value)) => Ok(value),
        Node::Leaf(Operand::Now(_)) => {
            Err(refused(place, "kv.now() can be compared, but not be part of a value here"))
        }
        Node::Array(elements) => {
            elements.into_iter().map(|one| value(one, place)).collect::<Result<Vec<_>>>().map(Typed::Array)
        }
        Node::Object(members) => {
            let own = |(name, one): (Vec<u8>, Node)| Ok((name.into(), value(one, place)?));
            members.into_iter().map(own).collect::<Result<Vec<_>>>().map(Typed::Object)
        }
        Node::Damaged => Err(damaged()),
    }
}

fn ordered(node: Node, place: &Trail<'_>) -> Result<Operand> {
    let operand = operand(node, place)?;
    match &operand {
        Operand::Value(value) if !value.is_ordered() => {
            Err(refused(place, "it has no order; give a number, a bigint, a string, a Date or kv.now()"))
        }
        _ => Ok(operand),
    }
}

fn among(node: Node, place: &Trail<'_>) -> Result<OneOf> {
    let Node::Array(nodes) = node else {
        return Err(refused(place, "give an array of values"));
    };
    if nodes.len() > MAX_FILTER_CONDITIONS {
        return Err(Error::limit(nodes.len(), MAX_FILTER_CONDITIONS, "values").at(place));
    }
    let operands = nodes.into_iter().enumerate();
    let operands = operands.map(|(index, node)| {
        let place = &Trail::Element(place, index);
        no_pattern(operand(node, place)?, place)
    });
    operands.collect::<Result<_>>().map(OneOf::of)
}

fn between(node: Node, place: &Trail<'_>) -> Result<Test> {
    let Node::Array(nodes) = node else {
        return Err(refused(place, "give [from, to]"));
    };
    let mut bounds = nodes.into_iter();
    match (bounds.next(), bounds.next(), bounds.next()) {
        (Some(low), Some(high), None) => Ok(Test::Between(
            ordered(low, &Trail::Element(place, 0))?,
            ordered(high, &Trail::Element(place, 1))?,
        )),
        _ => Err(refused(place, "give [from, to]")),
    }
}

fn text(node: Node, place: &Trail<'_>) -> Result<Typed<'static>> {
    match node {
        Node::Leaf(Operand::Value(value @ Typed::String(_))) => Ok(value),
        _ => Err(refused(place, "give a string")),
    }
}

fn folded_text(node: Node, place: &Trail<'_>) -> Result<Vec<u8>> {
    match text(node, place)? {
        Typed::String(text) => Ok(folded(&text)),
        _ => Err(damaged()),
    }
}

fn flag(node: Node, place: &Trail<'_>) -> Result<bool> {
    match node {
        Node::Leaf(Operand::Value(Typed::Bool(flag))) => Ok(flag),
        _ => Err(refused(place, "give true or false")),
    }
}
