//! An object of a schema: a table, an index, a trigger or a view.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// `table`, `index`, `trigger` or `view`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table that it is, or is on.
    pub table: String,
    /// The statement that makes it.
    pub sql: String,
}

impl Object {
    /// One that a statement of ours makes.
    pub fn new(kind: &str, name: &str, sql: String) -> Self {
        Self { kind: kind.into(), name: name.into(), table: String::new(), sql }
    }

    /// Whether it was made by the same statement. SQLite keeps a statement as it was written, blanks and all.
    pub fn is_made_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.sql.split_ascii_whitespace().eq(other.sql.split_ascii_whitespace())
    }

    /// As a message names it.
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}
