//! The names in queries: each metric is described, and has each label that it is asked for.

use super::{DASHBOARD, alerts, text};
use imageref::api::Reason;
use imageref::telemetry::Metrics;
use imageref::telemetry::metrics::Description;
use serde_json::Value;
use std::collections::BTreeSet;

/// Labels that Prometheus adds to all that it scrapes.
const OF_TARGETS: [&str; 2] = ["job", "instance"];

/// What queries use beside metrics.
const WORDS: [&str; 17] = [
    "sum",
    "max",
    "min",
    "count",
    "rate",
    "increase",
    "absent",
    "time",
    "vector",
    "avg_over_time",
    "histogram_quantile",
    "by",
    "on",
    "and",
    "or",
    "unless",
    "bool",
];

/// A query of the dashboard.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// The title of its panel.
    pub(super) title: String,
    pub(super) query: String,
    /// What names its lines, with labels in double braces.
    pub(super) legend: String,
}

/// The queries of the dashboard.
pub(super) fn of_dashboard() -> Vec<Drawn> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| {
            let text = |key: &str| target[key].as_str().unwrap().to_owned();
            Drawn {
                title: title.clone(),
                query: text("expr").replace("$__rate_interval", "1m"),
                legend: text("legendFormat"),
            }
        })
    });
    queries.collect()
}

/// What is wrong with the names in a query.
fn problems(query: &str, described: &[Description]) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut metrics, mut grouped) = (Vec::new(), Vec::new());
    let mut rest = query;
    while let Some(start) = rest.chars().next() {
        if start == '[' {
            rest = rest.split_once(']').map_or("", |(_, after)| after);
        } else if start == '"' {
            rest = rest[1..].split_once('"').map_or("", |(_, after)| after);
        } else if start.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if start.is_ascii_alphabetic() || start == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after.trim_start();
            if ["by", "on"].contains(&word) {
                let (labels, after) = rest.trim_start_matches('(').split_once(')').unwrap();
                grouped.extend(labels.split(',').map(str::trim));
                rest = after;
            } else if let Some(metric) = find(word, described) {
                metrics.push((word, metric));
                if let Some(matched) = rest.strip_prefix('{') {
                    let (matchers, after) = matched.split_once('}').unwrap();
                    problems.extend(unfit(matchers, metric));
                    rest = after;
                }
            } else if !WORDS.contains(&word) {
                problems.push(format!("{word} is no metric"));
            }
        } else {
            rest = &rest[start.len_utf8()..];
        }
    }
    if metrics.is_empty() && problems.is_empty() {
        problems.push("no metric".into());
    }
    for label in grouped {
        let has = |(word, metric): &(&str, &Description)| {
            metric.labels.contains(&label) || (label == "le" && word.ends_with("_bucket"))
        };
        if !OF_TARGETS.contains(&label) && !metrics.iter().any(has) {
            problems.push(format!("nothing has the label {label}"));
        }
    }
    problems
}

fn find<'a>(word: &str, described: &'a [Description]) -> Option<&'a Description> {
    described.iter().find(|metric| {
        let end = word.strip_prefix(metric.name.as_str());
        let of_histogram = ["_bucket", "_sum", "_count"];
        match metric.kind {
            "histogram" => end.is_some_and(|end| of_histogram.contains(&end)),
            _ => end == Some(""),
        }
    })
}

/// What a metric has not, of what it is selected by.
fn unfit(matchers: &str, metric: &Description) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rest = matchers;
    while let Some((label, after)) = rest.split_once('=') {
        let label = label.trim_matches([',', ' ', '!']);
        let (_, after) = after.split_once('"').unwrap();
        let (value, after) = after.split_once('"').unwrap();
        rest = after;
        if !metric.labels.contains(&label) && !OF_TARGETS.contains(&label) {
            problems.push(format!("{} has no label {label}", metric.name));
        }
        // Those of the webhook are words of their own.
        if label == "reason" && !metric.name.starts_with("imageref_admission_") {
            let known = |word: &&str| Reason::ALL.iter().any(|reason| reason.as_str() == *word);
            let strange = value.split('|').find(|word| !known(word));
            problems.extend(strange.map(|word| format!("{word} is no reason")));
        }
    }
    problems
}

