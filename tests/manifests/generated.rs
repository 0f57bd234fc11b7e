//! The files under `crds/`: what the types say, and what the API server takes without a word.

use crate::on_cluster;
use imageref::api::crd;
use serde_json::Value;
use std::path::Path;

const UPDATE: &str = "UPDATE_CRDS=1 cargo test -p imageref manifests";

fn header() -> String {
    format!("# Generated from src/api; do not edit. To update: {UPDATE}\n---\n")
}

#[test]
fn the_files_under_crds_are_what_the_types_generate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let update = std::env::var_os("UPDATE_CRDS").is_some();
    let mut expected = Vec::new();
    for crd in crd::crds() {
        let path = folder.join(crd::file_name(&crd));
        let text = header() + &crd::to_yaml(&crd).unwrap();
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            is == text,
            "{} is out of date; run: {UPDATE}",
            path.display()
        );
        expected.push(path);
    }
    let mut there: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    there.sort();
    assert_eq!(
        there, expected,
        "crds/ holds a file of no CRD, or lacks one"
    );
}

#[test]
fn the_yaml_of_a_crd_reads_back_as_the_same_crd() {
    for crd in crd::crds() {
        let back: Value = serde_saphyr::from_str(&crd::to_yaml(&crd).unwrap()).unwrap();
        assert_eq!(back, serde_json::to_value(&crd).unwrap());
    }
}

#[test]
fn the_api_server_takes_the_crds_without_a_warning_and_twice_without_a_change() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let yaml = on_cluster::crds_yaml();
    // `replace` sends the object even if nothing changed, so a warning would show each time.
    let args = ["replace", "--dry-run=server", "-f", "-"];
    let output = cluster.kubectl_output(&args, Some(&yaml)).unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let again = cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], &yaml)
        .unwrap();
    assert_eq!(
        again
            .lines()
            .filter(|line| line.ends_with(" unchanged"))
            .count(),
        3,
        "{again}"
    );
}
