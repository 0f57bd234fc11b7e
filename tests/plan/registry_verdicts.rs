//! Verdicts on what a registry says: architectures, digests, contradictions.

use super::case::*;
use imageref::api::condition::{self, Truth};
use imageref::api::{ConditionType, Expect, Reason};
use imageref::facts::{Arch, Facts, FailureKind};
use imageref::plan::{Contents, Due, Look, Memory};
use std::time::Duration;

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
        case.spec.expect = Some(expecting_arch(expected));
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
    case.edit(|spec| spec.expect = Some(expecting_arch("arm64")));
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert_eq!(compliant(&case), Some(("False", "PlatformMismatch")));
    case.edit(|spec| spec.expect = Some(expecting_arch("amd64")));
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
    case.spec.expect = Some(expecting_digest('a'));
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(compliant(&case), Some(("True", "Met")));
    case.edit(|spec| spec.expect = Some(expecting_digest('b')));
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
        case.spec.expect = Some(expect);
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
        case.spec.expect = Some(match contents {
            Contents::Read(_) => expecting_arch("arm64"),
            _ => expecting_digest('a'),
        });
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
    case.edit(|spec| spec.expect = Some(expecting_digest('a')));
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
        spec.expect = Some(expecting_digest('a'));
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    assert_eq!(compliant(&case), Some(("Unknown", "FactUnavailable")));
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

#[test]
fn an_expectation_that_nobody_can_judge_says_who_might_have_known() {
    let nowhere = Facts {
        image: None,
        swr_path: None,
        ..without_arch()
    };
    for (facts, policy, contents, why) in [
        (
            nowhere,
            "Always",
            Contents::NotAsked,
            "the image has no path in a registry",
        ),
        (
            without_arch(),
            "Never",
            Contents::NotAsked,
            "digestPolicy Never asks no registry",
        ),
        (
            without_arch(),
            "Always",
            read('a', &[]),
            "the registry does not either",
        ),
        (
            without_arch(),
            "Always",
            unread(FailureKind::PermissionDenied),
            "the registry could not be read",
        ),
    ] {
        let mut case = Case::new();
        case.spec.digest_policy = policy.into();
        case.spec.expect = Some(expecting_arch("arm64"));
        case.step(found_with(facts, contents));
        let conditions = &case.status.conditions;
        let said = condition::find(conditions, ConditionType::Compliant).unwrap();
        let whole = format!(
            "expect.arch cannot be judged, because the platform does not state it, and {why}"
        );
        assert!(said.message.starts_with(&whole), "{said:?}");
    }
}
