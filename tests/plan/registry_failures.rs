//! Rows of the table of situations: registries that fail, beside platforms that answer or fail too.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::{ConditionType, Reason};
use imageref::facts::FailureKind;
use imageref::plan::{Contents, Due, Look, Memory};
use std::time::Duration;

#[test]
fn row_a_failing_registry_leaves_the_platforms_answer_as_it_is() {
    let rows = [
        (FailureKind::Unreachable, Reason::RegistryUnreachable),
        (FailureKind::ProviderError, Reason::RegistryUnreachable),
        (FailureKind::Throttled, Reason::RegistryUnreachable),
        (FailureKind::ResponseInvalid, Reason::RegistryUnreachable),
        (FailureKind::AuthenticationFailed, Reason::RegistryDenied),
        (FailureKind::PermissionDenied, Reason::RegistryDenied),
        (FailureKind::NotFound, Reason::RegistryDenied),
        (FailureKind::InvalidSpec, Reason::RegistryDenied),
        (FailureKind::ProviderNotReady, Reason::RegistryDenied),
    ];
    for (kind, reason) in rows {
        let mut case = Case::new();
        case.step(found_with(facts(), unread(kind)));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(case.has(ConditionType::Stale, reason), "{kind:?}");
        assert_eq!((image(&case), case.kstatus()), (Some(PATH), "Current"));
        case.pass(HOUR);
        let plan = case.step(found_with(facts(), unread(kind)));
        assert!(!plan.write, "it writes once");
        case.pass(HOUR);
        case.step(found_with(facts(), read('a', &["linux/arm64"])));
        assert!(!case.is(ConditionType::Stale), "{kind:?}");
        assert!(!case.is(ConditionType::Drifted), "a first digest: {kind:?}");
        assert!(case.status.history.is_empty());
    }
}

#[test]
fn a_first_answer_waits_for_no_busy_registry_and_its_digest_follows_soon() {
    let mut case = Case::new();
    let plan = case.step(found_with(facts(), Contents::Later));
    assert!(plan.write, "the platform's answer");
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(!case.is(ConditionType::Stale), "nothing failed");
    assert!(case.wait() < Duration::from_secs(10), "{:?}", case.wait());
    case.pass(case.wait());
    assert!(matches!(case.due(), Due::Now));
    let plan = case.step(found_with(facts(), Contents::Later));
    assert!(!plan.write, "waiting writes nothing");
    case.pass(case.wait());
    let plan = case.step(found_with(facts(), read('a', &["linux/arm64"])));
    assert!(plan.write && !case.is(ConditionType::Drifted));
    assert_eq!(case.status.digest, Some(digest('a')));
    assert!(is_regular(case.wait()));
}

#[test]
fn waiting_for_a_turn_during_an_outage_writes_nothing() {
    let mut case = read_once();
    case.spec.digest_policy = "Always".into();
    case.pass(HOUR);
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    for contents in [
        Contents::Later,
        unread(FailureKind::Unreachable),
        Contents::Later,
    ] {
        case.pass(HOUR);
        assert!(!case.step(found_with(facts(), contents)).write);
        assert!(case.has(ConditionType::Stale, Reason::RegistryUnreachable));
    }
}

