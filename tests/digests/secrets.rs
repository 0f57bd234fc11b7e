//! No password and no token of a registry comes out, whatever registries repeat.

use super::*;
use crate::canaries::Canaries;
use crate::process::own_scene;
use std::sync::atomic::{AtomicUsize, Ordering};

const REGISTRY_PASSWORD: &str = "canary+Registry/pass==0007";

#[test]
fn no_login_and_no_token_is_in_a_log_an_event_or_a_status() {
    if !cluster::require_registry() {
        return;
    }
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let (guarded, front) = runtime().block_on(async {
        let guarded = Guarded::knowing(|_, password| password == REGISTRY_PASSWORD).await;
        let guarded = guarded.unwrap();
        let front = Front::of(&guarded.registry).await;
        (guarded, front)
    });
    let host = "registry.swr-pro.myhuaweicloud.com";
    let depot = guarded.depot("team/app");
    let digest = runtime().block_on(depot.single("team/app", Some("1"), true, "linux/arm64", ""));
    scene
        .cloud
        .update(ImageApi::Notebook, defaults::ASCEND_NOTEBOOK_ID, |image| {
            image["swr_path"] = format!("{host}/team/app:1").into();
        });
    let image = scene
        .cloud
        .image(ImageApi::Notebook, defaults::ASCEND_NOTEBOOK_ID);
    let image = image.unwrap();
    let args = flags([&scene.cloud], &guarded, &[(host, front.origin())]);
    let mut env = reading();
    env.push(("IMAGEREF_LOG".to_owned(), "trace".to_owned()));
    scene.operator = Some(operator::start_with(scene.cluster, "operator", args, env));
    scene.apply(&pull_secret("pull", host, "canary-user", REGISTRY_PASSWORD));
    scene.modelarts("default");
    let patch =
        json!({"spec": {"registry": {"auth": {"secretRef": {"name": "pull"}}}}}).to_string();
    scene.kubectl(&[
        "patch",
        "imageprovider/default",
        "--type=merge",
        "-p",
        &patch,
    ]);
    scene.image_ref("one", &source(defaults::ASCEND_NOTEBOOK_ID));
    scene.wait("imageref", "one", |o| {
        o["status"]["digest"] == digest.as_str()
    });

    // Registry and token service repeat the login or token that they are shown. Refusals of the login
    // come last: after them it rests.
    let rounds = [400, 403, 500, 401];
    let rounds = rounds.map(|status| [(status, &front), (status, &guarded.service)]);
    for (round, (status, echoing)) in rounds.into_iter().flatten().enumerate() {
        let echoes = Arc::new(AtomicUsize::new(0));
        let count = echoes.clone();
        echoing.after(move |seen, reply| match &seen.authorization {
            Some(shown) => {
                count.fetch_add(1, Ordering::Relaxed);
                Reply::error(status, "ECHO", shown).with("www-authenticate", shown)
            }
            None => reply,
        });
        // A repository that nobody has a token for yet.
        let mut image = image.clone();
        image.as_object_mut().unwrap().remove("id");
        image["swr_path"] = format!("{host}/team/round-{round}:1").into();
        let name = format!("round-{round}");
        scene.image_ref(&name, &source(&scene.cloud.put_notebook_image(image)));
        scene.wait("imageref", &name, |o| !condition(o, "Stale").is_null());
        let echoes = echoes.load(Ordering::Relaxed);
        assert!(echoes > 0, "{status} at {}", echoing.origin());
        echoing.after(|_, reply| reply);
    }
    let seen = [front.seen(), guarded.service.seen()].concat();
    let shown: Vec<_> = seen
        .into_iter()
        .filter_map(|seen| seen.authorization)
        .collect();

    let mut outputs = vec![("log", scene.operator_log())];
    for kind in ["imagerefs", "imageproviders", "events"] {
        let get = scene.cluster.kubectl(&["get", kind, "-A", "-o", "yaml"]);
        outputs.push((kind, get.unwrap()));
    }
    let mut canaries = Canaries::default();
    canaries.plant(REGISTRY_PASSWORD);
    let words = |scheme: &str| {
        let words = shown.iter().filter_map(|text| text.strip_prefix(scheme));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let (passwords, tokens) = (words("Basic "), words("Bearer "));
    assert!(!passwords.is_empty() && !tokens.is_empty(), "{shown:?}");
    for secret in passwords.iter().chain(&tokens) {
        canaries.plant(secret);
    }
    assert!(outputs[0].1.contains("TRACE"), "the log was heard");
    for (what, text) in &outputs {
        assert!(text.len() > 100, "{what} is empty: {text}");
        canaries.check(text);
    }
}
