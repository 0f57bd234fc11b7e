//! What `docs/gitops.md` tells people to write, tried.
//!
//! Owns how examples are found in the page. Must not repeat them: what is tried is what stands there.
//! The invariant that would break first: an example that a tool refuses does not stay in the page.

use super::{ROOT, text};
use crate::on_cluster;
use imageref::api::crd;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn page() -> String {
    text("docs/gitops.md")
}

/// A YAML or JSON document of the page.
struct Example {
    /// The path in its first line, if that is a comment with one.
    path: Option<String>,
    text: String,
    value: Value,
}

impl Example {
    fn is(&self, group: &str, kind: &str) -> bool {
        let version = self.value["apiVersion"].as_str().unwrap_or_default();
        version.starts_with(&format!("{group}/")) && self.value["kind"] == kind
    }
}

fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    let page = page();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line != "```yaml" {
            continue;
        }
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        for document in block.join("\n").split("\n---\n") {
            let path = document
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("# "));
            found.push(Example {
                path: path.filter(|path| path.contains('.')).map(Into::into),
                text: document.into(),
                value: serde_saphyr::from_str(document).unwrap(),
            });
        }
    }
    assert!(found.len() > 8, "the page lost its examples");
    found
}

/// What the page tells Flux about the health of kinds.
pub(crate) fn health_check_expressions() -> Value {
    let kustomizations = examples()
        .into_iter()
        .filter(|example| example.is("kustomize.toolkit.fluxcd.io", "Kustomization"));
    let checks: Vec<_> = kustomizations
        .filter_map(|one| one.value["spec"]["healthCheckExprs"].as_array().cloned())
        .flatten()
        .collect();
    assert_eq!(checks.len(), 2, "one a kind of provider");
    json!(checks)
}

fn config_map() -> (PathBuf, Value) {
    let path = Path::new(ROOT).join("deploy/gitops/argocd-cm.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, serde_saphyr::from_str(&text).unwrap())
}

#[test]
fn the_config_map_of_argo_cd_has_the_script_for_each_kind() {
    let kinds = crd::crds().into_iter().map(|crd| crd.spec.names.kind);
    let key = |kind| format!("resource.customizations.health.imageref.dev_{kind}");
    let script = text("deploy/gitops/argocd-health.lua");
    let expected: BTreeMap<_, _> = kinds.map(|kind| (key(kind), &script)).collect();
    assert_eq!(config_map().1["data"], json!(expected));
}

#[test]
fn the_config_map_of_argo_cd_is_patched_without_losing_what_is_in_it() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let path = config_map().0;
    let command =
        "kubectl -n argocd patch configmap argocd-cm --patch-file deploy/gitops/argocd-cm.yaml";
    assert!(page().contains(command), "the page has another command");
    cluster.kubectl(&["create", "namespace", "argocd"]).unwrap();
    let kubectl = |args: &[&str]| {
        cluster
            .kubectl(&[&["-n", "argocd"], args].concat())
            .unwrap()
    };
    kubectl(&[
        "create",
        "configmap",
        "argocd-cm",
        "--from-literal=url=https://argocd.example.com",
    ]);
    let file = path.to_str().unwrap();
    kubectl(&["patch", "configmap", "argocd-cm", "--patch-file", file]);
    let stored = kubectl(&["get", "configmap", "argocd-cm", "-o", "json"]);
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let data = stored["data"].as_object().unwrap();
    assert_eq!(data.len(), 5);
    assert_eq!(data["url"], "https://argocd.example.com");
    for (key, value) in data.iter().filter(|(key, _)| *key != "url") {
        assert_eq!(*value, config_map().1["data"][key], "{key}");
    }
}

#[test]
fn what_the_page_shows_of_kinds_that_a_cluster_has_is_accepted_by_it() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("gitops");
    let mut kinds = Vec::new();
    for mut example in examples() {
        let known = ["imageref.dev/v1alpha1", "apps/v1", "v1", "batch/v1"];
        let version = example.value["apiVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if !known.contains(&version.as_str()) {
            continue;
        }
        kinds.push(example.value["kind"].as_str().unwrap().to_owned());
        if let Some(place) = example.value["metadata"].get_mut("namespace") {
            *place = json!(namespace);
        }
        let args = "create --dry-run=server --validate=strict -o json -f - -n";
        let args: Vec<_> = args.split(' ').chain([namespace.as_str()]).collect();
        let created = cluster.kubectl_with_stdin(&args, &example.value.to_string());
        let created = created.unwrap_or_else(|error| panic!("{error:#}\n{}", example.text));
        let created: Value = serde_json::from_str(&created).unwrap();
        if version.starts_with("imageref.dev/") {
            // Flux would take it for finished without one.
            assert_eq!(created["status"], json!({"observedGeneration": -1}));
        }
    }
    for kind in ["ImageRef", "ClusterImageProvider", "Deployment"] {
        assert!(
            kinds.iter().any(|one| one == kind),
            "no {kind} in {kinds:?}"
        );
    }
}

