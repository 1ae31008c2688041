//! Entries that a unique index refuses. What has expired is absent, and makes room.

use crate::base::error::{Code, Error, Result};
use crate::codec::key_json::preview_key;
use crate::store::{ConflictingEntry, Refusal};

/// The key of the entry that has the values of a refused one, and has expired: it is to be removed before the
/// entry is put again.
///
/// # Errors
/// `CONFLICT`, which names the key of a live entry; the refusal's own, if it was no unique index that refused
/// it.
pub fn expired_holder(refusal: Refusal) -> Result<Vec<u8>> {
    match refusal.holder {
        Some(ConflictingEntry { key, is_live: false }) => Ok(key),
        Some(ConflictingEntry { key, .. }) => {
            let message =
                format!("a unique index has these values for the key {} already", preview_key(&key));
            Err(Error::new(Code::Conflict, message))
        }
        None => Err(refusal.error),
    }
}
