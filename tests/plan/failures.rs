//! Rows of the table of situations: outages, absence, pauses, suspension, other targets.

use super::case::*;
use imageref::api::condition::Truth;
use imageref::api::{ConditionType, Reason};
use imageref::facts::{Failure, FailureKind};
use imageref::plan::{CONFIRM_AFTER, Due, Look, Provided};
use std::time::Duration;

#[test]
fn row_a_failed_refresh_keeps_the_answer_and_shows_stale() {
    for (kind, reason) in [
        (FailureKind::Unreachable, Reason::ProviderUnreachable),
        (FailureKind::ProviderError, Reason::ProviderError),
        (FailureKind::ResponseInvalid, Reason::ResponseInvalid),
        (
            FailureKind::AuthenticationFailed,
            Reason::AuthenticationFailed,
        ),
        (FailureKind::PermissionDenied, Reason::PermissionDenied),
        (FailureKind::BadRequest, Reason::ProviderError),
        (FailureKind::ProviderNotFound, Reason::ProviderNotFound),
        (FailureKind::ProviderNotReady, Reason::ProviderNotReady),
    ] {
        let mut case = Case::resolved();
        let before = case.status.clone();
        case.pass(HOUR);
        let plan = case.step(fail(kind));
        case.assert_ready(Truth::True, Reason::ServingStale);
        assert!(case.has(ConditionType::Stale, reason), "{kind:?}");
        assert_eq!(case.kstatus(), "Current");
        assert_eq!(case.status.swr_path, before.swr_path);
        assert!(
            plan.events.is_empty(),
            "an outage has its event on the provider"
        );
        case.pass(HOUR);
        assert!(!case.step(fail(kind)).write, "an outage writes once");
        case.pass(HOUR);
        assert!(case.step(found(facts())).write);
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(!case.is(ConditionType::Stale));
    }
}

#[test]
fn an_answer_is_served_to_the_second_of_max_staleness_and_its_end_is_waited_for() {
    let second = Duration::from_secs(1);
    let mut case = Case::new();
    case.spec.interval = "2h".into();
    case.spec.max_staleness = Some("2h".into());
    case.step(found(facts()));
    case.step(fail(FailureKind::AuthenticationFailed));
    let until_the_second = Duration::from_secs(case.wait().as_secs() + 1);
    case.pass(until_the_second);
    // The third would be too late.
    let left = (HOUR * 2).checked_sub(until_the_second).unwrap();
    let plan = case.step(fail(FailureKind::AuthenticationFailed));
    assert_eq!(plan.requeue, Some(left + second));
    case.pass(left);
    assert_eq!(case.step(Look::NotDue).requeue, Some(second));
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.pass(second);
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
}

#[test]
fn failures_in_a_row_are_counted_and_an_answer_ends_the_count() {
    let mut case = Case::resolved();
    assert_eq!(case.status.consecutive_failures, None);
    for count in 1..=3 {
        let plan = case.step(fail(FailureKind::Unreachable));
        assert_eq!(plan.status.consecutive_failures, Some(count));
        case.pass(HOUR / 2);
    }
    case.step(found(facts()));
    assert_eq!(case.status.consecutive_failures, None);
}

#[test]
fn row_older_than_max_staleness_becomes_unknown_and_recovers() {
    let mut case = Case::resolved();
    case.edit(|spec| spec.max_staleness = Some("2h".into()));
    case.step(Look::NotDue);
    case.pass(HOUR);
    let plan = case.step(fail(FailureKind::Unreachable));
    assert!(
        plan.requeue
            .is_some_and(|wait| wait <= HOUR * 2 + Duration::from_secs(1))
    );
    case.pass((HOUR * 2).checked_sub(Duration::from_secs(60)).unwrap());
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.pass(Duration::from_secs(61));
    let plan = case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    assert!(case.is(ConditionType::Stale));
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(plan.events.len(), 1);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.edit(|spec| spec.max_staleness = Some("12h".into()));
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.step(found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn row_absent_the_first_time_changes_nothing_but_stale() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Stale, Reason::NotFoundUnconfirmed));
    assert_eq!(case.kstatus(), "Current");
    assert!(case.wait() >= CONFIRM_AFTER && case.wait() < CONFIRM_AFTER * 2);
    // Asking sooner, by annotation, confirms nothing and does not move the date either.
    for n in 0..3 {
        case.pass(Duration::from_secs(60));
        case.requested_at = Some(format!("{n}"));
        case.step(fail(FailureKind::NotFound));
        case.assert_ready(Truth::True, Reason::Resolved);
    }
    case.pass(CONFIRM_AFTER.checked_sub(Duration::from_secs(180)).unwrap());
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
}

#[test]
fn row_confirmed_absent_is_false_and_looked_at_once_an_interval() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    case.pass(case.wait());
    let plan = case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    assert!(case.has(ConditionType::Stalled, Reason::ImageNotFound));
    assert!(!case.is(ConditionType::Stale));
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
    assert_eq!(plan.events.len(), 1);
    assert_eq!(case.status.history[0].changed, ["status"]);
    case.pass(HOUR);
    assert!(!case.step(fail(FailureKind::NotFound)).write);
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    case.step(found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(
        !case.is(ConditionType::Drifted),
        "nobody could use it while it was gone"
    );
}