#[test]
fn what_operator_and_people_write_is_no_difference_to_git() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("gitops-diff");
    let examples = examples();
    let shown = examples
        .iter()
        .find(|one| one.is("imageref.dev", "ImageRef"))
        .unwrap();
    let mut manifest = shown.value.clone();
    manifest["metadata"]["namespace"] = json!(namespace);
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("git.json");
    std::fs::write(&file, manifest.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let kubectl = |args: &[&str]| cluster.kubectl(&[&["-n", &namespace], args].concat());
    let from_git = [
        "--server-side",
        "--field-manager=argocd-controller",
        "-f",
        file,
    ];
    kubectl(&[&["apply"], &from_git[..]].concat()).unwrap();

    let status = r#"{"status":{"observedGeneration":1,"arch":"arm64"}}"#;
    let patch = ["patch", "ir", name, "--type=merge"];
    kubectl(&[&patch[..], &["--subresource=status", "-p", status]].concat()).unwrap();
    kubectl(&[&patch[..], &["-p", r#"{"spec":{"suspend":true}}"#]].concat()).unwrap();
    kubectl(&[
        "annotate",
        "ir",
        name,
        "imageref.dev/reconcile-requested-at=now",
    ])
    .unwrap();

    // It fails where there is a difference.
    kubectl(&[&["diff"], &from_git[..]].concat()).unwrap();
    kubectl(&[&["apply"], &from_git[..]].concat()).unwrap();
    let stored = kubectl(&["get", "ir", name, "-o", "json"]).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["spec"]["suspend"], true);
    assert_eq!(stored["status"]["arch"], "arm64");
    manifest["spec"]["interval"] = json!("2h");
    std::fs::write(file, manifest.to_string()).unwrap();
    let differs = kubectl(&[&["diff"], &from_git[..]].concat());
    assert!(differs.is_err(), "an edit in git is one");
}

#[test]
fn the_locked_images_come_out_of_the_overlay_and_the_references_are_asked_again() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for example in examples() {
        let Some(path) = &example.path else { continue };
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &example.text).unwrap();
    }
    let page = page();
    let lock = page
        .split_once("```json\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let locked: Value = serde_json::from_str(lock).unwrap();
    let Some(component) = component(lock) else {
        return;
    };
    let components = folder.path().join("apps/images");
    std::fs::create_dir_all(&components).unwrap();
    std::fs::write(components.join("kustomization.yaml"), component).unwrap();
    let build = |overlay: &str| {
        let overlay = folder.path().join(overlay);
        cluster
            .kubectl(&["kustomize", overlay.to_str().unwrap()])
            .unwrap()
    };
    let object = |overlay: &str| -> Value { serde_saphyr::from_str(&build(overlay)).unwrap() };
    assert_eq!(
        build("").split("\n---\n").count(),
        3,
        "all of the repository"
    );

    let deployment = object("apps");
    let image = deployment.pointer("/spec/template/spec/containers/0/image");
    let image = image.and_then(Value::as_str).unwrap();
    let (path, digest) = image.split_once('@').unwrap();
    assert_eq!(digest, locked["images"][0]["digest"]);
    let known = locked["images"][0]["image"].as_str().unwrap();
    assert!(known.starts_with(&format!("{path}:")), "{image} of {known}");

    let reference = object("images");
    let asked = reference.pointer("/metadata/annotations/imageref.dev~1reconcile-requested-at");
    assert!(asked.is_some(), "{reference}");
}

#[test]
fn only_what_may_be_pulled_gets_into_the_component() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let lock = json!({"version": 1, "images": [
        {"name": "both", "image": format!("host.example.com:5000/team/x:v1@{digest}"), "digest": digest},
        {"name": "tag", "image": "host.example.com:5000/team/x:v1"},
        {"name": "neither", "image": "host.example.com:5000/team/x"},
        {"name": "digest", "image": format!("host.example.com/team/x@{digest}"), "digest": digest},
        {"name": "machine", "imageID": "1"},
        {"name": "gone", "image": "host.example.com/team/x:v2", "notUsable": "ImageNotFound"},
    ]});
    let Some(component) = component(&lock.to_string()) else {
        return;
    };
    let component: Value = serde_json::from_str(&component).unwrap();
    let with_port = "host.example.com:5000/team/x";
    let expected = json!([
        {"name": "both", "newName": with_port, "digest": digest},
        {"name": "tag", "newName": with_port, "newTag": "v1"},
        {"name": "neither", "newName": with_port},
        {"name": "digest", "newName": "host.example.com/team/x", "digest": digest},
    ]);
    assert_eq!(component["images"], expected);
}

/// What `kustomize-images.jq` makes of a lock file; `None` where there is no jq (it says so).
fn component(lock: &str) -> Option<String> {
    if !cluster::require_gitops_health() {
        return None;
    }
    let filter = Path::new(ROOT).join("deploy/gitops/kustomize-images.jq");
    // Built beside it.
    let mut child = Command::new(cluster::gitops_health().with_file_name("jq"))
        .arg("-f")
        .arg(filter)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lock.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "jq failed, see above");
    Some(String::from_utf8(output.stdout).unwrap())
}
