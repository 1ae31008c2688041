//! Definitions of indexes: from a user's arguments to the row of `kv_indexes`, and back.

use std::ops::Range;

use serde::Deserialize;

use super::filter::{self, Path, path_of};
use super::range::Selector;
use crate::base::error::{At, Error, Result, short};
use crate::base::limits::MAX_INDEX_FIELDS;
use crate::codec::key_json::json_string;
use crate::engine::answer::NamedIndex;
use crate::store::rows::index::{Definition, IndexKind, IndexRow, OrderedIndex, SearchIndex};

/// The name of a search index.
const SEARCH: &str = "search";

/// How text is divided into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// By Unicode's letters and digits, without case and accents.
    Unicode,
    /// The same, with English words reduced to their stems.
    Porter,
    /// By ASCII's letters and digits, without case.
    Ascii,
}

impl Tokenizer {
    /// Reads the option.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "unicode61" => Ok(Self::Unicode),
            "porter" => Ok(Self::Porter),
            "ascii" => Ok(Self::Ascii),
            _ => {
                let message = format!("{:?} is not one of \"unicode61\", \"porter\", \"ascii\"", short(text));
                Err(Error::invalid(message).at("tokenize"))
            }
        }
    }

    fn of_fts5(self) -> &'static str {
        match self {
            Self::Unicode => "unicode61",
            Self::Porter => "porter unicode61",
            Self::Ascii => "ascii",
        }
    }

    /// Whether a character separates typed words.
    pub fn is_blank(self, letter: char) -> bool {
        // To FTS5's `ascii` every other character is a letter, also a blank of Unicode.
        if self == Self::Ascii { letter.is_ascii_whitespace() } else { letter.is_whitespace() }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Unicode => "unicode61",
            Self::Porter => "porter",
            Self::Ascii => "ascii",
        }
    }
}

/// The index that a user asks for.
///
/// # Errors
/// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
pub fn search_index(prefix: Vec<u8>, fields: &[(String, Path)], tokenizer: Tokenizer) -> Result<SearchIndex> {
    check_fields(fields.len()).at("fields")?;
    let names: Vec<String> = fields.iter().map(|(name, _)| json_string(name)).collect();
    Ok(SearchIndex {
        range: Selector { prefix: Some(prefix.clone()), ..Selector::default() }.range()?,
        prefix,
        paths: fields.iter().map(|(name, path)| json_path(name, path)).collect::<Result<_>>().at("fields")?,
        tokenizer: tokenizer.of_fts5(),
        spec: format!("{{\"fields\":[{}],\"tokenize\":\"{}\"}}", names.join(","), tokenizer.name()),
    })
}

/// Refuses an index of no field, or of too many.
///
/// # Errors
/// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
fn check_fields(count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::invalid("it is empty; give at least one path, such as \"title\""));
    }
    if count > MAX_INDEX_FIELDS {
        return Err(Error::limit(count, MAX_INDEX_FIELDS, "fields"));
    }
    Ok(())
}

/// A path in SQLite's form: `$."profile"."name"`.
///
/// # Errors
/// `INVALID_ARGUMENT`.
fn json_path(name: &str, path: &Path) -> Result<String> {
    let mut text = String::from("$");
    for step in path {
        match step {
            filter::Step::Element(index) => text.push_str(&format!("[{index}]")),
            filter::Step::Member(member) => {
                let plain = std::str::from_utf8(member).ok();
                // SQLite's paths have no way to write a quotation mark.
                let plain = plain.filter(|member| !member.contains(['"', '\\', '\0'])).ok_or_else(|| {
                    let message =
                        "a field with a quotation mark, a backslash or a NUL in it cannot be indexed";
                    Error::invalid(format!("{:?}: {message}", short(name)))
                })?;
                text.push_str(&format!(".\"{plain}\""));
            }
        }
    }
    Ok(text)
}

/// `search`, or the fields of an ordered index; no two indexes of a prefix have the same.
#[must_use]
pub fn name_of(index: &IndexRow) -> String {
    let written =
        |field: String| if field.contains(',') || field == SEARCH { json_string(&field) } else { field };
    match (index.kind, serde_json::from_str::<OrderedSpec>(&index.spec)) {
        (IndexKind::Ordered, Ok(spec)) => spec.on.into_iter().map(written).collect::<Vec<_>>().join(","),
        _ => SEARCH.into(),
    }
}

/// An index with its name.
#[must_use]
pub fn named(row: IndexRow) -> NamedIndex {
    NamedIndex { name: name_of(&row), row }
}

/// The error of an index whose definition cannot be read.
#[must_use]
pub fn corrupt_index() -> Error {
    Error::corrupt("an index in kv_indexes is damaged; remove it and create it again")
}

#[derive(Deserialize)]
struct SearchSpec {
    fields: Vec<String>,
    tokenize: String,
}

/// The definition of an index, from its row.
///
/// # Errors
/// `CORRUPT`.
pub fn definition_of(row: &IndexRow) -> Result<Definition> {
    if row.kind == IndexKind::Ordered {
        return ordered_definition_of(row).map(|(_, index)| Definition::Ordered(index));
    }
    let spec: SearchSpec = serde_json::from_str(&row.spec).map_err(|_| corrupt_index())?;
    let tokenizer = Tokenizer::parse(&spec.tokenize).map_err(|_| corrupt_index())?;
    let fields = spec.fields.into_iter().map(|name| {
        let path = path_of(name.as_bytes())?;
        Ok((name, path))
    });
    search_index(row.prefix.clone(), &fields.collect::<Result<Vec<_>>>()?, tokenizer).map(Definition::Search)
}

/// The tokenizer of an index.
///
/// # Errors
/// `CORRUPT`.
pub fn tokenizer_of(index: &IndexRow) -> Result<Tokenizer> {
    let spec: SearchSpec = serde_json::from_str(&index.spec).map_err(|_| corrupt_index())?;
    Tokenizer::parse(&spec.tokenize).map_err(|_| corrupt_index())
}

/// The stored JSON of an ordered index.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderedSpec {
    /// The paths of its fields.
    pub on: Vec<String>,
    /// No two entries may have the same values.
    #[serde(default)]
    pub unique: bool,
}

/// The index that a user asks for.
///
/// # Errors
/// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
pub fn ordered_index(
    prefix: Vec<u8>,
    range: Range<Vec<u8>>,
    on: &[(String, Path)],
    unique: bool,
) -> Result<OrderedIndex> {
    check_fields(on.len()).at("on")?;
    let names: Vec<&str> = on.iter().map(|(name, _)| name.as_str()).collect();
    let names = serde_json::to_string(&names).unwrap_or_default();
    Ok(OrderedIndex {
        prefix,
        range,
        paths: on.iter().map(|(name, path)| json_path(name, path)).collect::<Result<_>>().at("on")?,
        unique,
        spec: format!("{{\"on\":{names},\"unique\":{unique}}}"),
    })
}

/// The definition of a stored ordered index.
///
/// # Errors
/// `CORRUPT`.
pub fn ordered_definition_of(row: &IndexRow) -> Result<(OrderedSpec, OrderedIndex)> {
    let spec: OrderedSpec = serde_json::from_str(&row.spec).map_err(|_| corrupt_index())?;
    let fields = spec
        .on
        .iter()
        .map(|name| Ok((name.clone(), path_of(name.as_bytes())?)))
        .collect::<Result<Vec<_>>>()?;
    let range = Selector { prefix: Some(row.prefix.clone()), ..Default::default() }.range()?;
    let index = ordered_index(row.prefix.clone(), range, &fields, spec.unique)?;
    Ok((spec, index))
}
