//! What holds beyond the rows: schedules, drift, requests, restarts.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::provider::Accept;
use imageref::api::{ConditionType, Expect, Reason};
use imageref::facts::{Arch, Facts, Failure, FailureKind, ImageStatus};
use imageref::plan::{Due, Look, Memory, Object, Provided, due};
use std::time::Duration;

#[test]
fn a_violated_server_type_names_both_types() {
    let mut case = Case::new();
    let mut found = facts();
    found.upstream.server_type = Some("ECS".into());
    case.edit(|spec| {
        spec.expect = Some(Expect {
            server_type: vec!["BMS".into()],
            ..Default::default()
        });
    });
    case.step(Look::Found(found));
    assert!(condition::has_reason(
        &case.status.conditions,
        ConditionType::Compliant,
        Reason::ServerTypeMismatch
    ));
}

#[test]
fn an_explicit_status_list_replaces_the_rule_that_images_are_active() {
    let mut case = Case::new();
    case.edit(|spec| {
        spec.expect = Some(Expect {
            status: vec!["INACTIVE".into()],
            ..Default::default()
        });
    });
    case.step(Look::Found(Facts {
        status: ImageStatus::Inactive,
        ..facts()
    }));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(condition::has_reason(
        &case.status.conditions,
        ConditionType::Compliant,
        Reason::Met
    ));
}

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
    case.step(Look::Found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    assert!(matches!(case.due(), Due::At(_)), "not final yet");
    case.pass(case.wait());
    let plan = case.step(Look::Found(facts()));
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
    case.step(Look::Found(facts()));
    assert_eq!(case.status.last_handled_reconcile_at, Some("é".repeat(64)));
    assert_ne!(case.due(), Due::Now);
}

#[test]
fn drift_is_kept_with_its_history_until_it_is_acknowledged() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    let moved = Facts {
        image: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        swr_path: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        ..facts()
    };
    let plan = case.step(Look::Found(moved.clone()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Drifted, Reason::PathChanged));
    assert_eq!(plan.events.len(), 1);
    let entry = &case.status.history[0];
    assert_eq!(entry.changed, ["image", "swrPath"]);
    assert!(entry.from["image"].ends_with(":2.1") && entry.to["image"].ends_with(":2.2"));
    assert_eq!(entry.cause, "UpstreamChanged");
    case.pass(HOUR);
    assert!(
        !case.step(Look::Found(moved.clone())).write,
        "drift is sticky"
    );
    assert!(case.is(ConditionType::Drifted));
    case.requested_at = Some("seen".into());
    case.step(Look::Found(moved));
    assert!(!case.is(ConditionType::Drifted));
    assert_eq!(case.status.history.len(), 1);
}

#[test]
fn drift_names_the_gravest_change_and_a_spec_edit_acknowledges_it() {
    type Edit = fn(&mut Facts);
    let rows: [(Edit, Reason); 3] = [
        (|f| f.arch = Some(Arch::Amd64), Reason::ArchChanged),
        (|f| f.status = ImageStatus::Inactive, Reason::StatusChanged),
        (
            |f| {
                f.image_id = "other".into();
                f.arch = None;
            },
            Reason::ImageReplaced,
        ),
    ];
    for (edit, reason) in rows {
        let mut case = Case::resolved();
        let mut next = facts();
        edit(&mut next);
        case.step(Look::Found(next));
        assert!(case.has(ConditionType::Drifted, reason), "{reason:?}");
        case.edit(|spec| spec.history_limit = 0);
        case.step(Look::NotDue);
        assert!(!case.is(ConditionType::Drifted));
        assert!(
            case.status.history.is_empty(),
            "historyLimit is obeyed at once"
        );
    }
}

