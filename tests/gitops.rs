//! What Argo CD and Flux show of our objects, and `docs/gitops.md`.
//!
//! Owns the fixtures: objects in every situation with a status that the planner wrote, each beside
//! what tools must make of it. Must not guess what they make of it: their own libraries say it. The
//! invariant that would break first: no row of the table of situations and no reason of Ready is
//! without a fixture.

mod guide;
mod providers;
mod situations;
mod tools;
mod wait;

use imageref::api::validation;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A fixture as it stands in its file.
#[derive(Serialize)]
struct Fixture {
    #[serde(skip_serializing_if = "Option::is_none")]
    situation: Option<&'static str>,
    kstatus: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flux: Option<&'static str>,
    #[serde(rename = "argoCD")]
    argo: &'static str,
    object: Value,
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// What tools make of objects, with the script and the expressions that people are told to use.
fn ask(objects: &[Value]) -> Option<Vec<tools::Answer>> {
    let script = text("deploy/gitops/argocd-health.lua");
    tools::ask(&script, &guide::health_check_expressions(), objects)
}

fn image_refs() -> Vec<Fixture> {
    let fixture = |one: situations::Situation| {
        // The planner's tests compute kstatus themselves, without the library.
        assert_eq!(one.case.kstatus(), one.kstatus, "{}", one.name);
        let mut spec = one.case.spec;
        // A cluster fills it in.
        if spec.digest_policy.is_empty() {
            spec.digest_policy = "IfNotPresent".into();
        }
        let object = json!({
            "apiVersion": "imageref.dev/v1alpha1",
            "kind": "ImageRef",
            "metadata": {
                "name": one.name,
                "namespace": "ai-team",
                "generation": one.case.generation,
            },
            "spec": spec,
            "status": one.case.status,
        });
        Fixture {
            situation: Some(one.row),
            kstatus: one.kstatus,
            flux: None,
            argo: one.argo,
            object,
        }
    };
    situations::all().into_iter().map(fixture).collect()
}

fn providers() -> Vec<Fixture> {
    let fixture = |one: providers::Provider| Fixture {
        situation: None,
        kstatus: one.kstatus,
        flux: Some(one.flux),
        argo: one.argo,
        object: one.object,
    };
    providers::all().into_iter().map(fixture).collect()
}

fn fixtures() -> Vec<Fixture> {
    image_refs().into_iter().chain(providers()).collect()
}

fn name(object: &Value) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap();
    format!("{} {}", text("/kind"), text("/metadata/name"))
}

/// The table of a page under its heading, up to the next heading, as rows of cells without links.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let page = text(page);
    let from = page.split_once(&format!("\n{heading}\n")).unwrap().1;
    let section = from.lines().take_while(|line| !line.starts_with('#'));
    let rows = section.filter(|line| line.starts_with("| "));
    let cells = |row: &str| {
        row.trim_matches('|')
            .split('|')
            .map(|c| c.trim().to_owned())
            .collect()
    };
    rows.skip(1).map(cells).collect()
}

#[test]
fn argo_cd_and_flux_see_in_each_situation_what_they_should() {
    let fixtures = fixtures();
    let objects: Vec<_> = fixtures.iter().map(|f| f.object.clone()).collect();
    let Some(answers) = ask(&objects) else {
        return;
    };
    for (fixture, answer) in fixtures.iter().zip(&answers) {
        let seen = [&answer.kstatus, &answer.flux, &answer.argo.status];
        let flux = fixture.flux.unwrap_or(fixture.kstatus);
        let expected = [fixture.kstatus, flux, fixture.argo];
        assert_eq!(seen, expected, "{}: {answer:?}", name(&fixture.object));
        // It says why, once there is a why.
        let ready = fixture.object["status"]["conditions"]
            .as_array()
            .and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
        let why = ready.map_or("", |ready| ready["reason"].as_str().unwrap());
        assert!(answer.argo.message.starts_with(why), "{answer:?}");
        let conditions = fixture.object["status"]["conditions"].as_array();
        for condition in conditions.into_iter().flatten() {
            let [name, reason] = ["type", "reason"].map(|key| condition[key].as_str().unwrap());
            let noted = answer.argo.message.contains(&format!("[{name}: {reason}]"));
            assert_eq!(noted, ["Stale", "Drifted"].contains(&name), "{answer:?}");
        }
    }
}

#[test]
fn an_edit_that_was_not_seen_is_progress_whatever_was_said_before() {
    let mut objects: Vec<_> = fixtures().into_iter().map(|f| f.object).collect();
    for object in &mut objects {
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        object["metadata"]["generation"] = json!(generation + 1);
    }
    let Some(answers) = ask(&objects) else {
        return;
    };
    for (object, answer) in objects.iter().zip(&answers) {
        let seen = [&answer.kstatus, &answer.flux, &answer.argo.status];
        let expected = ["InProgress", "InProgress", "Progressing"];
        assert_eq!(seen, expected, "{}", name(object));
    }
}

