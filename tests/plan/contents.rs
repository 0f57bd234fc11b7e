//! What a registry adds: rows of the table about digests, and what holds beyond them.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::provider::Accept;
use imageref::api::{ConditionType, Expect, Reason};
use imageref::facts::{Arch, Facts, FailureKind, ImageStatus};
use imageref::plan::{Contents, Due, Look, Memory, Provided, contents_due};
use std::time::Duration;

const PATH: &str = "swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.1";

/// As PAI answers: no word about the architecture.
fn without_arch() -> Facts {
    let mut facts = facts();
    facts.arch = None;
    facts.upstream.arch = None;
    facts
}

fn moved() -> Facts {
    let path = PATH.replace("2.1", "2.2");
    Facts {
        image: Some(path.clone()),
        swr_path: Some(path),
        ..facts()
    }
}

fn expecting_digest(digit: char) -> Option<Expect> {
    Some(Expect {
        digest: Some(digest(digit)),
        ..Default::default()
    })
}

fn expecting_arch(arch: &str) -> Option<Expect> {
    Some(Expect {
        arch: vec![arch.into()],
        ..Default::default()
    })
}

/// Resolved, with digest and platforms.
fn read_once() -> Case {
    let mut case = Case::new();
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    case
}

fn is_due(case: &Case, facts: &Facts) -> bool {
    contents_due(&case.object(), &case.provided, &case.status, facts)
}

fn compliant(case: &Case) -> Option<(&str, &str)> {
    condition::find(&case.status.conditions, ConditionType::Compliant)
        .map(|c| (c.status.as_str(), c.reason.as_str()))
}

fn image(case: &Case) -> Option<&str> {
    case.status.image.as_deref()
}

#[test]
fn a_path_that_was_read_is_pinned_and_the_stated_path_stays() {
    let case = read_once();
    case.assert_ready(Truth::True, Reason::Resolved);
    let pinned = format!("{PATH}@{}", digest('a'));
    assert_eq!(image(&case), Some(pinned.as_str()));
    assert_eq!(case.status.swr_path.as_deref(), Some(PATH));
    assert_eq!(case.status.digest, Some(digest('a')));
    assert_eq!(case.status.platforms, ["linux/arm64"]);
    assert_eq!(compliant(&case), None);
}

