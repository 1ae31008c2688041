//! The core of `@buntime/keyval`.
//!
//! Calls go one way; the only way back is the news of a commit:
//!
//! | module | what it is | may call |
//! |---|---|---|
//! | `binding` | Node-API glue: convert in, call, convert out | `kv` |
//! | [`kv`] | the core's face: what one open `Kv` can do | `engine` |
//! | [`engine`] | what reads and commits mean, a folder a capability | `store` |
//! | [`store`] | where the data is; the only place that names libsql | libsql |
//! | [`codec`] | keys, values, versionstamps, cursors as bytes and text | `base` |
//! | [`base`] | shared words: errors, limits, options, time | nothing above them |

pub mod base;
// Without Node there is nobody to call it: `#[napi]` exports nothing in unit tests.
#[cfg(all(feature = "node", not(test)))]
mod binding;
pub mod codec;
pub mod engine;
pub mod kv;
pub mod store;
