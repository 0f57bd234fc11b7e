//! What the Huawei signer does beyond the vectors: odd input, refusals, properties.
//!
//! Must not know a network or a clock. The vendors' own vectors are in the integration tests.

use super::SignError::{HeaderValue, Malformed, RepeatedHeader};
use super::*;
use proptest::prelude::*;

type Pairs = Vec<(String, String)>;

fn pairs(given: &[(&str, &str)]) -> Pairs {
    let owned = given.iter().map(|&(k, v)| (k.into(), v.into()));
    owned.collect()
}

fn credential() -> Credential {
    Credential {
        access_key: "AK".to_owned(),
        secret_key: "hidden-key".into(),
        security_token: Some("hidden-token".into()),
        scope: Some(Scope::Project("p".to_owned())),
    }
}

fn derived() -> Scheme {
    Scheme::V11HmacSha256 {
        region: "globe".to_owned(),
        service: "iam".to_owned(),
    }
}

fn request<'a>(query: &'a Pairs, headers: &'a Pairs, body: &'a [u8]) -> Request<'a> {
    Request {
        method: "GET",
        host: "h.example",
        path: "/v1/images",
        query,
        headers,
        body,
    }
}

fn signed(request: &Request<'_>, scheme: &Scheme) -> Result<Signed, SignError> {
    sign(request, &credential(), scheme, Timestamp::UNIX_EPOCH)
}

fn value(signed: &Signed, name: &str) -> String {
    let named = |(n, _): &&(String, _)| n.eq_ignore_ascii_case(name);
    let found: Vec<_> = signed.headers.iter().filter(named).collect();
    assert!(found.len() < 2, "{name} is sent once");
    found.iter().map(|(_, v)| v.expose_secret()).collect()
}

fn authorization(request: &Request<'_>) -> String {
    value(&signed(request, &derived()).unwrap(), "authorization")
}

#[test]
fn a_date_set_by_the_caller_is_kept_and_derives_the_key() {
    let headers = pairs(&[("x-sdk-date", "20260115T080910Z")]);
    let done = signed(&request(&vec![], &headers, b""), &derived()).unwrap();
    assert_eq!(value(&done, "x-sdk-date"), "20260115T080910Z");
    assert!(value(&done, "authorization").contains("Credential=AK/20260115/globe/iam, "));
    for odd in ["2026115T080910Z", "20261315T080910Z", ""] {
        let headers = pairs(&[("X-Sdk-Date", odd)]);
        let error = signed(&request(&vec![], &headers, b""), &derived()).unwrap_err();
        assert_eq!(error, Malformed("header X-Sdk-Date"));
    }
}

#[test]
fn a_request_that_is_authorized_already_is_not_signed() {
    let headers = pairs(&[("authorization", "Bearer x"), ("X-Project-Id", "theirs")]);
    let query = pairs(&[("b", "2"), ("a", "1")]);
    let done = signed(&request(&query, &headers, b""), &Scheme::SdkHmacSha256).unwrap();
    assert!(done.steps.is_none());
    assert_eq!(done.query, "a=1&b=2");
    assert_eq!(value(&done, "authorization"), "Bearer x");
    assert_eq!(value(&done, "x-project-id"), "p");
    assert_eq!(value(&done, "x-sdk-date"), "");
}

#[test]
fn the_payload_rule_follows_the_content_type_as_the_caller_wrote_it() {
    let hash_of = |name: &str, content_type: &str, given: &str, body: &[u8]| {
        let headers = pairs(&[(name, content_type), ("x-sdk-content-sha256", given)]);
        let done = signed(&request(&vec![], &headers, body), &derived()).unwrap();
        let text = done.steps.unwrap().canonical_request;
        text.expose_secret().lines().last().unwrap().to_owned()
    };
    let json = "application/json;v=1";
    let (unsigned, x) = ("UNSIGNED-PAYLOAD", hex::encode(Sha256::digest("x")));
    let nothing = hex::encode(Sha256::digest(""));
    assert_eq!(hash_of("Content-Type", "text/plain", "y", b"x"), unsigned);
    assert_eq!(
        hash_of("Content-Type", "Application/json", "", b"x"),
        unsigned
    );
    assert_eq!(hash_of("Content-Type", json, "y", b"x"), "y");
    assert_eq!(hash_of("Content-Type", json, "", b"x"), x);
    assert_eq!(hash_of("Content-Type", "application/bson", "", b"x"), x);
    assert_eq!(hash_of("Content-Type", "", "", b"x"), x);
    assert_eq!(hash_of("content-type", "text/plain", "", b"x"), x);
    assert_eq!(hash_of("Content-Type", json, "y", b""), nothing);
}

#[test]
fn what_cannot_be_sent_as_it_is_signed_is_refused() {
    let none = vec![];
    let fine = request(&none, &none, b"");
    let refused = |request: Request<'_>| signed(&request, &derived()).unwrap_err();
    for path in ["v1", "/a b", "/é", "/a?b", "/a#b", "/%FF", "/a\r\nX: y"] {
        assert_eq!(refused(Request { path, ..fine }), Malformed("path"));
    }
    for host in ["", "a b", "a/b", "u@a", "a\nb"] {
        assert_eq!(refused(Request { host, ..fine }), Malformed("host"));
    }
    let method = "";
    assert_eq!(refused(Request { method, ..fine }), Malformed("method"));
    let header = |given: &[(&str, &str)]| refused(request(&none, &pairs(given), b""));
    assert_eq!(header(&[("a:", "b")]), Malformed("header name"));
    assert_eq!(header(&[("a", "b\n")]), HeaderValue("a".into()));
    assert_eq!(
        header(&[("a", "b"), ("A", "b")]),
        RepeatedHeader("a".into())
    );

    let with = |change: fn(&mut Credential)| {
        let mut credential = credential();
        change(&mut credential);
        sign(&fine, &credential, &derived(), Timestamp::UNIX_EPOCH).unwrap_err()
    };
    let access_key = Malformed("access key");
    assert_eq!(with(|c| c.access_key = "A, B".into()), access_key);
    assert_eq!(with(|c| c.secret_key = "".into()), Malformed("secret key"));
    let token = with(|c| c.security_token = Some("a\nb".into()));
    assert_eq!(token, HeaderValue("X-Security-Token".into()));
    for (region, service, part) in [("", "s", "region"), ("r", "a/b", "service")] {
        let (region, service) = (region.into(), service.into());
        let scheme = Scheme::V11HmacSha256 { region, service };
        assert_eq!(signed(&fine, &scheme).unwrap_err(), Malformed(part));
    }
}

