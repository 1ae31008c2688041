//! The objects of a file's schema, as SQLite notes them.

use std::collections::HashMap;

use crate::base::error::Result;
use crate::store::local::sqlite::Connection;
use crate::store::sql::object::Object;

/// The objects of a file, by name: triggers have names of their own.
pub struct Objects {
    triggers: HashMap<String, Object>,
    others: HashMap<String, Object>,
}

impl Objects {
    /// Those of a file, but for the indexes that belong to a table's own constraints.
    pub fn read(connection: &Connection) -> Result<Self> {
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query(&[])?;
        let mut found = Self { triggers: HashMap::new(), others: HashMap::new() };
        while rows.next()? {
            let [kind, name, table, sql] = [0, 1, 2, 3].map(|column| rows.text(column).map(str::to_string));
            let object = Object { kind: kind?, name: name?, table: table?, sql: sql? };
            found.of_kind(&object.kind).insert(object.name.clone(), object);
        }
        Ok(found)
    }

    fn of_kind(&mut self, kind: &str) -> &mut HashMap<String, Object> {
        if kind == "trigger" { &mut self.triggers } else { &mut self.others }
    }

    /// Takes out the one that has the name of another.
    pub fn take(&mut self, like: &Object) -> Option<Object> {
        self.of_kind(&like.kind).remove(&like.name)
    }

    /// Whether there is a table of a name.
    pub fn has_table(&self, name: &str) -> bool {
        self.others.get(name).is_some_and(|object| object.kind == "table")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.triggers.is_empty() && self.others.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.triggers.values().chain(self.others.values())
    }
}
