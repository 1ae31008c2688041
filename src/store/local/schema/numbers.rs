//! Numbers of a file that it cannot have come to by itself.

use std::ffi::c_int;

use crate::base::clock::BEYOND_MS;
use crate::base::error::Result;
use crate::store::local::sqlite::{Connection, Rows};
use crate::store::sql::schema::{LAST_NUMBER, impossible_time, used_up};

/// Refuses a file whose numbers are used up: SQLite would fail each write as if the disk were full.
///
/// # Errors
/// `CORRUPT`.
pub fn refuse_last_numbers(connection: &Connection) -> Result<()> {
    let numbers = "SELECT seq FROM sqlite_sequence WHERE name = 'kv_changes' AND seq >= ?1
         UNION ALL SELECT seq FROM (SELECT max(seq) AS seq FROM kv_changes) WHERE seq >= ?1
         UNION ALL SELECT value FROM kv_meta WHERE key = 'sequence' AND value >= ?1";
    let found = connection.query_text(numbers, &[LAST_NUMBER.into()])?;
    found.map_or(Ok(()), |_| Err(used_up()))
}

/// The time that was noted in a file, if one was.
///
/// # Errors
/// `CORRUPT`.
pub fn noted_time(connection: &Connection) -> Result<Option<i64>> {
    let mut statement = connection.prepare("SELECT value FROM kv_meta WHERE key = 'time'")?;
    let mut rows = statement.query(&[])?;
    if rows.next()? { time_in(&rows, 0).map(Some) } else { Ok(None) }
}

/// A column that holds such a time.
///
/// # Errors
/// `CORRUPT` if no clock gets to it.
pub fn time_in(rows: &Rows<'_>, column: c_int) -> Result<i64> {
    let time_ms = rows.stored_int(column).ok().filter(|ms| (0..BEYOND_MS).contains(ms));
    time_ms.ok_or_else(impossible_time)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Seen to fail: where the end was a time in one place and none in another, and where a text was read as
    /// 0.
    #[test]
    fn a_time_is_a_whole_number_that_a_clock_gets_to() {
        let connection = Connection::open(Path::new(":memory:"), None).unwrap();
        connection.execute("CREATE TABLE kv_meta (key, value)").unwrap();
        assert_eq!(noted_time(&connection).unwrap(), None);
        connection.execute("INSERT INTO kv_meta VALUES ('time', 0)").unwrap();
        for (value, is_time) in [
            ("0".to_string(), true),
            (format!("{}", BEYOND_MS - 1), true),
            (format!("{BEYOND_MS}"), false),
            ("-1".to_string(), false),
            ("'text'".to_string(), false),
            ("1.5".to_string(), false),
            ("NULL".to_string(), false),
        ] {
            connection.execute(&format!("UPDATE kv_meta SET value = {value}")).unwrap();
            assert_eq!(noted_time(&connection).is_ok(), is_time, "{value}");
        }
    }
}
