//! How far the policy is from the API server's limits of cost.

use super::{POLICY, catalog, cluster_with, namespace, pod, send, stderr, until_passes};
use serde_json::{Value, json};

/// Entries of the catalogue.
const ENTRIES: usize = 2000;

/// The most containers that a pod is meant to have.
const CONTAINERS: usize = 60;

fn image(n: usize) -> String {
    format!(
        "swr.cn-north-4.myhuaweicloud.com/ai-team/model-{:05}:v1",
        n % ENTRIES
    )
}

fn containers(count: usize, image: impl Fn(usize) -> String) -> Value {
    let each = (0..count).map(|n| json!({"name": format!("c{n}"), "image": image(n)}));
    each.collect()
}

#[test]
fn sixty_containers_and_two_thousand_images_are_far_below_the_limit_of_cost() {
    let Some(cluster) = cluster_with(POLICY) else {
        return;
    };
    namespace(&cluster, "team", "enforce");
    let entry = json!({"ref": "team/model", "usable": true, "arch": "arm64", "status": "ACTIVE",
        "accelerators": ["ASCEND"], "digest": format!("sha256:{}", "a".repeat(64))});
    let images: serde_json::Map<_, _> = (0..ENTRIES).map(|n| (image(n), entry.clone())).collect();
    catalog(&cluster, "team", &Value::Object(images));
    let make = |spec: &Value| {
        send(
            &cluster,
            &["create", "--dry-run=server"],
            "team",
            &pod("p", spec),
        )
    };
    let spec = |count: usize, image: &dyn Fn(usize) -> String| json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}, "containers": containers(count, image)});
    until_passes(|| make(&spec(CONTAINERS, &image)));
    let unknown = |n: usize| format!("swr.local/unknown:{n}");
    let says = |count: usize| stderr(&make(&spec(count, &unknown)));
    assert!(says(CONTAINERS).contains("c0: image swr.local/unknown:0 is not in"));

    // Fifty times as many are still judged, one by one.
    let many = 50 * CONTAINERS;
    until_passes(|| make(&spec(many, &image)));
    let said = says(many);
    assert!(said.contains(&format!("(and {} more)", many - 1)), "{said}");

    // An update compares each image that is not listed with those that were there.
    let create = pod("running", &spec(CONTAINERS, &image));
    let created = send(&cluster, &["create"], "team", &create);
    assert!(created.status.success(), "{}", stderr(&created));
    let large = 8 * CONTAINERS;
    let create = pod("large", &spec(large, &image));
    let created = send(&cluster, &["create"], "team", &create);
    assert!(created.status.success(), "{}", stderr(&created));
    for (name, count) in [("running", CONTAINERS), ("large", large)] {
        let args = ["get", "pod", name, "-n", "team", "-o", "json"];
        let mut object: Value = serde_json::from_str(&cluster.kubectl(&args).unwrap()).unwrap();
        for n in 0..count {
            object["spec"]["containers"][n]["image"] = unknown(n).into();
        }
        let replaced = send(&cluster, &["replace", "--dry-run=server"], "team", &object);
        let said = stderr(&replaced);
        assert!(
            said.contains(&format!("(and {} more)", count - 1)),
            "{said}"
        );
    }
}
