//! Every object that a page or a file under `examples/` shows, given to those who would read it.
//!
//! Owns how an object gets to the API server without leaving anything there, and to kustomize. Must not
//! know which objects there are. The invariant that would break first: an example that a cluster refuses,
//! or in which it does not know a field, does not stay.

use super::blocks::{self, Block};
use super::sorted::{Purpose, documents, is_object, read};
use super::{foreign, shell};
use crate::on_cluster;
use cluster::Cluster;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An object, with where it stands.
struct Example {
    place: String,
    object: Value,
}

/// All of them: of pages, of commands on pages, and of files.
fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    let mut add = |place: &str, text: &str| {
        for document in documents(text) {
            let object = read(place, &document);
            assert!(is_object(&object), "{place}: no object:\n{document}");
            let place = place.to_owned();
            found.push(Example { place, object });
        }
    };
    for block in blocks::all() {
        if Purpose::of(&block) == Some(Purpose::Objects) {
            add(&block.place, &block.text);
        }
        for input in inputs(&block) {
            add(&block.place, &input);
        }
    }
    for end in ["yaml", "yml"] {
        for file in blocks::below("examples", end) {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file));
            add(&file.display().to_string(), &text.unwrap());
        }
    }
    found
}

/// What commands of a block are given by `<<<`.
fn inputs(block: &Block) -> Vec<String> {
    if block.language() != "sh" {
        return Vec::new();
    }
    let commands = shell::commands(&block.text).into_iter();
    commands.filter_map(|command| command.input).collect()
}

/// Whether kustomize alone reads such a thing.
fn is_kustomizes(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.starts_with("kustomize.config.k8s.io/")
}

#[test]
fn every_object_in_the_documentation_and_in_examples_is_taken_by_the_api_server() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("examples");
    // No controller makes it here, and no pod is taken without.
    let account = ["create", "serviceaccount", "default", "-n", &namespace];
    cluster.kubectl(&account).unwrap();
    let examples: Vec<_> = examples()
        .into_iter()
        .filter(|example| !is_kustomizes(&example.object))
        .collect();
    serve_foreign_kinds(cluster, &examples);

    let mut refused = Vec::new();
    let mut kinds = BTreeMap::new();
    for Example { place, object } in &examples {
        let kind = object["kind"].as_str().unwrap_or_default();
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        if let Err(error) = take(cluster, &namespace, object) {
            refused.push(format!("{place}: {kind}: {error:#}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    for ours in [
        "ImageRef",
        "ImageProvider",
        "ClusterImageProvider",
        "ImageCatalog",
    ] {
        assert!(kinds.contains_key(ours), "no {ours} among {kinds:?}");
    }
    eprintln!("{} objects taken: {kinds:?}", examples.len());
}

/// Has the API server judge an object, fields that it does not know included, and store nothing.
fn take(cluster: &Cluster, namespace: &str, object: &Value) -> anyhow::Result<()> {
    let mut object = object.clone();
    if let Some(place) = object["metadata"].get_mut("namespace") {
        *place = json!(namespace);
    }
    let mut args = vec![
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
    ];
    args.extend(["--validate=strict", "-n", namespace, "-f", "-"]);
    cluster.kubectl_with_stdin(&args, &object.to_string())?;
    Ok(())
}

fn serve_foreign_kinds(cluster: &Cluster, examples: &[Example]) {
    let crds = examples
        .iter()
        .filter_map(|example| foreign::crd(&example.object));
    let crds: BTreeMap<_, _> = crds
        .map(|crd| {
            (
                format!("crd/{}", crd["metadata"]["name"].as_str().unwrap()),
                crd,
            )
        })
        .collect();
    if crds.is_empty() {
        return;
    }
    let items: Vec<_> = crds.values().collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let mut wait = vec!["wait", "--for=condition=Established", "--timeout=60s"];
    wait.extend(crds.keys().map(String::as_str));
    cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], &list)
        .and_then(|_| cluster.kubectl(&wait))
        .unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn a_field_or_a_kind_that_is_misspelt_in_an_example_would_be_found() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("examples");
    let good = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef", "metadata": {"name": "a", "namespace": "other"},
        "spec": {"source": {"pai": {"id": "image-1"}}},
    });
    take(cluster, &namespace, &good).unwrap();
    for (change, said) in [
        ("/spec/sorce", "not declared in schema"),
        ("/spec/expect/arch", "must be amd64 or arm64"),
        ("/kind", "no matches for kind"),
    ] {
        let mut bad = good.clone();
        match change {
            "/spec/sorce" => bad["spec"]["sorce"] = json!({}),
            "/spec/expect/arch" => bad["spec"]["expect"] = json!({"arch": ["arm"]}),
            _ => bad["kind"] = json!("ImageReference"),
        }
        let error = take(cluster, &namespace, &bad).unwrap_err().to_string();
        assert!(error.contains(said), "{change}: {error}");
    }
}

#[test]
fn every_kustomization_in_the_documentation_is_built() {
    if !cluster::require() {
        return;
    }
    let mut built = 0;
    for Example { place, object } in examples() {
        if is_kustomizes(&object) {
            build(&place, &object);
            built += 1;
        }
    }
    assert!(built > 0, "no page shows a kustomization any more");
}

/// Builds it beside files of the names that it mentions.
fn build(place: &str, object: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, value.to_string()).unwrap();
    };
    let config_map = |name: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("n{name}")}});
    let names = |field: &str| -> BTreeSet<String> {
        let names = object[field].as_array().into_iter().flatten();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    for (n, name) in names("resources").iter().enumerate() {
        assert!(!name.contains("://"), "{place}: {name} is not here");
        let file = Path::new(name).extension().is_some();
        let file = if file {
            name.clone()
        } else {
            format!("{name}/kustomization.yaml")
        };
        if file == *name {
            write(name, &config_map(n));
        } else {
            write(&file, &json!({"resources": ["object.yaml"]}));
            write(&format!("{name}/object.yaml"), &config_map(n));
        }
    }
    for name in names("components") {
        let component = json!({
            "apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component",
            "commonAnnotations": {"a": "b"},
        });
        write(&format!("{name}/kustomization.yaml"), &component);
    }
    write("kustomization.yaml", object);
    let output = std::process::Command::new(Cluster::bin("kubectl"))
        .arg("kustomize")
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {said}");
}
