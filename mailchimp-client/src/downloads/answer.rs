//! What the headers of an answer say about a file.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName};

/// `Content-Range` of a part: `bytes 7-11/12`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// First byte.
    pub(super) begin: u64,
    /// Size of the whole file, unless it is `*`.
    pub(super) total: Option<u64>,
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

/// Whether the body is packed, so that its bytes are not those of the file.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_ENCODING).is_some_and(|word| !word.eq_ignore_ascii_case("identity"))
}

/// What the file is known by as long as it does not change. A weak `ETag` promises too little.
pub(super) fn validator(headers: &HeaderMap) -> Option<String> {
    text(headers, &ETAG)
        .filter(|tag| tag.starts_with('"'))
        .or_else(|| text(headers, &LAST_MODIFIED))
}

/// Whether the file is known by something else than this. A tag says nothing about a date.
pub(super) fn contradicts(headers: &HeaderMap, known: &str) -> bool {
    let name = if known.starts_with('"') {
        &ETAG
    } else {
        &LAST_MODIFIED
    };
    text(headers, name).is_some_and(|validator| validator != known)
}

/// Which part of the file the body is.
pub(super) fn part(headers: &HeaderMap) -> Option<Part> {
    let range = text(headers, &CONTENT_RANGE)?;
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (begin, end) = span.split_once('-')?;
    let begin = begin.parse().ok()?;
    let end: u64 = end.parse().ok()?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let is_sound = begin <= end && total.is_none_or(|total| end < total);
    is_sound.then_some(Part { begin, total })
}

/// The size of the file in an answer that says there is no such part: `bytes */12`.
pub(super) fn size_without_part(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_RANGE)?
        .strip_prefix("bytes */")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn parts_are_read_and_broken_ones_are_none() {
        let read = |value| part(&headers(CONTENT_RANGE, value));
        let part = |begin, total| Some(Part { begin, total });
        assert_eq!(read("bytes 7-11/12"), part(7, Some(12)));
        assert_eq!(read("bytes 0-0/*"), part(0, None));
        for broken in [
            "",
            "bytes",
            "bytes 7-11",
            "bytes 7-6/12",
            "bytes 7-12/12",
            "bytes */12",
            "items 7-11/12",
            "bytes -1-2/12",
            "bytes 1-99999999999999999999/*",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
        let size = |value| size_without_part(&headers(CONTENT_RANGE, value));
        assert_eq!(size("bytes */12"), Some(12));
        assert_eq!(size("bytes 0-1/12"), None);
    }

    #[test]
    fn a_weak_tag_is_no_validator() {
        let mut both = headers(ETAG, "W/\"a\"");
        assert_eq!(validator(&both), None);
        both.insert(
            LAST_MODIFIED,
            HeaderValue::from_static("Sat, 21 Nov 2026 07:37:44 GMT"),
        );
        let date = Some("Sat, 21 Nov 2026 07:37:44 GMT".to_owned());
        assert_eq!(validator(&both), date);
        both.insert(ETAG, HeaderValue::from_static("\"a\""));
        assert_eq!(validator(&both).as_deref(), Some("\"a\""));
    }

    #[test]
    fn validators_of_one_kind_contradict_each_other() {
        let date = "Sat, 21 Nov 2026 07:37:44 GMT";
        let dated = headers(LAST_MODIFIED, date);
        assert!(!contradicts(&dated, "\"a\""));
        assert!(!contradicts(&dated, date));
        assert!(contradicts(&dated, "Sun, 22 Nov 2026 07:37:44 GMT"));
        let tagged = headers(ETAG, "\"a\"");
        assert!(!contradicts(&tagged, "\"a\""));
        assert!(!contradicts(&tagged, date));
        assert!(contradicts(&tagged, "\"b\""));
    }

    #[test]
    fn only_the_identity_is_no_encoding() {
        assert!(is_encoded(&headers(CONTENT_ENCODING, "gzip")));
        assert!(!is_encoded(&headers(CONTENT_ENCODING, "Identity")));
        assert!(!is_encoded(&HeaderMap::new()));
    }
}
