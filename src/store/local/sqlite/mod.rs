//! SQLite's C interface, as libsql exports it, with persistent statements: measured at two thirds of the cost
//! of libsql's own `Statement`. All `unsafe` of the store is here and in the parts below it.
//!
//! Invariants: a connection is used by one thread at a time (it is `Send`, not `Sync`, and opened without
//! SQLite's mutex); bound bytes outlive the step that reads them (`Rows` borrows them); column bytes are read
//! before the next step (their borrow ends there).

mod busy;
mod checkpoint;
pub mod commit_mark;
mod connection;
mod copy;
mod db;
mod deadline;
mod descriptors;
mod error;
mod files;
mod last_error;
mod mend;
mod statement;
mod vfs;

pub use connection::Connection;
pub use copy::PageCopy;
pub use db::{Connect, Db, Wait};
pub use descriptors::{NO_DESCRIPTOR, is_lack as is_lack_of_descriptors};
pub use error::{INDEX_IS_DAMAGED, error_of, may_fail};
pub use mend::{Announced, Doubt};
pub use statement::{Param, Rows, Statement};
pub use vfs::NoSleep;
