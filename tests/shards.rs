//! Processes that divide the references by label: each works on its own, and one speaks for all.

use super::lease::Replica;
use super::operator::{Scene, condition};
use super::process::own_scene;
use super::tenants::{cluster_provider, system_secret};
use fakecloud::defaults::{ASCEND_NOTEBOOK_ID, MODELBOX_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

const SHARD: [&str; 5] = [
    "--selector",
    "imageref.dev/shard=a",
    "--references-only",
    "--lease",
    "imageref-controller-a",
];

fn scene() -> Option<Scene> {
    let scene = own_scene(true)?;
    let rights = include_str!("../deploy/rbac.yaml");
    let apply = ["apply", "-f", "-"];
    scene.cluster.kubectl_with_stdin(&apply, rights).unwrap();
    // A lease more is a name more in the Role.
    let lease = [
        "-n",
        "imageref-system",
        "patch",
        "role",
        "imageref-lease",
        "--type=json",
    ];
    let another =
        r#"[{"op": "add", "path": "/rules/1/resourceNames/-", "value": "imageref-controller-a"}]"#;
    let named = [&lease[..], &["-p", another]].concat();
    scene.cluster.kubectl(&named).unwrap();
    system_secret(&scene, "default");
    let everybody = "allowedNamespaces: {selector: {}}";
    scene.apply(&cluster_provider(&scene, "default", everybody));
    Some(scene)
}

fn image(scene: &Scene, name: &str, labels: &str, id: &str) {
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef,
          metadata: {{name: {name}, labels: {{{labels}}}}}, spec: {{source: {{notebook: {{id: {id}}}}}}}}}"
    ));
}

fn image_id(object: &Value) -> &str {
    object["status"]["imageID"].as_str().unwrap_or_default()
}

#[test]
fn each_works_on_its_own_references_and_the_main_one_alone_on_providers_and_catalogues() {
    let Some(scene) = scene() else { return };
    image(&scene, "plain", "", ASCEND_NOTEBOOK_ID);
    image(&scene, "sharded", "imageref.dev/shard: a", SEED_NOTEBOOK_ID);
    scene.apply(
        "{apiVersion: imageref.dev/v1alpha1, kind: ImageCatalog, metadata: {name: all}, spec: {}}",
    );

    let shard = Replica::start_with(&scene, "shard", &SHARD);
    scene.wait_reason("sharded", "Resolved");
    let seen = |name| scene.get("imageref", name)["status"]["conditions"].clone();
    assert!(seen("plain").is_null(), "{}", seen("plain"));
    let provider = scene.get("clusterimageprovider", "default");
    assert!(provider["status"]["conditions"].is_null(), "{provider:#}");

    let main = Replica::start_with(&scene, "main", &["--selector", "!imageref.dev/shard"]);
    scene.wait_reason("plain", "Resolved");
    scene.wait("clusterimageprovider", "default", |o| {
        condition(o, "Ready")["status"] == "True"
    });
    // Of both, though it works on one of them.
    scene.wait("imagecatalog", "all", |o| o["status"]["refs"] == 2);
    assert!(!main.log().contains("team/sharded"), "{}", main.log());
    assert!(!shard.log().contains("team/plain"), "{}", shard.log());
    let announces = |replica: &Replica| replica.log().contains("CredentialsRead");
    assert!(announces(&main) && !announces(&shard), "{}", shard.log());

    // A reference changes hands with its label, and keeps what it says.
    let before = scene.get("imageref", "plain")["status"].clone();
    scene.kubectl(&["label", "imageref/plain", "imageref.dev/shard=a"]);
    image(
        &scene,
        "plain",
        "imageref.dev/shard: a",
        MODELBOX_NOTEBOOK_ID,
    );
    let moved = scene.wait("imageref", "plain", |o| image_id(o) == MODELBOX_NOTEBOOK_ID);
    assert_ne!(moved["status"]["imageID"], before["imageID"]);
    shard.says("team/plain", SOON);
}

#[test]
fn shares_that_would_have_two_writers_or_cannot_be_read_are_refused_with_the_fix() {
    let Some(scene) = scene() else { return };
    for (arguments, says) in [
        (
            &["--references-only"][..],
            "say with --selector which ImageRefs this process works on",
        ),
        (
            &["--references-only", "--selector", "a=b"],
            "give this one its own, such as --lease imageref-controller-a",
        ),
        (
            &["--selector", "a=b=c"],
            "--selector \"a=b=c\" cannot be read: found '='",
        ),
    ] {
        let mut process = Replica::start_with(&scene, "refused", arguments);
        let status = process.ends(SOON);
        assert_eq!(status.code(), Some(2), "{arguments:?}: {}", process.log());
        assert!(
            process.log().contains(says),
            "{arguments:?}: {}",
            process.log()
        );
    }
}