#[test]
fn platforms_are_sorted_without_repeats_and_bounded() {
    let mut case = Case::new();
    let mixed = read('a', &["linux/arm64/v8", "linux/amd64", "linux/amd64"]);
    case.step(found_with(facts(), mixed));
    assert_eq!(case.status.platforms, ["linux/amd64", "linux/arm64/v8"]);
    let many: Vec<_> = (0..1000).map(|n| format!("linux/cpu{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    case.step(found_with(facts(), read('a', &many)));
    assert_eq!(case.status.platforms.len(), 64);
}

#[test]
fn a_path_with_a_digest_of_its_own_is_not_pinned_twice() {
    let stated = format!("registry.local/a@{}", digest('a'));
    let named = Facts {
        image: Some(stated.clone()),
        swr_path: None,
        ..facts()
    };
    let mut case = Case::new();
    case.step(found_with(named.clone(), read('a', &["linux/arm64"])));
    assert_eq!(image(&case), Some(stated.as_str()));
    assert!(!is_due(&case, &named));
    // Where the platform writes another digest, the image is another one, read or not.
    for policy in ["IfNotPresent", "Never"] {
        case.spec.digest_policy = policy.into();
        case.step(found(named.clone()));
        assert_eq!(image(&case), Some(stated.as_str()), "{policy}");
        let other = Facts {
            image: Some(stated.replace(&digest('a'), &digest('b'))),
            ..named.clone()
        };
        case.step(found(other));
        assert!(case.has(ConditionType::Drifted, Reason::DigestChanged));
        case.step(found(named.clone()));
    }
}

#[test]
fn never_asks_and_shows_nothing_that_was_read_from_the_edit_on() {
    let mut case = Case::new();
    case.step(found_with(without_arch(), read('a', &["linux/amd64"])));
    assert_eq!(case.status.arch.as_deref(), Some("amd64"));
    case.step(found_with(
        without_arch(),
        unread(FailureKind::PermissionDenied),
    ));
    assert!(case.is(ConditionType::Stale));
    case.edit(|spec| spec.digest_policy = "Never".into());
    case.step(Look::NotDue);
    assert_eq!((&case.status.digest, &case.status.arch), (&None, &None));
    assert_eq!((image(&case), case.status.platforms.len()), (Some(PATH), 0));
    assert!(!case.is(ConditionType::Stale) && !case.is(ConditionType::Drifted));
    assert!(case.status.history.is_empty());
    assert!(!is_due(&case, &without_arch()));
    for contents in [read('a', &["linux/amd64"]), unread(FailureKind::NotFound)] {
        let plan = case.step(found_with(without_arch(), contents));
        assert!(!plan.write, "what came nevertheless is ignored");
    }
}

#[test]
fn never_keeps_the_platforms_own_arch_and_no_path_that_would_mean_another_image() {
    let mut case = read_once();
    case.edit(|spec| spec.digest_policy = "Never".into());
    case.step(Look::NotDue);
    assert_eq!(case.status.arch.as_deref(), Some("arm64"));
    let stated = format!("registry.local:5000/a@{}", digest('a'));
    let untagged = Facts {
        image: Some(stated.clone()),
        swr_path: None,
        ..facts()
    };
    let mut case = Case::new();
    case.step(found_with(untagged, read('a', &[])));
    case.edit(|spec| spec.digest_policy = "Never".into());
    case.step(Look::NotDue);
    assert_eq!(image(&case), Some(stated.as_str()), "a alone is a:latest");
    assert_eq!(case.status.digest, None);
}

#[test]
fn if_not_present_asks_once_for_each_path_and_image_and_on_request() {
    let mut case = Case::new();
    assert!(is_due(&case, &facts()), "never read");
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    assert!(is_due(&case, &facts()), "the last read failed");
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    assert!(!is_due(&case, &facts()), "known");
    assert!(is_due(&case, &moved()), "another path");
    let replaced = Facts {
        image_id: "other".into(),
        ..facts()
    };
    assert!(is_due(&case, &replaced), "another image under the path");
    case.requested_at = Some("now".into());
    assert!(is_due(&case, &facts()), "requested");
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    assert!(!is_due(&case, &facts()), "the request was acted on");
    case.provided = provided("cn-north-9");
    assert!(is_due(&case, &facts()), "the same path of another account");
}

#[test]
fn always_asks_at_each_look() {
    let mut case = read_once();
    case.spec.digest_policy = "Always".into();
    assert!(is_due(&case, &facts()));
}

#[test]
fn no_registry_is_asked_about_what_has_no_path_may_not_be_used_or_is_not_accepted() {
    let mut case = Case::new();
    case.spec.digest_policy = "Always".into();
    assert!(is_due(&case, &facts()));
    let machine = Facts {
        image: None,
        swr_path: None,
        ..facts()
    };
    assert!(!is_due(&case, &machine));
    for status in [ImageStatus::Creating, ImageStatus::Error] {
        assert!(!is_due(&case, &Facts { status, ..facts() }), "{status:?}");
    }
    case.spec.expect = Some(Expect {
        status: vec!["ERROR".into()],
        ..Default::default()
    });
    let broken = Facts {
        status: ImageStatus::Error,
        ..facts()
    };
    assert!(is_due(&case, &broken), "explicitly expected");
    case.spec.expect = None;
    let Provided::Target { accept, .. } = &mut case.provided else {
        unreachable!()
    };
    *accept = Some(Accept {
        path_prefixes: vec!["swr.cn-north-4.myhuaweicloud.com/other/".into()],
        ..Default::default()
    });
    assert!(!is_due(&case, &facts()), "a host that nobody allowed");
    case.provided = unavailable(FailureKind::ProviderNotReady);
    assert!(!is_due(&case, &facts()));
}

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
fn a_digest_goes_with_the_path_or_the_image_that_it_was_read_for() {
    let replaced = Facts {
        image_id: "other".into(),
        ..facts()
    };
    for next in [moved(), replaced] {
        let mut case = read_once();
        let unreachable = unread(FailureKind::Unreachable);
        case.step(found_with(next.clone(), unreachable));
        assert_eq!(case.status.digest, None);
        assert!(case.status.platforms.is_empty());
        assert_eq!(case.status.image, next.image);
        let changed = &case.status.history[0].changed;
        assert!(!changed.iter().any(|name| name == "digest"), "{changed:?}");
    }
}

#[test]
fn another_digest_under_the_same_path_is_a_drift_with_its_history() {
    let mut case = Case::new();
    case.spec.digest_policy = "Always".into();
    case.step(found_with(without_arch(), read('a', &["linux/arm64"])));
    case.pass(HOUR);
    let plan = case.step(found_with(without_arch(), read('b', &["linux/amd64"])));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Drifted, Reason::DigestChanged));
    assert_eq!(plan.events.len(), 1);
    assert!(plan.events[0].note.starts_with("the registry changed arch"));
    let [entry] = &case.status.history[..] else {
        panic!("{:?}", case.status.history)
    };
    assert_eq!(entry.changed, ["arch", "digest", "platforms"]);
    assert_eq!(
        (&entry.from["digest"], &entry.to["digest"]),
        (&digest('a'), &digest('b'))
    );
    assert_eq!(entry.to["platforms"], "linux/amd64");
    assert_eq!(entry.cause, "UpstreamChanged");
    case.pass(HOUR);
    let again = case.step(found_with(without_arch(), read('b', &["linux/amd64"])));
    assert!(!again.write, "sticky");
    case.requested_at = Some("seen".into());
    case.step(found_with(without_arch(), read('b', &["linux/amd64"])));
    assert!(!case.is(ConditionType::Drifted));
}

