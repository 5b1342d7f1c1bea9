//! Lengths of time as people write them: `1h`, `90s`, `1h30m`, `200ms`.

use std::time::Duration;

/// Units, longest name first where one begins with another.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a length of time. Whole numbers with a unit, largest first or not, nothing between them.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let wrong = || {
        "a length of time is numbers with units d, h, m, s or ms, as in 1h, 90s or 1h30m".to_owned()
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, after) = after.split_at(letters);
        let (_, milliseconds) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total = number
            .checked_mul(*milliseconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "the length of time is too long".to_owned())?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a length of time so that [`parse_interval`] reads it back, to the millisecond.
pub fn format_interval(interval: Duration) -> String {
    let mut left = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS.iter().rev() {
        let number = left / milliseconds;
        left %= milliseconds;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse_interval("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_interval(" 200ms "), Ok(Duration::from_millis(200)));
        assert_eq!(parse_interval("2d"), Ok(Duration::from_secs(172_800)));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "5",
            "h",
            "1.5h",
            "-1s",
            "1 h",
            "1w",
            "99999999999999999999s",
            "1H",
        ] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
        assert!(parse_interval("18446744073709551615d").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milliseconds in any::<u64>()) {
            let interval = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_interval(&format_interval(interval)), Ok(interval));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = parse_interval(&text);
        }
    }
}
