//! Rows of the table of situations: first looks, answers and verdicts.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::provider::Accept;
use imageref::api::{ConditionType, Expect, Reason, Upstream};
use imageref::facts::{Arch, Facts, FailureKind, ImageStatus};
use imageref::plan::{Due, Look, Provided, STALL_AFTER};
use std::time::Duration;

#[test]
fn row_new_not_yet_seen_is_in_progress_and_due_now() {
    let case = Case::new();
    assert_eq!(case.status.observed_generation, Some(-1));
    assert!(case.status.conditions.is_empty());
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Now);
}

#[test]
fn row_first_look_failing_in_passing_progresses_then_stalls_after_15_minutes() {
    for kind in [
        FailureKind::Unreachable,
        FailureKind::ProviderError,
        FailureKind::ResponseInvalid,
    ] {
        let mut case = Case::new();
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert!(case.has(ConditionType::Reconciling, Reason::ProgressingWithRetry));
        assert_eq!(case.kstatus(), "InProgress");
        let mut waits = vec![];
        for _ in 0..6 {
            waits.push(case.wait());
            case.pass(case.wait());
            case.step(fail(kind));
        }
        assert!(
            waits.is_sorted() && waits[0] < Duration::from_secs(10),
            "{waits:?}"
        );
        assert!(!case.is(ConditionType::Stalled));
        case.pass(STALL_AFTER);
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert!(case.is(ConditionType::Stalled) && !case.is(ConditionType::Reconciling));
        assert_eq!(case.kstatus(), "Failed");
        case.pass(HOUR);
        let plan = case.step(fail(kind));
        assert!(
            !plan.write,
            "a stalled look that fails again says nothing new"
        );
        case.step(found(facts()));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(!case.is(ConditionType::Stalled));
    }
}

#[test]
fn row_first_look_without_provider_progresses_and_names_it_when_it_stalls() {
    for (kind, reason) in [
        (FailureKind::ProviderNotFound, Reason::ProviderNotFound),
        (FailureKind::ProviderNotReady, Reason::ProviderNotReady),
    ] {
        let mut case = Case::new();
        case.provided = unavailable(kind);
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert_eq!(case.kstatus(), "InProgress");
        case.pass(STALL_AFTER);
        case.step(Look::NotDue);
        case.assert_ready(Truth::Unknown, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
    }
}

#[test]
fn row_first_look_refused_is_false_and_asks_again_at_the_interval_only() {
    for (kind, reason) in [
        (
            FailureKind::AuthenticationFailed,
            Reason::AuthenticationFailed,
        ),
        (FailureKind::PermissionDenied, Reason::PermissionDenied),
    ] {
        let mut case = Case::new();
        let plan = case.step(fail(kind));
        case.assert_ready(Truth::False, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()), "{:?}", case.wait());
        assert_eq!(plan.events.len(), 1);
        assert!(plan.events[0].warning);
    }
}

