//! Alerts and the dashboard: of metrics that exist, judged by a real Prometheus.
//!
//! Owns what can be checked about queries: that they parse, that their names are served, that each
//! alert fires and stays silent, and that faults of the simulated clouds raise alerts. Must not know how
//! metrics are counted. The invariant that would break first: a renamed metric or label breaks a test,
//! since in Prometheus it would only make an alert silent.

mod firing;
mod panels;
mod prometheus;
mod queries;
mod rules;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RULES: &str = include_str!("../charts/imageref-operator/files/rules.yaml");
const DASHBOARD: &str = include_str!("../charts/imageref-operator/files/dashboard.json");

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    r#for: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn alerts() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(RULES).unwrap();
    rules.groups.into_iter().flat_map(|g| g.rules).collect()
}

fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
