//! Ways in and out: what a person and a program read, folders, standard input, Lists, exit codes.

use super::{Scene, TORCH, deployment, namespace, pod, torch};
use serde_json::{Value, json};

/// A workload that is refused, one that is warned about, one that passes, and something else.
fn mixed() -> Scene {
    let app = deployment("team-a", "train", &format!("{TORCH}:1"))
        + &pod("team-a", "good", &format!("{TORCH}:3"))
        + &pod("team-a", "unknown", "busybox")
        + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    let refs =
        namespace("team-a", "imageref.dev/admission: enforce") + &torch("team-a", "torch", "3");
    Scene::new().with("app.yaml", &app).with("refs.yaml", &refs)
}

const FINDINGS: &str = "\
app.yaml:10: Deployment team-a/train: spec.template.spec.containers[0] \"main\": image swr.cn-north-4.myhuaweicloud.com/ai/torch:1: ImageRef team-a/torch stands for the tag 3 (OtherTag). Use swr.cn-north-4.myhuaweicloud.com/ai/torch:3.
app.yaml:26: Pod team-a/unknown: spec.containers[0] \"main\": image busybox: no ImageRef in team-a names it (UnknownImage). Use an image that `kubectl -n team-a get imageref -o wide` lists, or declare this one with an ImageRef.
";

#[test]
fn the_table_shows_every_workload_and_each_finding_with_its_line() {
    let run = mixed().run("-f app.yaml --refs refs.yaml");
    let table = "\
NAMESPACE  KIND        NAME     MODE     VERDICT
team-a     Deployment  train    warn     Warn
team-a     Pod         good     enforce  Allow
team-a     Pod         unknown  enforce  Deny

";
    let summary = "\n3 workloads: 1 allowed, 1 warned about, 1 denied; 1 other object left out\n";
    assert_eq!(run.stdout, format!("{table}{FINDINGS}{summary}"));
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
}

#[test]
fn json_is_one_object_and_the_findings_are_on_standard_error_too() {
    let run = mixed().run("-f app.yaml --refs refs.yaml -o json");
    let image = format!("{TORCH}:1");
    let read: Value = serde_json::from_str(&run.stdout).unwrap();
    let workload = |kind: &str, line: u64, name: &str, mode: &str, decision: &str| {
        let api = if kind == "Pod" { "v1" } else { "apps/v1" };
        json!({"file": "app.yaml", "line": line, "apiVersion": api, "kind": kind,
            "namespace": "team-a", "name": name, "mode": mode, "decision": decision, "findings": []})
    };
    let mut train = workload("Deployment", 2, "train", "warn", "Warn");
    train["findings"] = json!([{
        "line": 10, "place": "spec.template.spec.containers[0]", "name": "main", "image": image,
        "reason": "OtherTag", "imageRef": {"namespace": "team-a", "name": "torch"},
        "problem": "ImageRef team-a/torch stands for the tag 3", "fix": format!("Use {TORCH}:3."),
        "denies": true,
    }]);
    let mut unknown = workload("Pod", 20, "unknown", "enforce", "Deny");
    unknown["findings"] = json!([{
        "line": 26, "place": "spec.containers[0]", "name": "main", "image": "busybox",
        "reason": "UnknownImage", "imageRef": null,
        "problem": "no ImageRef in team-a names it",
        "fix": "Use an image that `kubectl -n team-a get imageref -o wide` lists, or declare this one with an ImageRef.",
        "denies": true,
    }]);
    let good = workload("Pod", 12, "good", "enforce", "Allow");
    let expected = json!({"decision": "Deny", "facts": "files", "unverified": false, "workloads": [train, good, unknown], "leftOut": 1});
    assert_eq!(read, expected);
    assert_eq!((run.code, run.stderr.as_str()), (1, FINDINGS));
}