#[test]
fn both_kinds_of_provider_are_seen_alike() {
    let namespaced: Vec<_> = providers().into_iter().map(|f| f.object).collect();
    let mut cluster = namespaced.clone();
    for object in &mut cluster {
        object["kind"] = json!("ClusterImageProvider");
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("namespace");
        object["spec"]["allowedNamespaces"] = json!({"selector": {}});
    }
    let Some(one) = ask(&namespaced) else {
        return;
    };
    let other = ask(&cluster).unwrap();
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn what_is_stored_before_an_operator_saw_it_is_progress_even_without_a_status() {
    let kinds = ["ImageRef", "ImageProvider", "ClusterImageProvider"];
    let statuses = [Value::Null, json!({}), json!({"observedGeneration": 1})];
    let objects = kinds.into_iter().flat_map(|kind| {
        statuses.clone().map(|status| {
            json!({
                "apiVersion": "imageref.dev/v1alpha1",
                "kind": kind,
                "metadata": {"name": "new", "generation": 1},
                "status": status,
            })
        })
    });
    let objects: Vec<_> = objects.collect();
    // A cluster shows no object without a status; kstatus and expressions would mislead.
    let script = text("deploy/gitops/argocd-health.lua");
    let Some(answers) = tools::ask(&script, &json!([]), &objects) else {
        return;
    };
    for answer in answers {
        assert_eq!(answer.argo.status, "Progressing");
    }
}

#[test]
fn what_a_later_operator_adds_breaks_no_health() {
    let mut object = image_refs().remove(0).object;
    object["status"] = json!({
        "observedGeneration": 1,
        "added": [null, {"later": true}],
        "conditions": [
            {"type": "Added", "status": "Unknown", "reason": "Later"},
            {"type": "Ready", "status": "False", "reason": "AddedLater", "message": "m"},
            {"type": "Stalled", "status": "True", "reason": "AddedLater", "message": "m"},
        ],
    });
    let Some(answers) = ask(&[object]) else {
        return;
    };
    assert_eq!(answers[0].argo.status, "Degraded");
    assert_eq!(answers[0].argo.message, "AddedLater: m");
}

#[test]
fn each_row_of_the_table_of_situations_has_a_fixture_with_its_kstatus() {
    let rows = table("docs/kinds/imageref.md", "## Table of situations");
    let situations = situations::all();
    let told: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let had: BTreeSet<_> = situations.iter().map(|s| s.row).collect();
    assert!(rows.len() > 30, "{rows:?}");
    assert_eq!(told, had, "left: the page, right: the fixtures");
    for situation in situations {
        let row = rows.iter().find(|row| row[0] == situation.row).unwrap();
        let mut words = vec!["Current", "InProgress", "Failed"];
        words.retain(|word| row[3].contains(word));
        // The others say that it follows what was there before.
        assert!(
            words.is_empty() || words.contains(&situation.kstatus),
            "{}: {} on the page",
            situation.name,
            row[3]
        );
    }
}

#[test]
fn each_reason_of_ready_has_a_fixture() {
    let expected = [
        ("### ImageRef", image_refs()),
        ("### ImageProvider and ClusterImageProvider", providers()),
    ];
    for (heading, fixtures) in expected {
        let rows = table("docs/conditions.md", heading);
        let told: BTreeSet<_> = rows
            .iter()
            .filter(|row| row[0] == "Ready")
            .flat_map(|row| {
                let links = row[2].split('[').skip(1);
                links.map(|link| (row[1].clone(), link.split(']').next().unwrap().to_owned()))
            })
            .collect();
        let conditions = fixtures
            .iter()
            .filter_map(|f| f.object["status"]["conditions"].as_array())
            .flatten();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let had: BTreeSet<_> = conditions
            .filter(|condition| condition["type"] == "Ready")
            .map(|condition| (text(&condition["status"]), text(&condition["reason"])))
            .collect();
        assert!(told.len() > 10, "{told:?}");
        assert_eq!(told, had, "left: docs/conditions.md, right: the fixtures");
    }
}

#[test]
fn the_files_of_fixtures_are_what_the_planner_writes_and_valid() {
    let files = [
        ("image-refs.yaml", image_refs()),
        ("providers.yaml", providers()),
    ];
    for (file, fixtures) in files {
        let path = Path::new(ROOT).join("tests/fixtures/gitops").join(file);
        let head = "# Written by `UPDATE_FIXTURES=1 cargo test --test suite -- gitops`; see tests/gitops.rs.\n";
        let documents = fixtures.iter().map(|f| serde_saphyr::to_string(f).unwrap());
        let text = head.to_owned() + &documents.collect::<Vec<_>>().join("---\n");
        if std::env::var_os("UPDATE_FIXTURES").is_some_and(|value| value == "1") {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{file} differs: {}", head.trim());
        for fixture in fixtures {
            let mut object = fixture.object;
            let kind = object["kind"].as_str().unwrap().to_owned();
            let violations = validation::validate(&kind, &mut object);
            assert!(violations.is_empty(), "{}: {violations:#?}", name(&object));
        }
    }
}
