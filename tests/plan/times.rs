//! When looks are: the slots of objects, their spread, and the ends of waits to the millisecond.

use super::case::*;
use imageref::api::{ConditionType, Reason};
use imageref::facts::FailureKind;
use imageref::plan::{CONFIRM_AFTER, Due, Memory, Object, due};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap()
}

/// The slot that an object comes back for whose operator was started at that time.
fn slot(case: &Case, uid: &str, now: Timestamp) -> Timestamp {
    let object = Object {
        uid,
        ..case.object()
    };
    match due(
        &object,
        &case.provided,
        &case.status,
        &Memory::default(),
        now,
    ) {
        Due::At(at) => at,
        other => panic!("{other:?}"),
    }
}

fn every(interval: Duration) -> Case {
    let mut case = Case::new();
    case.spec.interval = format!("{}s", interval.as_secs());
    case.step(found(facts()));
    case
}

#[test]
fn no_slot_is_left_out_and_none_is_nearer_than_a_tenth_of_the_interval() {
    for interval in [MINUTE, HOUR] {
        let (case, tenth) = (every(interval), signed(interval / 10));
        for uid in 0..200 {
            let uid = uid.to_string();
            let mut last = slot(&case, &uid, case.now);
            let first = case.now.duration_until(last);
            assert!(
                tenth <= first && first <= signed(interval) + tenth * 3,
                "{first:?}"
            );
            for _ in 0..5 {
                // It counts until a tenth of the interval before, and then the next one does.
                assert_eq!(slot(&case, &uid, last - tenth), last);
                let next = slot(&case, &uid, last - tenth + MILLISECOND);
                let gap = last.duration_until(next);
                assert!(tenth * 8 <= gap && gap <= tenth * 12, "{gap:?}");
                assert_eq!(slot(&case, &uid, last), next);
                last = next;
            }
        }
    }
}

/// Another version of the operator would have all references looked up anew if it had other slots.
#[test]
fn the_times_of_an_object_are_the_same_in_every_version() {
    let hourly = every(HOUR);
    let slots = ["0b4f", "a", "b"].map(|uid| slot(&hourly, uid, hourly.now).to_string());
    assert_eq!(
        slots,
        [
            "2026-11-21T12:44:45.72Z",
            "2026-11-21T12:11:14.15Z",
            "2026-11-21T12:43:58.901Z"
        ]
    );
    let next = hourly.memory.next_look.unwrap();
    assert_eq!(next.to_string(), "2026-11-21T12:51:57.6Z");
    let mut missing = Case::resolved();
    missing.step(fail(FailureKind::NotFound));
    assert_eq!(
        missing.memory.next_look.unwrap().to_string(),
        "2026-11-21T12:05:23.912Z"
    );
    let mut away = Case::resolved();
    let backoffs = [(); 4].map(|()| {
        away.step(fail(FailureKind::Unreachable));
        away.wait().as_millis()
    });
    assert_eq!(backoffs, [5126, 10142, 21960, 40784]);
}

#[test]
fn a_wait_ends_to_the_millisecond() {
    let mut case = Case::resolved();
    case.memory.paused_until = Some(case.now + MILLISECOND);
    assert_eq!(case.due(), Due::At(case.now + MILLISECOND));
    case.memory.paused_until = Some(case.now);
    case.memory.next_look = Some(case.now);
    assert_eq!(case.due(), Due::Now);
}

#[test]
fn a_look_that_is_planned_farther_ahead_than_any_ever_is_due_now() {
    let mut missing = every(MINUTE);
    missing.step(fail(FailureKind::NotFound));
    assert!(missing.has(ConditionType::Stale, Reason::NotFoundUnconfirmed));
    for (mut case, wait) in [
        (every(MINUTE), MINUTE),
        (every(HOUR), HOUR),
        (missing, CONFIRM_AFTER),
    ] {
        let longest = case.now + signed(wait * 5 / 4);
        case.memory.next_look = Some(longest);
        assert_eq!(case.due(), Due::At(longest));
        case.memory.next_look = Some(longest + MILLISECOND);
        assert_eq!(case.due(), Due::Now);
    }
}
