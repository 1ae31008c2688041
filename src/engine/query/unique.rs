//! Entries that a unique index refuses. What has expired is absent, and makes room.

use super::definition::ordered_definition_of;
use crate::base::error::{Code, Error, Result};
use crate::codec::key::is_under;
use crate::codec::key_json::preview_key;
use crate::store::rows::index::IndexKind;
use crate::store::{ReadTxn, Refusal};

/// Who has the values of an entry that was refused.
pub enum ConflictingEntry {
    /// This key, whose entry has expired: it is to be removed before the entry is put again.
    Expired(Vec<u8>),
    /// A live entry, which the `CONFLICT` names.
    Live(Error),
}

/// Looks for the holder of the values of a refused entry.
///
/// # Errors
/// The refusal's own, if it was no unique index that refused it; those of the store.
pub fn conflicting_entry(seen: &mut dyn ReadTxn, refusal: Refusal) -> Result<ConflictingEntry> {
    let Some(holder) = holder_of(seen, &refusal)? else { return Err(refusal.error) };
    let (now, mut live) = (seen.now_ms(), false);
    seen.get(&holder, 0, &mut |stands| {
        live = stands.is_some_and(|stands| stands.is_live(now));
        Ok(())
    })?;
    if !live {
        return Ok(ConflictingEntry::Expired(holder));
    }
    let message = format!("a unique index has these values for the key {} already", preview_key(&holder));
    Ok(ConflictingEntry::Live(Error::new(Code::Conflict, message)))
}

/// The key of another entry that has the values which a unique index would have for a value; it may have expired.
fn holder_of(seen: &mut dyn ReadTxn, refusal: &Refusal) -> Result<Option<Vec<u8>>> {
    let Refusal { key, encoding, value, .. } = refusal;
    for row in seen.indexes()? {
        let under = row.prefix.is_empty() || is_under(key, &row.prefix);
        if row.kind != IndexKind::Ordered || !under {
            continue;
        }
        let (spec, index) = ordered_definition_of(&row)?;
        if spec.unique
            && let Some(holder) = seen.unique_holder(&index, key, *encoding, value)?
        {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}