#[test]
fn row_resolved_is_true_and_current_and_looked_at_once_an_interval() {
    let mut case = Case::new();
    let plan = case.step(found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(case.kstatus(), "Current");
    assert_eq!(case.status.arch.as_deref(), Some("arm64"));
    assert_eq!(case.status.last_changed_time, case.status.last_checked_time);
    assert_eq!(plan.events.len(), 1);
    assert!(!plan.events[0].warning);
    assert!(is_regular(case.wait()), "{:?}", case.wait());
    case.pass(HOUR);
    let again = Facts {
        upstream: Upstream {
            request_id: Some("r-2".into()),
            ..facts().upstream
        },
        ..facts()
    };
    let plan = case.step(found(again));
    assert!(
        !plan.write && plan.events.is_empty(),
        "a request id is no change"
    );
}

#[test]
fn row_not_active_is_false_and_watched_closely_only_while_creating() {
    for status in [ImageStatus::Init, ImageStatus::Creating] {
        let mut case = Case::new();
        case.step(found(Facts { status, ..facts() }));
        case.assert_ready(Truth::False, Reason::ImageNotActive);
        assert!(case.is(ConditionType::Reconciling));
        assert_eq!(case.kstatus(), "InProgress");
        assert!(case.wait() <= Duration::from_secs(40));
    }
    for status in [
        ImageStatus::CreateFailed,
        ImageStatus::Error,
        ImageStatus::Deleted,
        ImageStatus::Inactive,
        ImageStatus::Unknown,
    ] {
        let mut case = Case::new();
        case.step(found(Facts { status, ..facts() }));
        case.assert_ready(Truth::False, Reason::ImageNotActive);
        assert!(case.has(ConditionType::Stalled, Reason::ImageNotActive));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
    }
}

#[test]
fn row_a_violated_expectation_is_false_and_judged_without_a_look() {
    let rows: Vec<(Expect, Truth, Reason)> = vec![
        (
            Expect {
                arch: vec!["amd64".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::ArchMismatch,
        ),
        (
            Expect {
                status: vec!["INACTIVE".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::StatusMismatch,
        ),
        (
            Expect {
                accelerators: vec!["CPU".into(), "GPU".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::AcceleratorMismatch,
        ),
        (
            Expect {
                path_prefixes: vec!["swr.cn-north-4.myhuaweicloud.com/ai".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::PathNotAllowed,
        ),
        (
            Expect {
                server_type: vec!["BMS".into()],
                ..Default::default()
            },
            Truth::Unknown,
            Reason::FactUnavailable,
        ),
    ];
    for (expect, truth, reason) in rows {
        let mut case = Case::resolved();
        case.edit(|spec| spec.expect = Some(expect));
        assert!(
            matches!(case.due(), Due::At(_)),
            "no look for an edited expectation"
        );
        case.step(Look::NotDue);
        case.assert_ready(Truth::False, Reason::ExpectationFailed);
        assert_eq!(case.status.observed_generation, Some(2));
        let compliant = condition::find(&case.status.conditions, ConditionType::Compliant).unwrap();
        assert_eq!(
            (compliant.status.as_str(), compliant.reason.as_str()),
            (truth.as_str(), reason.as_str())
        );
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
        case.edit(|spec| spec.expect = None);
        case.step(Look::NotDue);
        case.assert_ready(Truth::True, Reason::Resolved);
    }
}

#[test]
fn row_an_expectation_about_a_fact_not_read_yet_is_unknown() {
    let mut case = Case::new();
    case.spec.expect = Some(Expect {
        arch: vec!["arm64".into()],
        ..Default::default()
    });
    case.step(Look::Pending);
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    let compliant = condition::find(&case.status.conditions, ConditionType::Compliant).unwrap();
    assert_eq!(compliant.status, "Unknown");
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Now);
}

#[test]
fn row_provider_not_allowed_drops_the_facts_at_once() {
    let mut case = Case::resolved();
    case.provided = unavailable(FailureKind::ProviderNotAllowed);
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!((&case.status.image, &case.status.image_id), (&None, &None));
    assert!(case.status.history.is_empty() && case.status.upstream.is_none());
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
}

#[test]
fn row_an_answer_outside_accept_is_provider_not_allowed_and_never_shown() {
    let outside = [
        Accept {
            path_prefixes: vec!["swr.cn-north-4.myhuaweicloud.com/other/".into()],
            ..Default::default()
        },
        Accept {
            organizations: vec!["other".into()],
            ..Default::default()
        },
        Accept {
            workspace_ids: vec!["0".into()],
            ..Default::default()
        },
        Accept {
            visibility: vec!["PUBLIC".into()],
            ..Default::default()
        },
    ];
    for accept in outside {
        let mut case = Case::new();
        let Provided::Target { accept: slot, .. } = &mut case.provided else {
            unreachable!()
        };
        *slot = Some(accept);
        case.step(found(facts()));
        case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
        assert_eq!((&case.status.image, &case.status.upstream), (&None, &None));
        assert!(is_regular(case.wait()));
    }
    let mut case = Case::new();
    let Provided::Target { accept: slot, .. } = &mut case.provided else {
        unreachable!()
    };
    *slot = Some(Accept {
        organizations: vec!["ai-team".into()],
        ..Default::default()
    });
    case.step(found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn row_invalid_spec_and_ambiguous_match_are_false() {
    for (kind, reason) in [
        (FailureKind::InvalidSpec, Reason::InvalidSpec),
        (FailureKind::BadRequest, Reason::InvalidSpec),
        (FailureKind::Ambiguous, Reason::AmbiguousMatch),
    ] {
        let mut case = Case::new();
        case.step(fail(kind));
        case.assert_ready(Truth::False, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
    }
    let mut case = Case::new();
    case.spec.unreadable = Some("spec.interval: invalid type".into());
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::InvalidSpec);
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn the_request_id_shown_is_that_of_the_call_that_last_changed_something() {
    let said = |id: &str, arch: Arch| {
        let mut facts = facts();
        facts.arch = Some(arch);
        facts.upstream.arch = Some(arch.as_str().into());
        facts.upstream.request_id = Some(id.into());
        found(facts)
    };
    let shown = |case: &Case| case.status.upstream.as_ref().unwrap().request_id.clone();
    let mut case = Case::new();
    case.step(said("r-1", Arch::Arm64));
    assert!(!case.step(said("r-2", Arch::Arm64)).write);
    assert_eq!(shown(&case).as_deref(), Some("r-1"));
    // Also where time has it written.
    case.pass(HOUR * 24);
    assert!(case.step(said("r-3", Arch::Arm64)).write);
    assert_eq!(shown(&case).as_deref(), Some("r-1"));
    case.step(said("r-4", Arch::Amd64));
    assert_eq!(shown(&case).as_deref(), Some("r-4"));
}
