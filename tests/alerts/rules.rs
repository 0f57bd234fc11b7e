//! The rules, their pages and their cases.

use super::prometheus::promtool;
use super::{ROOT, RULES, alerts, text};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const CASES: &str = include_str!("cases.yaml");
const PAGES: &str = "docs/runbook/alerts";

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let index = text(format!("{PAGES}/README.md"));
    let mut pages: BTreeSet<_> = std::fs::read_dir(Path::new(ROOT).join(PAGES))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(pages.remove("README.md"));
    for rule in alerts() {
        let name = &rule.alert;
        assert!(pages.remove(&format!("{name}.md")), "{name} has no page");
        let page = text(format!("{PAGES}/{name}.md"));
        assert!(
            page.starts_with(&format!("# {name}\n")),
            "heading of {name}"
        );
        for part in [
            "**What it means.** ",
            "**What users feel.** ",
            "**Look at**",
            "**Do**",
        ] {
            let end = page.split_once(&format!("\n{part}")).map(|(_, rest)| rest);
            assert!(
                end.is_some_and(|rest| !rest.trim().is_empty()),
                "{name}: {part}"
            );
        }
        let severity = &rule.labels["severity"];
        assert!(
            ["warning", "critical"].contains(&severity.as_str()),
            "{name}"
        );
        let row = format!("| [{name}]({name}.md) | {severity} | {} | ", rule.r#for);
        assert!(index.contains(&row), "the index has no row {row}");
        let told = &rule.annotations;
        assert_eq!(told["runbook_url"], format!("{PAGES}/{name}.md"));
        assert!(!told["summary"].is_empty() && told["description"].len() > told["summary"].len());
    }
    assert!(pages.is_empty(), "of no alert: {pages:?}");
}

#[derive(Deserialize)]
struct Cases {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    promql_expr_test: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    expr: String,
    exp_samples: Vec<Value>,
}

#[test]
fn each_alert_fires_and_stays_silent_as_promtool_judges() {
    let cases: Cases = serde_saphyr::from_str(CASES).unwrap();
    let mut cases = cases.tests.iter();
    for rule in alerts() {
        let name = &rule.alert;
        let firing = format!("count(ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}})");
        for (title, samples) in [("fires", 1), ("stays silent: ", 0)] {
            let case = cases.next().unwrap_or_else(|| panic!("{name} {title}"));
            assert!(
                case.name.starts_with(&format!("{name} {title}")),
                "{}",
                case.name
            );
            let [check] = case.promql_expr_test.as_slice() else {
                panic!("{}", case.name);
            };
            assert_eq!((&check.expr, check.exp_samples.len()), (&firing, samples));
        }
    }
    assert!(cases.next().is_none(), "cases of no alert");
    if !cluster::require_prometheus() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    std::fs::write(folder.path().join("cases.yaml"), CASES).unwrap();
    promtool(
        folder.path(),
        &["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"],
    )
    .unwrap();
    promtool(folder.path(), &["test", "rules", "cases.yaml"]).unwrap();
    // A rule that never fires is found out.
    let deaf = RULES.replace("absent(imageref_leader)", "absent(imageref_leader) > 2");
    std::fs::write(folder.path().join("rules.yaml"), deaf).unwrap();
    let said = promtool(folder.path(), &["test", "rules", "cases.yaml"]).unwrap_err();
    assert!(said.contains("ImageRefOperatorAbsent"), "{said}");
}
