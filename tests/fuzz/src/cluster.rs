//! What stands in a cluster's objects: tokens, selectors, Secrets.
//!
//! Owns what must hold of it. Inputs are JSON, and lines `KEY=VALUE` for Secrets. The invariant that
//! would break first: the values of a Secret are such that they would be found in a message.

use crate::input::{SEEN, assert_unseen, parts, split};
use imageref::api::auth::Agency;
use imageref::api::selects;
use imageref::cloud::{Cloud, sign_in};
use imageref::controller::fuzzing as controller;
use imageref::webhook::certificates::fuzzing::{self as certificates, Data};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;
use std::collections::BTreeMap;

/// A token, or the claims of one.
pub(crate) fn token_claims(bytes: &[u8]) {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let as_claims = format!("e30.{claims}.c2ln");
    let as_token = String::from_utf8_lossy(bytes).into_owned();
    for token in [as_claims, as_token] {
        let token = token.into();
        let of = |uid: &str| {
            let audiences = [
                "sts.myhuaweicloud.com",
                "sts.aliyuncs.com",
                "https://kubernetes.default.svc",
            ];
            audiences.map(|audience| controller::is_of(&token, uid, audience))
        };
        let found = [of("uid-1"), of("uid-2"), of("")];
        let of_it = found.as_flattened().iter().filter(|is| **is).count();
        assert!(of_it <= 1);
    }
}

/// `{"selector": …, "labels": …}`.
pub(crate) fn label_selector(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let labels: Option<BTreeMap<String, String>> =
        serde_json::from_value(value["labels"].clone()).ok();
    let selector: Option<LabelSelector> = serde_json::from_value(value["selector"].clone()).ok();
    let (Some(labels), Some(selector)) = (labels, selector) else {
        return;
    };
    assert!(selects(&LabelSelector::default(), &labels));
    let all = selects(&selector, &labels);
    let mut each = true;
    for rule in selector.match_expressions.iter().flatten() {
        let one = |operator: &str| {
            let mut rule = rule.clone();
            rule.operator = operator.into();
            let rules = LabelSelector {
                match_expressions: Some(vec![rule]),
                ..LabelSelector::default()
            };
            selects(&rules, &labels)
        };
        assert_ne!(one("In"), one("NotIn"));
        assert_ne!(one("Exists"), one("DoesNotExist"));
        assert!(!one("In") || one("Exists"));
        each &= one(&rule.operator);
    }
    let equal = LabelSelector {
        match_expressions: None,
        ..selector
    };
    assert_eq!(all, each && selects(&equal, &labels));
}

/// The webhook's Secret: texts with a line `=== KEY` before each.
pub(crate) fn certificates(bytes: &[u8]) {
    let mut data = Data::new();
    for part in parts(bytes, b"=== ") {
        let (key, text) = split(part, b"\n");
        data.insert(String::from_utf8_lossy(key).into_owned(), text.to_vec());
    }
    let (kept, shown) = certificates::held(&data);
    let (again, _) = certificates::held(&kept);
    assert_eq!(again, kept);
    assert!(
        !shown.contains("PRIVATE") && !shown.contains("BEGIN"),
        "{shown}"
    );
    for text in data.values() {
        let (pem, authorities) = certificates::bundle(text);
        assert!(authorities <= 16);
        assert_eq!(certificates::bundle(pem.as_bytes()), (pem, authorities));
        for key in data.values() {
            match certificates::pair(text, key) {
                Ok((_, shown)) => assert!(!shown.contains("BEGIN")),
                Err(why) => assert_unseen(&why.to_string()),
            }
        }
    }
}

/// A provider's Secret: a line `KEY=VALUE` for each.
pub(crate) fn provider_secret(bytes: &[u8]) {
    let mut data = BTreeMap::new();
    for line in parts(bytes, b"\n") {
        let (key, value) = split(line, b"=");
        // The API server takes no other keys.
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !key.is_empty() && key.iter().all(plain) {
            data.insert(String::from_utf8_lossy(key).into_owned(), value.to_vec());
        }
    }
    let agency = Agency {
        domain_name: "domain".into(),
        name: "agency".into(),
        ..Agency::default()
    };
    for cloud in [Cloud::Huawei, Cloud::Alibaba] {
        for agency in [None, Some(&agency)] {
            match sign_in::of_secret(cloud, &data, agency, Some("project")) {
                Ok(source) => assert_hidden(&format!("{source:?}"), &data),
                Err(why) => {
                    assert!(!why.contains(char::is_control));
                    assert_hidden(&why, &data);
                }
            }
        }
    }
}

/// No value shows that is long and odd enough not to be there by chance.
fn assert_hidden(text: &str, data: &BTreeMap<String, Vec<u8>>) {
    assert_unseen(text);
    let values = data
        .values()
        .filter_map(|value| std::str::from_utf8(value).ok());
    for value in values.filter(|value| value.contains(SEEN)) {
        assert!(!text.contains(value.trim()), "{text}");
    }
}
