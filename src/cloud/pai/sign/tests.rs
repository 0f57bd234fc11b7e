//! What the ACS3 signer does beyond the vectors: odd input, refusals, properties.
//!
//! Must not know a network or a clock. The vendors' own vectors are in the integration tests.

use super::SignError::{HeaderValue, Malformed, ReservedHeader};
use super::*;
use proptest::prelude::*;

type Pairs = Vec<(String, String)>;
const GET_IMAGE: Action<'_> = Action {
    name: "GetImage",
    version: "2021-02-04",
};

fn credential() -> Credential {
    Credential {
        access_key: "STS.AK".to_owned(),
        secret_key: "hidden-key".into(),
        security_token: Some("hidden-token".into()),
    }
}

fn request<'a>(query: &'a Pairs, headers: &'a Pairs, body: &'a [u8]) -> Request<'a> {
    Request {
        method: "GET",
        host: "h.example",
        path: "/api/v1",
        query,
        headers,
        body,
    }
}

fn signed(request: &Request<'_>, rule: HeaderRule) -> Result<Signed, SignError> {
    sign(
        request,
        &credential(),
        GET_IMAGE,
        Timestamp::UNIX_EPOCH,
        "n",
        rule,
    )
}

fn signature(request: &Request<'_>) -> String {
    let done = signed(request, HeaderRule::All).unwrap();
    done.steps.signature.expose_secret().to_owned()
}

#[test]
fn what_cannot_be_sent_as_it_is_signed_is_refused() {
    let none = vec![];
    let fine = request(&none, &none, b"");
    let refused = |request: Request<'_>| signed(&request, HeaderRule::All).unwrap_err();
    for path in ["v1", "/a b", "/é", "/a?b", "/a#b", "/a\r\nX: y"] {
        assert_eq!(refused(Request { path, ..fine }), Malformed("path"));
    }
    for host in ["", "a b", "a/b", "u@a", "a\nb"] {
        assert_eq!(refused(Request { host, ..fine }), Malformed("host"));
    }
    let method = "";
    assert_eq!(refused(Request { method, ..fine }), Malformed("method"));
    let header = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        refused(request(&none, &headers, b""))
    };
    assert_eq!(header("a:", "b"), Malformed("header name"));
    assert_eq!(header("a", "b\n"), HeaderValue("a".into()));
    for name in [
        "Host",
        "X-Acs-Date",
        "x-acs-security-token",
        "Authorization",
    ] {
        assert_eq!(header(name, "b"), ReservedHeader(name.to_lowercase()));
    }

    let with = |nonce, change: fn(&mut Credential)| {
        let mut credential = credential();
        change(&mut credential);
        let now = Timestamp::UNIX_EPOCH;
        sign(&fine, &credential, GET_IMAGE, now, nonce, HeaderRule::All).unwrap_err()
    };
    assert_eq!(with("", |_| ()), Malformed("nonce"));
    let access_key = with("n", |c| c.access_key = "A, B".into());
    assert_eq!(access_key, Malformed("access key"));
    let secret_key = with("n", |c| c.secret_key = "".into());
    assert_eq!(secret_key, Malformed("secret key"));
    let token = with("n", |c| c.security_token = Some("a\nb".into()));
    assert_eq!(token, HeaderValue("x-acs-security-token".into()));
}

#[test]
fn an_empty_path_is_signed_as_the_root_and_an_empty_token_is_not_sent() {
    let credential = Credential {
        security_token: Some("".into()),
        ..credential()
    };
    let none = vec![];
    let empty = Request {
        path: "",
        ..request(&none, &none, b"")
    };
    let done = sign(
        &empty,
        &credential,
        GET_IMAGE,
        Timestamp::MAX,
        "n",
        HeaderRule::All,
    );
    let steps = done.unwrap().steps;
    assert!(
        steps
            .canonical_request
            .expose_secret()
            .starts_with("GET\n/\n\nhost:")
    );
    assert!(
        !steps.signed_headers.contains("token"),
        "{}",
        steps.signed_headers
    );
}

