//! The local store: group commit, snapshots, time, durability, backups, and files that are moved or tampered
//! with.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod backup;
mod durability;
mod group;
mod kept_snapshot;
mod moved;
mod planted;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod undecided;
