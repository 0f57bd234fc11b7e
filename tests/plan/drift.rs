//! What counts as a change between two answers, and the sentence that an event has of it.

use super::case::*;
use imageref::api::ImageRefStatus;
use imageref::facts::{Arch, Facts, ImageStatus};
use imageref::plan::Contents;
use imageref::plan::drift::{change, describe};
use k8s_openapi::jiff::Timestamp;

/// The status after an answer.
fn status(facts: Facts, contents: Contents) -> ImageRefStatus {
    let mut case = Case::new();
    case.spec.digest_policy = "Always".into();
    case.step(found_with(facts, contents));
    case.status
}

fn said(before: &ImageRefStatus, after: &ImageRefStatus) -> Option<String> {
    change(before, after, Timestamp::UNIX_EPOCH).map(|change| describe(&change))
}

fn digits(digit: char) -> Contents {
    read(digit, &["linux/arm64"])
}

#[test]
fn the_sentence_names_who_changed_what_and_a_path_once() {
    let arch = |arch| Facts { arch, ..facts() };
    let pai = |tag: &str| Facts {
        image: Some(format!("registry.local/a:{tag}")),
        swr_path: None,
        ..facts()
    };
    let inactive = Facts {
        status: ImageStatus::Inactive,
        ..facts()
    };
    let cpu = Facts {
        accelerators: vec!["CPU".into()],
        ..facts()
    };
    let (a, b) = (digest('a'), digest('b'));
    let other = PATH.replace("2.1", "2.2");
    let none = || Contents::NotAsked;
    for (before, after, sentence) in [
        (
            status(facts(), none()),
            status(moved(), none()),
            format!("the platform changed swrPath from {PATH} to {other}"),
        ),
        (
            status(pai("1"), none()),
            status(pai("2"), none()),
            "the platform changed image from registry.local/a:1 to registry.local/a:2".into(),
        ),
        (
            status(arch(Some(Arch::Amd64)), none()),
            status(facts(), none()),
            "the platform changed arch from amd64 to arm64".into(),
        ),
        (
            status(facts(), digits('a')),
            status(facts(), digits('b')),
            format!("the registry changed digest from {a} to {b}"),
        ),
        (
            status(facts(), digits('a')),
            status(inactive, digits('b')),
            format!("the platform changed digest from {a} to {b}, status from ACTIVE to INACTIVE"),
        ),
        (
            status(facts(), none()),
            status(cpu, none()),
            "the platform changed accelerators from ASCEND,CPU to CPU".into(),
        ),
        (
            status(facts(), none()),
            status(without_arch(), none()),
            "the platform changed arch from arm64 to nothing".into(),
        ),
    ] {
        assert_eq!(said(&before, &after), Some(sentence));
        assert_eq!(said(&after, &after), None);
    }
}

#[test]
fn a_registry_that_is_read_for_the_first_time_or_no_more_changes_nothing() {
    let unread = status(without_arch(), Contents::NotAsked);
    let read = status(without_arch(), digits('a'));
    assert_eq!(read.arch.as_deref(), Some("arm64"));
    assert_eq!(said(&unread, &read), None);
    assert_eq!(said(&read, &unread), None);
}

#[test]
fn what_is_behind_an_at_sign_counts_unless_it_is_a_digest() {
    let named = |image: &str| {
        let facts = Facts {
            image: Some(image.into()),
            swr_path: None,
            ..facts()
        };
        status(facts, Contents::NotAsked)
    };
    let (one, other) = (named("registry.local/a:1@x"), named("registry.local/a:1@y"));
    let sentence = "the platform changed image from registry.local/a:1@x to registry.local/a:1@y";
    assert_eq!(said(&one, &other).as_deref(), Some(sentence));
    let pinned = named(&format!("registry.local/a:1@{}", digest('a')));
    assert_eq!(said(&named("registry.local/a:1"), &pinned), None);
}
