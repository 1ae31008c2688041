//! Durations as people write them: milliseconds, or a number with a unit.

use super::error::{Error, Result, short};
use super::limits::MAX_DURATION_MS;

/// Names of each unit in lower case, the short one first: those that the npm package `ms` takes.
const UNITS: [(&[&str], f64); 7] = [
    (&["ms", "msec", "msecs", "millisecond", "milliseconds"], 1.0),
    (&["s", "sec", "secs", "second", "seconds"], 1000.0),
    (&["m", "min", "mins", "minute", "minutes"], 60_000.0),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000.0),
    (&["d", "day", "days"], 86_400_000.0),
    (&["w", "week", "weeks"], 604_800_000.0),
    (&["y", "yr", "yrs", "year", "years"], 31_536_000_000.0),
];

const FORMS: &str =
    "a number of milliseconds or a string such as \"500ms\", \"30s\", \"5m\", \"2h\", \"7d\", \"2w\", \"1y\"";

/// Milliseconds of a text such as `"1.5h"` or `"2 hours"`.
///
/// ```
/// assert_eq!(keyval::base::duration::parse("2h").unwrap(), 7_200_000);
/// assert_eq!(keyval::base::duration::parse("2 hours").unwrap(), 7_200_000);
/// assert!(keyval::base::duration::parse("2h 5m").is_err());
/// ```
///
/// # Errors
/// `INVALID_ARGUMENT` that quotes the text; the caller names the argument.
pub fn parse(text: &str) -> Result<i64> {
    let refuse = || Error::invalid(format!("{:?} is not a duration; give {FORMS}", short(text)));
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start_matches(' ').to_ascii_lowercase();
    let named = |(names, _): &&(&[&str], f64)| names.contains(&unit.as_str());
    let factor = UNITS.iter().find(named).map(|(_, ms)| *ms).ok_or_else(refuse)?;
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return Err(refuse());
    }
    let amount: f64 = number.parse().map_err(|_| refuse())?;
    from_ms(amount * factor)
}

/// A number of milliseconds, rounded up to a whole one, so that half a millisecond is not nothing.
///
/// # Errors
/// `INVALID_ARGUMENT` if it is negative or no number; `LIMIT_EXCEEDED` beyond 100 years.
pub fn from_ms(ms: f64) -> Result<i64> {
    if !ms.is_finite() || ms < 0.0 {
        return Err(Error::invalid(format!("{} is not a duration; give {FORMS}", preview_number(ms))));
    }
    #[allow(clippy::cast_precision_loss)]
    if ms > MAX_DURATION_MS as f64 {
        let message =
            format!("{} ms are over the limit of {MAX_DURATION_MS} ms (100 years)", preview_number(ms));
        return Err(Error::new(crate::base::error::Code::LimitExceeded, message));
    }
    #[allow(clippy::cast_possible_truncation)]
    Ok(ms.ceil() as i64)
}

/// A number as JavaScript writes it.
fn preview_number(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    if number.abs() < 1e21 { number.to_string() } else { format!("{number:e}").replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let cases =
            [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000)];
        for (text, ms) in cases {
            assert_eq!(parse(text).unwrap(), ms);
        }
        assert_eq!(parse("2w").unwrap(), 1_209_600_000);
        assert_eq!(parse("1y").unwrap(), 31_536_000_000);
        assert_eq!(parse("0.5s").unwrap(), 500);
    }

    // Seen to fail: "1 hour" was refused.
    #[test]
    fn units_written_out() {
        for (text, same) in [
            ("1 hour", "1h"),
            ("2 days", "2d"),
            ("1.5 hrs", "90m"),
            ("10 Minutes", "10m"),
            ("30secs", "30s"),
            ("1 S", "1s"),
            ("3 weeks", "3w"),
            ("1 year", "365d"),
            ("5  milliseconds", "5ms"),
        ] {
            assert_eq!(parse(text).unwrap(), parse(same).unwrap(), "{text}");
        }
    }

    #[test]
    fn refusals_quote_the_text() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.s",
            "1e3s",
            "1.2.3s",
            "5 fortnights",
            "1h 30m",
            " 1s",
            "1s ",
            "1\ts",
            "٣s",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(&format!("{text:?}")), "{}", error.message);
        }
        assert!(from_ms(f64::NAN).is_err());
        for (ms, message) in [(f64::INFINITY, "Infinity is"), (-0.5, "-0.5 is"), (1e300, "1e+300 ms")] {
            assert!(from_ms(ms).unwrap_err().message.starts_with(message));
        }
        assert!(parse("101y").unwrap_err().message.contains("100 years"));
    }
}
