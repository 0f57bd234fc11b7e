//! Every part of a reference, well formed and not.

use super::*;
use proptest::prelude::*;

fn digest(byte: &str) -> String {
    format!("sha256:{}", byte.repeat(32))
}

#[test]
fn each_part_is_found() {
    let d = digest("0a");
    for (text, host, repository, tag, pinned) in [
        (
            "swr.r.myhuaweicloud.com/a/b:1.0",
            "swr.r.myhuaweicloud.com",
            "a/b",
            Some("1.0"),
            false,
        ),
        (
            " REG.example:5000/a/b__c/d-e---f.g \n",
            "reg.example:5000",
            "a/b__c/d-e---f.g",
            None,
            false,
        ),
        (
            "localhost/a:_x-Y.z",
            "localhost",
            "a",
            Some("_x-Y.z"),
            false,
        ),
        (
            &format!("127.0.0.1:1/a@{d}"),
            "127.0.0.1:1",
            "a",
            None,
            true,
        ),
        (
            &format!("h.example/a:1@{d}"),
            "h.example",
            "a",
            Some("1"),
            true,
        ),
    ] {
        let read = Reference::parse(text).unwrap();
        let parts = (
            read.host(),
            read.repository(),
            read.tag(),
            read.digest().is_some(),
        );
        assert_eq!(parts, (host, repository, tag, pinned), "{text}");
        assert_eq!(Reference::parse(&read.to_string()).unwrap(), read);
    }
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let long = "a".repeat(129);
    let cases = [
        ("without https://", vec!["https://h.example/a:1".to_owned()]),
        (
            "host is missing",
            ["", "a", "a:1", "a/b:1", "library/a", "A/b", "/a"]
                .map(Into::into)
                .into(),
        ),
        (
            "host must be",
            [
                "h..x/a",
                ".h/a",
                "h./a",
                "-h.x/a",
                "h-.x/a",
                "h_.x/a",
                "h.x:/a",
                "h.x:0/a",
                "h.x:08/a",
                "h.x:+8/a",
                "h.x:65536/a",
                "h.x:1:2/a",
                "[::1]:5000/a",
                "u:p@h.x/a",
                "hö.x/a",
                "h%2e.x/a",
                "h.x\u{0}/a",
                "h.x /a",
            ]
            .map(Into::into)
            .into(),
        ),
        (
            "repository must be",
            [
                "h.x/",
                "h.x//a",
                "h.x/a/",
                "h.x/A",
                "h.x/a..b",
                "h.x/a___b",
                "h.x/a._b",
                "h.x/-a",
                "h.x/a-",
                "h.x/../a",
                "h.x/a%2fb",
                "h.x/a b",
                "h.x/a?b",
                "h.x/a#b",
                "h.x/a\\b",
                "h.x/:1",
                "h.x/ä",
            ]
            .map(Into::into)
            .into(),
        ),
        (
            "the tag must be",
            vec![
                "h.x/a:".into(),
                "h.x/a:.b".into(),
                "h.x/a:-b".into(),
                "h.x/a:b:c".into(),
                "h.x/a:b/c".into(),
                "h.x/a:ä".into(),
                format!("h.x/a:{long}"),
            ],
        ),
        (
            "behind @",
            vec![
                "h.x/a@".into(),
                "h.x/a@sha256:0a".into(),
                "h.x/a@sha512:0a".into(),
                format!("h.x/a@{}", digest("0A")),
                format!("h.x/a@{0}@{0}", digest("0a")),
            ],
        ),
        ("more than 255", vec![format!("h.x/{}", "a".repeat(252))]),
    ];
    for (said, texts) in cases {
        for text in texts {
            let error = Reference::parse(&text).unwrap_err();
            // Somebody who writes a password into a host must not read it in a status.
            let other = text.contains("u:p@") && error.contains("host is missing");
            assert!(error.contains(said) || other, "{text:?}: {error}");
        }
    }
    assert!(Reference::parse(&format!("h.x/{}", "a".repeat(251))).is_ok());
    assert!(Reference::parse(&format!("h.x/a:{}", "a".repeat(128))).is_ok());
}

#[test]
fn no_tag_is_guessed() {
    let bare = Reference::parse("h.x/a").unwrap();
    assert!(
        bare.wanted()
            .unwrap_err()
            .contains("neither a tag nor a digest")
    );
    let tagged = Reference::parse("h.x/a:1").unwrap();
    assert_eq!(tagged.wanted().unwrap(), "1");
    let pinned = tagged.with_digest(Digest::parse(&digest("0a")).unwrap());
    assert_eq!(pinned.wanted().unwrap(), digest("0a"));
    assert_eq!(pinned.without_digest(), tagged);
}

#[test]
fn images_are_the_same_where_nothing_tells_them_apart() {
    let (a, b) = (digest("0a"), digest("0b"));
    let same = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|text| {
            let text = text
                .replace("@A", &format!("@{a}"))
                .replace("@B", &format!("@{b}"));
            Reference::parse(&text).unwrap()
        });
        assert_eq!(one.is_same_image(&other), other.is_same_image(&one));
        one.is_same_image(&other)
    };
    for (one, other) in [
        ("h.x/a:1", "H.x/a:1"),
        ("h.x/a:1", "h.x/a:1@A"),
        ("h.x/a@A", "h.x/a:1@A"),
    ] {
        assert!(same(one, other), "{one} {other}");
    }
    for (one, other) in [
        ("h.x/a:1", "h.x/a:2"),
        ("h.x/a:1", "h.x/b:1"),
        ("h.x/a:1", "g.x/a:1"),
        ("h.x/a:1", "h.x:443/a:1"),
        ("h.x/a:1@A", "h.x/a:1@B"),
        ("h.x/a:1@A", "h.x/a:2@A"),
        ("h.x/a:1", "h.x/a@A"),
        ("h.x/a", "h.x/a"),
    ] {
        assert!(!same(one, other), "{one} {other}");
    }
}

proptest! {
    #[test]
    fn what_is_well_formed_is_read_and_printed_as_it_was(
        host in "([a-z0-9]{1,9}(-[a-z0-9]{1,3})?\\.){1,3}[a-z]{2,5}(:[1-9][0-9]{0,3})?|localhost",
        repository in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}){0,4}",
        tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"),
        hex in proptest::option::of("[0-9a-f]{64}"),
    ) {
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = hex.map(|hex| format!("@sha256:{hex}")).unwrap_or_default();
        let text = format!("{host}/{repository}{tag}{digest}");
        let read = Reference::parse(&text);
        prop_assert_eq!(read.map(|read| read.to_string()), Ok(text));
    }

    #[test]
    fn any_text_is_refused_or_safe_in_a_url(text in "\\PC{0,40}|[a-zA-Z0-9./:@_%?#-]{0,60}") {
        if let Ok(read) = Reference::parse(&text) {
            prop_assert_eq!(&Reference::parse(&read.to_string()), &Ok(read.clone()));
            let url: url::Url = format!("https://{}/v2/{}/manifests/x", read.host(), read.repository())
                .parse()
                .unwrap();
            prop_assert_eq!(url.path(), format!("/v2/{}/manifests/x", read.repository()));
        }
    }
}
