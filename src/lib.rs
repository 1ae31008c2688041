//! The core of `@buntime/keyval`.
//!
//! Calls go one way; the only way back is the news of a commit:
//!
//! | module | what it is | may call |
//! |---|---|---|
//! | `binding` | Node-API glue: convert in, call, convert out | `kv` |
//! | [`kv`] | the core's face: what one open `Kv` can do | `engine` |
//! | [`engine`] | what reads and commits mean, a file a capability | `store` |
//! | [`store`] | where the data is; the only place that names libsql | libsql |
//! | [`codec`], [`config`], [`limits`], [`error`], [`clock`], [`duration`], [`metrics`] | shared words | nothing above them |

// Without Node there is nobody to call it: `#[napi]` exports nothing in unit tests.
#[cfg(all(feature = "node", not(test)))]
mod binding;
pub mod clock;
pub mod codec;
pub mod config;
pub mod duration;
pub mod engine;
pub mod error;
pub mod kv;
pub mod limits;
pub mod metrics;
pub mod store;
