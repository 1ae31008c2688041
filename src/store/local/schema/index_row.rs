//! A row of `kv_indexes`.

use crate::base::error::Result;
use crate::store::local::sqlite::Rows;
use crate::store::rows::index::{IndexKind, IndexRow};
use crate::store::sql::indexes::ORDERED;

/// An index, as `Sql::Indexes` gives it.
pub fn row_of(rows: &Rows<'_>) -> Result<IndexRow> {
    Ok(IndexRow {
        id: rows.int(0),
        prefix: rows.blob(1).to_vec(),
        kind: if rows.text(4)? == ORDERED { IndexKind::Ordered } else { IndexKind::Search },
        spec: rows.text(2)?.to_string(),
        created_at: rows.int(3),
    })
}
