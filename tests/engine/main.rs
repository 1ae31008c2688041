//! The engine, on a local store: reads on the calling thread, the cost of watches and of waiting, the
//! messages of a dropped `Kv`; and on a store that answers late.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod awaited;
mod dropped_kv;
mod inline;
mod late_store;
mod queue_model;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod wakes;
mod watch;
