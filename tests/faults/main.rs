//! Statements that are made to fail, and panics: all is done or nothing, and the caller is told which.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod groups;
mod panics;
mod queues_and_leases;
mod search;
mod statements;
#[path = "../support/mod.rs"]
mod support;
