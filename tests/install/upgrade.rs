//! The previous chart, this one, back, and away: what people declared stays as it is.
//!
//! Owns the order of the steps, and which chart is the previous one. The invariant that would break first:
//! no step writes, or deletes, an object of ours; their versions show it.

use super::installed::Installed;
use super::needs::{Bench, until};
use super::release::{HOME, NAME, Release, chart};
use fakecloud::defaults::SEED_NOTEBOOK_ID;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const KINDS: &str = "imagerefs,imageproviders,clusterimageproviders,imagecatalogs";

/// The chart of the last release, `tests/install/released/*.tgz`. Before the first release there is none: then
/// it is the chart as it is now, under an earlier version.
fn previous(folder: &Path) -> PathBuf {
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/install/released");
    let mut packages: Vec<_> = match std::fs::read_dir(released) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    packages.retain(|path| path.extension().is_some_and(|end| end == "tgz"));
    assert!(
        packages.len() <= 1,
        "keep the last release alone: {packages:?}"
    );
    if let Some(package) = packages.pop() {
        return package;
    }
    let earlier = folder.join("previous");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(chart())
        .arg(&earlier)
        .status();
    assert!(copied.unwrap().success());
    let file = earlier.join("Chart.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((name @ ("version" | "appVersion"), _)) => format!("{name}: 0.0.1"),
        _ => line.to_owned(),
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    earlier
}

/// Every object of ours, with its version and its status.
fn objects(release: &Release) -> BTreeMap<String, (Value, Value)> {
    let list = release.kubectl(&["get", KINDS, "-A", "-o", "json"]);
    let mut list: Value = serde_json::from_str(&list).unwrap();
    let items = list["items"].as_array_mut().unwrap().drain(..);
    let read = items.map(|mut object| {
        let metadata = &object["metadata"];
        let name = format!(
            "{} {}/{}",
            object["kind"], metadata["namespace"], metadata["name"]
        );
        let version = object["metadata"]["resourceVersion"].take();
        (name, (version, object["status"].take()))
    });
    read.collect()
}

fn crds(release: &Release) -> usize {
    let names = release.kubectl(&["get", "crds", "-o", "name"]);
    names
        .lines()
        .filter(|name| name.ends_with(".imageref.dev"))
        .count()
}

fn has(release: &Release, kind: &str, name: &str) -> bool {
    !release
        .kubectl(&[
            "get",
            kind,
            name,
            "-n",
            HOME,
            "--ignore-not-found",
            "-o",
            "name",
        ])
        .is_empty()
}

#[test]
fn upgrade_rollback_and_uninstall_leave_every_object_and_status_as_it_is() {
    let Some(release) = Release::none() else {
        return;
    };
    let before = json!({"controller": {"replicas": 1}, "webhook": {"enabled": false}, "log": {"level": "debug"}});
    let package = previous(release.cluster.folder());
    release.apply_chart("install", &package, &before);
    let installed = Installed::of(release, &before);
    installed.declare();
    let process = installed.start();
    installed.all_is_well(&process);
    // One that is written whole at once: a change of one that is there would wait for a minute.
    installed.declare_catalog();
    let refs = || installed.get("imagecatalog", "admission")["status"]["refs"] == 1;
    until("the catalogue is whole", || process.log(), refs);
    drop(process);
    let release = &installed.release;
    let declared = objects(release);
    // A provider and references of each kind, one that cannot be read, and the catalogue.
    assert_eq!(declared.len(), 7, "{:?}", declared.keys());
    assert!(!has(release, "deployment", "imageref-webhook"));

    release.apply_chart("upgrade", &chart(), &json!({}));
    assert_eq!(objects(release), declared);
    assert!(has(release, "deployment", "imageref-webhook"));
    // The new one knows all of it, and finds nothing to write.
    let process = installed.start();
    let marker = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef", "metadata": {"name": "marker"},
        "spec": {"source": {"notebook": {"id": SEED_NOTEBOOK_ID}}},
    });
    release.apply("team", &marker.to_string());
    installed.is("imageref", "marker", "Resolved");
    drop(process);
    release.kubectl(&["delete", "imageref", "marker", "-n", "team"]);
    assert_eq!(objects(release), declared);

    release.helm(&["rollback", NAME, "1", "-n", HOME]).unwrap();
    assert_eq!(objects(release), declared);
    assert!(!has(release, "deployment", "imageref-webhook"));

    release.helm(&["uninstall", NAME, "-n", HOME]).unwrap();
    assert!(!has(release, "deployment", NAME));
    assert_eq!(crds(release), 4);
    assert_eq!(objects(release), declared);

    // The CRDs that stayed are taken over. Only where that is asked for they go, and all objects with them.
    release.apply_chart("install", &chart(), &json!({"crds": {"keep": false}}));
    assert_eq!(objects(release), declared);
    release.helm(&["uninstall", NAME, "-n", HOME]).unwrap();
    until("the CRDs are gone", String::new, || crds(release) == 0);
}
