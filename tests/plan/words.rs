//! The words of Ready, and the border of a path segment.

use super::case::*;
use imageref::api::{Reason, Upstream};
use imageref::facts::{Facts, ImageStatus};
use imageref::plan::Contents;
use imageref::plan::judge::has_prefix;

fn after(facts: Facts, contents: Contents) -> Case {
    let mut case = Case::new();
    case.step(found_with(facts, contents));
    case
}

#[test]
fn a_ready_image_is_told_with_what_it_runs_on() {
    let machine = Facts {
        image: None,
        swr_path: None,
        ..facts()
    };
    let pinned = format!("{PATH}@{}", digest('a'));
    for (facts, contents, said) in [
        (facts(), Contents::NotAsked, format!("{PATH} (arm64)")),
        (
            without_arch(),
            Contents::NotAsked,
            format!("{PATH} (architecture not stated)"),
        ),
        (
            without_arch(),
            read('a', &["linux/amd64", "linux/arm64"]),
            format!("{pinned} (linux/amd64, linux/arm64)"),
        ),
        (
            machine,
            Contents::NotAsked,
            format!("machine image {ID} (arm64)"),
        ),
    ] {
        assert_eq!(after(facts, contents).message(), said);
    }
}

#[test]
fn an_image_that_is_not_active_is_told_with_the_platforms_own_words() {
    let of = |status: ImageStatus, word: Option<&str>, detail: Option<&str>| Facts {
        status,
        upstream: Upstream {
            status: word.map(Into::into),
            status_message: detail.map(Into::into),
            ..facts().upstream
        },
        ..facts()
    };
    for (facts, said) in [
        (
            of(ImageStatus::Creating, None, Some("step 2")),
            "the image is still being built: the platform says CREATING (step 2)",
        ),
        (
            of(ImageStatus::Unknown, Some("FROZEN"), None),
            "the platform says \"FROZEN\", and only ACTIVE may be used",
        ),
        (
            of(ImageStatus::Unknown, None, None),
            "the platform states no status, and only ACTIVE may be used",
        ),
        (
            of(ImageStatus::Inactive, None, None),
            "the platform says INACTIVE, and only ACTIVE may be used: choose another image, or accept this status in spec.expect.status",
        ),
    ] {
        assert_eq!(after(facts, Contents::NotAsked).message(), said);
    }
}

#[test]
fn expectations_are_judged_also_of_an_image_that_is_not_active() {
    let mut case = Case::new();
    case.spec.expect = Some(expecting_arch("amd64"));
    case.step(found(Facts {
        status: ImageStatus::Inactive,
        ..facts()
    }));
    assert_eq!(case.ready().1, Reason::ImageNotActive.as_str());
    assert_eq!(compliant(&case), Some(("False", "ArchMismatch")));
}

#[test]
fn a_prefix_ends_at_the_border_of_a_segment() {
    for (image, covered) in [
        ("host/team", true),
        ("host/team/x", true),
        ("host/team:tag", true),
        ("host/team@sha256:0", true),
        ("host/teams", false),
        ("host/teams/x", false),
        ("host/tea", false),
        ("other/host/team", false),
    ] {
        assert_eq!(has_prefix(image, "host/team"), covered, "{image}");
    }
    assert!(has_prefix("host/team/x", "host/team/"));
    assert!(!has_prefix("host/team", "host/team/"));
}
