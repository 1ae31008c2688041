//! The core of `@buntime/keyval`.
//!
//! Calls go one way; the only way back is the news of a commit:
//!
//! | module | what it is | may call |
//! |---|---|---|
//! | `binding` | Node-API glue: convert in, call, convert out; the only place that names napi | `kv`, `engine`, `store`, `codec`, `base` |
//! | [`kv`] | one open `Kv`: wiring; it alone chooses a store | `engine`, `store::local`, `store`, `base` |
//! | [`engine`] | what reads and commits mean on any store, a folder a capability | `store`, `codec`, `base` |
//! | [`store::local`] | an embedded file, or memory; the only place that names libsql | `store::sql`, `store`, `codec`, `base` |
//! | `store::sql` | the SQL that every store runs: schema, statements, what indexes are made of | `store`, `base` |
//! | [`store`] | the seam: traits, and rows, steps and notices as data | `base` |
//! | [`codec`] | keys, values, versionstamps, cursors as bytes and text | `base` |
//! | [`base`] | shared words: errors, limits, options, time | nothing |
//!
//! What the binding takes from `engine` and `store` is data: requests, writes, answers, notices. Some requests hold on to
//! what lives longer than they do: a watch, a follower, the names that are waited for, what an earlier page has found. The
//! binding hands it over with the next request, and does not look into it. A test compares this table with the sources
//! (`__test__/structure/calls.test.js`).

// A library says what it has to say by its results.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod base;
// Without Node there is nobody to call it: `#[napi]` exports nothing in unit tests.
#[cfg(all(feature = "node", not(test)))]
mod binding;
pub mod codec;
pub mod engine;
pub mod kv;
pub mod store;