#[test]
fn empty_ids_are_not_sent_and_names_with_an_underscore_are_sent_unsigned() {
    let mut credential = credential();
    credential.security_token = Some("".into());
    let (none, headers) = (vec![], pairs(&[("a_b", "c"), ("host", "other")]));
    let plain = request(&none, &headers, b"");
    for empty in [Scope::Domain(String::new()), Scope::Project(String::new())] {
        credential.scope = Some(empty);
        let done = sign(&plain, &credential, &derived(), Timestamp::MAX).unwrap();
        assert_eq!(value(&done, "a_b") + &value(&done, "host"), "cother");
        assert_eq!(done.headers.len(), 4);
        assert_eq!(done.steps.unwrap().signed_headers, "host;x-sdk-date");
    }
}

#[test]
fn printing_shows_no_secret() {
    let done = signed(&request(&vec![], &vec![], b""), &derived()).unwrap();
    let signature = done
        .steps
        .as_ref()
        .unwrap()
        .signature
        .expose_secret()
        .to_owned();
    let text = format!("{:?} {done:?}", credential());
    assert!(
        !text.contains("hidden") && !text.contains(&signature),
        "{text}"
    );
}

proptest! {
    #[test]
    fn order_of_headers_and_query_and_case_of_names_do_not_matter(
        headers in prop::collection::btree_map("h[a-z-]{1,6}", "[ -~]{0,9}", 0..6),
        query in prop::collection::vec((".{0,3}", ".{0,3}"), 0..6),
    ) {
        let headers: Pairs = headers.into_iter().collect();
        let upper: Pairs = headers.iter().rev().map(|(k, v)| (k.to_uppercase(), format!(" {v}\t"))).collect();
        let reversed: Pairs = query.iter().rev().cloned().collect();
        let done = signed(&request(&query, &headers, b""), &derived()).unwrap();
        let again = Request { method: "get", ..request(&reversed, &upper, b"") };
        prop_assert_eq!(value(&done, "authorization"), authorization(&again));
        prop_assert_eq!(&done.query, &signed(&again, &derived()).unwrap().query);
        prop_assert_eq!(done.query.split('&').filter(|s| !s.is_empty()).count(), query.len());
    }

    #[test]
    fn a_change_in_any_part_changes_the_signature(
        path in "(/[a-z%0-9]{1,5}){1,3}", key in "[^\u{0}]{1,4}", body in ".{0,9}", more in "[a-z]{1,3}",
    ) {
        let path = path.replace('%', "%25");
        let (query, headers) = (pairs(&[(&key, &more)]), pairs(&[("h", &more)]));
        let base = Request { path: &path, ..request(&query, &headers, body.as_bytes()) };
        let before = authorization(&base);
        prop_assert_eq!(&before, &authorization(&base));
        let longer = format!("{path}{more}");
        let (bytes, swapped) = (format!("{body}{more}"), pairs(&[(&more, &key)]));
        let dearer = pairs(&[("h", &format!("{more}x"))]);
        for other in [
            Request { method: "POST", ..base },
            Request { host: "h.example:8443", ..base },
            Request { path: &longer, ..base },
            Request { body: bytes.as_bytes(), ..base },
            Request { headers: &dearer, ..base },
            Request { query: &[], ..base },
        ] {
            prop_assert_ne!(&before, &authorization(&other));
        }
        if key != more {
            prop_assert_ne!(&before, &authorization(&Request { query: &swapped, ..base }));
        }
        let later = Timestamp::from_second(1).unwrap();
        let later = sign(&base, &credential(), &derived(), later).unwrap();
        prop_assert_ne!(before, value(&later, "authorization"));
    }

    #[test]
    fn encoding_is_undone_by_decoding_once(text in ".*") {
        let encoded = encode(&text);
        prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().unwrap(), &*text);
        let path = canonical_path(&format!("/{encoded}")).unwrap();
        prop_assert_eq!(&canonical_path(&path).unwrap(), &path);
    }

    #[test]
    fn any_text_is_signed_or_refused(
        method in ".{0,4}", host in ".{0,6}", path in "/?.{0,6}", name in "[!-~]{0,4}|.{0,4}",
        text in ".{0,6}", access_key in "[!-~]{0,4}|.{0,4}", seconds in any::<i32>(),
    ) {
        let now = Timestamp::from_second(i64::from(seconds) * 80).unwrap();
        let credential = Credential { access_key, ..credential() };
        let given = vec![(name, text.clone())];
        let whole = Request {
            method: &method, host: &host, path: &path, query: &given, headers: &given,
            body: text.as_bytes(),
        };
        for request in [whole, Request { path: "/", ..whole }, request(&given, &given, b"")] {
            if let Ok(done) = sign(&request, &credential, &derived(), now) {
                prop_assert!(done.query.is_ascii());
                for (_, value) in done.headers {
                    prop_assert!(!value.expose_secret().contains(['\r', '\n', '\0']));
                }
            }
        }
    }
}
