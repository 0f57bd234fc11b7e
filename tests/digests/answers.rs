//! What appears in a status, and what it costs.

use super::*;
use crate::registry::depot::{OCI_INDEX, OCI_MANIFEST};

#[test]
fn digest_platforms_and_the_pinned_image_appear_for_both_vendors() {
    let Some(lane) = Lane::new("both") else {
        return;
    };
    let repository = lane.open("index");
    let depot = lane.shared.guarded.depot(&repository);
    let digest = runtime().block_on(async {
        let mut entries = Vec::new();
        for platform in ["linux/arm64/v8", "linux/amd64"] {
            let one = depot.single(&repository, None, false, platform, "").await;
            let entry = depot.entry(&repository, OCI_MANIFEST, &one, Some(platform));
            entries.push(entry.await);
        }
        depot
            .index(&repository, Some("1"), OCI_INDEX, &entries)
            .await
    });
    let path = lane.path(&repository);
    lane.modelarts("default");
    lane.image_ref("huawei", &source(&lane.notebook(&path)));
    let status = lane.wait_digest("huawei", &digest)["status"].clone();
    assert_eq!(
        status["platforms"],
        json!(["linux/amd64", "linux/arm64/v8"])
    );
    assert_eq!(status["image"], format!("{path}@{digest}"));
    assert_eq!(status["swrPath"], path, "as the platform says it");
    assert_eq!(status["arch"], "arm64");

    // PAI states no architecture, and its registry is over TLS.
    let tls = Depot::trusting(&lane.shared.tls.origin(), lane.shared.tls.ca_pem());
    let digest = runtime().block_on(tls.single("ns/train", Some("v3"), true, "linux/arm64", ""));
    let path = format!("{TLS_HOST}/ns/train:v3");
    lane.cloud
        .update(ImageApi::Pai, defaults::WORKSPACE_PAI_ID, |image| {
            image["ImageUri"] = path.as_str().into();
        });
    lane.pai("pai");
    let image = format!("source: {{pai: {{id: {}}}}}", defaults::WORKSPACE_PAI_ID);
    lane.image_ref("alibaba", &by("pai", &image));
    let status = lane.wait_digest("alibaba", &digest)["status"].clone();
    assert_eq!(status["platforms"], json!(["linux/arm64"]));
    assert_eq!(status["arch"], "arm64");
    assert_eq!(status["image"], format!("{path}@{digest}"));
    let wide = lane.kubectl(&["get", "imageref", "-o", "wide"]);
    assert!(wide.contains("DIGEST") && wide.contains(&digest), "{wide}");
}

#[test]
fn thirty_references_to_one_image_cost_one_read_and_none_when_none_is_due() {
    let Some(lane) = Lane::new("thirty") else {
        return;
    };
    let (source, digest) = lane.image(&lane.open("app"));
    lane.modelarts("default");
    let names: Vec<_> = (0..30).map(|n| format!("r{n}")).collect();
    let refs = names.iter().map(|name| {
        format!("{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: {name}}}, spec: {{{source}}}}}")
    });
    lane.apply(&refs.collect::<Vec<_>>().join("\n---\n"));
    for name in &names {
        lane.wait_digest(name, &digest);
    }
    let seen = lane.front.drain();
    let read: Vec<_> = seen
        .iter()
        .filter(|seen| seen.authorization.is_some())
        .collect();
    let of = |part: &str| read.iter().filter(|seen| seen.path.contains(part)).count();
    assert_eq!((of("/manifests/"), of("/blobs/")), (1, 1), "{read:?}");

    // Looks that are due at the platform alone: each reference is suspended for a moment.
    for suspend in [true, false] {
        let patch = json!({"spec": {"suspend": suspend}}).to_string();
        for name in &names[..5] {
            lane.kubectl(&["patch", "imageref", name, "--type=merge", "-p", &patch]);
            lane.wait_reason(name, if suspend { "Suspended" } else { "Resolved" });
        }
    }
    lane.image_ref("late", &source);
    lane.wait_digest("late", &digest);
    assert_eq!(reads(&lane.front.drain()), 0);
}

#[test]
fn a_registry_that_contradicts_the_platform_is_told_and_ready_stays() {
    let Some(lane) = Lane::new("contradiction") else {
        return;
    };
    let repository = lane.open("app");
    let digest = lane.push(&repository, "linux/amd64", "");
    lane.modelarts("default");
    lane.image_ref("one", &source(&lane.notebook(&lane.path(&repository))));
    let one = lane.wait_digest("one", &digest);
    let compliant = condition(&one, "Compliant");
    assert_eq!(compliant["reason"], "PlatformMismatch", "{one:#}");
    assert_eq!(compliant["status"], "False");
    assert_eq!(condition(&one, "Ready")["status"], "True");
    assert_eq!(one["status"]["arch"], "arm64", "the platform's word");
}

#[test]
fn an_expected_digest_is_met_or_refuses_the_image() {
    let Some(lane) = Lane::new("expected") else {
        return;
    };
    let (source, digest) = lane.image(&lane.open("app"));
    lane.modelarts("default");
    lane.image_ref(
        "met",
        &format!("{source}, expect: {{digest: \"{digest}\"}}"),
    );
    let met = lane.wait_digest("met", &digest);
    assert_eq!(condition(&met, "Ready")["status"], "True");
    assert_eq!(condition(&met, "Compliant")["reason"], "Met");

    let other = format!("sha256:{}", "0".repeat(64));
    lane.image_ref(
        "other",
        &format!("{source}, expect: {{digest: \"{other}\"}}"),
    );
    let refused = lane.wait_reason("other", "ExpectationFailed");
    assert_eq!(condition(&refused, "Compliant")["reason"], "DigestMismatch");
    let message = condition(&refused, "Ready")["message"].to_string();
    assert!(
        message.contains(&other) && message.contains(&digest),
        "{message}"
    );
}
