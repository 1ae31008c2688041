//! Entries that a unique index refuses. What has expired is absent, and makes room.

use super::atomic::shown;
use super::plan::definition_of;
use crate::codec::key::is_under;
use crate::error::{Code, Error, Result};
use crate::store::index::IndexKind;
use crate::store::{Row, WriteTxn};

/// The key of the expired entry that is to be removed before `row`, which an index refused, is put again.
///
/// # Errors
/// `CONFLICT`, which names the key that has the values, if that entry is live; those of the store.
pub fn expired_holder(txn: &mut dyn WriteTxn, row: &Row<'_>, refused: Error) -> Result<Vec<u8>> {
    let Some(holder) = holder_of(txn, row.key, row.encoding, row.value)? else { return Err(refused) };
    let (now, mut live) = (txn.now_ms(), false);
    txn.get(&holder, 0, &mut |stands| {
        live = stands.is_some_and(|stands| stands.is_live(now));
        Ok(())
    })?;
    if live {
        let message = format!("a unique index has these values for the key {} already", shown(&holder));
        return Err(Error::new(Code::Conflict, message));
    }
    Ok(holder)
}

/// The key of another entry that has the values which a unique index would have for a value; it may have expired.
fn holder_of(txn: &mut dyn WriteTxn, key: &[u8], encoding: u8, value: &[u8]) -> Result<Option<Vec<u8>>> {
    for row in txn.indexes()? {
        let under = row.prefix.is_empty() || is_under(key, &row.prefix);
        if row.kind != IndexKind::Ordered || !under {
            continue;
        }
        let (spec, index) = definition_of(&row)?;
        if spec.unique
            && let Some(holder) = txn.unique_holder(&index, key, encoding, value)?
        {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}
