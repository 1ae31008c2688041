//! Functions that need no open `Kv`.

use std::sync::atomic::AtomicU8;

use napi::Env;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use super::handle::CodeName;
use super::results::text::{Text, thrown};
use super::values::convert;
use super::values::convert::one_key;
use super::values::raw::Raw;
use crate::base::error::At;
use crate::codec::{cursor, key, key_json};

/// The cursor that continues after an entry.
#[napi(catch_unwind)]
pub fn cursor_after(env: Env, key: Raw, reverse: bool) -> napi::Result<String, CodeName> {
    Ok(cursor::encode(&one_key(env, key).map_err(thrown)?, reverse))
}

/// The encoding of a key.
#[napi(catch_unwind)]
pub fn encode_key(env: Env, key: Raw) -> napi::Result<Uint8Array, CodeName> {
    one_key(env, key).map(Uint8Array::from).map_err(thrown)
}

/// The JSON text of an encoded key.
#[napi(catch_unwind)]
pub fn decode_key(bytes: Uint8Array) -> napi::Result<Text, CodeName> {
    let mut out = Vec::new();
    key::decode(&bytes).and_then(|_| key_json::write(&bytes, &mut out)).map_err(thrown)?;
    Ok(Text(out))
}

/// Milliseconds of a duration.
#[napi(catch_unwind)]
#[allow(clippy::cast_precision_loss)]
pub fn duration_ms(env: Env, value: Raw, name: String) -> napi::Result<f64, CodeName> {
    convert::needed_duration(env, value).map(|ms| ms as f64).at(name).map_err(thrown)
}

/// Milliseconds of a time to live; `name` is its name in errors.
#[napi(catch_unwind)]
#[allow(clippy::cast_precision_loss)]
pub fn time_to_live_ms(env: Env, value: Raw, name: String) -> napi::Result<Option<f64>, CodeName> {
    convert::time_to_live(env, value).map(|ms| ms.map(|ms| ms as f64)).at(name).map_err(thrown)
}

/// Refuses an invalid prefix of keys.
#[napi(catch_unwind)]
pub fn check_prefix(env: Env, prefix: Raw) -> napi::Result<(), CodeName> {
    convert::prefix(env, prefix, &mut Vec::new()).map(drop).at("prefix").map_err(thrown)
}

/// A new UUIDv7.
#[napi(catch_unwind)]
pub fn uuidv7() -> String {
    crate::base::clock::new_id().to_string()
}

/// Identifies the file of a URL, if it exists, without opening it. `name` is the argument's name in errors.
#[napi(catch_unwind)]
pub fn file_id(env: Env, url: Raw, name: String) -> napi::Result<Option<String>, CodeName> {
    convert::text(env, url).and_then(|url| crate::kv::file_id(&url)).at(name).map_err(thrown)
}

/// Identifies this loaded copy of the addon: every copy has its own statics.
#[napi(catch_unwind)]
pub fn copy_id() -> String {
    static MARK: AtomicU8 = AtomicU8::new(0);
    format!("{:p}", &raw const MARK)
}
