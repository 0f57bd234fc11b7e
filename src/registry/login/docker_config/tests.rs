//! Docker configs as people and tools write them.

use super::*;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

const HOST: &str = "swr.cn-north-4.myhuaweicloud.com";

fn config(auths: &Value) -> DockerConfig {
    DockerConfig::parse("ns/pull", json!({ "auths": auths }).to_string().as_bytes()).unwrap()
}

fn pairs(config: &DockerConfig, host: &str, repository: &str) -> Vec<(String, String)> {
    let logins = config.logins(host, repository).unwrap();
    let pair = |login: Login| (login.username, login.password.expose_secret().to_owned());
    logins.into_iter().map(pair).collect()
}

fn pair(name: &str, password: &str) -> (String, String) {
    (name.into(), password.into())
}

#[test]
fn every_form_of_an_entry_is_read() {
    let padded = BASE64.encode("u:p:q:");
    let wrapped = format!(" {}\n{}\r\n", &padded[..4], &padded[4..]);
    for entry in [
        json!({"auth": padded}),
        json!({"auth": STANDARD_NO_PAD.encode("u:p:q:")}),
        json!({"auth": wrapped, "email": "x", "more": [1]}),
        json!({"username": "u", "password": "p:q:"}),
        json!({"auth": "", "username": "u", "password": "p:q:", "identitytoken": ""}),
        json!({"auth": padded, "username": "not", "password": "this"}),
        json!({"auth": padded, "identitytoken": "t"}),
    ] {
        let read = pairs(&config(&json!({HOST: entry.clone()})), HOST, "a/b");
        assert_eq!(read, [pair("u", "p:q:")], "{entry}");
    }
}

