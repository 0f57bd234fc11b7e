//! What is remembered of a reference, for how long, and what makes it due.

use super::*;
use crate::api::condition::Truth;
use crate::facts::{Failure, FailureKind};

fn object(uid: &str) -> ImageRef {
    let mut object = ImageRef::new("one", crate::api::ImageRefSpec::default());
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some(uid.into());
    object
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn an_answer_that_could_not_be_written_is_used_again_for_the_same_question_for_a_while() {
    let (memories, one) = (Memories::default(), object("1"));
    memories.enter(&one, Version::unusable("p"), at(0));
    let look = || Look::Failed(Failure::new(FailureKind::NotFound, "no"));
    memories.keep_unwritten(&one, "q".into(), look(), at(0));
    assert!(memories.take_unwritten(&one, "q", at(1)).is_some());
    // Failing again does not make it younger.
    memories.keep_unwritten(&one, "q".into(), look(), at(200));
    assert!(memories.take_unwritten(&one, "q", at(299)).is_some());
    assert!(memories.take_unwritten(&one, "q", at(300)).is_none());
    memories.keep_unwritten(&one, "q".into(), look(), at(300));
    assert!(memories.take_unwritten(&one, "other", at(301)).is_none());
    memories.keep_unwritten(&one, "q".into(), look(), at(302));
    memories.remember(&one, plan::Memory::default());
    assert!(
        memories.take_unwritten(&one, "q", at(303)).is_none(),
        "it was written"
    );
}

#[test]
fn an_object_older_than_what_was_written_of_it_is_put_off_but_not_for_ever() {
    let of = |version: &str| {
        let mut object = object("1");
        object.metadata.resource_version = Some(version.into());
        object
    };
    let memories = Memories::default();
    assert_eq!(memories.put_off(&of("9")), None, "nothing was written");
    memories.enter(&of("9"), Version::unusable("p"), at(0));
    memories.wrote(&of("10"));
    let first = memories.put_off(&of("9"));
    assert_eq!(first, Some(Duration::from_millis(100)));
    assert_eq!(
        memories.put_off(&of("10")),
        None,
        "the watch has brought it"
    );
    assert_eq!(memories.put_off(&of("9")), None, "it was seen");

    memories.wrote(&of("12"));
    assert_eq!(
        memories.put_off(&of("13")),
        None,
        "somebody changed it since"
    );
    memories.wrote(&of("20"));
    let waits: Vec<_> = std::iter::from_fn(|| memories.put_off(&of("14"))).collect();
    assert_eq!(waits.len(), 8);
    assert_eq!(
        waits.iter().sum::<Duration>(),
        Duration::from_millis(25_500)
    );
    assert_eq!(memories.put_off(&of("14")), None, "its versions began anew");
    memories.wrote(&of("opaque"));
    assert_eq!(memories.put_off(&of("14")), None);
}

#[test]
fn what_was_refused_under_another_proof_is_not_written_any_more() {
    let (memories, one) = (Memories::default(), object("1"));
    memories.enter(&one, Version::unusable("refused"), at(0));
    let refused = Look::Failed(Failure::new(FailureKind::AuthenticationFailed, "no"));
    memories.keep_unwritten(&one, "q".into(), refused, at(0));
    memories.enter(&one, Version::unusable("mended"), at(1));
    assert!(memories.take_unwritten(&one, "q", at(1)).is_none());
}

#[test]
fn a_platform_that_recovers_is_asked_at_once_only_by_those_it_kept_waiting() {
    let due = |reason, truth| {
        let (memories, mut one) = (Memories::default(), object("1"));
        let mut status = ImageRefStatus::default();
        let ready = ConditionType::Ready;
        condition::set(&mut status.conditions, ready, truth, reason, "", 1, at(0));
        one.status = Some(status);
        memories.enter(&one, Version::recovered(0), at(0));
        let later = plan::Memory {
            next_look: Some(at(1000)),
            ..plan::Memory::default()
        };
        memories.remember(&one, later);
        memories.enter(&one, Version::recovered(1), at(5)).next_look == Some(at(5))
    };
    assert!(due(Reason::AuthenticationFailed, Truth::False));
    assert!(due(Reason::Progressing, Truth::Unknown));
    assert!(!due(Reason::ImageNotFound, Truth::False));
    assert!(!due(Reason::ExpectationFailed, Truth::False));
    assert!(!due(Reason::Resolved, Truth::True));
    for (reason, waits) in [
        (Reason::RegistryDenied, false),
        (Reason::RegistryUnreachable, false),
        (Reason::ProviderUnreachable, true),
    ] {
        let mut status = ImageRefStatus::default();
        let stale = ConditionType::Stale;
        condition::set(
            &mut status.conditions,
            stale,
            Truth::True,
            reason,
            "",
            1,
            at(0),
        );
        assert_eq!(waits_for_the_platform(&status), waits, "{reason:?}");
    }
}

#[test]
fn an_object_made_anew_under_its_name_starts_afresh() {
    let memories = Memories::default();
    memories.enter(&object("1"), Version::unusable("p"), at(0));
    let memory = plan::Memory {
        failures: 3,
        ..Default::default()
    };
    memories.remember(&object("1"), memory.clone());
    assert_eq!(
        memories.enter(&object("1"), Version::unusable("p"), at(1)),
        memory
    );
    assert_eq!(
        memories.enter(&object("2"), Version::unusable("p"), at(1)),
        plan::Memory::default()
    );
}
