//! Times and durations as people write them in `state.json`.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, SubsecRound, Utc};

/// Reads a time in any common ISO 8601 form: `T` or a space between date and time, seconds and fraction optional, zone as
/// `Z`, `+hh:mm` or `+hhmm`. Without a zone it is UTC, without a time midnight. `None` if it is something else, or before
/// 1970 or after 9999.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    const WITH_ZONE: [&str; 4] = [
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%dT%H:%M:%S%.f %#z",
        "%Y-%m-%dT%H:%M %#z",
    ];
    const WITHOUT_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

    let text = text.trim();
    // One separator, whichever was written; the date before it has ten characters of ASCII.
    let text = match text.as_bytes().get(10) {
        Some(b' ' | b't') => format!("{}T{}", text.get(..10)?, text.get(11..)?),
        _ => text.to_owned(),
    };
    let zoned = match text.strip_suffix(['Z', 'z']) {
        Some(utc) => format!("{}+0000", utc.trim_end()),
        None => text.clone(),
    };
    let time = WITH_ZONE
        .iter()
        .find_map(|form| DateTime::parse_from_str(&zoned, form).ok())
        .map(|time| time.to_utc())
        .or_else(|| {
            WITHOUT_ZONE
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
                .or_else(|| {
                    NaiveDate::parse_from_str(&text, "%Y-%m-%d")
                        .ok()?
                        .and_hms_opt(0, 0, 0)
                })
                .map(|time| time.and_utc())
        })?;
    (1970..=9999).contains(&time.year()).then_some(time)
}

/// The form we write: whole seconds and `Z`.
pub(crate) fn format(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What [`parse`] makes of what [`format`] writes.
pub(crate) fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(0)
}

/// Reads a duration such as `90s`, `15m`, `1h`, `1d` or `1h30m`. `None` if it is something else.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?.trim_start();
    }
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_common_form_of_one_instant_is_that_instant() {
        let expected = DateTime::from_timestamp(1_700_000_040, 0).unwrap();
        for text in [
            "2023-11-14T22:14:00Z",
            "2023-11-14T22:14:00+00:00",
            "2023-11-14T22:14:00.000+0000",
            "2023-11-14 22:14:00",
            "2023-11-14T22:14:00",
            "2023-11-14T22:14",
            "2023-11-14T22:14Z",
            "2023-11-15T00:14:00+02:00",
            "2023-11-14 22:14:00 +0000",
            "2023-11-14t22:14:00z",
            " 2023-11-14T22:14:00.0Z ",
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(parse("2023-11-14"), parse("2023-11-14T00:00:00Z"));
        assert!(parse("2023-11-14").is_some());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2023-13-01",
            "2023-02-30",
            "1700000040",
            "0001-01-01",
            "2023-11-14T25:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("1d"), Some(Duration::from_secs(86_400)));
        for text in [
            "",
            "h",
            "1",
            "1 week",
            "-1h",
            "1.5h",
            "99999999999999999999d",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_we_write_is_read_as_the_same_second(seconds in 0_i64..253_402_300_800, nanos in 0_u32..1_000_000_000) {
            let time = DateTime::from_timestamp(seconds, nanos).unwrap();
            prop_assert_eq!(parse(&format(time)), Some(whole_seconds(time)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
            let _ = parse_duration(&text);
        }
    }
}
