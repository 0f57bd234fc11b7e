//! What is told of the next look, against what the planner decided.

use super::case::*;
use imageref::facts::{FailureKind, ImageStatus};
use imageref::plan::{Due, Look, Outlook, Provided, outlook};
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

fn told(case: &Case) -> Outlook {
    outlook(&case.object(), &case.provided, &case.status, case.now)
}

fn planned(case: &Case) -> Timestamp {
    match case.due() {
        Due::At(at) => at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_an_answer_that_was_written_the_time_is_the_planners_own() {
    let case = Case::resolved();
    assert_eq!(told(&case), Outlook::About(planned(&case)));
}

#[test]
fn looks_that_wrote_nothing_are_counted_in() {
    let mut case = Case::resolved();
    for _ in 0..4 {
        case.now = planned(&case);
        let plan = case.step(found(facts()));
        assert!(!plan.write);
        // Some time after it: at the time of a look itself nobody can tell whether it was made.
        case.pass(HOUR / 6);
        let Outlook::About(at) = told(&case) else {
            panic!("{:?}", told(&case));
        };
        let off = at.duration_since(planned(&case)).unsigned_abs();
        assert!(off <= Duration::from_secs(4), "{off:?}");
    }
}

#[test]
fn what_waits_for_somebody_is_never_or_now() {
    let mut suspended = Case::resolved();
    suspended.edit(|spec| spec.suspend = true);
    assert_eq!(told(&suspended), Outlook::Never);
    let mut once = Case::new();
    once.spec.interval = "0s".into();
    once.step(found(facts()));
    assert_eq!(told(&once), Outlook::Never);
    assert_eq!(told(&Case::new()), Outlook::Now);
    let mut asked = Case::resolved();
    asked.requested_at = Some("1".into());
    assert_eq!(told(&asked), Outlook::Now);
    let mut edited = Case::resolved();
    edited.edit(|spec| spec.interval = "2h".into());
    assert_eq!(told(&edited), Outlook::Now);
}

#[test]
fn a_missing_image_is_looked_at_again_when_the_second_look_counts() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    assert_eq!(told(&case), Outlook::About(planned(&case)));
    let mut creating = Case::new();
    let mut being_built = facts();
    being_built.status = ImageStatus::Creating;
    creating.step(found(being_built));
    let Outlook::By(at) = told(&creating) else {
        panic!("{:?}", told(&creating));
    };
    assert!(at >= planned(&creating) && at < planned(&creating) + Duration::from_secs(10));
}

#[test]
fn a_back_off_is_bounded_from_outside_and_the_bound_is_not_much_too_late() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    for n in 0..12 {
        case.step(fail(FailureKind::Unreachable));
        let Outlook::By(at) = told(&case) else {
            panic!("{n}: {:?}", told(&case));
        };
        let next = planned(&case);
        assert!(at >= next, "{n}: {at} before {next}");
        let (bound, wait) = (case.now.duration_until(at), case.now.duration_until(next));
        assert!(
            bound.as_secs() <= 4 * wait.as_secs() + 10,
            "{n}: {bound:?} for {wait:?}"
        );
        case.now = next;
    }
}

/// An interval and the tenth by which waits are spread.
fn within_an_interval(case: &Case) -> Outlook {
    let wait = HOUR + HOUR / 10 + Duration::from_millis(1);
    Outlook::By(case.now.checked_add(wait).unwrap())
}

#[test]
fn another_target_and_the_end_of_a_suspension_are_now() {
    let mut moved = Case::resolved();
    moved.provided = provided("cn-north-9");
    assert_eq!(told(&moved), Outlook::Now);
    let mut resumed = Case::resolved();
    let here = resumed.provided.clone();
    if let Provided::Target { suspended, .. } = &mut resumed.provided {
        *suspended = true;
    }
    resumed.step(Look::NotDue);
    assert_eq!(told(&resumed), Outlook::Never);
    resumed.provided = here;
    assert_eq!(told(&resumed), Outlook::Now);
}

#[test]
fn a_verdict_that_is_no_failure_has_its_regular_look() {
    let mut inactive = Case::new();
    let mut gone = facts();
    gone.status = ImageStatus::Inactive;
    inactive.step(found(gone));
    assert_eq!(told(&inactive), Outlook::About(planned(&inactive)));
    let mut unjudged = Case::new();
    unjudged.spec.digest_policy = "Never".into();
    unjudged.spec.expect = Some(expecting_arch("arm64"));
    unjudged.step(found(without_arch()));
    assert_eq!(told(&unjudged), Outlook::About(planned(&unjudged)));
    let mut forbidden = Case::new();
    forbidden.provided = unavailable(FailureKind::ProviderNotAllowed);
    forbidden.step(Look::NotDue);
    assert!(matches!(told(&forbidden), Outlook::About(_)));
    let mut missing = Case::resolved();
    missing.step(fail(FailureKind::NotFound));
    missing.now = planned(&missing);
    assert_eq!(told(&missing), Outlook::Now);
}

#[test]
fn what_fails_in_an_unknown_way_is_tried_again_within_an_interval() {
    let mut platform = Case::resolved();
    platform.step(fail(FailureKind::ProviderError));
    assert_eq!(told(&platform), within_an_interval(&platform));
    let mut registry = Case::new();
    registry.step(found_with(facts(), unread(FailureKind::Unreachable)));
    assert_eq!(told(&registry), within_an_interval(&registry));
}

#[test]
fn a_first_look_that_fails_has_a_bound_like_any_other() {
    let mut case = Case::new();
    case.step(fail(FailureKind::Unreachable));
    let Outlook::By(at) = told(&case) else {
        panic!("{:?}", told(&case));
    };
    assert!(at >= planned(&case) && at < planned(&case) + Duration::from_secs(60));
}

/// But for a request that a platform calls malformed while it was failing in passing before: that is
/// another kind of wait under the reason of the outage.
fn look() -> impl Strategy<Value = Option<FailureKind>> {
    use FailureKind as K;
    let failures = vec![
        K::Unreachable,
        K::ProviderError,
        K::ResponseInvalid,
        K::AuthenticationFailed,
        K::PermissionDenied,
        K::NotFound,
        K::Ambiguous,
        K::MassDisappearance,
        K::InvalidSpec,
    ];
    prop::option::of(prop::sample::select(failures))
}

proptest! {
    #[test]
    fn no_look_of_a_running_operator_is_later_than_was_told(
        looks in prop::collection::vec(look(), 1..12),
        interval in prop::sample::select(vec!["1m", "1h", "168h"]),
    ) {
        let mut case = Case::new();
        case.spec.interval = interval.into();
        for look in looks {
            case.step(look.map_or_else(|| found(facts()), fail));
            let next = match case.due() {
                Due::At(at) => at,
                Due::Now => case.now,
                Due::Never => panic!("never"),
            };
            match told(&case) {
                Outlook::Never => prop_assert!(false, "never, and it is {next}"),
                Outlook::Now => {}
                Outlook::By(at) => prop_assert!(at >= next, "by {at}, and it is {next}: {:#?}", case.status),
                // A regular look is told of by what was written last.
                Outlook::About(at) => {
                    let width = case.provided.interval(&case.spec);
                    prop_assert!(at.checked_add(width).unwrap() >= next);
                }
            }
            case.now = next.max(case.now);
        }
    }
}