#[test]
fn all_that_match_are_given_the_most_exact_first() {
    let login = |name: &str| json!({"username": name, "password": "p"});
    let config = config(&json!({
        "swr.*.myhuaweicloud.com": login("wildcard"),
        HOST: login("host"),
        (format!("https://{HOST}/ai-team/pytorch")): login("repository"),
        (format!("{HOST}/ai-team")): login("organisation"),
        (format!("{HOST}/other")): login("other"),
        "https://index.docker.io/v1/": login("hub"),
    }));
    let names = |host: &str, repository: &str| -> Vec<String> {
        let found = pairs(&config, host, repository);
        found.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(
        names(HOST, "ai-team/pytorch"),
        ["repository", "organisation", "host"]
    );
    assert_eq!(names(HOST, "x/y"), ["host", "wildcard"]);
    assert_eq!(names("docker.io", "library/nginx"), ["hub"]);
    assert!(names("ghcr.io", "x/y").is_empty());
    assert_eq!(
        config.lacks("ghcr.io"),
        "the Secret ns/pull has no login for ghcr.io: add one under auths"
    );
}

#[test]
fn an_entry_that_cannot_be_used_harms_no_other_and_says_what_to_write() {
    let rows = [
        (
            json!({"identitytoken": "SEEN"}),
            "identitytoken, which is not supported",
        ),
        (
            json!({"auth": BASE64.encode("SEEN:"), "identitytoken": "SEEN"}),
            "identitytoken, which is not supported",
        ),
        (json!({}), "lacks user name or password"),
        (json!({"username": "SEEN"}), "lacks user name or password"),
        (
            json!({"auth": BASE64.encode(":SEEN")}),
            "lacks user name or password",
        ),
        (json!({"auth": "SEEN!"}), "not base64"),
        (json!({"auth": BASE64.encode([0xff, b':'])}), "not base64"),
        (json!({"auth": BASE64.encode("SEEN")}), "no colon"),
        (
            json!({"username": "SEEN:a", "password": "p"}),
            "colon or a control",
        ),
        (
            json!({"username": "SEEN\n", "password": "p"}),
            "colon or a control",
        ),
        (json!({"auth": 7}), "not an object of texts"),
        (json!("SEEN"), "not an object of texts"),
        (Value::Null, "not an object of texts"),
    ];
    for (entry, words) in rows {
        let good = json!({"username": "u", "password": "p"});
        let one = config(&json!({HOST: entry.clone(), "ghcr.io": good.clone()}));
        let error = one.logins(HOST, "a/b").unwrap_err();
        assert!(error.contains(words), "{entry}: {error}");
        assert!(
            error.starts_with(&format!("the Secret ns/pull cannot be used for {HOST}: ")),
            "{error}"
        );
        assert!(!error.contains("SEEN"), "{error}");
        assert_eq!(pairs(&one, "ghcr.io", "a/b"), [pair("u", "p")]);
        let two = config(&json!({(format!("{HOST}/a")): entry, HOST: good}));
        assert_eq!(pairs(&two, HOST, "a/b"), [pair("u", "p")]);
    }
}

#[test]
fn a_secret_of_another_form_is_refused_without_being_shown() {
    let rows: [(&[u8], &str); 8] = [
        (b"", "is not JSON (line 1, column 0)"),
        (b"SEEN", "is not JSON"),
        (b"{\"auths\": {\"SEEN", "is not JSON"),
        (b"{}", "has no auths"),
        (b"{\"auths\": null}", "has no auths"),
        (b"{\"auths\": \"SEEN\"}", "is not of the form"),
        (b"[\"SEEN\"]", "is not of the form"),
        (b"{\"auths\": {}} SEEN", "is not JSON"),
    ];
    for (value, words) in rows {
        let error = DockerConfig::parse("ns/pull", value).unwrap_err();
        assert!(
            error.contains(words) && error.contains("ns/pull"),
            "{error}"
        );
        assert!(!error.contains("SEEN"), "{error}");
    }
    let large = vec![b' '; LARGEST + 1];
    let error = DockerConfig::parse("ns/pull", &large).unwrap_err();
    assert!(error.contains("larger than 1 MiB"), "{error}");
    let other = BTreeMap::from([("SEEN".to_owned(), b"SEEN".to_vec())]);
    let error = DockerConfig::of_secret("ns/pull", &other).unwrap_err();
    assert!(
        error.contains(DATA_KEY) && !error.contains("SEEN"),
        "{error}"
    );
    let right = BTreeMap::from([(DATA_KEY.to_owned(), b"{\"auths\": {}}".to_vec())]);
    assert!(DockerConfig::of_secret("ns/pull", &right).is_ok());
}

#[test]
fn one_repository_is_given_a_bounded_number_of_logins() {
    let stars = |n: usize| format!("*{}", "*".repeat(n));
    let auths: BTreeMap<String, Value> = (0..20)
        .map(|n| (stars(n), json!({"username": "u", "password": "p"})))
        .collect();
    let config = config(&json!(auths));
    assert_eq!(config.logins("host", "a").unwrap().len(), 3);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(name in "[^:\\p{Cc}]{1,12}", password in "\\PC{1,20}", padded: bool) {
        let text = format!("{name}:{password}");
        let auth = if padded { BASE64.encode(&text) } else { STANDARD_NO_PAD.encode(&text) };
        for entry in [json!({"auth": auth}), json!({"username": name, "password": password})] {
            let config = config(&json!({HOST: entry}));
            prop_assert_eq!(pairs(&config, HOST, "a/b"), [pair(&name, &password)]);
        }
    }

    #[test]
    fn nothing_of_a_secret_is_in_an_error_or_in_debug(
        junk in prop::collection::vec(any::<u8>(), 0..40), key in "\\PC{0,12}",
        field in "auth|username|password|identitytoken", value in "\\PC{0,9}SEEN\\PC{0,9}",
    ) {
        let fields = json!({field: value.clone()}).to_string();
        let whole = json!({"auths": {key: {"auth": BASE64.encode(&value)}, HOST: serde_json::from_str::<Value>(&fields).unwrap()}});
        let whole = whole.to_string().into_bytes();
        let mut broken = whole.clone();
        broken.truncate(whole.len() / 2);
        for bytes in [whole, broken, [junk, b"SEEN".to_vec()].concat()] {
            let read = DockerConfig::parse("ns/pull", &bytes);
            let text = format!("{read:?} {:?}", read.as_ref().map(|read| read.logins(HOST, "a").map(|_| ())));
            prop_assert!(!text.contains("SEEN"), "{text}");
        }
    }
}
