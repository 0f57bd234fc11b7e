//! Digests without a cluster: the same registries, and logins out of the files.

use super::{NO_REGISTRIES, Run, Scene, account, huawei_secret, image_ref, model_arts, notebook};
use crate::registry::token_service::{Guarded, PASSWORD, USER};
use fakecloud::{ImageApi, defaults};
use serde_json::{Value, json};

/// The path of the only image, in this repository.
fn path(repository: &str) -> String {
    format!("{}/{repository}:1", defaults::SWR_HOST)
}

/// A scene whose only image is in the registry; its digest.
async fn scene(guarded: &Guarded, repository: &str) -> (Scene, String) {
    let scene = Scene::new().await;
    let id = defaults::ASCEND_NOTEBOOK_ID;
    scene.cloud.update(ImageApi::Notebook, id, |image| {
        image["swr_path"] = path(repository).into();
    });
    let depot = guarded.depot(repository);
    let pushed = depot.single(repository, Some("1"), true, "linux/arm64", "");
    let pushed = pushed.await;
    scene.write("ref.yaml", &image_ref("a", "one", &notebook(id), &[]));
    (scene, pushed)
}

async fn run(scene: &Scene, guarded: &Guarded, arguments: &[&str]) -> Run {
    let mirror = format!("{}={}", defaults::SWR_HOST, guarded.registry.origin());
    let service = guarded.service.origin();
    let flags = ["--registry-mirror", &mirror, "--allow-registry", service];
    let reading = [(NO_REGISTRIES, "false")];
    let arguments = [&flags[..], &["-f", "ref.yaml"], arguments].concat();
    scene.run_with(&arguments, &reading, "").await
}

fn status(run: &Run) -> Value {
    let list: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    list["items"][0]["status"].clone()
}

fn stale(status: &Value) -> Value {
    let conditions = status["conditions"].as_array().unwrap();
    let stale = conditions.iter().find(|c| c["type"] == "Stale");
    stale.cloned().unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_image_is_pinned_by_what_the_registry_says() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let (scene, digest) = scene(&guarded, "public/app").await;
    scene.write("account.yaml", &account());
    let table = run(&scene, &guarded, &["-f", "account.yaml"]).await;
    let pinned = format!("{}@{digest}", path("public/app"));
    assert_eq!(table.code, 0, "{}{}", table.stdout, table.stderr);
    assert!(table.stdout.contains(&pinned), "{}", table.stdout);
    let printed = run(&scene, &guarded, &["-f", "account.yaml", "-o", "json"]).await;
    let status = status(&printed);
    assert_eq!(status["digest"], digest.as_str());
    assert_eq!(status["platforms"], json!(["linux/arm64"]));
    // And without registries it is what the platform says.
    let without = ["-f", "account.yaml", "--no-registries"];
    let table = run(&scene, &guarded, &without).await;
    assert!(!table.stdout.contains('@'), "{}", table.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_read_with_the_pull_secret_in_the_files() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let (scene, digest) = scene(&guarded, "team/app").await;
    let provider = format!(
        "---\napiVersion: imageref.dev/v1alpha1\nkind: ImageProvider\nmetadata: {{name: default, namespace: a}}\nspec:\n  {}\n  auth: {{secretRef: {{name: keys}}}}\n  registry: {{auth: {{secretRef: {{name: pull}}}}}}\n",
        model_arts()
    );
    scene.write("provider.yaml", &(huawei_secret("a", "keys") + &provider));
    let pull = |namespace: &str| {
        let config =
            json!({"auths": {defaults::SWR_HOST: {"username": USER, "password": PASSWORD}}});
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "pull", "namespace": namespace},
            "stringData": {".dockerconfigjson": config.to_string()},
        })
        .to_string()
    };
    // One of another namespace is not it.
    scene.write("pull.yaml", &pull("b"));
    let arguments = ["-o", "json", "-f", "provider.yaml", "-f", "pull.yaml"];
    let lacking = run(&scene, &guarded, &arguments).await;
    assert_eq!(lacking.code, 0, "{}", lacking.stderr);
    let denied = stale(&status(&lacking));
    assert_eq!(denied["reason"], "RegistryDenied");
    let words = "Secret a/pull of spec.registry.auth.secretRef is in none of the files";
    assert!(denied["message"].to_string().contains(words), "{denied}");

    scene.write("pull.yaml", &pull("a"));
    let found = run(&scene, &guarded, &arguments).await;
    assert_eq!(
        status(&found)["digest"],
        digest.as_str(),
        "{}",
        found.stderr
    );
    for text in [&found.stdout, &found.stderr, &lacking.stdout] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
