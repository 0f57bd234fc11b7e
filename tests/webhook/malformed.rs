//! Reviews that cannot be read: they are refused, and under their uid if they have one.

use super::reviews::{around, review};
use crate::verdict::world::pod;
use imageref::admission::review::{self, Endpoint, Request};
use imageref::admission::{Configuration, Known};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn without(path: &str) -> Value {
    let mut review = review(&pod("busybox"));
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = review.pointer_mut(parent).unwrap();
    parent
        .as_object_mut()
        .unwrap()
        .remove(field)
        .expect("a field");
    review
}

fn refused(review: &Value) -> (Option<String>, String) {
    let bytes = serde_json::to_vec(review).unwrap();
    let refused = Request::read(&bytes).expect_err("no review");
    (refused.uid, refused.problem)
}

#[test]
fn each_is_refused_in_its_own_words_and_keeps_its_uid() {
    let mut other_kind = review(&pod("busybox"));
    other_kind["kind"] = "Pod".into();
    let mut other_version = review(&pod("busybox"));
    other_version["apiVersion"] = "admission.k8s.io/v1beta1".into();
    let mut listed = review(&pod("busybox"));
    listed["request"]["object"] = json!(["no object"]);
    let named = [
        (
            other_kind,
            "it is no AdmissionReview of admission.k8s.io/v1",
        ),
        (
            other_version,
            "it is no AdmissionReview of admission.k8s.io/v1",
        ),
        (
            without("/kind"),
            "it is no AdmissionReview of admission.k8s.io/v1",
        ),
        (
            without("/request/operation"),
            "its request has no operation",
        ),
        (without("/request/object"), "its request has no object"),
        (listed, "its request has no object"),
    ];
    for (review, problem) in named {
        let uid = review["request"]["uid"].as_str().map(str::to_owned);
        assert_eq!(refused(&review), (uid, problem.to_owned()), "{review}");
    }
    let mut long = review(&pod("busybox"));
    long["request"]["uid"] = "u".repeat(257).into();
    let nameless = [
        (without("/request"), "it has no request"),
        (without("/request/uid"), "its request has no uid"),
        (long, "its request has no uid"),
        (json!([]), "it has no request"),
        (json!(null), "it has no request"),
    ];
    for (review, problem) in nameless {
        assert_eq!(refused(&review), (None, problem.to_owned()), "{review}");
    }
}

#[test]
fn no_text_of_an_object_is_in_what_is_said_of_bad_json() {
    for text in [
        &b"{\"password\": hunter2}"[..],
        b"",
        b"\xff\xfe",
        b"{\"a\": \"hunter2",
    ] {
        let refused = Request::read(text).unwrap_err();
        assert_eq!(refused.uid, None);
        assert!(
            refused.problem.starts_with("it is no JSON at "),
            "{refused}"
        );
        assert!(!refused.problem.contains("hunter2"), "{refused}");
    }
}

#[test]
fn the_refusal_is_a_review_of_bad_request() {
    let malformed = Request::read(&serde_json::to_vec(&without("/kind")).unwrap()).unwrap_err();
    let answer: Value = serde_json::from_str(&review::malformed(&malformed).unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "allowed": false,
                "status": {
                    "status": "Failure",
                    "code": 400,
                    "reason": "BadRequest",
                    "message": "the review cannot be read: it is no AdmissionReview of admission.k8s.io/v1",
                },
            },
        })
    );
    let nameless = Request::read(b"{}").unwrap_err();
    assert_eq!(review::malformed(&nameless), None);
}

/// Any JSON, of the words that a review is made of.
fn json_of_reviews() -> impl Strategy<Value = Value> {
    let words = [
        "apiVersion",
        "kind",
        "request",
        "uid",
        "operation",
        "namespace",
        "name",
        "object",
        "oldObject",
        "subResource",
        "userInfo",
        "username",
        "metadata",
        "generateName",
        "deletionTimestamp",
        "spec",
        "template",
        "containers",
        "image",
        "v1",
        "Pod",
        "group",
        "version",
        "CREATE",
        "UPDATE",
        "DELETE",
        "AdmissionReview",
        "admission.k8s.io/v1",
    ];
    let word = select(words.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

/// The same in the frame of a review, so that what is inside is read.
fn framed() -> impl Strategy<Value = Value> {
    let operation = select(vec!["CREATE", "UPDATE", "DELETE"]);
    let any = json_of_reviews;
    (operation, any(), any(), any(), any()).prop_map(|(operation, object, old, kind, user)| {
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u-1", "operation": operation, "namespace": "team-a", "kind": kind,
                "userInfo": user, "object": object, "oldObject": old,
            },
        })
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    select(Endpoint::ALL.map(|(_, endpoint)| endpoint).to_vec())
}

fn answered(bytes: &[u8], endpoint: Endpoint) -> Option<Value> {
    let configuration = Configuration::default();
    let known = Known::new(configuration.mirrors());
    let text = match Request::read(bytes) {
        Ok(request) => {
            let outcome = review::judge(&request, endpoint, &around(&known, &configuration));
            review::judged(&request, &outcome, None)
        }
        Err(malformed) => review::malformed(&malformed)?,
    };
    Some(serde_json::from_str(&text).unwrap())
}

proptest! {
    #[test]
    fn whatever_arrives_is_answered_under_its_uid(review in prop_oneof![json_of_reviews(), framed()], endpoint in endpoint()) {
        let uid = review.get("request").and_then(|request| request.get("uid")?.as_str());
        let uid = uid.filter(|uid| !uid.is_empty());
        let answer = answered(&serde_json::to_vec(&review).unwrap(), endpoint);
        prop_assert_eq!(uid, answer.as_ref().and_then(|answer| answer["response"]["uid"].as_str()));
        if let Some(answer) = answer {
            prop_assert!(answer["response"]["allowed"].is_boolean());
        }
    }

    #[test]
    fn no_bytes_are_too_broken(bytes in vec(any::<u8>(), 0..200), cut in 0_usize..400, endpoint in endpoint()) {
        answered(&bytes, endpoint);
        let whole = serde_json::to_vec(&review(&pod("busybox"))).unwrap();
        if cut < whole.len() {
            prop_assert_eq!(answered(&whole[..cut], endpoint), None);
        }
    }
}
