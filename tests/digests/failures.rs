//! Registries that are away, refuse, or never answer.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn a_registry_that_is_down_at_the_first_look_delays_the_digest_alone() {
    let Some(lane) = Lane::new("down-first") else {
        return;
    };
    let (source, digest) = lane.image(&lane.open("app"));
    lane.modelarts("default");
    lane.down();
    lane.image_ref("one", &source);
    let one = lane.wait_stale("one", "RegistryUnreachable");
    let (ready, since) = (condition(&one, "Ready"), ready_since(&one));
    assert_eq!(
        (&ready["status"], &ready["reason"]),
        (&json!("True"), &json!("Resolved"))
    );
    assert_eq!(one["status"]["digest"], Value::Null);
    assert_eq!(one["status"]["image"], one["status"]["swrPath"]);
    assert_eq!(one["status"]["arch"], "arm64");
    lane.up();
    lane.wait_digest("one", &digest);
    let one = lane.wait_stale("one", Value::Null);
    assert_eq!(ready_since(&one), since, "untouched");
}

#[test]
fn a_registry_that_goes_down_later_takes_nothing_away() {
    let Some(lane) = Lane::new("down-later") else {
        return;
    };
    let (source, digest) = lane.image(&lane.open("app"));
    lane.modelarts("default");
    lane.image_ref("one", &source);
    let before = lane.wait_digest("one", &digest);
    lane.down();
    let failed = lane.look_now("one", "1");
    assert_eq!(condition(&failed, "Stale")["reason"], "RegistryUnreachable");
    for field in ["digest", "platforms", "image", "arch"] {
        assert_eq!(failed["status"][field], before["status"][field], "{field}");
    }
    assert_eq!(condition(&failed, "Ready"), condition(&before, "Ready"));
    lane.up();
    // The breaker lets the next one through after some seconds, so one request may come too early.
    let deadline = Instant::now() + Duration::from_secs(60);
    for mark in 2.. {
        let looked = lane.look_now("one", &mark.to_string());
        if condition(&looked, "Stale").is_null() {
            assert_eq!(looked["status"]["digest"], digest.as_str());
            break;
        }
        assert!(Instant::now() < deadline, "{looked:#}");
    }
}

#[test]
fn an_image_that_the_registry_does_not_have_is_told_and_ready_stays() {
    let Some(lane) = Lane::new("absent") else {
        return;
    };
    lane.modelarts("default");
    let path = lane.path(&lane.open("absent"));
    lane.image_ref("one", &source(&lane.notebook(&path)));
    let one = lane.wait_stale("one", "RegistryDenied");
    let message = condition(&one, "Stale")["message"].to_string();
    assert!(
        message.contains(&format!("does not have {path}")),
        "{message}"
    );
    assert_eq!(condition(&one, "Ready")["status"], "True");
}

#[test]
fn a_registry_that_never_answers_holds_up_no_other_reference() {
    let Some(lane) = Lane::new("hung") else {
        return;
    };
    let (good, digest) = lane.image(&lane.open("app"));
    lane.modelarts("default");
    // More than are worked on at once.
    let hung = (0..80).map(|n| {
        let source = source(&lane.notebook(&format!("{HUNG_HOST}/team/app-{n}:1")));
        format!("{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: hung-{n}}}, spec: {{timeout: 5s, {source}}}}}")
    });
    lane.apply(&hung.collect::<Vec<_>>().join("\n---\n"));
    lane.image_ref("good", &good);
    let begun = Instant::now();
    lane.wait_digest("good", &digest);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    // They too have the platform's answer, and say what is missing.
    let one = lane.wait_stale("hung-0", "RegistryUnreachable");
    assert_eq!(condition(&one, "Ready")["reason"], "Resolved");
    for n in 1..80 {
        lane.wait_reason(&format!("hung-{n}"), "Resolved");
    }
}
