//! Statements of `kv_indexes`, and what an index adds to the schema.

use super::object::Object;
use super::{ordered_index, search_index};
use crate::store::rows::index::Definition;

/// The kind of an ordered index in `kv_indexes`.
pub const ORDERED: &str = "ordered";

pub const INDEXES: &str = "SELECT id, prefix, spec, created_at, kind FROM kv_indexes ORDER BY id";

pub const INSERT_INDEX: &str =
    "INSERT INTO kv_indexes (id, prefix, kind, spec, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";

pub const REMOVE_INDEX: &str = "DELETE FROM kv_indexes WHERE id = ?1";

/// The schema objects of an index.
#[must_use]
pub fn objects_of(id: i64, index: &Definition) -> Vec<Object> {
    match index {
        Definition::Ordered(index) => ordered_index::objects(id, index),
        Definition::Search(index) => search_index::objects(id, index),
    }
}
