//! What the operator's log says of a reference: each change of its state once, always with the same fields.

use super::operator::{self, Scene};
use super::process::own_scene;
use fakecloud::defaults::ASCEND_NOTEBOOK_ID;
use fakecloud::{Fault, FaultKind};
use serde_json::Value;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

/// The operator at level `info`, with its log in this form.
fn start(scene: &mut Scene, format: &str) {
    let url = scene.cloud.url();
    let args = [
        "--insecure-loopback",
        "--allow-endpoint",
        &url,
        "--log=info",
        "--log-format",
        format,
    ];
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        args.map(str::to_owned).to_vec(),
        Vec::new(),
    ));
}

/// Asks for a look.
fn ask(scene: &Scene, name: &str, request: &str) {
    let annotation = format!("imageref.dev/reconcile-requested-at={request}");
    scene.kubectl(&["annotate", "--overwrite", "imageref", name, &annotation]);
}

/// A reference is resolved, confirmed, goes stale and recovers; the lines of the log that name it.
fn lines(format: &str) -> Option<Vec<String>> {
    let mut scene = own_scene(true)?;
    scene.modelarts("default");
    start(&mut scene, format);
    let source = format!("source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}");
    scene.image_ref("one", &source);
    scene.wait_reason("one", "Resolved");
    ask(&scene, "one", "steady");
    scene.wait("imageref", "one", |object| {
        object["status"]["lastHandledReconcileAt"] == "steady"
    });
    let fault = FaultKind::Internal500;
    scene.cloud.set_faults(vec![Fault::always(fault)]);
    ask(&scene, "one", "failing");
    scene.wait_reason("one", "ServingStale");
    scene.cloud.clear_faults();
    ask(&scene, "one", "recovered");
    scene.wait_reason("one", "Resolved");
    // A line follows its write: once the next object's is there, so are those before it.
    scene.image_ref("two", &source);
    let deadline = Instant::now() + SOON;
    while !scene.operator_log().contains("team/two") {
        assert!(Instant::now() < deadline, "{}", scene.operator_log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = scene.operator_log();
    let of = log.lines().filter(|line| line.contains("team/one"));
    Some(of.map(str::to_owned).collect())
}

const STATES: [(&str, &str); 3] = [
    ("Resolved", ""),
    ("ServingStale", "ProviderError"),
    ("Resolved", ""),
];

#[test]
fn as_json_each_change_of_state_is_one_line_with_the_same_fields_at_its_top() {
    let Some(lines) = lines("json") else {
        return;
    };
    assert_eq!(lines.len(), STATES.len(), "{lines:#?}");
    for (line, (reason, stale)) in lines.iter().zip(STATES) {
        let said: Value = serde_json::from_str(line).unwrap();
        for (field, value) in [
            ("level", "INFO"),
            ("object", "team/one"),
            ("provider", "ImageProvider team/default"),
            ("ready", "True"),
            ("reason", reason),
            ("stale", stale),
            ("drifted", ""),
        ] {
            assert_eq!(said[field], value, "{field} in {line}");
        }
        let id = said["request_id"].as_str().unwrap();
        assert!(id.len() >= 16, "no platform's id: {line}");
        assert!(said["image"].as_str().unwrap().contains('/'), "{line}");
        assert_ne!(said["message"], "", "{line}");
        assert_eq!(said.get("span"), None, "the object is named once: {line}");
    }
}

#[test]
fn as_text_each_change_of_state_is_one_line_with_the_same_fields() {
    let Some(lines) = lines("text") else {
        return;
    };
    assert_eq!(lines.len(), STATES.len(), "{lines:#?}");
    for (line, (reason, stale)) in lines.iter().zip(STATES) {
        assert!(
            line.contains(" INFO imageref::controller::report: "),
            "{line}"
        );
        for field in [
            "object=team/one ",
            r#"provider="ImageProvider team/default" "#,
            r#"ready="True" "#,
            &format!("reason={reason:?} "),
            &format!("stale={stale:?} "),
        ] {
            assert_eq!(line.matches(field).count(), 1, "{field} in {line}");
        }
        let (_, id) = line.split_once("request_id=\"").unwrap();
        assert!(id.find('"').unwrap() >= 16, "no platform's id: {line}");
    }
}
