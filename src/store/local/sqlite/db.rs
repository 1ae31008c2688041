//! A connection that keeps its statements prepared.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Connection, Statement};
use crate::base::error::{Error, Result};
use crate::store::sql::{STATEMENTS, Sql};

/// Opens the connection that is read from.
pub type Connect = Box<dyn Fn(Wait) -> Result<Arc<Mutex<Db>>> + Send>;

/// Whether a connection that is opened waits for other processes, up to the busy timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It does.
    BusyTimeout,
    /// It does not: `BUSY`.
    Never,
}

/// Statements that are made for indexes and stay prepared.
const MADE: usize = 16;

/// A connection with its prepared statements.
#[derive(Debug)]
pub struct Db {
    statements: [Option<Statement>; STATEMENTS],
    /// Statements that are made for an index, the one that was used last at the end.
    made: Vec<(String, Statement)>,
    /// The connection; it closes after its statements.
    pub connection: Connection,
}

impl AsRef<Connection> for Db {
    fn as_ref(&self) -> &Connection {
        &self.connection
    }
}

impl Db {
    /// Prepares nothing yet.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { statements: [const { None }; STATEMENTS], made: Vec::new(), connection }
    }

    /// A statement, prepared when it is first used.
    pub fn statement(&mut self, sql: Sql) -> Result<&mut Statement> {
        let slot =
            self.statements.get_mut(sql as usize).ok_or_else(|| Error::corrupt("no such statement"))?;
        if slot.is_none() {
            *slot = Some(self.connection.prepare(sql.text())?);
        }
        slot.as_mut().ok_or_else(|| Error::corrupt("no such statement"))
    }

    /// A statement that is made for an index: the last ones stay prepared.
    pub fn made(&mut self, sql: String) -> Result<&mut Statement> {
        let known = self.made.iter().position(|(text, _)| *text == sql);
        let one = match known {
            Some(place) => self.made.remove(place),
            None => {
                let statement = self.connection.prepare(&sql)?;
                (sql, statement)
            }
        };
        if self.made.len() >= MADE {
            self.made.remove(0);
        }
        self.made.push(one);
        let last = self.made.last_mut().map(|(_, statement)| statement);
        last.ok_or_else(|| Error::corrupt("no such statement"))
    }

    /// Ends a transaction that is still open because its end failed; else nothing is to be done.
    ///
    /// # Errors
    /// Those of SQLite; then the connection cannot be used.
    pub fn end_stray_transaction(&mut self) -> Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.run(Sql::Rollback) }
    }

    /// Reads something, so that the write-ahead log and its index are open.
    pub fn open_log(&mut self) -> Result<()> {
        self.run(Sql::DataVersion)?;
        self.connection.find_commit_mark();
        Ok(())
    }

    /// Runs a statement without parameters and rows.
    pub fn run(&mut self, sql: Sql) -> Result<()> {
        self.statement(sql)?.run(&[])
    }
}
