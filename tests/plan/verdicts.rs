//! Verdicts beyond the rows: drift, suspension, expectations.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::provider::Accept;
use imageref::api::{ConditionType, Expect, Reason};
use imageref::facts::{Arch, Facts, FailureKind, ImageStatus};
use imageref::plan::{Look, Provided};
use std::time::Duration;

#[test]
fn a_violated_server_type_names_both_types() {
    let mut case = Case::new();
    let mut image = facts();
    image.upstream.server_type = Some("ECS".into());
    case.edit(|spec| {
        spec.expect = Some(Expect {
            server_type: vec!["BMS".into()],
            ..Default::default()
        });
    });
    case.step(found(image));
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
    case.step(found(Facts {
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
fn drift_is_kept_with_its_history_until_it_is_acknowledged() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    let moved = Facts {
        image: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        swr_path: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        ..facts()
    };
    let plan = case.step(found(moved.clone()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Drifted, Reason::PathChanged));
    assert_eq!(plan.events.len(), 1);
    let entry = &case.status.history[0];
    assert_eq!(entry.changed, ["image", "swrPath"]);
    assert!(entry.from["image"].ends_with(":2.1") && entry.to["image"].ends_with(":2.2"));
    assert_eq!(entry.cause, "UpstreamChanged");
    case.pass(HOUR);
    assert!(!case.step(found(moved.clone())).write, "drift is sticky");
    assert!(case.is(ConditionType::Drifted));
    case.requested_at = Some("seen".into());
    case.step(found(moved));
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
        case.step(found(next));
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
fn a_drift_is_announced_once() {
    let mut case = Case::resolved();
    let moved = Facts {
        arch: Some(Arch::Amd64),
        ..facts()
    };
    assert_eq!(case.step(found(moved.clone())).events.len(), 1);
    case.pass(HOUR);
    let other = Facts {
        accelerators: vec!["GPU".into()],
        ..moved
    };
    assert!(case.step(found(other)).events.is_empty());
}

#[test]
fn a_refusal_is_announced_once_for_each_of_its_reasons() {
    let mut case = Case::new();
    case.spec.expect = Some(expecting_arch("amd64"));
    let inactive = Facts {
        status: ImageStatus::Inactive,
        ..facts()
    };
    for (look, reason) in [
        (facts(), Reason::ExpectationFailed),
        (inactive, Reason::ImageNotActive),
        (facts(), Reason::ExpectationFailed),
    ] {
        let plan = case.step(found(look.clone()));
        case.assert_ready(Truth::False, reason);
        assert!(plan.events.iter().any(|event| event.reason == reason));
        assert!(case.step(found(look)).events.is_empty());
    }
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
    case.step(found(facts()));
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
        case.step(found(facts()));
        case.assert_ready(Truth::True, Reason::Resolved);
    }
}

#[test]
fn the_annotation_acknowledges_a_drift_even_if_its_look_fails() {
    let mut case = Case::resolved();
    case.step(found(Facts {
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
    case.step(found(Facts {
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