#[test]
fn a_moved_path_is_graver_than_its_digest() {
    let mut case = read_once();
    case.step(found_with(moved(), read('b', &["linux/arm64"])));
    assert!(case.has(ConditionType::Drifted, Reason::PathChanged));
    let entry = &case.status.history[0];
    assert_eq!(entry.changed, ["digest", "image", "swrPath"]);
    assert_eq!(entry.from["image"], PATH, "paths without their digest");
}

#[test]
fn the_same_digest_with_platforms_read_anew_is_no_change() {
    let mut case = Case::new();
    case.step(found_with(without_arch(), read('a', &[])));
    case.step(found_with(without_arch(), read('a', &["linux/arm64"])));
    assert_eq!(case.status.arch.as_deref(), Some("arm64"));
    assert!(case.status.history.is_empty() && !case.is(ConditionType::Drifted));
}

#[test]
fn the_registry_states_an_arch_only_where_the_platform_has_no_word_for_it() {
    let rows: [(&[&str], Option<&str>); 6] = [
        (&["linux/arm64"], Some("arm64")),
        (&["linux/arm64/v8", "linux/riscv64"], Some("arm64")),
        (&["linux/arm64", "windows/amd64"], Some("arm64")),
        (&["linux/amd64", "linux/arm64"], None),
        (&["linux/arm/v7"], None),
        (&[], None),
    ];
    for (platforms, arch) in rows {
        let mut case = Case::new();
        case.step(found_with(without_arch(), read('a', platforms)));
        assert_eq!(case.status.arch.as_deref(), arch, "{platforms:?}");
        let plan = case.step(found(without_arch()));
        assert!(!plan.write, "a look without a read keeps it");
    }
    let mut case = Case::new();
    case.step(found_with(facts(), read('a', &["linux/amd64"])));
    assert_eq!(case.status.arch.as_deref(), Some("arm64"));
    let mut unknown = facts();
    unknown.arch = None;
    unknown.upstream.arch = Some("loongarch64".into());
    case.step(found_with(unknown, read('a', &["linux/amd64"])));
    assert_eq!(case.status.arch, None, "a word that is not known is a word");
}

#[test]
fn an_expected_arch_is_met_by_any_platform_where_only_the_registry_states_one() {
    let rows: [(&[&str], &str, (Truth, Reason)); 4] = [
        (
            &["linux/amd64", "linux/arm64"],
            "arm64",
            (Truth::True, Reason::Resolved),
        ),
        (&["linux/arm64"], "arm64", (Truth::True, Reason::Resolved)),
        (
            &["linux/amd64"],
            "arm64",
            (Truth::False, Reason::ExpectationFailed),
        ),
        (&[], "arm64", (Truth::False, Reason::ExpectationFailed)),
    ];
    for (platforms, expected, (truth, reason)) in rows {
        let mut case = Case::new();
        case.spec.expect = expecting_arch(expected);
        case.step(found_with(without_arch(), read('a', platforms)));
        case.assert_ready(truth, reason);
        let expected = match (truth, platforms) {
            (Truth::True, _) => ("True", "Met"),
            (_, []) => ("Unknown", "FactUnavailable"),
            _ => ("False", "ArchMismatch"),
        };
        assert_eq!(compliant(&case), Some(expected), "{platforms:?}");
    }
}

#[test]
fn a_registry_that_contradicts_the_platform_is_a_condition_not_a_failure() {
    let mut case = Case::new();
    case.step(found_with(facts(), read('a', &["linux/amd64"])));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(compliant(&case), Some(("False", "PlatformMismatch")));
    assert_eq!(case.kstatus(), "Current");
    // Expectations that do not mention it are met, and that is said less loudly.
    case.edit(|spec| {
        spec.expect = Some(Expect {
            accelerators: vec!["ASCEND".into()],
            arch: vec!["arm64".into(), "amd64".into()],
            ..Default::default()
        });
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(compliant(&case), Some(("False", "PlatformMismatch")));
    // One about the architecture holds for both or not at all.
    case.edit(|spec| spec.expect = expecting_arch("arm64"));
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert_eq!(compliant(&case), Some(("False", "PlatformMismatch")));
    case.edit(|spec| spec.expect = expecting_arch("amd64"));
    case.step(Look::NotDue);
    assert_eq!(compliant(&case), Some(("False", "ArchMismatch")));
    for agreeing in [&["linux/amd64", "linux/arm64"][..], &["linux/riscv64"], &[]] {
        let mut case = Case::new();
        case.step(found_with(facts(), read('a', agreeing)));
        assert_eq!(compliant(&case), None, "{agreeing:?}");
    }
}

#[test]
fn row_an_expected_digest_is_met_or_violated() {
    let mut case = Case::new();
    case.spec.expect = expecting_digest('a');
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(compliant(&case), Some(("True", "Met")));
    case.edit(|spec| spec.expect = expecting_digest('b'));
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert_eq!(compliant(&case), Some(("False", "DigestMismatch")));
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()), "judged without a look");
}

