//! Search indexes: made, listed, removed. They hold the words in some fields under a prefix.

use std::borrow::Cow;

use serde::Deserialize;

use super::filter;
use super::filter::{Path, path_of};
use super::plan::{OrderedSpec, definition_of};
use crate::base::error::{Code, Error, Result, short};
use crate::base::limits::MAX_INDEX_FIELDS;
use crate::codec::key_json;
use crate::engine::answer::Answer;
use crate::engine::queue::deliver::quoted;
use crate::engine::range::Selector;
use crate::engine::write::Ending;
use crate::store::rows::index::{Definition, IndexKind, IndexRow, OrderedIndex, SearchIndex};
use crate::store::{Batch, ReadTxn, Step};

/// The name of a search index.
const SEARCH: &str = "search";

/// How text becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// By Unicode's letters and digits, without case and accents.
    Unicode,
    /// The same, and English words by their stem.
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
            _ => Err(Error::invalid(format!(
                "tokenize: {:?} is not one of \"unicode61\", \"porter\", \"ascii\"",
                short(text)
            ))),
        }
    }

    fn of_fts5(self) -> &'static str {
        match self {
            Self::Unicode => "unicode61",
            Self::Porter => "porter unicode61",
            Self::Ascii => "ascii",
        }
    }

    /// Whether it parts words, of those that are typed.
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
    check_fields("fields", fields.len())?;
    let names: Vec<String> = fields.iter().map(|(name, _)| quoted(name)).collect();
    Ok(SearchIndex {
        range: Selector { prefix: Some(prefix.clone()), ..Selector::default() }.range()?,
        prefix,
        paths: fields.iter().map(|(name, path)| json_path("fields", name, path)).collect::<Result<_>>()?,
        tokenizer: tokenizer.of_fts5(),
        spec: format!("{{\"fields\":[{}],\"tokenize\":\"{}\"}}", names.join(","), tokenizer.name()),
    })
}

/// Refuses an index of no field, or of too many.
///
/// # Errors
/// `INVALID_ARGUMENT`, `LIMIT_EXCEEDED`.
pub fn check_fields(argument: &str, count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::invalid(format!(
            "{argument}: it is empty; give at least one path, such as \"title\""
        )));
    }
    if count > MAX_INDEX_FIELDS {
        return Err(Error::limit(argument, count, MAX_INDEX_FIELDS, "fields"));
    }
    Ok(())
}

/// A path as SQLite has it: `$."profile"."name"`.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn json_path(argument: &str, name: &str, path: &Path) -> Result<String> {
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
                    Error::invalid(format!("{argument}: {:?}: {message}", short(name)))
                })?;
                text.push_str(&format!(".\"{plain}\""));
            }
        }
    }
    Ok(text)
}

/// Makes a search index, in place of the one that its prefix has. The same one is left as it stands.
///
/// # Errors
/// Those of the store.
pub fn create<'a>(seen: &mut dyn ReadTxn, batch: &mut Batch<'a>, index: &'a SearchIndex) -> Result<Ending> {
    for old in seen.indexes()? {
        if old.kind == IndexKind::Search && old.prefix == index.prefix {
            if old.spec == index.spec && seen.stands(old.id, &Definition::Search(index.clone()))? {
                return Ok(Ending::json("null"));
            }
            batch.push(Step::DropIndex(old));
        }
    }
    batch.push(Step::CreateSearchIndex(index));
    Ok(Ending::json("null"))
}

/// Makes an ordered index, in place of one on the same fields. The same one is left as it stands.
///
/// # Errors
/// `CONFLICT` if it is unique and two entries have the same values, those of the store.
pub fn create_ordered<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    index: &'a OrderedIndex,
) -> Result<Ending> {
    for old in seen.indexes()? {
        let same = old.kind == IndexKind::Ordered && old.prefix == index.prefix;
        if same && definition_of(&old)?.1.paths == index.paths {
            if old.spec == index.spec && seen.stands(old.id, &Definition::Ordered(index.clone()))? {
                return Ok(Ending::json("null"));
            }
            batch.push(Step::DropIndex(old));
        }
    }
    if index.unique {
        // What has expired is absent, and must not be in the way.
        batch.push(Step::SweepRange(Cow::Borrowed(&index.range)));
    }
    batch.push(Step::CreateOrderedIndex(index));
    Ok(Ending::json("null"))
}

