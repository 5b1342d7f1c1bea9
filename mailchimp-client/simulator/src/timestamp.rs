//! Times as the API writes and reads them: whole seconds, `+00:00`.
//!
//! Inside the simulator a time is a `u32` of seconds since 1970, so that an index entry fits one word. Zero stands for "no
//! time", which the API writes as `""`.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// The whole second of a time, moved into the range that can be kept.
pub(crate) fn seconds(time: DateTime<Utc>) -> u32 {
    u32::try_from(time.timestamp().max(0)).unwrap_or(u32::MAX)
}

/// The time that a kept second stands for.
pub(crate) fn time(seconds: u32) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::from(seconds))
}

/// Appends `2026-01-31T23:59:59+00:00`, or nothing for zero.
///
/// Written by hand because two of these stand in every row, and formatting by pattern costs more than the row.
pub(crate) fn write(out: &mut String, seconds: u32) {
    if seconds == 0 {
        return;
    }
    let (year, month, day) = civil(seconds / 86_400);
    let second_of_day = seconds % 86_400;
    two(out, year / 100);
    two(out, year % 100);
    out.push('-');
    two(out, month);
    out.push('-');
    two(out, day);
    out.push('T');
    two(out, second_of_day / 3600);
    out.push(':');
    two(out, second_of_day / 60 % 60);
    out.push(':');
    two(out, second_of_day % 60);
    out.push_str("+00:00");
}

/// [`write`] into a string of its own.
pub(crate) fn text(seconds: u32) -> String {
    let mut out = String::with_capacity(25);
    write(&mut out, seconds);
    out
}

/// Appends `YYYY-MM-DD`.
pub(crate) fn write_date(out: &mut String, days: u32) {
    let (year, month, day) = civil(days);
    // Writing to a string cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

fn two(out: &mut String, number: u32) {
    const DIGITS: &[u8; 10] = b"0123456789";
    out.push(char::from(DIGITS[(number / 10 % 10) as usize]));
    out.push(char::from(DIGITS[(number % 10) as usize]));
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Counts from a first of March, so that the leap day is the last of its year.
fn civil(days: u32) -> (u32, u32, u32) {
    const DAYS_PER_400_YEARS: u32 = 146_097;
    let day = days + 719_468;
    let era = day / DAYS_PER_400_YEARS;
    let day_of_era = day % DAYS_PER_400_YEARS;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (
        era * 400 + year_of_era + u32::from(month <= 2),
        month,
        day_of_month,
    )
}

/// Reads a time filter down to its whole second.
///
/// Anything unreadable is `None`, and the filter is then ignored: users report that the live API returns every member for
/// a time it cannot read, such as one whose `+` arrived as a space.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp());
    }
    let date: NaiveDate = text.parse().ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_month_end_and_leap_day_reads_back() {
        for day in (0..47_000_u32).step_by(1) {
            let second = day * 86_400 + 86_399;
            let expected = time(second).format("%Y-%m-%dT%H:%M:%S+00:00").to_string();
            assert_eq!(text(second), expected);
        }
    }

    #[test]
    fn no_time_is_empty() {
        assert_eq!(text(0), "");
    }

    #[test]
    fn filters_read_to_the_whole_second() {
        assert_eq!(parse("1970-01-01T00:01:00.999Z"), Some(60));
        assert_eq!(parse("1970-01-01T01:01:00+01:00"), Some(60));
        assert_eq!(parse("1970-01-02"), Some(86_400));
    }

    #[test]
    fn an_offset_whose_plus_became_a_space_is_unreadable() {
        assert_eq!(parse("2015-10-21T15:41:36 00:00"), None);
    }
}
