//! What a registry adds to the status, when it is asked, and what counts as a change of it.

use super::case::*;
use imageref::api::condition::Truth;
use imageref::api::provider::Accept;
use imageref::api::{ConditionType, Expect, Reason};
use imageref::facts::{Facts, FailureKind, ImageStatus};
use imageref::plan::{Contents, Look, Provided, known_content};

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
fn what_came_for_a_path_that_is_not_stated_any_more_is_ignored() {
    let machine = Facts {
        image: None,
        swr_path: None,
        ..facts()
    };
    let mut case = Case::new();
    case.step(found(machine.clone()));
    for contents in [
        read('a', &["linux/amd64"]),
        unread(FailureKind::PermissionDenied),
    ] {
        let plan = case.step(found_with(machine.clone(), contents));
        assert!(!plan.write, "{:#?}", plan.status);
    }
    case.step(found_with(facts(), unread(FailureKind::PermissionDenied)));
    assert!(case.is(ConditionType::Stale));
    case.step(found_with(machine, Contents::Later));
    assert!(!case.is(ConditionType::Stale), "no registry is waited for");
}

#[test]
fn what_is_known_for_a_registry_to_confirm_is_of_this_very_image_and_path() {
    let platforms = ["linux/amd64", "linux/arm64/v8"];
    let mut case = Case::new();
    assert_eq!(known_content(&case.status, &facts()), None, "never read");
    case.step(found_with(facts(), read('a', &platforms)));
    let known = known_content(&case.status, &facts()).unwrap();
    assert_eq!(Contents::Read(known.into()), read('a', &platforms));
    let replaced = Facts {
        image_id: "other".into(),
        ..facts()
    };
    for other in [moved(), replaced] {
        assert_eq!(known_content(&case.status, &other), None);
    }
    case.status.platforms.push("linux".into());
    assert_eq!(known_content(&case.status, &facts()), None, "unreadable");
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
    case.requested_at = Some("again".into());
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    assert!(is_due(&case, &facts()), "the requested read failed");
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    assert!(!is_due(&case, &facts()) && !case.is(ConditionType::Stale));
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
fn a_suspension_keeps_the_digest_and_hides_the_registrys_failure() {
    let mut case = read_once();
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert!(!case.is(ConditionType::Stale));
    assert_eq!(case.status.digest, Some(digest('a')));
    assert!(image(&case).unwrap().ends_with(&digest('a')));
    // Also while the registry's word is waited for.
    let mut case = Case::new();
    case.spec.expect = Some(expecting_digest('a'));
    case.step(found_with(facts(), unread(FailureKind::Unreachable)));
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Suspended);
    assert!(!case.is(ConditionType::Stale));
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
fn a_registry_that_is_busy_is_tried_sooner_only_where_there_is_no_digest() {
    for (mut case, soon) in [(read_once(), false), (Case::new(), true)] {
        case.step(found_with(facts(), Contents::Later));
        assert_eq!(case.memory.unread, u32::from(soon));
        assert_eq!(is_regular(case.wait()), !soon, "{:?}", case.wait());
    }
}

#[test]
fn what_is_behind_an_at_sign_and_is_no_digest_stays_part_of_the_image() {
    let odd = "registry.local/a:1@latest";
    let mut case = Case::new();
    case.step(found(Facts {
        image: Some(odd.into()),
        swr_path: None,
        ..facts()
    }));
    assert_eq!(image(&case), Some(odd));
    case.edit(|spec| spec.digest_policy = "Never".into());
    case.step(Look::NotDue);
    assert_eq!(image(&case), Some(odd));
}