/// The error of a unique index that cannot be made.
#[must_use]
pub fn not_unique() -> Error {
    let message = "on: two entries under the prefix have the same values; no unique index can be made";
    Error::new(Code::Conflict, message)
}

/// Removes the indexes of a prefix, or the one of a name; tells how many there were.
///
/// # Errors
/// Those of the store.
pub fn remove(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'_>,
    prefix: &[u8],
    name: Option<&str>,
) -> Result<Ending> {
    let mut count = 0;
    for index in seen.indexes()?.into_iter().filter(|index| index.prefix == prefix) {
        if name.is_none_or(|name| name == name_of(&index)) {
            batch.push(Step::DropIndex(index));
            count += 1;
        }
    }
    Ok(Ending::Known(Answer::Count(count)))
}

/// `search`, or the fields of an ordered index; no two indexes of a prefix have the same.
#[must_use]
pub fn name_of(index: &IndexRow) -> String {
    let written = |field: String| if field.contains(',') || field == SEARCH { quoted(&field) } else { field };
    match (index.kind, serde_json::from_str::<OrderedSpec>(&index.spec)) {
        (IndexKind::Ordered, Ok(spec)) => spec.on.into_iter().map(written).collect::<Vec<_>>().join(","),
        _ => SEARCH.into(),
    }
}

/// An index as it is told: `[prefix,name,kind,spec,created]`.
///
/// # Errors
/// `CORRUPT` if its prefix is damaged.
pub fn told(index: &IndexRow) -> Result<String> {
    let mut prefix = Vec::new();
    key_json::write(&index.prefix, &mut prefix)?;
    let prefix = String::from_utf8_lossy(&prefix);
    let kind = if index.kind == IndexKind::Ordered { "ordered" } else { "search" };
    let (name, IndexRow { spec, created_at, .. }) = (quoted(&name_of(index)), index);
    Ok(format!("[{prefix},{name},\"{kind}\",{spec},{created_at}]"))
}

/// All indexes, as they are told.
///
/// # Errors
/// Those of the store.
pub fn list(txn: &mut dyn ReadTxn) -> Result<Answer> {
    let all = txn.indexes()?.iter().map(told).collect::<Result<Vec<_>>>()?;
    Ok(Answer::json(format!("[{}]", all.join(","))))
}

/// The error of an index whose definition cannot be read.
#[must_use]
pub fn damaged() -> Error {
    Error::corrupt("an index in kv_indexes is damaged; remove it and make it anew")
}

#[derive(Deserialize)]
struct SearchSpec {
    fields: Vec<String>,
    tokenize: String,
}

/// What an index is, by its row.
///
/// # Errors
/// `CORRUPT`.
pub fn definition(row: &IndexRow) -> Result<Definition> {
    if row.kind == IndexKind::Ordered {
        return definition_of(row).map(|(_, index)| Definition::Ordered(index));
    }
    let spec: SearchSpec = serde_json::from_str(&row.spec).map_err(|_| damaged())?;
    let tokenizer = Tokenizer::parse(&spec.tokenize).map_err(|_| damaged())?;
    let fields = spec.fields.into_iter().map(|name| {
        let path = path_of(name.as_bytes(), "fields")?;
        Ok((name, path))
    });
    search_index(row.prefix.clone(), &fields.collect::<Result<Vec<_>>>()?, tokenizer).map(Definition::Search)
}

/// How an index makes words.
///
/// # Errors
/// `CORRUPT`.
pub fn tokenizer_of(index: &IndexRow) -> Result<Tokenizer> {
    let spec: SearchSpec = serde_json::from_str(&index.spec).map_err(|_| damaged())?;
    Tokenizer::parse(&spec.tokenize).map_err(|_| damaged())
}
