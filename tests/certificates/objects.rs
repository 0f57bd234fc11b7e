//! What keepers make of the Secret and the configurations, alone and against others.

use super::*;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

async fn read(scene: &Scene) -> Secret {
    let secrets: Api<Secret> = Api::namespaced(scene.admin.clone(), &scene.namespace);
    secrets.get(&scene.secret()).await.unwrap()
}

/// Empty for a key that is not there.
fn text(secret: &Secret, key: &str) -> String {
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    let text = value.map(|ByteString(value)| String::from_utf8(value.clone()).unwrap());
    text.unwrap_or_default()
}

async fn both_serve(replicas: &[Replica]) {
    until("both replicas serve", || async {
        replicas.iter().all(|replica| replica.serving.is_ready())
    })
    .await;
}

async fn bundles_follow(scene: &Scene) {
    until("the bundles are that of the Secret", || async {
        let wanted = text(&read(scene).await, "ca.crt");
        scene.bundles().await.iter().all(|bundle| *bundle == wanted)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_agree_on_one_certificate_with_the_rights_of_the_manifest_and_no_others() {
    let Some(scene) = Scene::new("certificates", 1).await else {
        return;
    };
    let clock = Clock::default();
    // As they start, none of the two is first.
    let replicas = [scene.keeper(&clock, 0), scene.keeper(&clock, 48)];
    both_serve(&replicas).await;
    bundles_follow(&scene).await;
    let [one, other] = &replicas;
    until("both serve the same", || async {
        one.serving.expires_at() == other.serving.expires_at()
    })
    .await;
    let secret = read(&scene).await;
    assert_eq!(
        text(&secret, "ca.crt").matches("BEGIN CERTIFICATE").count(),
        1
    );
    assert_eq!(one.serving.last_error(), None);
    // Left alone they write nothing.
    let looks = scene.settings().pace.every * 10;
    tokio::time::sleep(looks).await;
    assert_eq!(
        read(&scene).await.metadata.resource_version,
        secret.metadata.resource_version
    );

    let account = format!("--as=system:serviceaccount:{0}:{0}", scene.namespace);
    let secret = format!("secrets/{}", scene.secret());
    let may = |verb: &str, what: &str, namespace: &str| {
        let args = ["auth", "can-i", verb, what, &account, "-n", namespace];
        let output = scene.cluster.kubectl_output(&args, None).unwrap();
        String::from_utf8_lossy(&output.stdout).trim() == "yes"
    };
    for (verb, what, namespace, expected) in [
        ("get", secret.as_str(), scene.namespace.as_str(), true),
        ("get", "secrets/other", &scene.namespace, false),
        ("patch", "secrets/other", &scene.namespace, false),
        ("list", "secrets", &scene.namespace, false),
        ("delete", &secret, &scene.namespace, false),
        ("get", &secret, "default", false),
        ("create", "secrets", "default", false),
        ("patch", "validatingwebhookconfigurations/other", "", false),
        ("create", "validatingwebhookconfigurations", "", false),
        ("delete", "mutatingwebhookconfigurations", "", false),
    ] {
        assert_eq!(
            may(verb, what, namespace),
            expected,
            "{verb} {what} in {namespace:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_delete_empty_or_spoil_is_made_good() {
    let Some(scene) = Scene::new("certificates-spoiled", 1).await else {
        return;
    };
    let clock = Clock::default();
    let replicas = [scene.keeper(&clock, 0), scene.keeper(&clock, 0)];
    both_serve(&replicas).await;
    bundles_follow(&scene).await;

    // A tool applies what it has in its repository, in either way: there is no caBundle in it, and
    // it takes none away.
    let bundles = scene.bundles().await;
    let manifest = configurations(&scene.namespace, 1);
    for way in [
        &["apply", "-f", "-"][..],
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
    ] {
        scene.cluster.kubectl_with_stdin(way, &manifest).unwrap();
        assert_eq!(scene.bundles().await, bundles, "{way:?}");
    }
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(scene.admin.clone());
    let object = validating.get(&scene.namespace).await.unwrap();
    let ours = object.metadata.managed_fields.unwrap().into_iter();
    let ours = ours.filter(|entry| entry.manager.as_deref() == Some("imageref-certificates"));
    let ours: Vec<_> = ours.map(|entry| entry.fields_v1.unwrap().0).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    let fields = ours[0]["f:webhooks"].as_object().unwrap();
    assert!(
        fields
            .values()
            .all(|field| *field == json!({"f:clientConfig": {"f:caBundle": {}}}))
    );

    // One that has it empty does.
    let emptied =
        json!({"webhooks": [{"name": "one.imageref.dev", "clientConfig": {"caBundle": ""}}]});
    let params = PatchParams::default();
    validating
        .patch(&scene.namespace, &params, &Patch::Strategic(emptied))
        .await
        .unwrap();
    bundles_follow(&scene).await;

    // A Secret that is deleted is made anew; what was served until then stays trusted.
    let secrets: Api<Secret> = Api::namespaced(scene.admin.clone(), &scene.namespace);
    let before = read(&scene).await;
    secrets
        .delete(&scene.secret(), &DeleteParams::default())
        .await
        .unwrap();
    until("there is another certificate", || async {
        let secret = secrets.get_opt(&scene.secret()).await.unwrap();
        let served = secret
            .map(|secret| text(&secret, "tls.crt"))
            .unwrap_or_default();
        !served.is_empty() && served != text(&before, "tls.crt")
    })
    .await;
    bundles_follow(&scene).await;
    let after = text(&read(&scene).await, "ca.crt");
    assert!(after.contains(&text(&before, "ca.crt")));

    // So is one with nonsense in it. Keys that are not ours stay.
    let nonsense = json!({"stringData": {"tls.key": "nonsense", "others": "own"}});
    secrets
        .patch(&scene.secret(), &params, &Patch::Merge(nonsense))
        .await
        .unwrap();
    until("the nonsense is gone", || async {
        text(&read(&scene).await, "tls.key").contains("PRIVATE KEY")
    })
    .await;
    assert_eq!(text(&read(&scene).await, "others"), "own");
    bundles_follow(&scene).await;
    for replica in &replicas {
        until("all is well", || async {
            replica.serving.last_error().is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_and_its_return_is_enough() {
    let Some(scene) = Scene::new("certificates-rights", 1).await else {
        return;
    };
    let role = format!("clusterrolebinding/{}-certificates", scene.namespace);
    scene.cluster.kubectl(&["delete", &role]).unwrap();
    let replica = scene.keeper(&Clock::default(), 0);
    until("the missing right is named", || async {
        let error = replica.serving.last_error().unwrap_or_default();
        let reading = format!("reading ValidatingWebhookConfiguration {}", scene.namespace);
        error.starts_with(&reading) && error.ends_with("(403)")
    })
    .await;
    assert!(!replica.serving.is_ready());
    let rights = RIGHTS.replace("imageref-system", &scene.namespace);
    let rights = rights.replace("imageref-webhook", &scene.namespace);
    scene
        .cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], &rights)
        .unwrap();
    until("it serves", || async { replica.serving.is_ready() }).await;

    let name = &scene.namespace;
    scene
        .cluster
        .kubectl(&["delete", "mutatingwebhookconfiguration", name])
        .unwrap();
    let missing = format!("MutatingWebhookConfiguration {name} does not exist");
    until("the missing object is named", || async {
        replica.serving.last_error().as_deref() == Some(&missing)
    })
    .await;
    assert!(replica.serving.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhooks_account_can_create_its_own_secret_and_no_other() {
    let Some(scene) = Scene::new("certificates-alone", 9).await else {
        return;
    };
    let secrets: Api<Secret> = Api::namespaced(scene.operator.clone(), &scene.namespace);
    let secret = |name: &str, type_: &str| Secret {
        metadata: kube::api::ObjectMeta {
            name: Some(name.into()),
            annotations: Some(std::collections::BTreeMap::from([(
                "kubernetes.io/service-account.name".into(),
                "default".into(),
            )])),
            ..Default::default()
        },
        type_: Some(type_.into()),
        ..Secret::default()
    };
    let token = "kubernetes.io/service-account-token";
    let own = scene.secret();
    let create = async |name: &str, type_: &str| {
        let params = PostParams::default();
        secrets.create(&params, &secret(name, type_)).await
    };
    // A policy is enforced a moment after it was accepted.
    until("another Secret is refused", || async {
        let created = create("other", "Opaque").await;
        if created.is_ok() {
            let params = DeleteParams::default();
            let all: Api<Secret> = Api::namespaced(scene.admin.clone(), &scene.namespace);
            all.delete("other", &params).await.unwrap();
        }
        created.is_err()
    })
    .await;
    for (name, type_) in [("other", token), (own.as_str(), token), ("other", "Opaque")] {
        let said = create(name, type_).await.unwrap_err().to_string();
        assert!(
            said.contains("may create its Secret"),
            "{name} {type_}: {said}"
        );
    }
    create(&own, "Opaque").await.unwrap();
}
