//! What each value changes in what is rendered.
//!
//! Owns the snapshots: the whole rendering of the defaults, and of each case in `tests/chart/values` the
//! objects that differ from it. The invariant that would break first: no value of `values.yaml` is in no
//! case.

use super::{CHART, Rendered, cases, check_file, rendered, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const COMMAND: &str = "UPDATE_FIXTURES=1 cargo test --test suite -- chart::snapshots";

/// An object as snapshots show it: texts that others own stand in their own files.
fn shown(one: &Rendered) -> String {
    let text = &one.text;
    let cut = match one.kind() {
        "CustomResourceDefinition" | "PrometheusRule" => "\nspec:\n",
        "ConfigMap" if one.name().ends_with("-dashboard") => "\ndata:\n",
        _ => return text.clone(),
    };
    let (head, _) = text.split_once(cut).unwrap();
    format!("{head}{cut}  # of {CHART}/files\n")
}

fn head(what: &str) -> String {
    format!("# Written by `{COMMAND}`: {what}.\n")
}

/// The objects of a case that are not those of the defaults, and the names of those that are gone.
pub(super) fn changed(
    defaults: &[Rendered],
    case: Vec<Rendered>,
) -> (Vec<Rendered>, Vec<(String, String, String)>) {
    let ids: BTreeSet<_> = case.iter().map(Rendered::id).collect();
    let gone = defaults.iter().map(Rendered::id);
    let gone = gone.filter(|id| !ids.contains(id)).collect();
    let new = case.into_iter().filter(|one| !defaults.contains(one));
    (new.collect(), gone)
}

#[test]
fn the_defaults_render_what_their_snapshot_shows() {
    if !cluster::require_helm() {
        return;
    }
    let mut all = head("the chart with its defaults");
    for one in rendered(&[]) {
        let _ = write!(all, "---\n# {}.yaml\n{}", one.template, shown(&one));
    }
    check_file("tests/fixtures/chart/defaults.yaml", &all, COMMAND);
}

#[test]
fn each_case_changes_what_its_snapshot_shows() {
    if !cluster::require_helm() {
        return;
    }
    let defaults = rendered(&[]);
    for (name, values) in cases() {
        let (new, gone) = changed(&defaults, rendered(&[&values]));
        assert!(
            !new.is_empty() || !gone.is_empty(),
            "{name} changes nothing"
        );
        let mut all = head(&format!("what {name}.yaml changes"));
        for (kind, namespace, name) in gone {
            let slash = if namespace.is_empty() { "" } else { "/" };
            let _ = writeln!(all, "# gone: {kind} {namespace}{slash}{name}");
        }
        for one in new {
            let _ = write!(all, "---\n# {}.yaml\n{}", one.template, shown(&one));
        }
        check_file(&format!("tests/fixtures/chart/{name}.yaml"), &all, COMMAND);
    }
    let snapshots = std::fs::read_dir(super::path("tests/fixtures/chart")).unwrap();
    assert_eq!(snapshots.count(), cases().len() + 1, "one is of no case");
}

/// The values that are set one by one, with their paths: what is below a map that is empty by default,
/// or that a person fills as a whole, is one value.
pub(super) fn leaves(values: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    const WHOLE: [&str; 4] = [
        "resources",
        "labels",
        "podSecurityContext",
        "securityContext",
    ];
    let last = at.rsplit('.').next().unwrap();
    match values.as_object() {
        Some(map) if !map.is_empty() && !WHOLE.contains(&last) => {
            for (key, value) in map {
                let dot = if at.is_empty() { "" } else { "." };
                leaves(value, &format!("{at}{dot}{key}"), found);
            }
        }
        _ => found.push((at.to_owned(), values.clone())),
    }
}

#[test]
fn each_value_is_in_a_case_with_another_value_than_its_default() {
    let defaults: Value = serde_saphyr::from_str(&text(&format!("{CHART}/values.yaml"))).unwrap();
    let mut all = Vec::new();
    leaves(&defaults, "", &mut all);
    assert!(all.len() > 100);
    let cases: Vec<Value> = cases()
        .iter()
        .map(|(name, _)| text(&format!("tests/chart/values/{name}.yaml")))
        .map(|text| serde_saphyr::from_str(&text).unwrap())
        .collect();
    let missing: Vec<_> = all
        .iter()
        .filter(|(at, default)| {
            let pointer = format!("/{}", at.replace('.', "/"));
            let set = |case: &Value| case.pointer(&pointer).is_some_and(|one| one != default);
            !cases.iter().any(set)
        })
        .map(|(at, _)| at)
        .collect();
    assert!(missing.is_empty(), "in no case: {missing:?}");
}

#[test]
fn alerts_and_dashboard_are_in_the_release_as_they_stand_in_their_files() {
    if !cluster::require_helm() {
        return;
    }
    let all = rendered(&["--values=tests/chart/values/metrics.yaml"]);
    let of = |kind: &str, name: &str| {
        let found = all
            .iter()
            .find(|one| one.kind() == kind && one.name() == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let rules: Value = serde_saphyr::from_str(&text(&format!("{CHART}/files/rules.yaml"))).unwrap();
    assert!(rules["groups"].is_array());
    assert_eq!(of("PrometheusRule", "imageref").object["spec"], rules);
    let dashboard = text(&format!("{CHART}/files/dashboard.json"));
    let inside = &of("ConfigMap", "imageref-dashboard").object["data"]["imageref.json"];
    let [inside, dashboard] = [inside.as_str().unwrap(), &dashboard]
        .map(|text| serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(inside, dashboard);
}
