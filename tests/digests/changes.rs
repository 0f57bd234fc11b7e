//! What moves under a reference that stays, and what an edit does.

use super::*;

#[test]
fn a_moved_tag_is_noticed_under_always_and_under_if_not_present_when_asked() {
    let Some(lane) = Lane::new("moved") else {
        return;
    };
    let repository = lane.open("app");
    let first = lane.push(&repository, "linux/arm64", "");
    let id = lane.notebook(&lane.path(&repository));
    let source = source(&id);
    lane.modelarts("default");
    lane.image_ref("once", &format!("interval: 1m, {source}"));
    let always = format!("interval: 1m, digestPolicy: Always, {source}");
    lane.image_ref("always", &always);
    for name in ["once", "always"] {
        lane.wait_digest(name, &first);
    }
    let ready = ready_since(&lane.get("imageref", "once"));
    let second = lane.push(&repository, "linux/arm64", "moved");
    assert_ne!(first, second);
    // What the platform changes shows that both were looked at.
    let categories = json!(["ASCEND"]);
    lane.cloud.update(ImageApi::Notebook, &id, |image| {
        image["support_res_categories"] = categories.clone();
        image["resource_categories"] = categories.clone();
    });
    let looked = |name: &str| {
        lane.wait("imageref", name, |object| {
            object["status"]["accelerators"] == categories
        })
    };
    drifted(&looked("always"), &first, &second);
    let once = looked("once");
    assert_eq!(once["status"]["digest"], first.as_str());
    assert!(condition(&once, "Drifted").is_null(), "{once:#}");

    // Asked for, it is read; asked for again, the change is acknowledged.
    let once = lane.look_now("once", "1");
    drifted(&once, &first, &second);
    let acknowledged = lane.look_now("once", "2");
    assert!(
        condition(&acknowledged, "Drifted").is_null(),
        "{acknowledged:#}"
    );
    let (before, after) = (&once["status"], &acknowledged["status"]);
    assert_eq!(after["digest"], second.as_str());
    assert_eq!(after["history"], before["history"]);
    assert_eq!(ready_since(&acknowledged), ready, "all the while");
}

fn drifted(object: &Value, from: &str, to: &str) {
    let drifted = condition(object, "Drifted");
    assert_eq!(drifted["status"], "True", "{object:#}");
    assert_eq!(drifted["reason"], "DigestChanged");
    assert_eq!(condition(object, "Ready")["status"], "True");
    let status = &object["status"];
    let history = status["history"].as_array().unwrap();
    let change = |change: &Value| change["from"]["digest"] == from && change["to"]["digest"] == to;
    assert!(history.iter().any(change), "{history:?}");
    let image = status["image"].as_str().unwrap();
    assert!(image.ends_with(&format!(":1@{to}")), "{image}");
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
    // And it comes back with the policy, at the next look.
    lane.patch("imageref/one", &json!({"digestPolicy": "IfNotPresent"}));
    lane.annotate("one", "2");
    let again = lane.wait_digest("one", &digest);
    assert!(condition(&again, "Drifted").is_null());
}
