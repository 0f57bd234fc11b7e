//! The pages under `docs/`: whole, linked, and never an example that a cluster refuses.
//!
//! Owns what can be checked about prose. Must not know what the prose says. The invariant that
//! would break first: every reason, field and condition that a user can meet is on a page.

mod additive;
mod book;
mod command_line;
mod reasons;
mod reference;
mod reliability;
mod sizing;

use crate::examples::{Purpose, blocks};
use blocks::{lines, pages};
use imageref::api::condition::Reason;
use imageref::api::{ConditionType, crd, validation};
use imageref::telemetry::Metrics;
use imageref::telemetry::metrics::Description;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The kinds, their pages, and the conditions that they carry.
const KINDS: [(&str, &str, &[ConditionType]); 4] = [
    (
        "ImageRef",
        "docs/kinds/imageref.md",
        &[
            ConditionType::Ready,
            ConditionType::Reconciling,
            ConditionType::Stalled,
            ConditionType::Stale,
            ConditionType::Compliant,
            ConditionType::Drifted,
        ],
    ),
    (
        "ImageCatalog",
        "docs/kinds/imagecatalog.md",
        &[ConditionType::Ready, ConditionType::Stalled],
    ),
    (
        "ImageProvider",
        "docs/kinds/imageprovider.md",
        &[
            ConditionType::Ready,
            ConditionType::Throttled,
            ConditionType::Listed,
        ],
    ),
    (
        "ClusterImageProvider",
        "docs/kinds/clusterimageprovider.md",
        &[
            ConditionType::Ready,
            ConditionType::Throttled,
            ConditionType::Listed,
        ],
    ),
];

fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_reason_has_a_page_and_every_page_a_reason() {
    let names: BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str().to_owned()).collect();
    let found: BTreeSet<_> = std::fs::read_dir(Path::new(ROOT).join("docs/reasons"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
        .map(|stem| stem.into_string().unwrap())
        .collect();
    assert_eq!(names, found, "left: reasons, right: pages");
    let table = text("docs/conditions.md");
    for name in names {
        let page = text(format!("docs/reasons/{name}.md"));
        assert!(
            page.starts_with(&format!("# {name}\n")),
            "heading of {name}"
        );
        let link = format!("(reasons/{name}.md)");
        assert!(table.contains(&link), "docs/conditions.md has no {link}");
    }
}

#[test]
fn every_metric_is_on_its_page_with_type_and_labels_and_the_page_has_no_other() {
    let cells = |row: &str| -> Vec<String> {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let page = text("docs/metrics.md");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| `imageref_") || line.starts_with("| `process_"));
    let told: BTreeSet<_> = rows.map(|row| cells(row)[..3].to_vec()).collect();
    let metrics = Metrics::default();
    let described: BTreeSet<_> = metrics
        .descriptions()
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
            let name = format!("`{}`", metric.name);
            vec![name, metric.kind.to_owned(), labels.join(", ")]
        })
        .collect();
    assert_eq!(told, described, "left: the page, right: the registry");
    // What is served has the name and the type that are described.
    for line in metrics.render().lines() {
        let Some(rest) = line.strip_prefix("# TYPE ") else {
            continue;
        };
        let (name, kind) = rest.split_once(' ').unwrap();
        let name = if kind == "counter" {
            format!("{name}_total")
        } else {
            name.to_owned()
        };
        let known = |m: &Description| m.name == name && m.kind == kind;
        assert!(metrics.descriptions().iter().any(known), "{line}");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for (path, page) in pages() {
        for link in links(&page) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let leads = match std::fs::read_to_string(&target) {
                Ok(page) => anchor.is_empty() || anchors(&page).contains(anchor),
                Err(_) => target.is_dir() && anchor.is_empty(),
            };
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The targets of links in prose.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, line) in lines(page).filter(|(prose, _)| *prose) {
        // What is between backticks is no link, though regular expressions look like one.
        let prose: String = line.split('`').step_by(2).collect();
        let targets = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| target.to_owned()));
    }
    found
}

/// Headings as a renderer names them in links.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = lines(page).filter(|(prose, line)| *prose && line.starts_with('#'));
    headings
        .map(|(_, line)| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn every_field_and_condition_is_on_its_kinds_page_with_its_default() {
    for (kind, file, conditions) in KINDS {
        let page = text(file);
        for condition in conditions {
            let name = format!("`{}`", condition.as_str());
            assert!(page.contains(&name), "{file} lacks {name}");
        }
        let properties = crd::schema(kind).unwrap().properties.unwrap();
        let mut fields = Vec::new();
        for top in ["spec", "status"] {
            collect(&properties[top], top, &mut fields);
        }
        let mut missing = Vec::new();
        for (path, default) in fields {
            let start = format!("| `{path}` |");
            let row = page.lines().find(|line| line.starts_with(&start));
            let default = default.map(|value| match value {
                Value::String(text) => format!("`{text}`"),
                other => format!("`{other}`"),
            });
            match (row, default) {
                (None, _) => missing.push(path),
                (Some(row), Some(default)) if !row.contains(&default) => {
                    missing.push(format!("{path}: default {default}"));
                }
                _ => {}
            }
        }
        assert!(missing.is_empty(), "{file} lacks {}", missing.join(", "));
    }
}

/// Each field below `path` by its full path, with its default.
fn collect(schema: &JSONSchemaProps, path: &str, fields: &mut Vec<(String, Option<Value>)>) {
    for (name, property) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let default = property.default.as_ref().map(|default| default.0.clone());
        fields.push((path.clone(), default));
        collect(property, &path, fields);
    }
    // The parts of a condition are Kubernetes' own.
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items
        && !path.ends_with(".conditions")
    {
        collect(each, &format!("{path}[]"), fields);
    }
}

#[test]
fn no_example_is_refused() {
    let mut checked = BTreeSet::new();
    for block in blocks::all() {
        if Purpose::of(&block) != Some(Purpose::Objects) {
            continue;
        }
        let place = &block.place;
        for document in block.text.split("\n---\n") {
            let mut object: Value = serde_saphyr::from_str(document)
                .unwrap_or_else(|error| panic!("{place}: {error}\n{document}"));
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            if KINDS.iter().all(|(ours, ..)| *ours != kind) {
                continue;
            }
            assert_eq!(object["apiVersion"], "imageref.dev/v1alpha1", "{document}");
            let violations = validation::validate(&kind, &mut object);
            assert!(
                violations.is_empty(),
                "{place}: {violations:#?}\n{document}"
            );
            checked.insert(kind);
        }
    }
    assert_eq!(checked.len(), KINDS.len(), "examples of {checked:?} only");
}