/// The queries in the fenced blocks of a page; a comment is none.
fn of_page(page: &str) -> Vec<String> {
    let blocks = page.split("```promql\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap());
    let lines = texts.flat_map(str::lines).map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Into::into)
        .collect()
}

#[test]
fn every_query_is_of_metrics_that_exist_by_labels_that_they_have() {
    let metrics = Metrics::default();
    let described = metrics.descriptions();
    let drawn = of_dashboard().into_iter();
    let mut queries: Vec<_> = drawn.map(|one| (one.title, one.query)).collect();
    assert!(queries.len() > 40, "{}", queries.len());
    queries.extend(alerts().into_iter().map(|rule| (rule.alert, rule.expr)));
    let mut pages = vec!["docs/metrics.md".to_owned()];
    pages.extend(
        alerts()
            .iter()
            .map(|rule| format!("docs/runbook/alerts/{}.md", rule.alert)),
    );
    for page in pages {
        let found = of_page(&text(&page));
        queries.extend(found.into_iter().map(|query| (page.clone(), query)));
    }
    for (whose, query) in &queries {
        let problems = problems(query, described);
        assert!(problems.is_empty(), "{whose}: {query}: {problems:?}");
    }
    // What an alert says of its labels, it has.
    for rule in alerts() {
        let kept: BTreeSet<_> = described
            .iter()
            .filter(|metric| rule.expr.contains(&metric.name))
            .flat_map(|metric| metric.labels.iter().copied())
            .chain(OF_TARGETS)
            .collect();
        for annotation in rule.annotations.values() {
            for part in annotation.split("$labels.").skip(1) {
                let label = part.split([' ', '}']).next().unwrap();
                let by = rule.expr.contains("by (") && !OF_TARGETS.contains(&label);
                let stays = !by
                    || rule.expr.split("by (").skip(1).any(|list| {
                        let list = list.split(')').next().unwrap();
                        list.split(", ").any(|each| each == label)
                    });
                assert!(kept.contains(label) && stays, "{}: {label}", rule.alert);
            }
        }
    }
}

#[test]
fn every_legend_names_its_lines_by_labels_that_the_query_leaves() {
    for Drawn {
        title,
        query,
        legend,
    } in of_dashboard()
    {
        for part in legend.split("{{").skip(1) {
            let label = part.split("}}").next().unwrap();
            let lists = query.split("by (").skip(1);
            let mut labels = lists.flat_map(|list| list.split(')').next().unwrap().split(", "));
            let is_left = if query.contains("by (") {
                labels.any(|each| each == label)
            } else {
                OF_TARGETS.contains(&label)
            };
            assert!(is_left, "{title}: {label} of {query}");
        }
    }
}

#[test]
fn a_query_of_what_is_not_there_is_found_out() {
    let metrics = Metrics::default();
    let found = |query: &str| problems(query, metrics.descriptions());
    assert!(
        found("sum by (le) (rate(imageref_cloud_request_duration_seconds_bucket[5m]))").is_empty()
    );
    for query in [
        "imageref_ref",
        "imageref_cloud_requests",
        "imageref_cloud_request_duration_seconds",
        "imageref_refs{why=\"x\"}",
        "imageref_refs{reason=\"Gone\"}",
        "sum by (api) (imageref_refs)",
        "sum by (le) (imageref_refs)",
        "1 > 0",
    ] {
        assert_eq!(found(query).len(), 1, "{query}: {:?}", found(query));
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_can_import() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(
        (&variable["name"], &variable["type"]),
        (&"datasource".into(), &"datasource".into())
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(
        rows,
        [
            "State of ImageRefs",
            "Platforms",
            "Registries",
            "Admission",
            "Certificates and lease",
            "Process",
        ]
    );
    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
            }
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(
                target["datasource"]["uid"], "${datasource}",
                "{}",
                panel["title"]
            );
        }
    }
}
