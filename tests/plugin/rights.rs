//! The roles in `docs/kubectl.md` are enough for what the page says of them.

use super::{imageref, scene_with_operator};
use crate::operator::Scene;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The roles of the page, by name.
fn role(name: &str) -> Value {
    let page = include_str!("../../docs/kubectl.md");
    let blocks = page.split("```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let mut roles = blocks.map(|block| serde_saphyr::from_str::<Value>(block).unwrap());
    roles.find(|role| role["metadata"]["name"] == name).unwrap()
}

/// A kubeconfig of a user who has a role in the scene's namespace, and one in the whole cluster.
fn user(scene: &Scene, name: &str, role: &Value, everywhere: bool) -> PathBuf {
    let apply = ["apply", "-f", "-"];
    scene
        .cluster
        .kubectl_with_stdin(&apply, &role.to_string())
        .unwrap();
    scene.kubectl(&["create", "serviceaccount", name]);
    let kind = if everywhere {
        "ClusterRoleBinding"
    } else {
        "RoleBinding"
    };
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": if everywhere { Value::Null } else { scene.namespace.clone().into() }},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": scene.namespace}],
    });
    scene
        .cluster
        .kubectl_with_stdin(&apply, &binding.to_string())
        .unwrap();
    let token = scene.cluster.service_account_token(&scene.namespace, name);
    scene
        .cluster
        .kubeconfig_with_token(&token.unwrap())
        .unwrap()
}

#[test]
fn the_role_for_a_team_is_enough_and_without_it_the_missing_right_is_named() {
    let Some(scene) = scene_with_operator() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    });
    scene.apply(&pod.to_string());
    let all = user(&scene, "everywhere", &role("imageref-user"), true);
    let commands = [
        "status -n team",
        "why ir/torch -n team",
        "why pod/p -n team",
        "reconcile torch -n team --wait --timeout 60s",
        "reconcile -l a=b -n team",
        "suspend --all -n team",
        "resume --all -n team",
    ];
    for command in commands {
        let ran = imageref(&all, folder.path(), command);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (0, ""),
            "{command}: {}",
            ran.stdout
        );
    }
    // In one namespace only: what is of the cluster is missing, and nothing fails for it.
    let here = user(&scene, "here", &role("imageref-user"), false);
    let ran = imageref(&here, folder.path(), "status -n team");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let note = "note: cannot list clusterimageproviders.imageref.dev in the whole cluster: this user has no right to";
    assert!(ran.stderr.starts_with(note), "{}", ran.stderr);
    let ran = imageref(&here, folder.path(), "why ir/torch -n team");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let note =
        "Note       cannot get clusterimageproviders.imageref.dev prod: this user has no right to";
    assert!(ran.stdout.contains(note), "{}", ran.stdout);

    let reading = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reading"},
        "rules": [{"apiGroups": ["imageref.dev"], "resources": ["imagerefs"], "verbs": ["get"]}],
    });
    let reader = user(&scene, "reader", &reading, false);
    for (command, code, right) in [
        (
            "status -n team",
            2,
            "list imagerefs.imageref.dev in namespace team",
        ),
        (
            "reconcile torch -n team",
            1,
            "patch imagerefs.imageref.dev torch in namespace team",
        ),
        (
            "suspend torch -n team",
            1,
            "patch imagerefs.imageref.dev torch in namespace team",
        ),
        ("why pod/p -n team", 2, "get pods p in namespace team"),
    ] {
        let ran = imageref(&reader, folder.path(), command);
        assert_eq!(ran.code, code, "{command}: {}{}", ran.stdout, ran.stderr);
        let said = format!("error: cannot {right}: this user has no right to: ");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
}

#[test]
fn shells_are_told_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ran = imageref(folder.path(), folder.path(), &format!("completion {shell}"));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for word in ["break-glass", "reconcile", "why"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
}
