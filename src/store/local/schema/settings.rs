//! The settings in `kv_meta`.

use super::numbers::time_in;
use crate::base::config::{ChangeLog, MIN_DEAD_LETTER_RETENTION_MS};
use crate::base::error::{Error, Result};
use crate::codec::stamp::Stamp;
use crate::store::local::sqlite::Rows;
use crate::store::sql::schema::{LAST_NUMBER, used_up};

/// The settings that all openers of a file share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The last versionstamp.
    pub clock: Stamp,
    /// How much of a change commits log.
    pub change_log: ChangeLog,
    /// For how long.
    pub retention_ms: i64,
    /// For how long dead letters are kept, if not for ever.
    pub dead_letter_retention_ms: Option<i64>,
    /// The last number that was given out.
    pub sequence: i64,
    /// The time of a write, in milliseconds, if one was noted later than the last versionstamp.
    pub time_ms: Option<i64>,
}

impl Settings {
    /// The file is not of before this time.
    #[must_use]
    pub fn seen_ms(&self) -> i64 {
        let stamp_ms = i64::try_from(self.clock.ms).unwrap_or(i64::MAX);
        self.time_ms.map_or(stamp_ms, |ms| ms.max(stamp_ms))
    }

    /// Reads the rows of `kv_meta`.
    ///
    /// # Errors
    /// `CORRUPT` if one is missing or damaged, or at its end.
    pub fn read(rows: &mut Rows<'_>) -> Result<Self> {
        let (mut clock, mut change_log, mut retention_ms, mut sequence) = (None, None, None, None);
        let (mut time_ms, mut dead_letter_retention_ms) = (None, None);
        while rows.next()? {
            match rows.text(0)? {
                "clock" => clock = Stamp::parse(rows.text(1)?),
                "change_log" => change_log = ChangeLog::parse(rows.text(1)?).ok(),
                "retention_ms" => retention_ms = rows.stored_int(1).ok().filter(|ms| *ms >= 0),
                "sequence" => sequence = rows.stored_int(1).ok(),
                "dead_letter_retention_ms" => dead_letter_retention_ms = Some(dead_letter_retention(rows)?),
                "time" => time_ms = Some(time_in(rows, 1)?),
                _ => {}
            }
        }
        match (clock, change_log, retention_ms, sequence) {
            (Some(clock), Some(change_log), Some(retention_ms), Some(sequence)) => {
                if !(0..LAST_NUMBER).contains(&sequence) || clock.is_last() {
                    return Err(used_up());
                }
                Ok(Self { clock, change_log, retention_ms, dead_letter_retention_ms, sequence, time_ms })
            }
            _ => Err(Error::corrupt("the file's kv_meta lacks a setting; restore the file from a backup")),
        }
    }
}

/// Read as a number, a text is 0: the sweep would remove every dead letter.
fn dead_letter_retention(rows: &Rows<'_>) -> Result<i64> {
    let stored = rows.stored_int(1).ok().filter(|ms| *ms >= MIN_DEAD_LETTER_RETENTION_MS);
    stored.ok_or_else(|| {
        Error::corrupt(
            "the file's kv_meta has a dead_letter_retention_ms that is no duration; open the file with the option deadLetterRetention",
        )
    })
}
