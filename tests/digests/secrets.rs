//! No password and no token of a registry comes out, whatever registries repeat.

use super::*;
use crate::canaries::Canaries;
use crate::process::own_scene;

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

    let mut shown: Vec<String> = Vec::new();
    let mut note = |front: &Front| {
        let all = front.drain();
        shown.extend(all.into_iter().filter_map(|seen| seen.authorization));
    };
    // From now on the registry repeats what it is asked with; later its token service does, too.
    for (mark, status) in [401, 403, 400, 500].into_iter().enumerate() {
        for echoing in [&front, &guarded.service] {
            note(&front);
            note(&guarded.service);
            echoing.before(move |seen| {
                let said = seen.authorization.clone().unwrap_or_default();
                Some(Reply::error(status, "ECHO", &said).with("www-authenticate", &said))
            });
            let mark = format!("{mark}-{}", echoing.origin());
            let annotation = format!("imageref.dev/reconcile-requested-at={mark}");
            scene.kubectl(&["annotate", "--overwrite", "imageref", "one", &annotation]);
            let one = scene.wait("imageref", "one", |o| {
                o["status"]["lastHandledReconcileAt"] == mark.as_str()
            });
            assert_eq!(one["status"]["digest"], digest.as_str());
            front.before(|_| None);
        }
    }
    note(&front);
    note(&guarded.service);

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