#[test]
fn only_a_refusal_is_an_exit_code_of_1() {
    let good = pod("team-a", "good", &format!("{TORCH}:3"));
    let bad = pod("team-a", "bad", "busybox");
    let refs = torch("team-a", "torch", "3");
    for (app, arguments, code) in [
        (&good, "", 0),
        (&bad, "", 1),
        (&bad, "--mode enforce", 1),
        (&bad, "--mode warn", 0),
        (&bad, "--mode audit", 0),
        (&(bad.clone() + &good), "", 1),
    ] {
        let scene = Scene::new().with("all.yaml", &(refs.clone() + app));
        for form in ["table", "json"] {
            let run = scene.run(&format!("-f all.yaml -o {form} {arguments}"));
            assert_eq!(run.code, code, "{arguments}\n{}", run.stdout);
            let findings = run.stdout.contains("UnknownImage");
            assert_eq!(findings, app.contains("busybox"), "{}", run.stdout);
        }
    }
}

#[test]
fn standard_input_folders_and_lists_of_either_type_are_read() {
    let scene = Scene::new()
        .with("refs/team-a/one.yaml", &torch("team-a", "torch", "3"))
        .with("refs/kustomization.yaml", "resources: [team-a]\n");
    let pod = |image: &str| json!({"metadata": {"name": "p"}, "spec": {"containers": [{"image": image}]}});
    let mut typed = pod("busybox");
    typed["apiVersion"] = "v1".into();
    typed["kind"] = "Pod".into();
    for list in [
        json!({"apiVersion": "v1", "kind": "PodList", "items": [pod("busybox"), pod(&format!("{TORCH}:3"))]}),
        json!({"apiVersion": "v1", "kind": "List", "items": [typed, {"apiVersion": "v1",
            "kind": "PodList", "items": [pod(&format!("{TORCH}:3"))]}]}),
    ] {
        let run = scene.run_with("-n team-a -f - --refs refs -R", &list.to_string());
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        let line = "-:1: Pod team-a/p: spec.containers[0]: image busybox: no ImageRef";
        assert!(run.stdout.contains(line), "{}", run.stdout);
        let summary = "\n2 workloads: 1 allowed, 1 denied\n";
        assert!(run.stdout.ends_with(summary), "{}", run.stdout);
    }
}

#[test]
fn each_part_of_an_object_is_found_at_its_own_line() {
    let app = "apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata:
  generateName: train-
spec:
  tasks:
  - name: master
    template:
      spec:
        initContainers:
        - name: fetch
          image: fetch
        volumes:
        - name: none
          emptyDir: {}
        - name: model
          image:
            pullPolicy: Always
            reference: model
---
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: ray}
spec:
  autoscalerOptions:
    image: scaler
";
    let scene = Scene::new().with("a.yaml", app);
    let run = scene.run("-f a.yaml");
    let places: Vec<_> = run
        .stdout
        .lines()
        .filter_map(|line| line.split_once(": image ").map(|(place, _)| place))
        .collect();
    assert_eq!(
        places,
        [
            "a.yaml:12: Job default/train-*: spec.tasks[0].template.spec.initContainers[0] \"fetch\"",
            "a.yaml:19: Job default/train-*: spec.tasks[0].template.spec.volumes[1] \"model\"",
            "a.yaml:26: RayCluster default/ray: spec.autoscalerOptions.image",
        ]
    );
}

#[test]
fn no_control_character_of_a_file_reaches_the_terminal() {
    let refs = torch("team-a", "torch", "3")
        .replace(
            "status: 'True', reason: Resolved",
            "status: 'False', reason: \"A\\e[2JB\\nC\"",
        )
        .replace("message: ''", "message: \"D\\e[2JE\"");
    let app = pod("team-a", "p", &format!("{TORCH}:3")).replace("name: main", "name: \"m\\e[2Jn\"");
    let scene = Scene::new().with("all.yaml", &(refs + &app));
    for form in ["table", "json"] {
        let run = scene.run(&format!("-f all.yaml -o {form}"));
        assert_eq!(run.code, 1);
        let all = run.stdout + &run.stderr;
        assert!(all.contains("NotUsable"), "{all}");
        assert!(!all.contains('\u{1b}'), "{all:?}");
        let lines = all.lines().filter(|line| line.starts_with("all.yaml:"));
        assert_eq!(lines.count(), 1, "{all}");
    }
}
