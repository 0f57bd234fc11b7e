//! The files under `crds/`: what the types say, and what the API server takes without a word.

use crate::on_cluster;
use imageref::api::crd;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_files_under_crds_are_what_the_binary_prints() {
    let fresh = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args(["crd", "--dir"])
        .arg(fresh.path())
        .status();
    assert!(status.unwrap().success());
    let read = |folder: &Path| -> std::collections::BTreeMap<_, _> {
        let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        files
            .map(|file| {
                (
                    file.file_name(),
                    std::fs::read_to_string(file.path()).unwrap(),
                )
            })
            .collect()
    };
    let kept = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crds"));
    assert!(
        kept == read(fresh.path()),
        "crds/ is out of date; run: make crds"
    );
    assert_eq!(kept.len(), crd::crds().len());
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
        crd::crds().len(),
        "{again}"
    );
}
