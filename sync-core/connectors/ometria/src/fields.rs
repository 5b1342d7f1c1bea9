//! Values as Ometria takes them.

use ometria_client::PushLimits;
use serde_json::{Map, Value};

/// Custom fields of this prefix belong to Ometria's own connectors.
const OMETRIA_PREFIX: &str = "OM_";

/// Custom fields a record may carry.
const MOST_PROPERTIES: usize = 100;

/// The properties in front that fit into Ometria's limit together, and whether these are all.
pub(crate) fn fitting<'a>(
    properties: impl Iterator<Item = (&'a str, Value)>,
) -> (Map<String, Value>, bool) {
    let limit = PushLimits::default().properties_chars;
    let mut fitting = Map::new();
    let mut chars = "{}".len();
    let mut complete = true;
    for (name, value) in properties {
        if value.is_null() || name.starts_with(OMETRIA_PREFIX) || fitting.contains_key(name) {
            continue;
        }
        let text = |value: &Value| value.to_string().chars().count();
        let comma = usize::from(!fitting.is_empty());
        let more = text(&Value::from(name)) + ":".len() + text(&value) + comma;
        if fitting.len() >= MOST_PROPERTIES || chars + more > limit {
            complete = false;
            break;
        }
        chars += more;
        fitting.insert(name.to_owned(), value);
    }
    (fitting, complete)
}

/// A phone number in E.164 form, if it is written internationally.
pub(crate) fn international(phone: &str) -> Option<String> {
    let phone = phone.trim();
    let digits = phone
        .strip_prefix('+')
        .or_else(|| phone.strip_prefix("00"))?;
    if digits
        .chars()
        .any(|c| !c.is_ascii_digit() && !" -.()/".contains(c))
    {
        return None;
    }
    // "+44 (0)20 …" holds a zero that is dialled at home only.
    let digits: String = digits
        .replacen("(0)", "", 1)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let possible = (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    possible.then(|| format!("+{digits}"))
}

/// A country code in upper case, if it looks like one.
pub(crate) fn alpha2(country: &str) -> Option<String> {
    let country = country.trim();
    (country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .then(|| country.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_international_or_left_out() {
        for (given, expected) in [
            ("+44 20 7946 0958", Some("+442079460958")),
            ("+44 (0)20 7946-0958", Some("+442079460958")),
            ("0049 30 901820", Some("+4930901820")),
            ("020 7946 0958", None),
            ("+0 123456789", None),
            ("+44 20 CALL ME", None),
            ("+1234567890123456", None),
            ("+123", None),
            ("", None),
        ] {
            assert_eq!(international(given).as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!(alpha2(" gb ").as_deref(), Some("GB"));
        for bad in ["", "GBR", "g1", "\u{e9}"] {
            assert_eq!(alpha2(bad), None);
        }
    }

    #[test]
    fn properties_fit_exactly_up_to_the_limit() {
        // {"a":"…"}: eight characters are not the text.
        let exact = Value::from("\u{e9}".repeat(992));
        let (properties, complete) = fitting([("a", exact)].into_iter());
        assert!(complete);
        assert_eq!(
            serde_json::to_string(&properties).unwrap().chars().count(),
            1000
        );
        let (none, complete) = fitting([("a", Value::from("x".repeat(993)))].into_iter());
        assert!(none.is_empty() && !complete);
        // {"a":"…","b":1}: six characters more.
        let two = |b| [("a", Value::from("x".repeat(986))), ("b", Value::from(b))];
        assert_eq!(fitting(two(1).into_iter()).0.len(), 2);
        assert_eq!(fitting(two(10).into_iter()).0.len(), 1);
    }

    #[test]
    fn the_last_properties_give_way_and_connector_fields_never_go() {
        let long = Value::from("x".repeat(600));
        let given = [
            ("first", long.clone()),
            ("OM_LTV", Value::from(1)),
            ("empty", Value::Null),
            ("second", long),
        ];
        let (properties, complete) = fitting(given.into_iter());
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["first"]);
        assert!(!complete);
    }
}