#[test]
fn row_what_is_expected_of_a_registry_that_fails_in_passing_is_not_known_yet() {
    for expect in [expecting_digest('a'), expecting_arch("arm64")] {
        let mut case = Case::new();
        case.spec.expect = expect;
        for _ in 0..3 {
            let failing = unread(FailureKind::Unreachable);
            case.step(found_with(without_arch(), failing));
            case.assert_ready(Truth::Unknown, Reason::Progressing);
            assert_eq!(compliant(&case), Some(("Unknown", "FactUnavailable")));
            assert_eq!(case.kstatus(), "InProgress");
            assert!(case.wait() > Duration::ZERO && case.wait() < HOUR / 60);
            case.pass(case.wait());
            assert_eq!(case.due(), Due::Now);
        }
        // Neither an outage of the platform nor a restart settles it.
        case.step(fail(FailureKind::Unreachable));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        case.memory = Memory::default();
        assert_eq!(case.due(), Due::Now);
        case.step(found_with(without_arch(), read('a', &["linux/arm64"])));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(!case.is(ConditionType::Reconciling));
    }
}

#[test]
fn row_what_nobody_can_read_is_unavailable() {
    for contents in [
        unread(FailureKind::PermissionDenied),
        unread(FailureKind::NotFound),
        Contents::NotAsked,
        read('a', &[]),
    ] {
        let mut case = Case::new();
        case.spec.expect = match contents {
            Contents::Read(_) => expecting_arch("arm64"),
            _ => expecting_digest('a'),
        };
        case.step(found_with(without_arch(), contents));
        case.assert_ready(Truth::False, Reason::ExpectationFailed);
        assert_eq!(compliant(&case), Some(("Unknown", "FactUnavailable")));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()), "{:?}", case.wait());
        assert!(!case.step(Look::NotDue).write);
    }
}

#[test]
fn row_an_expectation_added_before_the_registry_was_read_asks_it_now() {
    let mut case = Case::resolved();
    case.edit(|spec| spec.expect = expecting_digest('a'));
    let plan = case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert_eq!((case.due(), plan.requeue), (Due::Now, Some(Duration::ZERO)));
    assert!(!case.step(Look::NotDue).write, "it waits for the look");
    assert!(is_due(&case, &facts()));
    let mut denied = case.clone();
    denied.step(found_with(facts(), unread(FailureKind::NotFound)));
    denied.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert!(!denied.step(Look::NotDue).write);
    // Taking it back needs no look.
    case.edit(|spec| spec.expect = None);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn a_policy_that_reads_nothing_leaves_an_expected_digest_unavailable() {
    let mut case = read_once();
    case.edit(|spec| {
        spec.digest_policy = "Never".into();
        spec.expect = expecting_digest('a');
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert_eq!(compliant(&case), Some(("Unknown", "FactUnavailable")));
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
fn a_suspension_keeps_the_digest_and_hides_the_registrys_failure() {
    let mut case = read_once();
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert!(!case.is(ConditionType::Stale));
    assert_eq!(case.status.digest, Some(digest('a')));
    assert!(image(&case).unwrap().ends_with(&digest('a')));
}

#[test]
fn another_target_drops_digest_and_platforms_in_the_same_write() {
    let mut case = read_once();
    case.provided = provided("cn-north-9");
    case.step(Look::Pending);
    assert_eq!((&case.status.digest, image(&case)), (&None, None));
    assert!(case.status.platforms.is_empty());
    case.step(found(facts()));
    assert_eq!(image(&case), Some(PATH), "the old digest is not revived");
}

#[test]
fn a_platform_that_states_another_arch_drifts_whatever_the_registry_said() {
    let mut case = Case::new();
    case.step(found_with(without_arch(), read('a', &["linux/arm64"])));
    let mut stated = facts();
    stated.arch = Some(Arch::Amd64);
    case.step(found(stated));
    assert!(case.has(ConditionType::Drifted, Reason::ArchChanged));
    assert_eq!(compliant(&case), Some(("False", "PlatformMismatch")));
}