#[test]
fn what_is_expected_of_a_busy_registry_stays_open() {
    let mut case = Case::new();
    case.spec.expect = Some(expecting_digest('a'));
    case.step(found_with(facts(), Contents::Later));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    case.pass(case.wait());
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn a_registry_that_asks_for_a_pause_once_changes_nothing_about_a_known_digest() {
    let mut case = read_once();
    case.spec.digest_policy = "Always".into();
    for writes in [false, true, false] {
        case.pass(HOUR);
        let plan = case.step(found_with(facts(), unread(FailureKind::Throttled)));
        assert_eq!(plan.write, writes, "{:?}", case.status.conditions);
    }
    assert!(case.has(ConditionType::Stale, Reason::RegistryUnreachable));
}

#[test]
fn a_registry_that_fails_in_turns_is_written_about_twice() {
    let mut case = read_once();
    case.spec.digest_policy = "Always".into();
    let mut writes = 0;
    for kind in [
        FailureKind::Unreachable,
        FailureKind::PermissionDenied,
        FailureKind::ProviderError,
        FailureKind::AuthenticationFailed,
        FailureKind::Unreachable,
        FailureKind::Throttled,
    ] {
        case.pass(HOUR);
        writes += usize::from(case.step(found_with(facts(), unread(kind))).write);
    }
    assert_eq!(writes, 2, "once for the outage, once for the refusal");
    assert!(case.has(ConditionType::Stale, Reason::RegistryDenied));
}

#[test]
fn a_reference_looked_up_for_good_is_looked_up_again_when_it_wants_a_digest() {
    let mut case = Case::new();
    case.edit(|spec| {
        spec.interval = "0s".into();
        spec.digest_policy = "Never".into();
    });
    case.step(found(facts()));
    case.pass(HOUR);
    assert!(matches!(case.due(), Due::Never));
    case.edit(|spec| spec.digest_policy = "IfNotPresent".into());
    case.step(Look::NotDue);
    assert!(matches!(case.due(), Due::Now));
}

#[test]
fn a_tag_that_the_registry_does_not_have_is_named_in_the_message() {
    let mut case = Case::new();
    case.step(found_with(facts(), unread(FailureKind::NotFound)));
    let stale = condition::find(&case.status.conditions, ConditionType::Stale).unwrap();
    let says = format!("the registry does not have {PATH}, which the platform lists: it failed");
    assert_eq!(stale.message, says);
}

#[test]
fn a_known_digest_stays_while_the_registry_fails_and_never_expires() {
    let mut case = read_once();
    case.spec.digest_policy = "Always".into();
    let before = case.status.image.clone();
    for kind in [
        FailureKind::Unreachable,
        FailureKind::NotFound,
        FailureKind::Unreachable,
    ] {
        case.pass(HOUR * 1000);
        let plan = case.step(found_with(facts(), unread(kind)));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert_eq!(case.status.image, before);
        assert!(is_regular(case.wait()), "a confirmed digest is not urgent");
        assert!(plan.events.is_empty());
    }
    case.pass(HOUR * 1000);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn the_platforms_failure_goes_before_the_registrys_and_has_an_age_of_its_own() {
    let mut case = Case::resolved();
    case.edit(|spec| spec.max_staleness = Some("2h".into()));
    let down = || found_with(facts(), unread(FailureKind::Unreachable));
    case.step(down());
    let since = |case: &Case| {
        condition::find(&case.status.conditions, ConditionType::Stale)
            .map(|stale| stale.last_transition_time.0)
    };
    assert_eq!(since(&case), Some(case.now));
    // A day later the platform fails as well: nothing of that day counts.
    case.pass(HOUR * 24);
    case.step(fail(FailureKind::Unreachable));
    assert!(case.has(ConditionType::Stale, Reason::ProviderUnreachable));
    case.assert_ready(Truth::True, Reason::ServingStale);
    assert_eq!(since(&case), Some(case.now));
    let begun = case.now;
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    assert_eq!(since(&case), Some(begun));
    // The platform is back, and the registry is not.
    case.step(down());
    assert!(case.has(ConditionType::Stale, Reason::RegistryUnreachable));
    case.assert_ready(Truth::True, Reason::Resolved);
    case.pass(HOUR * 24);
    case.step(fail(FailureKind::Unreachable));
    assert_eq!(since(&case), Some(case.now));
    let plan = case.step(found_with(facts(), read('a', &["linux/arm64"])));
    assert!(plan.write && !case.is(ConditionType::Stale));
}

#[test]
fn an_absence_and_a_pause_of_the_platform_go_before_the_registrys_failure() {
    let mut case = Case::new();
    case.step(found_with(facts(), unread(FailureKind::NotFound)));
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    assert!(case.has(ConditionType::Stale, Reason::NotFoundUnconfirmed));
    case.pass(case.wait());
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    assert!(!case.is(ConditionType::Stale));
}

#[test]
fn a_digest_that_was_never_read_is_tried_again_soon_and_then_less_often() {
    let mut case = Case::new();
    let mut waits = vec![];
    for _ in 0..14 {
        let failing = unread(FailureKind::Unreachable);
        case.step(found_with(facts(), failing));
        waits.push(case.wait());
        case.pass(case.wait());
    }
    assert!(waits[0] < Duration::from_secs(10), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= HOUR), "{waits:?}");
    assert!(is_regular(waits[13]), "{waits:?}");
    case.step(found_with(facts(), read('a', &[])));
    assert_eq!(case.memory.unread, 0);
    assert!(is_regular(case.wait()));
    let mut denied = Case::new();
    denied.step(found_with(facts(), unread(FailureKind::PermissionDenied)));
    assert!(is_regular(denied.wait()), "no sooner than otherwise");
}

#[test]
fn a_throttling_registrys_pause_is_obeyed_within_the_interval() {
    for (asked, least, most) in [(600, 600, 660), (1_000_000_000, 3000, 3600)] {
        let mut case = Case::new();
        let Contents::Failed(mut failure) = unread(FailureKind::Throttled) else {
            unreachable!()
        };
        failure.retry_after = Some(Duration::from_secs(asked));
        case.step(found_with(facts(), Contents::Failed(failure)));
        let wait = case.wait().as_secs();
        assert!((least..=most).contains(&wait), "{asked}: {wait}");
    }
}

#[test]
fn interval_0s_is_final_once_the_digest_is_there_or_cannot_be_had() {
    let once = || {
        let mut case = Case::new();
        case.spec.interval = "0s".into();
        case
    };
    for contents in [
        read('a', &["linux/arm64"]),
        unread(FailureKind::PermissionDenied),
        Contents::NotAsked,
    ] {
        let mut case = once();
        let plan = case.step(found_with(facts(), contents));
        assert_eq!((case.due(), plan.requeue), (Due::Never, None));
        case.memory = Memory::default();
        assert_eq!(case.due(), Due::Never, "after a restart too");
    }
    let mut case = once();
    for _ in 0..20 {
        let failing = unread(FailureKind::Unreachable);
        case.step(found_with(facts(), failing));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(case.wait() > Duration::ZERO && case.wait() <= HOUR * 11 / 10);
        case.pass(case.wait());
    }
    // An outage of the platform in between ends nothing.
    case.step(fail(FailureKind::Unreachable));
    assert!(matches!(case.due(), Due::At(_)));
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    case.memory = Memory::default();
    assert!(case.wait() <= HOUR * 2, "within the slot of an hour");
    case.step(found_with(facts(), read('a', &[])));
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn an_expected_digest_that_cannot_be_read_is_tried_less_and_less_often() {
    let mut case = Case::new();
    case.spec.expect = Some(expecting_digest('a'));
    let mut waits = Vec::new();
    for _ in 0..8 {
        case.step(found_with(facts(), unread(FailureKind::Unreachable)));
        waits.push(case.wait());
        case.pass(case.wait());
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits[0] < Duration::from_secs(10), "{waits:?}");
    assert!(waits[7] > HOUR / 6, "{waits:?}");
}
