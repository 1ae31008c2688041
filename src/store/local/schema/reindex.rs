//! Indexes that no longer agree with their tables, built again from what the tables hold.

use super::objects::Objects;
use crate::base::error::{Code, Result};
use crate::store::local::sqlite::{Connection, INDEX_IS_DAMAGED, error_of};

/// Builds the indexes of our tables again, in the open transaction. Those of primary keys are left: SQLite
/// finds a row by them, and a key that was damaged in its row is still right there.
///
/// # Errors
/// `CORRUPT` if rows are damaged so that they share what must be unique; those of SQLite.
pub fn rebuild_indexes(connection: &Connection) -> Result<()> {
    let objects = Objects::read(connection)?;
    for index in objects.iter().filter(|object| object.kind == "index" && object.table.starts_with("kv_")) {
        connection.execute(&format!("REINDEX {}", index.name)).map_err(|error| match error.code {
            Code::Conflict => error_of(INDEX_IS_DAMAGED, "rows share what must be unique"),
            _ => error,
        })?;
    }
    Ok(())
}
