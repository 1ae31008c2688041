//! The core of `@buntime/keyval`.
//!
//! Calls go one way; the only way back is the notice of a commit:
//!
//! | module | what it is | may call |
//! |---|---|---|
//! | `binding` | Node-API glue; it alone names napi | `kv`, `engine`, `store`, `codec`, `base` |
//! | [`kv`] | one open `Kv`: wiring; it alone chooses a store | `engine`, `store::local`, `store`, `base` |
//! | [`engine`] | the meaning of reads and commits on any store | `store`, `codec`, `base` |
//! | [`store::local`] | a file or memory; it alone names libsql | `store::sql`, `store`, `codec`, `base` |
//! | `store::sql` | the SQL that every store runs: schema, statements, indexes | `store`, `base` |
//! | [`store`] | the seam: traits; rows, steps and notices as data | `base` |
//! | [`codec`] | keys, values, versionstamps, cursors as bytes and text | `base` |
//! | [`base`] | shared words: errors, limits, options, time | nothing |
//!
//! The binding takes only data from `engine` and `store`: requests, writes, answers, notices. Some requests
//! refer to state that outlives them: a watch, a follower, the awaited names, the hits of an earlier page.
//! The binding passes it on with the next request, and does not look into it. A test compares this table with
//! the sources (`__test__/structure/calls.test.js`).

// A library reports through its results alone.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod base;
// Without Node there is nobody to call it: `#[napi]` exports nothing in unit tests.
#[cfg(all(feature = "node", not(test)))]
mod binding;
pub mod codec;
pub mod engine;
pub mod kv;
pub mod store;
