//! Bytes to types and back: keys, values, versionstamps, cursors. Imports nothing but limits and errors.

pub mod cursor;
pub mod graph;
pub mod json_text;
pub mod key;
pub mod key_json;
pub mod page;
pub mod stamp;
pub mod tags;
pub mod value;
