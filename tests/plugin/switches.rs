//! `kubectl imageref`, run by kubectl: how references are, and what is asked of the operator.

use super::{kubectl, linked, scene_with_operator};
use crate::tenants::through;
use serde_json::Value;

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, one command after the other"
)]
fn kubectl_runs_the_plugin_and_the_operator_does_what_is_asked() {
    let Some(mut scene) = scene_with_operator() else {
        return;
    };
    let folder = linked();
    let run = |scene: &_, arguments: &str| {
        kubectl(scene, folder.path(), &format!("imageref {arguments}"))
    };
    let help = run(&scene, "why --help");
    assert!(
        help.stdout.contains("Usage: kubectl imageref why "),
        "{}",
        help.stdout
    );

    let status = run(&scene, "status -n team");
    assert_eq!((status.code, status.stderr.as_str()), (0, ""));
    let table = status.stdout;
    let words = |line: usize| -> Vec<&str> {
        table
            .lines()
            .nth(line)
            .unwrap()
            .split_whitespace()
            .collect()
    };
    assert_eq!(
        words(0),
        [
            "NAMESPACE",
            "NAME",
            "PROVIDER",
            "ARCH",
            "STATUS",
            "READY",
            "REASON",
            "CHECKED",
            "NEXT",
            "LOOK"
        ]
    );
    assert_eq!(
        words(1)[..7],
        [
            "team", "torch", "prod", "arm64", "ACTIVE", "True", "Resolved"
        ]
    );
    assert_eq!(words(1)[8], "in");
    assert_eq!(
        words(4),
        [
            "ClusterImageProvider",
            "prod",
            "True",
            "CredentialsRead",
            "-"
        ]
    );
    assert!(table.ends_with("\n1 ImageRef: 1 ready, 0 not\n"), "{table}");

    scene.image_ref(
        "wrong",
        &format!(
            "expect: {{arch: [amd64]}}, {}",
            through("ClusterImageProvider", "prod")
        ),
    );
    scene.wait_reason("wrong", "ExpectationFailed");
    let status = run(&scene, "status -A -o json");
    assert_eq!(status.code, 1);
    let json: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((&json["ready"], &json["notReady"]), (&1.into(), &1.into()));
    let wrong = &json["imageRefs"][1];
    assert_eq!(
        (&wrong["ready"], &wrong["reason"]),
        (&"False".into(), &"ExpectationFailed".into())
    );
    assert_eq!(wrong["nextLook"]["when"], "About");
    assert_eq!(json["providers"][0]["kind"], "ClusterImageProvider");
    let hint = "kubectl imageref why imageref/wrong -n team explains the first that is not ready\n";
    assert_eq!(status.stderr, hint);
    assert_eq!(run(&scene, "status torch -n team").code, 0);
    let none = run(&scene, "status none -n team");
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (2, "error: there is no ImageRef team/none\n")
    );

    // A look that was asked for is one that the platform sees.
    let calls = scene.cloud.calls().total();
    let asked = run(&scene, "reconcile torch -n team --wait --timeout 60s");
    assert_eq!(asked.code, 0, "{}{}", asked.stdout, asked.stderr);
    let said = "imageref team/torch: Ready=True Resolved: ";
    assert!(asked.stdout.starts_with(said), "{}", asked.stdout);
    assert!(scene.cloud.calls().total() > calls);
    let all = run(&scene, "reconcile --all -n team --wait --timeout 60s");
    assert_eq!(
        all.code, 1,
        "one is not ready: {}{}",
        all.stdout, all.stderr
    );
    assert_eq!(all.stdout.lines().count(), 2, "{}", all.stdout);

    // Suspended: once, twice, and nobody looks.
    let suspended = run(&scene, "suspend torch -n team");
    assert_eq!(
        (suspended.code, suspended.stdout.as_str()),
        (0, "imageref team/torch: suspended\n")
    );
    let object = scene.wait_reason("torch", "Suspended");
    let managers = object["metadata"]["managedFields"].as_array();
    assert!(
        managers.is_none()
            || managers
                .unwrap()
                .iter()
                .any(|m| m["manager"] == "imageref-cli")
    );
    let twice = run(&scene, "suspend torch -n team");
    assert_eq!(
        (twice.code, twice.stdout.as_str()),
        (0, "imageref team/torch: already suspended\n")
    );
    let waits = run(&scene, "reconcile torch -n team --wait");
    assert_eq!(waits.code, 1);
    let said = "imageref team/torch: asked for, but it is suspended and nobody looks: kubectl imageref resume torch -n team\n";
    assert_eq!(waits.stdout, said);
    let never = run(&scene, "status torch -n team").stdout;
    assert!(
        never.lines().nth(1).unwrap().ends_with("  never"),
        "{never}"
    );
    // A tool that keeps it is named.
    scene.kubectl(&[
        "label",
        "imageref",
        "torch",
        "kustomize.toolkit.fluxcd.io/name=images",
    ]);
    let resumed = run(&scene, "resume torch -n team");
    assert_eq!(
        (resumed.code, resumed.stdout.as_str()),
        (0, "imageref team/torch: resumed\n")
    );
    let warning = "warning: Flux's Kustomization images keeps imageref team/torch, and sets spec.suspend back if its manifest names it: write suspend: false there too\n";
    assert_eq!(resumed.stderr, warning);
    scene.wait_reason("torch", "Resolved");

    let provider = run(&scene, "suspend clusterimageprovider/prod");
    assert_eq!(provider.code, 0, "{}", provider.stderr);
    assert_eq!(provider.stdout, "clusterimageprovider prod: suspended\n");
    scene.wait_reason("torch", "Suspended");
    let paused = run(&scene, "status -n team").stdout;
    assert!(
        paused.contains("ClusterImageProvider prod  False  Suspended  suspended\n"),
        "{paused}"
    );
    run(&scene, "resume clusterimageprovider/prod");
    scene.wait_reason("torch", "Resolved");

    // With the operator dead everything is still told, and a wait ends.
    scene.operator.take().unwrap().stop().unwrap();
    let ended = run(&scene, "reconcile torch -n team --wait --timeout 1s");
    assert_eq!(ended.code, 1);
    let said = "error: imageref team/torch: not settled within 1 s: is the operator running?\n";
    assert_eq!(ended.stderr, said);
    let now = run(&scene, "status torch -n team");
    assert_eq!(now.code, 0);
    assert!(
        now.stdout.lines().nth(1).unwrap().ends_with("  now"),
        "{}",
        now.stdout
    );
}
