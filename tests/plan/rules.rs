//! What holds beyond the rows: schedules, drift, requests, restarts.

use super::case::*;
use imageref::api::condition::Truth;
use imageref::api::{ConditionType, Reason};
use imageref::facts::{Facts, Failure, FailureKind, ImageStatus};
use imageref::plan::{
    CONFIRM_AFTER, Contents, Due, Look, Memory, Object, Provided, confirms_from, due, max_age,
};
use k8s_openapi::jiff::SignedDuration;
use std::time::Duration;

#[test]
fn an_edit_that_names_a_missing_provider_does_not_serve_the_old_providers_answer() {
    let mut case = Case::resolved();
    case.generation += 1;
    let mut gone = unavailable(FailureKind::ProviderNotFound);
    let Provided::Unavailable {
        provider: Some(provider),
        ..
    } = &mut gone
    else {
        unreachable!()
    };
    provider.name = "gone".into();
    case.provided = gone;
    case.step(fail(FailureKind::ProviderNotFound));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert_eq!(case.status.image, None);
}

#[test]
fn interval_0s_looks_until_the_answer_is_final_and_then_never() {
    let mut case = Case::new();
    case.spec.interval = "0s".into();
    case.step(fail(FailureKind::Unreachable));
    assert!(matches!(case.due(), Due::At(_)));
    case.pass(case.wait());
    case.step(found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    assert!(matches!(case.due(), Due::At(_)), "not final yet");
    case.pass(case.wait());
    let plan = case.step(found(facts()));
    assert_eq!((case.due(), plan.requeue), (Due::Never, None));
    // A requested look that fails does not start the clock of age.
    case.requested_at = Some("1".into());
    assert_eq!(case.due(), Due::Now);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.pass(HOUR * 24 * 365);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    assert_eq!(case.due(), Due::Never);

    let mut case = Case::new();
    case.spec.interval = "0s".into();
    case.step(fail(FailureKind::NotFound));
    assert_eq!(case.due(), Due::Never, "stalled is final");
}

#[test]
fn the_annotation_asks_for_one_look_and_is_echoed_to_64_characters() {
    let mut case = Case::resolved();
    case.requested_at = Some("é".repeat(100));
    assert_eq!(case.due(), Due::Now);
    case.step(found(facts()));
    assert_eq!(case.status.last_handled_reconcile_at, Some("é".repeat(64)));
    assert_ne!(case.due(), Due::Now);
}

#[test]
fn after_a_restart_settled_references_wait_for_their_own_slot() {
    let resolved = Case::resolved();
    let slots: std::collections::BTreeSet<_> = (0..100)
        .map(|n| {
            let object = Object {
                uid: &n.to_string(),
                ..resolved.object()
            };
            match due(
                &object,
                &resolved.provided,
                &resolved.status,
                &Memory::default(),
                resolved.now,
            ) {
                Due::At(at) => resolved.now.duration_until(at).as_secs() / 360,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(slots.len() >= 9, "spread over the interval: {slots:?}");
    let mut refused = Case::new();
    refused.step(fail(FailureKind::NotFound));
    refused.memory = Memory::default();
    assert!(
        matches!(refused.due(), Due::At(_)),
        "a broken object is no reason for a call"
    );
    let mut fresh = Case::new();
    fresh.step(fail(FailureKind::Unreachable));
    fresh.memory = Memory::default();
    assert_eq!(fresh.due(), Due::Now, "without an answer it asks");
}

#[test]
fn a_clock_that_is_set_back_postpones_no_look() {
    let mut case = Case::resolved();
    let Due::At(planned) = case.due() else {
        panic!()
    };
    for back in [HOUR, 24 * HOUR] {
        case.now = planned - HOUR - back;
        assert_eq!(case.due(), Due::Now, "{back:?}");
    }
    // No farther ahead than it may be.
    case.now = planned - HOUR;
    assert_eq!(case.due(), Due::At(planned));
}

#[test]
fn a_confirmed_answer_is_written_once_per_quarter_of_max_staleness() {
    let mut case = Case::resolved();
    let mut writes = 0;
    for _ in 0..48 {
        case.pass(HOUR);
        writes += usize::from(case.step(found(facts())).write);
    }
    assert_eq!(writes, 8, "24h / 4 = 6h");
}

#[test]
fn after_a_restart_a_settled_reference_comes_back_for_its_slot() {
    for end in [found(facts()), fail(FailureKind::NotFound)] {
        let mut case = Case::new();
        case.step(end);
        case.memory = Memory::default();
        let Due::At(slot) = case.due() else { panic!() };
        let wait = case.step(Look::NotDue).requeue.unwrap();
        assert!(case.now.duration_until(slot).unsigned_abs().abs_diff(wait) < HOUR / 3600);
        case.pass(wait);
        assert_eq!(case.due(), Due::Now);
    }
}

#[test]
fn an_edit_during_a_pause_neither_spins_nor_is_forgotten() {
    let throttled = || {
        Look::Failed(Failure {
            retry_after: Some(HOUR),
            ..Failure::new(FailureKind::Throttled, "slower")
        })
    };
    let mut case = Case::resolved();
    case.spec.interval = "1m".into();
    case.step(throttled());
    case.edit(|spec| spec.history_limit = 3);
    let wait = case.step(Look::NotDue).requeue.unwrap();
    case.pass(wait);
    while let Due::At(_) = case.due() {
        let again = case.step(Look::NotDue).requeue.unwrap();
        assert!(again > Duration::ZERO, "spins until the pause is over");
        case.pass(again);
    }

    let mut case = Case::resolved();
    case.step(throttled());
    case.edit(|spec| {
        spec.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"));
    });
    let look = match case.due() {
        Due::Now => Look::Pending,
        _ => Look::NotDue,
    };
    let plan = case.step(look);
    assert!(
        plan.requeue.is_some(),
        "nobody comes back for the new source"
    );
}

#[test]
fn an_interval_set_on_a_reference_that_was_looked_up_once_takes_effect() {
    let mut case = Case::new();
    case.spec.interval = "0s".into();
    assert_eq!(case.step(found(facts())).requeue, None);
    case.edit(|spec| spec.interval = "1h".into());
    let look = match case.due() {
        Due::Now => Look::Pending,
        _ => Look::NotDue,
    };
    assert!(is_regular(case.step(look).requeue.unwrap()));
}

#[test]
fn an_outage_that_shows_in_many_ways_is_written_once() {
    let mut case = Case::resolved();
    let mut writes = 0;
    for kind in [
        FailureKind::Unreachable,
        FailureKind::ProviderError,
        FailureKind::ResponseInvalid,
        FailureKind::Unreachable,
    ] {
        case.pass(HOUR);
        writes += usize::from(case.step(fail(kind)).write);
    }
    assert_eq!(writes, 1);
    assert!(case.has(ConditionType::Stale, Reason::ProviderUnreachable));
    case.step(fail(FailureKind::AuthenticationFailed));
    assert!(case.has(ConditionType::Stale, Reason::AuthenticationFailed));
}

#[test]
fn a_requested_look_is_in_progress_as_long_as_the_pause_lasts() {
    let throttled = || {
        Look::Failed(Failure {
            retry_after: Some(HOUR),
            ..Failure::new(FailureKind::Throttled, "slower")
        })
    };
    let mut case = Case::resolved();
    case.step(throttled());
    case.requested_at = Some("a".into());
    for requested in ["a", "b"] {
        case.requested_at = Some(requested.into());
        assert!(matches!(case.due(), Due::At(_)));
        case.step(Look::NotDue);
        assert!(case.has(ConditionType::Reconciling, Reason::ReconcileRequested));
    }
    case.requested_at = None;
    case.step(Look::NotDue);
    assert!(!case.is(ConditionType::Reconciling));
}

#[test]
fn a_providers_shortest_interval_holds_and_once_stays_once() {
    let mut case = Case::new();
    if let Provided::Target { min_interval, .. } = &mut case.provided {
        *min_interval = HOUR;
    }
    for (asked, hours) in [("0s", 0), ("1m", 1), ("1h", 1), ("2h", 2)] {
        case.spec.interval = asked.into();
        assert_eq!(case.provided.interval(&case.spec), HOUR * hours);
    }
    case.spec.interval = "1m".into();
    case.step(found(facts()));
    assert!(case.wait() > HOUR * 4 / 5, "{:?}", case.wait());
}

#[test]
fn no_answer_gets_older_than_the_interval_and_none_answers_twice() {
    for age in [0, 10, 48] {
        let mut case = Case::new();
        let age = Duration::from_secs(age * 60);
        assert!(
            age <= max_age(HOUR, &case.status),
            "such an answer is not taken"
        );
        let as_of = case.now - SignedDuration::try_from(age).unwrap();
        case.step(Look::Found {
            facts: facts().into(),
            as_of,
            contents: Contents::NotAsked,
        });
        let old = age + case.wait();
        assert!(old <= HOUR * 95 / 100, "{age:?}: {old:?}");
        assert!(
            old > max_age(HOUR, &case.status),
            "{age:?}: the next look needs another"
        );
    }
}

#[test]
fn a_second_look_at_a_missing_image_and_one_at_a_growing_image_are_their_own() {
    let resolved = Case::resolved();
    assert_eq!(max_age(HOUR, &resolved.status), HOUR * 4 / 5);
    let mut missing = Case::resolved();
    missing.step(fail(FailureKind::NotFound));
    assert!(max_age(HOUR, &missing.status) < CONFIRM_AFTER);
    let apart = missing.now + SignedDuration::try_from(CONFIRM_AFTER).unwrap();
    assert_eq!(confirms_from(&missing.status), Some(apart));
    assert_eq!(confirms_from(&resolved.status), None);
    let mut inactive = Case::new();
    inactive.step(found(Facts {
        status: ImageStatus::Inactive,
        ..facts()
    }));
    assert_eq!(max_age(HOUR, &inactive.status), HOUR * 4 / 5);
    let mut asked = Case::resolved();
    asked.requested_at = Some("1".into());
    asked.memory.paused_until = Some(asked.now + SignedDuration::from_secs(60));
    asked.step(Look::NotDue);
    assert!(asked.is(ConditionType::Reconciling));
    assert_eq!(max_age(HOUR, &asked.status), HOUR * 4 / 5);
    let mut growing = Case::new();
    growing.step(found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    assert!(max_age(HOUR, &growing.status) < growing.wait());
    assert!(max_age(Duration::ZERO, &resolved.status) <= Duration::from_secs(30));
}

#[test]
fn a_requested_look_is_work_in_progress_until_the_pause_is_over() {
    let mut case = Case::resolved();
    case.requested_at = Some("1".into());
    case.memory.paused_until = Some(case.now + SignedDuration::from_secs(60));
    case.step(Look::NotDue);
    assert!(case.has(ConditionType::Reconciling, Reason::ReconcileRequested));
    case.pass(Duration::from_secs(60));
    case.step(Look::NotDue);
    assert!(!case.is(ConditionType::Reconciling));
}
