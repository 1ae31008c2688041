//! Creates, lists and removes indexes. A search index holds the words of some fields under a prefix.

use std::borrow::Cow;

use super::definition::ordered_definition_of;
use super::definition::{name_of, named};
use crate::base::error::{Code, Error, Result};
use crate::engine::answer::{Answer, Ending};
use crate::store::rows::index::{Definition, IndexKind, IndexRow, OrderedIndex, SearchIndex};
use crate::store::{Batch, ReadTxn, Step};

/// Makes a search index, replacing the one of its prefix. An identical index is left unchanged.
pub fn create<'a>(seen: &mut dyn ReadTxn, batch: &mut Batch<'a>, index: &'a SearchIndex) -> Result<Ending> {
    let indexes = seen.indexes()?;
    let id = next_id(&indexes)?;
    for old in indexes {
        if old.kind == IndexKind::Search && old.prefix == index.prefix {
            if old.spec == index.spec && seen.is_intact(old.id, &Definition::Search(index.clone()))? {
                return Ok(Ending::Known(Answer::Done));
            }
            batch.push(Step::RemoveIndex(old));
        }
    }
    batch.push(Step::CreateSearchIndex(id, index));
    Ok(Ending::Known(Answer::Done))
}

/// Makes an ordered index, replacing one on the same fields. An identical index is left unchanged.
///
/// # Errors
/// `CONFLICT` if it is unique and two entries have the same values, those of the store.
pub fn create_ordered<'a>(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'a>,
    index: &'a OrderedIndex,
) -> Result<Ending> {
    let indexes = seen.indexes()?;
    let id = next_id(&indexes)?;
    for old in indexes {
        let same = old.kind == IndexKind::Ordered && old.prefix == index.prefix;
        if same && ordered_definition_of(&old)?.1.paths == index.paths {
            if old.spec == index.spec && seen.is_intact(old.id, &Definition::Ordered(index.clone()))? {
                return Ok(Ending::Known(Answer::Done));
            }
            batch.push(Step::RemoveIndex(old));
        }
    }
    if index.unique {
        // Expired entries are absent, and must not cause a conflict.
        batch.push(Step::SweepRange(Cow::Borrowed(&index.range)));
    }
    batch.push(Step::CreateOrderedIndex(id, index));
    Ok(Ending::Known(Answer::Done))
}

/// The number of a new index. It is part of the names of the index's tables, so that a store knows all of its
/// SQL before it begins.
fn next_id(indexes: &[IndexRow]) -> Result<i64> {
    let last = indexes.iter().map(|index| index.id).max().unwrap_or(0);
    last.checked_add(1)
        .ok_or_else(|| Error::corrupt("an index in kv_indexes has the largest number that is possible"))
}

/// The error of a unique index that cannot be made.
#[must_use]
pub fn not_unique() -> Error {
    let message = "two entries under the prefix have the same values; no unique index can be made";
    Error::new(Code::Conflict, message).at("on")
}

/// Removes the indexes of a prefix, or one of them by name; returns their number.
pub fn remove(
    seen: &mut dyn ReadTxn,
    batch: &mut Batch<'_>,
    prefix: &[u8],
    name: Option<&str>,
) -> Result<Ending> {
    let mut count = 0;
    for index in seen.indexes()?.into_iter().filter(|index| index.prefix == prefix) {
        if name.is_none_or(|name| name == name_of(&index)) {
            batch.push(Step::RemoveIndex(index));
            count += 1;
        }
    }
    Ok(Ending::Known(Answer::Count(count)))
}

/// All indexes.
pub fn list(txn: &mut dyn ReadTxn) -> Result<Answer> {
    Ok(Answer::Indexes(txn.indexes()?.into_iter().map(named).collect()))
}
