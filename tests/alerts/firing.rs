//! Faults of the simulated clouds, and the alerts that they raise in a real Prometheus.

use super::prometheus::Prometheus;
use super::{RULES, alerts, panels, queries};
use crate::metrics::{NOTEBOOKS, address};
use crate::operator::{self, Scene, secret};
use crate::process::own_scene;
use fakecloud::{Fault, FaultKind, defaults};
use serde_json::Value;
use std::time::SystemTime;

/// The rules, each with a `for` of two seconds.
fn hasty() -> String {
    let lines = RULES.lines().map(|line| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 2s"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// Waits until an alert fires with these labels; returns its description.
fn firing(prometheus: &Prometheus, name: &str, labels: &[(&str, &str)]) -> String {
    let is_wanted = |alert: &&Value| {
        let of = &alert["labels"];
        alert["state"] == "firing"
            && of["alertname"] == name
            && labels.iter().all(|(label, value)| of[*label] == *value)
    };
    let found = prometheus.wait(name, || prometheus.alerts().iter().find(is_wanted).cloned());
    let told = &found["annotations"];
    assert!(!told.to_string().contains("error expanding"), "{told}");
    told["description"].as_str().unwrap().to_owned()
}

/// Waits until none of these is pending or fires.
fn silent(prometheus: &Prometheus, names: &[&str]) {
    prometheus.wait("silence", || {
        let alerts = prometheus.alerts();
        let mut heard = alerts
            .iter()
            .filter_map(|a| a["labels"]["alertname"].as_str());
        (!heard.any(|name| names.contains(&name))).then_some(())
    });
}

fn look_again(scene: &Scene, request: &str) {
    let annotation = format!("imageref.dev/reconcile-requested-at={request}");
    scene.kubectl(&["annotate", "--overwrite", "imageref", "--all", &annotation]);
}

/// An operator that names ImageRefs in its metrics, and references that are soon too old.
fn start(scene: &mut Scene) {
    scene.modelarts("default");
    for (n, id) in NOTEBOOKS.iter().enumerate() {
        let spec = format!("interval: 1m, maxStaleness: 1m, source: {{notebook: {{id: {id}}}}}");
        scene.image_ref(&format!("r{n}"), &spec);
    }
    let args = [
        "--insecure-loopback",
        "--metrics-per-object",
        "--allow-endpoint",
        &scene.cloud.url(),
    ];
    let args = args.map(str::to_owned).to_vec();
    let operator = operator::start_with(scene.cluster, "operator", args, Vec::new());
    scene.operator = Some(operator);
}

#[test]
fn faults_of_the_clouds_fire_their_alerts_and_every_panel_shows_what_there_is() {
    if !cluster::require_prometheus() {
        return;
    }
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    start(&mut scene);
    let begun = now();
    let prometheus = Prometheus::start(&address(&scene), &hasty());
    for n in 0..NOTEBOOKS.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let ready = "sum(imageref_ref_ready{namespace=\"team\"})";
    prometheus.wait("a series for each reference", || {
        let sum = prometheus.query(ready).unwrap();
        sum.first()
            .filter(|(_, sum)| sum.to_string() == "5")
            .cloned()
    });
    let all: Vec<_> = alerts().into_iter().map(|rule| rule.alert).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    silent(&prometheus, &all);

    // The platform fails everybody.
    let outage = Fault::always(FaultKind::Internal500);
    scene.cloud.set_faults(vec![outage]);
    look_again(&scene, "a");
    let provider = [
        ("kind", "ImageProvider"),
        ("namespace", "team"),
        ("name", "default"),
    ];
    let said = firing(&prometheus, "ImageRefProviderBreakerOpen", &provider);
    assert!(said.contains("ImageProvider team/default"), "{said}");
    let why = [("reason", "ProviderError")];
    let said = firing(&prometheus, "ImageRefPastHalfOfMaxStaleness", &why);
    assert!(
        said.contains("5 ImageRefs") || said.contains("ImageRefs have not been"),
        "{said}"
    );
    let expired = [("ready", "Unknown"), ("reason", "StaleTooLong")];
    firing(&prometheus, "ImageRefNotReady", &expired);
    let oldest = || {
        prometheus
            .query("imageref_oldest_success_age_seconds")
            .unwrap()[0]
            .1
    };
    assert!(oldest() > 60.0, "longer than maxStaleness: {}", oldest());
    scene.cloud.clear_faults();
    look_again(&scene, "b");
    let about = [
        "ImageRefProviderBreakerOpen",
        "ImageRefPastHalfOfMaxStaleness",
        "ImageRefNotReady",
    ];
    silent(&prometheus, &about);

    prometheus.wait("a fresh answer for each", || {
        (oldest() < 60.0).then_some(())
    });

    // A key that the platform does not know.
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, "another"));
    look_again(&scene, "c");
    let why = [&provider[..], &[("reason", "AuthenticationFailed")]].concat();
    let said = firing(&prometheus, "ImageRefProviderAuthenticationFailed", &why);
    assert!(said.contains("team/default"), "{said}");
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    look_again(&scene, "d");
    silent(&prometheus, &["ImageRefProviderAuthenticationFailed"]);

    for rule in prometheus.rules() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    every_panel_shows_what_there_is(&prometheus, (begun, now()));
}

/// Whatever the scene has had shows in the dashboard.
fn every_panel_shows_what_there_is(prometheus: &Prometheus, time: (f64, f64)) {
    let mut drawn = Vec::new();
    for one in queries::of_dashboard() {
        let (title, query) = (&one.title, &one.query);
        let series = prometheus.range(query, time, 2);
        let series = series.unwrap_or_else(|error| panic!("{title}: {query}: {error}"));
        // It asks no registry, has no webhook, and its keys need no exchange.
        let absent = [
            "imageref_registry",
            "imageref_admission",
            "imageref_webhook",
            "imageref_sign_ins",
        ];
        let is_absent = absent.iter().any(|name| query.contains(name));
        assert_eq!(
            series.iter().all(|(_, points)| points.is_empty()),
            is_absent,
            "{title}: {query}"
        );
        drawn.push((one, series));
    }
    let svg = panels::svg(&drawn, time);
    if std::env::var_os("IMAGEREF_DRAW_DASHBOARD").is_some() {
        let path = std::path::Path::new(super::ROOT).join("docs/dashboard/panels.svg");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &svg).unwrap();
    }
    assert!(svg.matches("class=\"series\"").count() > 20, "{svg}");
}
