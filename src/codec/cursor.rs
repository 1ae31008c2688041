//! Cursors: the position of a list, as a text that a user can keep. A checksum reveals a damaged one, the
//! direction one of another list.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

use super::key;
use crate::base::error::{Error, Result};

const FORWARD: u8 = 1;
const REVERSE: u8 = 2;
const CHECKSUM_BYTES: usize = 4;

/// The cursor that continues after `key`.
#[must_use]
pub fn encode(key: &[u8], reverse: bool) -> String {
    let mut bytes = Vec::with_capacity(key.len() + 1 + CHECKSUM_BYTES);
    bytes.push(if reverse { REVERSE } else { FORWARD });
    bytes.extend_from_slice(key);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The key after which a cursor continues.
///
/// # Errors
/// `INVALID_ARGUMENT` if it is none, or is of a list in the other direction.
pub fn decode(text: &str, reverse: bool) -> Result<Vec<u8>> {
    let refuse =
        |why: &str| Error::invalid(format!("{why}; pass a cursor of the same list unchanged")).at("cursor");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse("it is not a cursor"))?;
    let split = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(|| refuse("it is cut short"))?;
    let (body, sum) = bytes.split_at(split);
    if sum != checksum(body) {
        return Err(refuse("it is damaged"));
    }
    let (direction, found) = body.split_first().ok_or_else(|| refuse("it is cut short"))?;
    if *direction != if reverse { REVERSE } else { FORWARD } {
        return Err(refuse("it is of a list in the other direction"));
    }
    key::decode(found).map_err(|_| refuse("it is damaged"))?;
    Ok(found.to_vec())
}

/// FNV-1a: it guards against accidents, not against forgery; a forged cursor reads nothing that its list
/// could not.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash =
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::key::{Part, encode as encode_key};

    #[test]
    fn round_trip_and_direction() {
        let key = encode_key(&[Part::String("a".into()), Part::Number(1.0)]).unwrap();
        let cursor = encode(&key, false);
        assert_eq!(decode(&cursor, false).unwrap(), key);
        assert!(decode(&cursor, true).unwrap_err().message.contains("other direction"));
    }

    proptest! {
        #[test]
        fn damage_is_found(text in "[a-z]{1,9}", at in 0usize..20, with in "[A-Za-z0-9_-]") {
            let cursor = encode(&encode_key(&[Part::String(text.into())]).unwrap(), false);
            let at = at % cursor.len();
            let damaged = format!("{}{with}{}", &cursor[..at], &cursor[at + 1..]);
            prop_assume!(damaged != cursor);
            prop_assert!(decode(&damaged, false).is_err());
            prop_assert!(decode(&cursor[..at], false).is_err());
        }

        #[test]
        fn any_text_is_refused_or_a_cursor(text in "\\PC{0,40}") {
            let _ = decode(&text, false);
        }
    }
}
