//! The engine, on a local store: what is answered on the calling thread, what watches and waiting cost, what
//! becomes of the messages of a `Kv` that goes; and on one that answers late.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod awaited;
mod dropped_kv;
mod inline;
mod late_store;
mod queue_model;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod watch;
