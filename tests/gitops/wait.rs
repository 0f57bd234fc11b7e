//! The loop of `docs/gitops.md` that waits for an answer or for somebody.
//!
//! Owns which statuses it meets. Must not wait for an operator: there is none. The invariant that
//! would break first: the loop ends, whatever the verdict.

use super::{image_refs, text};
use crate::process::own_scene;
use cluster::Cluster;
use serde_json::{Value, json};
use std::process::Command;

/// Stores the fixture under the name that the page uses.
fn store(cluster: &Cluster, fixture: &str) {
    let named = |object: &Value| object["metadata"]["name"] == fixture;
    let mut object = image_refs()
        .into_iter()
        .map(|fixture| fixture.object)
        .find(named)
        .unwrap();
    object["metadata"] = json!({"name": "trainer", "namespace": "ai-team"});
    let text = object.to_string();
    let kubectl = |args: &[&str], stdin: &str| cluster.kubectl_with_stdin(args, stdin).unwrap();
    kubectl(&["replace", "--force", "-f", "-"], &text);
    let status = json!({"status": object["status"]}).to_string();
    let patch = "patch -n ai-team ir/trainer --type=merge --subresource=status -p";
    let patch: Vec<_> = patch.split(' ').chain([status.as_str()]).collect();
    kubectl(&patch, "");
}

#[test]
fn the_loop_ends_with_an_answer_or_when_somebody_must_help_and_an_edit_is_waited_for() {
    // The operator that other tests share would judge the edit.
    let Some(scene) = own_scene(true) else {
        return;
    };
    let cluster = scene.cluster;
    let page = text("docs/gitops.md");
    let blocks = page.split("```sh\n").skip(1);
    let mut blocks = blocks.map(|block| block.split("```").next().unwrap());
    let script = blocks.find(|block| block.starts_with("until ")).unwrap();
    let tools = Cluster::bin("kubectl");
    let tools = tools.parent().unwrap();
    let run = || {
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("timeout");
        shell
            .args(["60", "sh", "-euc", script])
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("KUBECONFIG", cluster.kubeconfig_path());
        shell.output().unwrap().status.code()
    };
    let namespace = ["create", "namespace", "ai-team"];
    cluster.kubectl(&namespace).unwrap();
    store(cluster, "resolved");
    assert_eq!(run(), Some(0));
    store(cluster, "absent");
    assert_eq!(run(), Some(1));

    store(cluster, "resolved");
    let edit = r#"{"spec":{"interval":"2h"}}"#;
    let patch = [
        "patch",
        "-n",
        "ai-team",
        "ir/trainer",
        "--type=merge",
        "-p",
        edit,
    ];
    cluster.kubectl(&patch).unwrap();
    let wait = "wait -n ai-team ir/trainer --for=condition=Ready --timeout=0";
    let wait: Vec<_> = wait.split(' ').collect();
    let waited = cluster.kubectl(&wait);
    assert!(waited.is_err(), "it was Ready before the edit: {waited:?}");
}
