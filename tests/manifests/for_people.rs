//! What `kubectl get` and `kubectl explain` show.

use super::rows::KINDS;
use super::schema;
use crate::on_cluster;
use serde_json::json;
use std::time::{Duration, Instant};

const REF: &str = r#"{"apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
    "metadata": {"name": "NAME"},
    "spec": {"source": {"notebook": {"name": "pytorch"}},
             "providerRef": {"kind": "ImageProvider", "name": "PROVIDER"}}}"#;

#[test]
fn get_shows_the_answer_and_its_reason_and_finds_refs_by_provider_arch_and_status() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("columns");
    let kubectl = |args: &[&str]| {
        let args = [&["-n", namespace.as_str()], args].concat();
        cluster.kubectl(&args).unwrap()
    };
    for (name, provider) in [("trainer", "modelarts-prod"), ("other", "pai-test")] {
        let object = REF.replace("NAME", name).replace("PROVIDER", provider);
        let args = ["create", "-n", &namespace, "-f", "-"];
        cluster.kubectl_with_stdin(&args, &object).unwrap();
    }
    let status = json!({"status": {
        "provider": {"kind": "ImageProvider", "name": "modelarts-prod"},
        "arch": "arm64", "status": "ACTIVE", "swrPath": "swr.example.com/team/pytorch:1",
        "digest": "sha256:0a1b",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Resolved", "message": "found-it",
                        "lastTransitionTime": "2026-11-21T00:00:00Z"}],
    }});
    let patch = status.to_string();
    kubectl(&[
        "patch",
        "imageref",
        "trainer",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);

    let rows = |args: &[&str]| -> Vec<Vec<String>> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        kubectl(args).lines().map(words).collect()
    };
    for name in ["imgref", "ir", "imagerefs", "imageref"] {
        let table = rows(&["get", name]);
        assert_eq!(
            table[0].join(" "),
            "NAME PROVIDER ARCH STATUS READY REASON AGE"
        );
        assert_eq!(table[1][0], "other");
        let found = "trainer modelarts-prod arm64 ACTIVE True Resolved";
        assert_eq!(table[2][..6].join(" "), found);
    }
    let wide = rows(&["get", "ir", "trainer", "-o", "wide"]);
    let head = "NAME PROVIDER ARCH STATUS READY REASON SWR-PATH DIGEST MESSAGE AGE";
    assert_eq!(wide[0].join(" "), head);
    assert_eq!(
        wide[1][6..9].join(" "),
        "swr.example.com/team/pytorch:1 sha256:0a1b found-it"
    );
    assert_eq!(
        rows(&["get", "imageref", "-o", "name"]).len(),
        2,
        "by category"
    );

    for (selector, expected) in [
        (
            "spec.providerRef.name=modelarts-prod",
            vec!["imageref.imageref.dev/trainer"],
        ),
        (
            "spec.providerRef.name=pai-test",
            vec!["imageref.imageref.dev/other"],
        ),
        ("status.arch=arm64", vec!["imageref.imageref.dev/trainer"]),
        ("status.arch=amd64", vec![]),
        (
            "status.status=ACTIVE",
            vec!["imageref.imageref.dev/trainer"],
        ),
        ("status.status!=ACTIVE", vec!["imageref.imageref.dev/other"]),
    ] {
        let args = ["get", "ir", "--field-selector", selector, "-o", "name"];
        assert_eq!(rows(&args).concat(), expected, "{selector}");
    }
}

#[test]
fn every_field_of_ours_has_a_description() {
    for kind in KINDS {
        for top in ["spec", "status"] {
            schema::walk(kind, top, &mut |path, schema| {
                // Entries of lists and maps are described by their list or map.
                let named = !path.ends_with("[]") && !path.ends_with(".*");
                let description = schema.description.as_deref().unwrap_or_default();
                assert!(
                    !named || description.len() > 12,
                    "{kind}: {path} is not described"
                );
            });
        }
    }
}

#[test]
fn explain_tells_what_to_write() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    // The API server publishes the schemas of new CRDs some seconds after it serves them.
    let deadline = Instant::now() + Duration::from_secs(60);
    let published = |kind: &str| cluster.kubectl(&["explain", kind]).is_ok();
    while !KINDS.into_iter().all(published) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
    }
    for (field, expected) in [
        (
            "imageref.spec.source",
            "exactly one of notebook, liteServer and pai",
        ),
        ("imageref.spec.source.notebook.id", "lower-case UUID"),
        ("imageref.spec.interval", "1m to 168h"),
        ("imageref.status.image", "put into a pod"),
        ("imageprovider.spec.auth.secretRef", "accessKeyId"),
        (
            "clusterimageprovider.spec.allowedNamespaces.selector",
            "every namespace",
        ),
    ] {
        let text = cluster.kubectl(&["explain", field]).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(expected), "{field}: {text}");
    }
}
