//! Failing statements, and panics: an operation is done wholly or not at all, and its answer says which.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod groups;
mod panics;
mod queues_and_leases;
mod search;
mod statements;
#[path = "../support/mod.rs"]
mod support;