#[test]
fn printing_shows_no_secret() {
    let done = signed(&request(&vec![], &vec![], b""), HeaderRule::All).unwrap();
    let text = format!("{:?} {done:?}", credential());
    let signature = done.steps.signature.expose_secret();
    assert!(
        !text.contains("hidden") && !text.contains(signature),
        "{text}"
    );
}

proptest! {
    #[test]
    fn order_of_headers_and_query_and_case_of_names_do_not_matter(
        headers in prop::collection::vec(("q[a-c]", "[ -~]{0,9}"), 0..6),
        query in prop::collection::vec((".{0,3}", ".{0,3}"), 0..6),
    ) {
        let upper = headers.iter().rev().map(|(k, v)| (k.to_uppercase(), format!(" {v}\t")));
        let (upper, reversed) = (upper.collect(), query.iter().rev().cloned().collect());
        let (one, other) = (request(&query, &headers, b""), request(&reversed, &upper, b""));
        let other = Request { method: "get", ..other };
        prop_assert_eq!(signature(&one), signature(&other));
        let wire = signed(&one, HeaderRule::Documented).unwrap();
        prop_assert_eq!(wire.query.split('&').filter(|s| !s.is_empty()).count(), query.len());
        prop_assert_eq!(wire.headers.len(), headers.len() + 9);
        prop_assert!(!wire.steps.signed_headers.contains(";q"));
    }

    #[test]
    fn a_change_in_any_part_changes_the_signature(
        path in "(/[a-z0-9%]{0,5}){1,3}", key in ".{1,4}", body in ".{0,9}", more in "[a-z]{1,3}",
    ) {
        let (query, headers) = (vec![(key.clone(), more.clone())], vec![("h".to_owned(), more.clone())]);
        let base = Request { path: &path, ..request(&query, &headers, body.as_bytes()) };
        let before = signature(&base);
        prop_assert_eq!(&before, &signature(&base));
        let (longer, bytes) = (format!("{path}{more}"), format!("{body}{more}"));
        let (key, dearer) = (vec![(format!("{key}{more}"), more.clone())], vec![("h".to_owned(), format!("{more}x"))]);
        for other in [
            Request { method: "POST", ..base },
            Request { host: "h.example:8443", ..base },
            Request { path: &longer, ..base },
            Request { body: bytes.as_bytes(), ..base },
            Request { headers: &dearer, ..base },
            Request { query: &key, ..base },
            Request { query: &[], ..base },
        ] {
            prop_assert_ne!(&before, &signature(&other));
        }
        let later = Timestamp::from_second(1).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let list = Action { name: "ListImages", ..GET_IMAGE };
        for (action, now, nonce) in [(GET_IMAGE, later, "n"), (GET_IMAGE, now, "m"), (list, now, "n")] {
            let done = sign(&base, &credential(), action, now, nonce, HeaderRule::All).unwrap();
            prop_assert_ne!(&before, done.steps.signature.expose_secret());
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding_once(text in ".*") {
        let encoded = encode(&text);
        let decoded = percent_encoding::percent_decode_str(&encoded);
        prop_assert_eq!(decoded.decode_utf8().unwrap(), &*text);
    }

    #[test]
    fn any_text_is_signed_or_refused(
        odd in ".{0,6}", name in "[!-~]{0,4}|.{0,4}", seconds in any::<i32>(), part in 0..6,
    ) {
        let now = Timestamp::from_second(i64::from(seconds) * 80).unwrap();
        let given = vec![(name.clone(), odd.clone())];
        let (mut request, mut action, mut nonce, mut credential) =
            (request(&given, &given, odd.as_bytes()), GET_IMAGE, "n", credential());
        match part {
            0 => request.method = &name,
            1 => request.host = &odd,
            2 => request.path = &odd,
            3 => action.name = &name,
            4 => nonce = &odd,
            _ => credential.access_key = name.clone(),
        }
        if let Ok(done) = sign(&request, &credential, action, now, nonce, HeaderRule::All) {
            prop_assert!(done.query.is_ascii());
            for (_, value) in done.headers {
                prop_assert!(!value.expose_secret().contains(['\r', '\n', '\0']));
            }
        }
    }
}