#[test]
fn row_absent_and_never_resolved_needs_one_look() {
    let mut case = Case::new();
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
}

#[test]
fn row_many_vanishing_together_changes_nothing_but_stale() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::MassDisappearance));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Stale, Reason::ProviderError));
    assert_eq!(case.kstatus(), "Current");
    assert!(
        case.wait() < Duration::from_secs(10),
        "back-off, not the interval"
    );
}

#[test]
fn row_throttled_changes_nothing_and_is_stale_after_one_missed_interval() {
    let throttled = |seconds| {
        Look::Failed(Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(FailureKind::Throttled, "the platform throttles")
        })
    };
    let mut case = Case::resolved();
    case.pass(HOUR);
    let plan = case.step(throttled(600));
    assert!(!plan.write);
    assert!(
        case.wait() >= Duration::from_secs(600),
        "the platform's pause is obeyed"
    );
    // An annotation does not shorten the pause, and says that it waits.
    case.requested_at = Some("now".into());
    assert!(case.wait() >= Duration::from_secs(600));
    case.step(throttled(600));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Reconciling, Reason::ReconcileRequested));
    assert_eq!(case.status.last_handled_reconcile_at, None);
    case.requested_at = None;
    for _ in 0..5 {
        case.pass(Duration::from_secs(660));
        assert!(!case.is(ConditionType::Stale));
        case.step(throttled(600));
    }
    case.pass(Duration::from_secs(660));
    case.step(throttled(600));
    assert!(case.has(ConditionType::Stale, Reason::RateLimited));
    case.assert_ready(Truth::True, Reason::Resolved);
    case.step(found(facts()));
    assert!(!case.is(ConditionType::Stale) && !case.is(ConditionType::Reconciling));

    let mut case = Case::new();
    case.step(throttled(60));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert_eq!(case.kstatus(), "InProgress");
}

#[test]
fn row_suspended_keeps_the_value_and_says_so() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert!(!case.is(ConditionType::Stale) && !case.is(ConditionType::Stalled));
    assert_eq!(case.status.observed_generation, Some(2));
    assert_eq!(case.kstatus(), "Current");
    assert_eq!(case.due(), Due::Never);
    assert_eq!(case.step(Look::NotDue).requeue, None);
    // Age does not run meanwhile.
    case.pass(HOUR * 1000);
    assert!(!case.step(Look::NotDue).write);
    case.edit(|spec| spec.suspend = false);
    assert_eq!(case.due(), Due::Now);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::True, Reason::ServingStale);

    let mut case = Case::resolved();
    let Provided::Target { suspended, .. } = &mut case.provided else {
        unreachable!()
    };
    *suspended = true;
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn row_suspended_with_the_source_edited_drops_the_facts() {
    let mut case = Case::resolved();
    case.edit(|spec| {
        spec.suspend = true;
        spec.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"));
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Suspended);
    assert_eq!(
        (&case.status.image, &case.status.resolved_for),
        (&None, &None)
    );
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn row_another_source_or_another_account_drops_the_facts_in_the_same_write() {
    let edits: [fn(&mut Case); 3] = [
        |case| case.edit(|s| s.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"))),
        |case| case.provided = provided("cn-north-9"),
        |case| {
            let Provided::Target { target, .. } = &mut case.provided else {
                unreachable!()
            };
            target.provider.name = "other".into();
        },
    ];
    for edit in edits {
        for look in [Look::Pending, Look::NotDue, fail(FailureKind::Unreachable)] {
            let mut case = Case::resolved();
            edit(&mut case);
            assert_eq!(case.due(), Due::Now);
            let plan = case.step(look);
            assert!(plan.write);
            case.assert_ready(Truth::Unknown, Reason::Progressing);
            assert!(case.is(ConditionType::Reconciling));
            assert_eq!((&case.status.image, &case.status.arch), (&None, &None));
            assert_eq!(case.kstatus(), "InProgress");
        }
    }
}

#[test]
fn a_provider_that_is_not_ready_shows_once_a_look_is_due_and_one_that_is_forbidden_at_once() {
    for (kind, at_once) in [
        (FailureKind::ProviderNotReady, false),
        (FailureKind::ProviderNotFound, false),
        (FailureKind::ProviderNotAllowed, true),
    ] {
        let mut case = Case::resolved();
        case.provided = unavailable(kind);
        let plan = case.step(Look::NotDue);
        assert_eq!(plan.write, at_once, "{kind:?}");
        assert_eq!(case.ready().0 == Truth::True.as_str(), !at_once, "{kind:?}");
    }
}

#[test]
fn a_provider_that_is_allowed_again_and_throttled_is_work_in_progress() {
    let mut case = Case::new();
    case.provided = unavailable(FailureKind::ProviderNotAllowed);
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert!(case.is(ConditionType::Stalled));
    case.provided = provided("cn-north-4");
    case.step(fail(FailureKind::Throttled));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert!(!case.is(ConditionType::Stalled) && case.is(ConditionType::Reconciling));
}
