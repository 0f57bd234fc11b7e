//! The words of an answer: how many, in which order, and within what API servers pass on.

use super::reviews::{around, bad, enforce, good, respond, review, torch, with};
use crate::verdict::world::{TORCH, World, declared, unusable};
use imageref::admission::review::{self, Endpoint, Surroundings};
use imageref::admission::{Configuration, Known, Mode};
use serde_json::{Value, json};

/// A pod of many containers with an image that nobody declared.
fn crowd(count: usize, image: &str) -> Value {
    let containers: Vec<_> = (0..count)
        .map(|n| json!({"name": format!("c{n}"), "image": image}))
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": containers}})
}

#[test]
fn many_findings_are_counted_and_long_ones_cut_within_what_api_servers_pass_on() {
    let review = review(&crowd(14, &"x".repeat(5000)));
    let answer = enforce(&torch(), &review);
    let lines: Vec<_> = answer["status"]["message"]
        .as_str()
        .unwrap()
        .lines()
        .collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[10], "and 4 more");
    assert!(lines.iter().all(|line| line.len() <= 1000));

    let configuration = Configuration::default();
    let known = Known::new(configuration.mirrors());
    let request = review::Request::read(&serde_json::to_vec(&review).unwrap()).unwrap();
    let warn = Endpoint::Validate(Mode::Warn);
    let outcome = review::judge(&request, warn, &around(&known, &configuration));
    let why = "w".repeat(2000);
    let answer: Value =
        serde_json::from_str(&review::judged(&request, &outcome, Some(&why))).unwrap();
    let warnings = answer["response"]["warnings"].as_array().unwrap();
    let lengths = warnings
        .iter()
        .map(|warning| warning.as_str().unwrap().chars().count());
    assert_eq!(warnings.len(), 12);
    assert!(lengths.clone().sum::<usize>() <= 4096, "{warnings:#?}");
    assert!(lengths.max().unwrap() <= 350);
}

#[test]
fn what_refuses_is_told_before_what_only_warns() {
    // Ten that only warn, made anew by a controller, and one that nobody declared behind them.
    let retired = unusable(
        declared("torch", &format!("{TORCH}:3")),
        "ImageNotActive",
        "it is retired",
    );
    let mut pod = crowd(11, &format!("{TORCH}:3"));
    pod["spec"]["containers"][10]["image"] = "busybox".into();
    let by = "system:serviceaccount:kube-system:job-controller";
    let answer = enforce(
        &World::of([retired]),
        &with(review(&pod), "/userInfo/username", by.into()),
    );
    let message = answer["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("spec.containers[10] \"c10\": image busybox"),
        "{message}"
    );
    assert!(message.ends_with("\nand 1 more"), "{message}");
}

#[test]
fn no_text_of_an_answer_has_a_control_character() {
    let retired = unusable(
        declared("torch", &format!("{TORCH}:3")),
        "ImageNotActive",
        "a\u{7}\nb\u{1b}[31m",
    );
    for mode in [Mode::Enforce, Mode::Warn] {
        let answer = respond(&World::of([retired.clone()]), mode, true, &review(&good()));
        let told = answer["status"]["message"]
            .as_str()
            .or(answer["warnings"][0].as_str());
        let told = told.unwrap();
        assert!(!told.contains(char::is_control), "{told:?}");
    }
}

#[test]
fn a_broken_watch_is_told_with_what_is_refused_or_warned_about_and_with_nothing_else() {
    let configuration = Configuration::default();
    let known = Known::new(configuration.mirrors());
    let labels = std::collections::BTreeMap::new();
    let told = |object: &Value, mode| {
        let request = review::Request::read(&serde_json::to_vec(&review(object)).unwrap()).unwrap();
        let around = Surroundings {
            labels: Some(&labels),
            ..around(&known, &configuration)
        };
        let outcome = review::judge(&request, Endpoint::Validate(mode), &around);
        let answer = review::judged(&request, &outcome, Some("the watch\nis\u{7}broken"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["response"]["warnings"].as_array().map_or(0, |all| {
            let old = "imageref: what the webhook knows may be out of date: the watch\u{fffd}is\u{fffd}broken";
            all.iter().filter(|warning| **warning == old).count()
        })
    };
    assert_eq!(told(&bad(), Mode::Enforce), 1);
    assert_eq!(told(&bad(), Mode::Warn), 1);
    assert_eq!(told(&bad(), Mode::Audit), 0);
    assert_eq!(told(&crowd(0, ""), Mode::Enforce), 0);
}
