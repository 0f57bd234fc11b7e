//! What moves under a reference that stays, and what an edit does.

use super::*;

#[test]
fn a_moved_tag_is_noticed_under_always_and_under_if_not_present_when_asked() {
    let Some(lane) = Lane::new("moved") else {
        return;
    };
    let repository = lane.open("app");
    let (source, first) = lane.image(&repository);
    lane.modelarts("default");
    lane.image_ref("once", &source);
    lane.image_ref("always", &format!("digestPolicy: Always, {source}"));
    for name in ["once", "always"] {
        lane.wait_digest(name, &first);
    }
    let since = condition(&lane.get("imageref", "once"), "Ready")["lastTransitionTime"].clone();
    let second = lane.push(&repository, "linux/arm64", "moved");
    assert_ne!(first, second);

    // Both are looked at again, without a word about registries.
    for suspend in [true, false] {
        for name in ["once", "always"] {
            lane.patch(&format!("imageref/{name}"), &json!({"suspend": suspend}));
            lane.wait_reason(name, if suspend { "Suspended" } else { "Resolved" });
        }
    }
    let moved = lane.wait_digest("always", &second);
    drifted(&moved, &first, &second);
    let once = lane.get("imageref", "once");
    assert_eq!(once["status"]["digest"], first.as_str());
    assert!(condition(&once, "Drifted").is_null());

    // Asked for, it is read; asked for again, the change is acknowledged.
    let once = lane.look_now("once", "1");
    drifted(&once, &first, &second);
    assert_eq!(condition(&once, "Ready")["status"], "True");
    let acknowledged = lane.look_now("once", "2");
    assert!(
        condition(&acknowledged, "Drifted").is_null(),
        "{acknowledged:#}"
    );
    assert_eq!(acknowledged["status"]["digest"], second.as_str());
    assert_eq!(
        acknowledged["status"]["history"].as_array().unwrap().len(),
        1
    );
    assert!(since.is_string());
}

fn drifted(object: &Value, from: &str, to: &str) {
    let drifted = condition(object, "Drifted");
    assert_eq!(drifted["status"], "True", "{object:#}");
    assert_eq!(drifted["reason"], "DigestChanged");
    assert_eq!(condition(object, "Ready")["status"], "True");
    let status = &object["status"];
    let change = status["history"].as_array().unwrap().last().unwrap();
    assert_eq!(change["from"]["digest"], from, "{change}");
    assert_eq!(change["to"]["digest"], to);
    let image = status["image"].as_str().unwrap();
    assert!(image.ends_with(&format!(":1@{to}")), "{image}");
}

#[test]
fn always_reads_again_at_the_next_regular_look() {
    let Some(lane) = Lane::new("always") else {
        return;
    };
    let repository = lane.open("app");
    let (source, first) = lane.image(&repository);
    lane.modelarts("default");
    lane.image_ref(
        "one",
        &format!("interval: 1m, digestPolicy: Always, {source}"),
    );
    lane.wait_digest("one", &first);
    let second = lane.push(&repository, "linux/arm64", "moved");
    let moved = lane.wait_digest("one", &second);
    drifted(&moved, &first, &second);
}

#[test]
fn never_takes_the_digest_away_and_asks_no_more() {
    let Some(lane) = Lane::new("never") else {
        return;
    };
    let repository = lane.open("app");
    let (source, digest) = lane.image(&repository);
    lane.modelarts("default");
    lane.image_ref("one", &source);
    lane.wait_digest("one", &digest);
    lane.front.drain();
    lane.patch("imageref/one", &json!({"digestPolicy": "Never"}));
    let status =
        lane.wait("imageref", "one", |o| o["status"]["digest"].is_null())["status"].clone();
    assert_eq!(status["platforms"], Value::Null);
    assert_eq!(status["image"], lane.path(&repository));
    let looked = lane.look_now("one", "1");
    assert_eq!(looked["status"]["digest"], Value::Null);
    assert_eq!(condition(&looked, "Ready")["status"], "True");
    assert!(lane.front.drain().is_empty());
    // And it comes back with the policy.
    lane.patch("imageref/one", &json!({"digestPolicy": "IfNotPresent"}));
    let again = lane.wait_digest("one", &digest);
    assert!(condition(&again, "Drifted").is_null());
}
