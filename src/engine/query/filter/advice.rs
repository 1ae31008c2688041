//! The names of the operators, and advice about unknown names.

use std::cmp::Reverse;

use crate::base::error::short;

/// All operators.
pub(super) const OPERATORS: [&str; 24] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$between",
    "$in",
    "$nin",
    "$contains",
    "$notContains",
    "$startsWith",
    "$endsWith",
    "$containsi",
    "$notContainsi",
    "$startsWithi",
    "$endsWithi",
    "$null",
    "$empty",
    "$notEmpty",
    "$and",
    "$or",
    "$not",
    "$notNull",
];

pub(super) const NO_PATTERNS: &str =
    "patterns are not supported: use $startsWith, $contains or $endsWith, or kv.search for words";
const NO_CODE: &str = "no code is run in a filter: read the entries, and look at them there";
const NO_PLACES: &str = "places on a map are not compared: filter by ranges of numbers with $between";
const NO_WORDS: &str = "words are found by kv.search";
const EACH_OF_THEM: &str = "give one { $contains: value } for each value, within $and";
const ANY_OF_THEM: &str = "give one { $contains: value } for each value, within $or";
const NOT_NULL: &str = "$null: true matches what is null or absent, $notNull: true all others";
const NO_SIZE: &str = "$empty: true matches what has no elements; no other size is asked for";
const NO_ELEMENT: &str = "name an element by its place, as in \"items[0].price\"";
/// Operators of other databases in lower case, and their equivalents here.
const INSTEAD: [(&str, &str); 51] = [
    ("$regex", NO_PATTERNS),
    ("$regexp", NO_PATTERNS),
    ("$iregexp", NO_PATTERNS),
    ("$options", NO_PATTERNS),
    ("$match", NO_PATTERNS),
    ("$matches", NO_PATTERNS),
    ("$pattern", NO_PATTERNS),
    ("$like", NO_PATTERNS),
    ("$ilike", NO_PATTERNS),
    ("$notlike", NO_PATTERNS),
    ("$notilike", NO_PATTERNS),
    ("$rlike", NO_PATTERNS),
    ("$similar", NO_PATTERNS),
    ("$glob", NO_PATTERNS),
    ("$where", NO_CODE),
    ("$expr", NO_CODE),
    ("$function", NO_CODE),
    ("$mod", NO_CODE),
    (
        "$type",
        "a filter does not ask for types: $gte: \"\" matches all strings, $gte: -Infinity all numbers and dates",
    ),
    ("$jsonschema", "the schema of a kv.collection checks values when they are written"),
    ("$near", NO_PLACES),
    ("$nearsphere", NO_PLACES),
    ("$geowithin", NO_PLACES),
    ("$geointersects", NO_PLACES),
    ("$within", NO_PLACES),
    ("$text", NO_WORDS),
    ("$search", NO_WORDS),
    ("$all", EACH_OF_THEM),
    ("$hasevery", EACH_OF_THEM),
    ("$any", ANY_OF_THEM),
    ("$hassome", ANY_OF_THEM),
    ("$overlap", ANY_OF_THEM),
    ("$exists", NOT_NULL),
    ("$isset", NOT_NULL),
    ("$nor", "use $not"),
    ("$size", NO_SIZE),
    ("$length", NO_SIZE),
    ("$elemmatch", NO_ELEMENT),
    ("$some", NO_ELEMENT),
    ("$every", NO_ELEMENT),
    ("$none", NO_ELEMENT),
    ("$is", "use $eq"),
    ("$equals", "use $eq"),
    ("$notequals", "use $ne"),
    ("$notin", "use $nin"),
    ("$has", "use $contains"),
    ("$includes", "use $contains"),
    ("$substring", "use $contains"),
    ("$before", "use $lt"),
    ("$after", "use $gt"),
    ("$range", "use $between"),
];

/// The advice for an operator that does not exist.
pub(super) fn advice(unknown: &str) -> String {
    let small = unknown.to_lowercase();
    if let Some((_, advice)) = INSTEAD.iter().find(|(name, _)| *name == small) {
        return (*advice).into();
    }
    if small.starts_with("$bits") {
        return NO_CODE.into();
    }
    match nearest(&short(unknown)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the operators are {}", OPERATORS.join(", ")),
    }
}

/// The operator with the most similar name, if it is a typing error away: one letter of a short name, two of
/// a longer one. Of several, the one with the longest common beginning.
fn nearest(unknown: &str) -> Option<&'static str> {
    let alike = |known: &str| unknown.bytes().zip(known.bytes()).take_while(|(one, two)| one == two).count();
    let slip = if unknown.chars().count() > SHORT_NAME_CHARS { 2 } else { 1 };
    let near = OPERATORS.into_iter().map(|known| (distance(unknown, known), Reverse(alike(known)), known));
    near.filter(|(distance, ..)| *distance <= slip)
        .min_by_key(|(distance, alike, _)| (*distance, *alike))
        .map(|(.., known)| known)
}

/// With its `$`.
const SHORT_NAME_CHARS: usize = 5;

/// The number of letters to change, add or remove.
fn distance(one: &str, two: &str) -> usize {
    let mut row: Vec<usize> = (0..=two.chars().count()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = at;
        let mut last = at + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(two.chars()) {
            let changed = before + usize::from(letter.to_lowercase().ne(other.to_lowercase()));
            before = *cell;
            last = changed.min(last + 1).min(*cell + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
