//! The verdicts on manifests in the shapes of public charts, in a table that a person reads.

use imageref::admission::{Configuration, Reason};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Writes the table anew in place of comparing.
const UPDATE: &str = "UPDATE_CORPUS";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus")
}

fn check(form: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args(["check", "-f", "manifests", "--refs", "facts.yaml"])
        .args(["--config", "admission.yaml", "-o", form])
        .current_dir(folder())
        .env_clear()
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_verdicts_are_those_that_were_read_and_found_right() {
    let table = check("table");
    let path = folder().join("verdicts.txt");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differences: Vec<_> = table
        .lines()
        .filter(|line| !expected.contains(line))
        .collect();
    assert!(
        table == expected,
        "{} is not what `imageref check` says; {UPDATE}=1 writes it anew. New lines:\n{}",
        path.display(),
        differences.join("\n")
    );
}

#[test]
fn every_reason_and_every_kind_that_is_known_occurs() {
    let read: Value = serde_json::from_str(&check("json")).unwrap();
    let workloads = read["workloads"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = workloads
        .iter()
        .flat_map(|one| one["findings"].as_array().unwrap());
    let found: BTreeSet<_> = findings.map(|finding| text(&finding["reason"])).collect();
    let reasons: BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str().to_owned()).collect();
    assert_eq!(found, reasons);
    let kinds = workloads.iter().map(|one| {
        let api_version = text(&one["apiVersion"]);
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        (group.to_owned(), text(&one["kind"]))
    });
    let found: BTreeSet<_> = kinds.collect();
    let configuration = Configuration::default();
    let known = configuration.kinds();
    let known = known.map(|(group, kind)| (group.to_owned(), kind.to_owned()));
    let pod = (String::new(), "Pod".to_owned());
    let known: BTreeSet<_> = known.chain([pod]).collect();
    assert_eq!(found, known);
    let decisions: BTreeSet<_> = workloads.iter().map(|one| text(&one["decision"])).collect();
    assert_eq!(decisions.len(), 3, "{decisions:?}");
    let files: BTreeSet<_> = workloads.iter().map(|one| text(&one["file"])).collect();
    assert!(files.len() >= 25, "{}", files.len());
}
