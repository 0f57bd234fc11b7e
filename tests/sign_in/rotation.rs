//! What changes while the operator runs: Secrets, and keys that end before their time.

use super::super::operator::{condition, secret};
use super::*;
use serde_json::Value;

fn from_secret(name: &str) -> String {
    format!("{{secretRef: {{name: {name}}}}}")
}

fn look_again(scene: &Scene, name: &str, mark: &str) -> Value {
    let annotation = format!("imageref.dev/reconcile-requested-at={mark}");
    scene.kubectl(&["annotate", "--overwrite", "imageref", name, &annotation]);
    scene.wait("imageref", name, |o| {
        o["status"]["lastHandledReconcileAt"] == mark
    })
}

/// A key of the test's own, so that what becomes of it concerns nobody else.
fn own_key(scene: &Scene) -> (String, String) {
    let key = format!("AK{}", scene.namespace.to_uppercase().replace('-', ""));
    let account = scene.cloud.huawei_accounts()[defaults::HUAWEI_AK].clone();
    let secret_key = account.sk.clone();
    scene.cloud.add_huawei_account(&key, account);
    (key, secret_key)
}

#[test]
fn a_changed_secret_is_seen_at_once_where_watching_it_is_granted() {
    let Some(scene) = scene("watched") else {
        return;
    };
    scene.apply(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: one}, rules: [
           {apiGroups: [''], resources: [secrets], resourceNames: [keys], verbs: [watch]}]}",
    );
    let subject = "--serviceaccount=imageref-system:imageref";
    scene.kubectl(&["create", "rolebinding", "one", "--role=one", subject]);
    let (key, secret_key) = own_key(&scene);
    scene.apply(&secret("keys", &key, "wrong"));
    scene.apply(&modelarts(
        &scene,
        "ImageProvider",
        "default",
        &from_secret("keys"),
        "",
    ));
    scene.image_ref("r", &reference("ImageProvider", "default", false));
    scene.wait_reason("r", "AuthenticationFailed");
    scene.apply(&secret("keys", &key, &secret_key));
    scene.wait_reason("r", "Resolved");
    let seen = format!("secret={}/keys", scene.namespace);
    let log = scene.operator_log();
    let changes = log
        .lines()
        .filter(|line| line.contains(&seen) && line.contains("changed"));
    assert!(changes.count() >= 2, "as it was, and as it is");
}

#[test]
fn keys_that_end_early_are_renewed_once_and_a_refusal_of_the_new_ones_stands() {
    let Some(scene) = scene("revoked") else {
        return;
    };
    let team = scene.namespace.clone();
    register(&scene.cloud, &team, &team, "reader");
    allow_tokens(&scene);
    scene.apply(&service_account("reader", "p"));
    // A project of the test's own tells its keys from those of others.
    let project = format!(
        "{:032x}",
        scene
            .namespace
            .bytes()
            .fold(7_u128, |n, b| n * 131 + u128::from(b))
    );
    scene.cloud.add_project(&project, &team);
    let agency = Agency {
        urn: agency_urn(&team),
        trusted: vec![team.clone()],
        project_id: project.clone(),
    };
    scene.cloud.add_agency(&team, agency);
    let manifest = modelarts(
        &scene,
        "ImageProvider",
        "p",
        &workload("reader", &sts(&team)),
        "",
    );
    scene.apply(&manifest.replace(defaults::PROJECT_ID, &project));
    scene.image_ref("r", &reference("ImageProvider", "p", false));
    scene.wait_reason("r", "Resolved");
    let keys = || -> Vec<String> {
        let all = scene.cloud.huawei_accounts().into_iter();
        let own = all.filter(|(_, account)| account.project_id == project);
        own.map(|(key, _)| key).collect()
    };
    let revoke = || {
        for key in keys() {
            assert!(scene.cloud.expire_key(&key));
        }
    };
    assert_eq!(keys().len(), 1);
    revoke();
    look_again(&scene, "r", "one");
    let renewed = scene.wait_reason("r", "Resolved");
    assert_eq!(condition(&renewed, "Stale")["status"], Value::Null);
    assert_eq!(keys().len(), 2, "renewed once");
    revoke();
    for mark in ["two", "three", "four"] {
        let refused = look_again(&scene, "r", mark);
        assert_eq!(condition(&refused, "Ready")["reason"], "ServingStale");
        assert_eq!(
            condition(&refused, "Stale")["reason"],
            "AuthenticationFailed"
        );
    }
    assert_eq!(keys().len(), 2, "no hammering");
    scene.wait("imageprovider", "p", |o| {
        condition(o, "Ready")["reason"] == "AuthenticationFailed"
    });
    // One attempt with each pair of keys that had ended, none for the marks after that.
    let refused = scene
        .cloud
        .log()
        .into_iter()
        .filter(|request| request.status == Some(401) && request.path.contains(&project));
    assert_eq!(refused.count(), 2);
}