#[test]
fn an_expectation_edited_during_an_outage_is_judged_on_the_stored_facts() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.edit(|s| {
        s.expect = Some(Expect {
            arch: vec!["amd64".into()],
            ..Default::default()
        });
    });
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    case.edit(|s| {
        s.expect = Some(Expect {
            arch: vec!["arm64".into()],
            ..Default::default()
        });
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
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
fn a_confirmed_answer_is_written_once_per_quarter_of_max_staleness() {
    let mut case = Case::resolved();
    let mut writes = 0;
    for _ in 0..48 {
        case.pass(HOUR);
        writes += usize::from(case.step(Look::Found(facts())).write);
    }
    assert_eq!(writes, 8, "24h / 4 = 6h");
}

#[test]
fn after_a_restart_a_settled_reference_comes_back_for_its_slot() {
    for end in [Look::Found(facts()), fail(FailureKind::NotFound)] {
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
    assert_eq!(case.step(Look::Found(facts())).requeue, None);
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
fn a_drift_is_announced_once() {
    let mut case = Case::resolved();
    let moved = Facts {
        arch: Some(Arch::Amd64),
        ..facts()
    };
    assert_eq!(case.step(Look::Found(moved.clone())).events.len(), 1);
    case.pass(HOUR);
    let other = Facts {
        accelerators: vec!["GPU".into()],
        ..moved
    };
    assert!(case.step(Look::Found(other)).events.is_empty());
}

#[test]
fn a_suspension_does_not_revive_an_expired_answer() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.pass(HOUR * 25);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Suspended);
    case.edit(|spec| spec.suspend = false);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn suspending_a_reference_keeps_no_answer_that_its_provider_has_withdrawn() {
    // The namespace is not served any more …
    let mut case = Case::resolved();
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.provided = unavailable(FailureKind::ProviderNotAllowed);
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!(case.status.image, None);
    // … or the image is not accepted any more.
    let mut case = Case::resolved();
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    let Provided::Target { accept, .. } = &mut case.provided else {
        unreachable!()
    };
    *accept = Some(Accept {
        organizations: vec!["other".into()],
        ..Default::default()
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!(case.status.image, None);
    assert!(!case.step(Look::NotDue).write);
}

#[test]
fn a_suspension_launders_no_verdict() {
    for kind in [FailureKind::Ambiguous, FailureKind::InvalidSpec] {
        let mut case = Case::resolved();
        case.pass(HOUR);
        case.step(fail(kind));
        case.edit(|spec| spec.suspend = true);
        case.step(Look::NotDue);
        case.assert_ready(Truth::False, Reason::Suspended);
        case.edit(|spec| spec.suspend = false);
        for _ in 0..3 {
            case.step(fail(FailureKind::Unreachable));
            assert!(!case.is(ConditionType::Ready), "{:#?}", case.status);
            case.step(Look::NotDue);
            assert!(!case.is(ConditionType::Ready));
        }
        case.step(Look::Found(facts()));
        case.assert_ready(Truth::True, Reason::Resolved);
    }
}

#[test]
fn the_annotation_acknowledges_a_drift_even_if_its_look_fails() {
    let mut case = Case::resolved();
    case.step(Look::Found(Facts {
        arch: Some(Arch::Amd64),
        ..facts()
    }));
    assert!(case.is(ConditionType::Drifted));
    case.requested_at = Some("seen".into());
    case.step(fail(FailureKind::Unreachable));
    assert!(!case.is(ConditionType::Drifted));
}

#[test]
fn an_image_still_being_built_is_waited_for_whatever_status_is_expected() {
    let mut case = Case::new();
    case.spec.expect = Some(Expect {
        status: vec!["ACTIVE".into()],
        ..Default::default()
    });
    case.step(Look::Found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    case.assert_ready(Truth::False, Reason::ImageNotActive);
    assert!(case.is(ConditionType::Reconciling));
    assert!(case.wait() < Duration::from_secs(60));
}

#[test]
fn a_refusal_without_facts_states_no_status_of_the_image() {
    let mut case = Case::new();
    case.step(fail(FailureKind::NotFound));
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    case.step(fail(FailureKind::AuthenticationFailed));
    assert_eq!(case.status.status, None);
}
