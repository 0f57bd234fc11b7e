//! Tests of what is sent, and of pauses.

use super::*;
use proptest::prelude::*;

fn sendable(origin: &str, path: &str, query: &str) -> bool {
    url(&Request::get(origin, path, query, &[]), false).is_ok()
}

#[test]
fn only_what_parsing_leaves_alone_is_sent() {
    let origin = "https://h.example";
    assert!(sendable(origin, "/v1/p/images", "a=b%20c&d="));
    assert!(sendable("https://h.example:8443", "/", ""));
    assert!(sendable(
        "http://127.0.0.1:80080".trim_end_matches('0'),
        "/",
        ""
    ));
    for path in [
        "",
        "/a/../b",
        "/./a",
        "/a b",
        "/é",
        "/a?b=c",
        "/a#b",
        "\\a",
        "/a\\b",
        "/a\tb",
        "/%2e%2e/a",
        "@evil.example/",
        ".evil.example/",
    ] {
        assert!(!sendable(origin, path, "q=1"), "{path}");
    }
    for query in ["a=b c", "a#b", "a=é", "a=\"", "a=\n"] {
        assert!(!sendable(origin, "/a", query), "{query}");
    }
    for origin in [
        "https://h.example/",
        "https://H.example",
        "https://u@h.example",
        "https://u:p@h.example",
        "https://h.example:443",
        "http://h.example",
        "http://169.254.169.254",
        "ftp://127.0.0.1",
        "https://",
        "h.example",
        "https://h.example?a",
        "https://h.example#a",
        "file://",
    ] {
        assert!(!sendable(origin, "/a", ""), "{origin}");
    }
}

#[test]
fn plain_http_goes_to_metadata_services_only_if_the_operator_says_so() {
    let reaches = |origin: &str, near| url(&Request::get(origin, "/", "", &[]), near).is_ok();
    for origin in ["http://169.254.169.254", "http://100.100.100.200"] {
        assert!(reaches(origin, true) && !reaches(origin, false), "{origin}");
    }
    for origin in [
        "http://10.0.0.1",
        "http://100.100.100.201",
        "http://169.254.evil.example",
    ] {
        assert!(!reaches(origin, true), "{origin}");
    }
}

#[test]
fn a_pause_is_read_in_its_unit_and_bounded() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
    let read = |pairs: &[(&'static str, &str)]| {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pause(&headers.collect(), now).map(|pause| pause.as_millis())
    };
    assert_eq!(read(&[("retry-after", "7")]), Some(7_000));
    assert_eq!(
        read(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]),
        Some(37_000)
    );
    assert_eq!(read(&[("x-acs-retry-after", "1500")]), Some(1_500));
    assert_eq!(
        read(&[("retry-after", "7"), ("x-acs-retry-after", "1500")]),
        Some(1_500)
    );
    assert_eq!(
        read(&[("retry-after", "7"), ("x-acs-retry-after", "soon")]),
        Some(7_000)
    );
    for long in ["3601", "99999999999999", "Sat, 06 Nov 2094 08:49:37 GMT"] {
        assert_eq!(read(&[("retry-after", long)]), Some(3_600_000), "{long}");
    }
    for odd in [
        "0",
        "-1",
        "1.5",
        "",
        "soon",
        "Sat, 05 Nov 1994 08:49:37 GMT",
        "99999999999999999999999",
    ] {
        assert_eq!(read(&[("retry-after", odd)]), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn any_header_gives_a_bounded_pause_or_none(text in "[ -~]{0,40}|[0-9]{1,25}") {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        let pause = pause(&headers, Timestamp::UNIX_EPOCH);
        prop_assert!(pause.is_none_or(|pause| !pause.is_zero() && pause <= LONGEST_PAUSE));
    }

    #[test]
    fn no_path_leaves_its_origin(path in "[/a@.:%#?\\\\ -~]{0,20}") {
        if let Ok(url) = url(&Request::get("https://h.example", &path, "", &[]), false) {
            prop_assert_eq!(url.as_str(), format!("https://h.example{path}"));
        }
    }
}
