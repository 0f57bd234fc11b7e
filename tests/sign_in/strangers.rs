//! One tenant tries to sign in as another, or as the operator.

use super::super::operator::{condition, secret};
use super::*;
use fakecloud::Operation;

fn reason(scene: &Scene, kind: &str, name: &str, wanted: &str) -> String {
    let provider = scene.wait(kind, name, |o| condition(o, "Ready")["reason"] == wanted);
    condition(&provider, "Ready")["message"].to_string()
}

fn from_secret(name: &str) -> String {
    format!("{{secretRef: {{name: {name}}}}}")
}

#[test]
fn naming_anothers_agency_or_role_brings_nothing_that_was_issued_to_its_owner() {
    let (Some(owner), Some(thief)) = (scene("owner"), scene("thief")) else {
        return;
    };
    let team = owner.namespace.clone();
    register(&owner.cloud, &team, &team, "reader");
    for scene in [&owner, &thief] {
        allow_tokens(scene);
        // Each team may name the same ServiceAccount, provider, agency and role.
        scene.apply(&service_account("reader", "shared-name"));
        scene.apply(&modelarts(
            scene,
            "ImageProvider",
            "shared-name",
            &workload("reader", &sts(&team)),
            "",
        ));
        scene.image_ref("r", &reference("ImageProvider", "shared-name", false));
    }
    owner.wait_reason("r", "Resolved");
    let refused = thief.wait("imageref", "r", |o| {
        condition(o, "Stalled")["status"] == "True"
    });
    assert!(refused["status"]["image"].is_null());
    let message = reason(&thief, "imageprovider", "shared-name", "PermissionDenied");
    assert!(message.contains("does not allow this"), "{message}");
    // The refused one asked under its own name; the owner was not disturbed.
    assert!(!asked_as(&thief, "reader").is_empty());
    assert_eq!(
        condition(&owner.get("imageprovider", "shared-name"), "Ready")["status"],
        "True"
    );
}

#[test]
fn naming_anothers_access_key_with_a_wrong_secret_is_refused_and_does_not_disturb_its_owner() {
    let (Some(owner), Some(thief)) = (scene("key-owner"), scene("key-thief")) else {
        return;
    };
    // A key of this test's own: refusals count against it.
    let key = format!("AK{}", owner.namespace.to_uppercase().replace('-', ""));
    let account = owner.cloud.huawei_accounts()[defaults::HUAWEI_AK].clone();
    let right = account.sk.clone();
    owner.cloud.add_huawei_account(&key, account);
    owner.apply(&secret("keys", &key, &right));
    thief.apply(&secret("keys", &key, "not-the-secret-of-this-key"));
    for scene in [&owner, &thief] {
        scene.apply(&modelarts(
            scene,
            "ImageProvider",
            "default",
            &from_secret("keys"),
            "",
        ));
    }
    owner.image_ref("before", &reference("ImageProvider", "default", false));
    owner.wait_reason("before", "Resolved");
    thief.image_ref("r", &reference("ImageProvider", "default", false));
    thief.wait_reason("r", "AuthenticationFailed");
    owner.image_ref("after", &reference("ImageProvider", "default", false));
    owner.wait_reason("after", "Resolved");
    assert_eq!(
        condition(&owner.get("imageprovider", "default"), "Ready")["status"],
        "True"
    );
}

#[test]
fn a_service_account_serves_only_the_provider_that_its_owner_names() {
    let Some(scene) = scene("annotated") else {
        return;
    };
    let team = scene.namespace.clone();
    register(&scene.cloud, &team, &team, "reader");
    allow_tokens(&scene);
    scene.apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: reader}}");
    scene.apply(&modelarts(
        &scene,
        "ImageProvider",
        "p",
        &workload("reader", &sts(&team)),
        "",
    ));
    let message = reason(&scene, "imageprovider", "p", "ServiceAccountNotAllowed");
    assert!(
        message.contains("imageref.dev/allow-provider=p"),
        "{message}"
    );
    scene.apply(&service_account("reader", "another"));
    touch(&scene, "imageprovider", "p");
    reason(&scene, "imageprovider", "p", "ServiceAccountNotAllowed");
    assert!(
        asked_as(&scene, "reader").is_empty(),
        "a token left the cluster"
    );
    scene.apply(&service_account("reader", "p"));
    touch(&scene, "imageprovider", "p");
    reason(&scene, "imageprovider", "p", "CredentialsIssued");
    scene.image_ref("r", &reference("ImageProvider", "p", false));
    scene.wait_reason("r", "Resolved");
    // Taken back, what was issued before serves nobody.
    scene.kubectl(&[
        "annotate",
        "serviceaccount",
        "reader",
        "imageref.dev/allow-provider-",
    ]);
    touch(&scene, "imageprovider", "p");
    reason(&scene, "imageprovider", "p", "ServiceAccountNotAllowed");
    scene.image_ref("late", &reference("ImageProvider", "p", false));
    let waiting = scene.wait_reason("late", "Progressing");
    assert!(waiting["status"]["image"].is_null());
}

#[test]
fn a_service_account_made_anew_under_its_name_inherits_nothing() {
    let Some(scene) = scene("anew") else { return };
    let team = scene.namespace.clone();
    register(&scene.cloud, &team, &team, "reader");
    allow_tokens(&scene);
    scene.apply(&service_account("reader", "p"));
    scene.apply(&modelarts(
        &scene,
        "ImageProvider",
        "p",
        &workload("reader", &sts(&team)),
        "",
    ));
    reason(&scene, "imageprovider", "p", "CredentialsIssued");
    let issued = scene.cloud.calls().of(Operation::AssumeWithOidc);
    scene.kubectl(&["delete", "serviceaccount", "reader"]);
    touch(&scene, "imageprovider", "p");
    reason(&scene, "imageprovider", "p", "ServiceAccountNotFound");
    scene.apply(&service_account("reader", "p"));
    touch(&scene, "imageprovider", "p");
    reason(&scene, "imageprovider", "p", "CredentialsIssued");
    assert!(
        scene.cloud.calls().of(Operation::AssumeWithOidc) > issued,
        "exchanged for the new one"
    );
}

#[test]
fn a_service_account_of_another_namespace_is_out_of_reach() {
    let (Some(owner), Some(other)) = (scene("sa-owner"), scene("sa-other")) else {
        return;
    };
    let team = owner.namespace.clone();
    register(&owner.cloud, &team, &team, "reader");
    allow_tokens(&owner);
    allow_tokens(&other);
    owner.apply(&service_account("reader", "p"));
    other.apply(&modelarts(
        &other,
        "ImageProvider",
        "p",
        &workload("reader", &sts(&team)),
        "",
    ));
    let message = reason(&other, "imageprovider", "p", "ServiceAccountNotFound");
    assert!(
        message.contains(&format!("{}/reader", other.namespace)),
        "{message}"
    );
    // A cluster provider reads the operator's namespace, whatever a tenant offers.
    let name = format!("cluster-{team}");
    let rest = "allowedNamespaces: {selector: {}},";
    owner.apply(&service_account(&name, &name));
    owner.apply(&modelarts(
        &owner,
        "ClusterImageProvider",
        &name,
        &workload(&name, &sts(&team)),
        rest,
    ));
    let message = reason(
        &owner,
        "clusterimageprovider",
        &name,
        "ServiceAccountNotFound",
    );
    assert!(message.contains(&format!("{SYSTEM}/{name}")), "{message}");
    assert!(asked_as(&owner, "reader").is_empty());
}

#[test]
fn a_namespaced_provider_cannot_be_the_operator() {
    let Some(scene) = scene("pretender") else {
        return;
    };
    for form in [
        "metadata: {}",
        "podIdentity: {}",
        "projectedToken: {exchange: {}}",
    ] {
        let auth = format!("{{operatorIdentity: {{{form}}}}}");
        let manifest = modelarts(&scene, "ImageProvider", "p", &auth, "");
        // Without kubectl's own check the API server drops the field, and nothing is left.
        for check in ["--validate=strict", "--validate=false"] {
            let args = ["apply", "-n", &scene.namespace, check, "-f", "-"];
            let output = scene
                .cluster
                .kubectl_output(&args, Some(&manifest))
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{form}");
            let named = said.contains("unknown field \"spec.auth.operatorIdentity\"");
            assert!(
                named || said.contains("operatorIdentity is for a ClusterImageProvider"),
                "{said}"
            );
        }
        // Beside a Secret it is dropped, and the Secret is what counts.
        let auth = format!("{{secretRef: {{name: none}}, operatorIdentity: {{{form}}}}}");
        let manifest = modelarts(&scene, "ImageProvider", "p", &auth, "");
        let args = [
            "apply",
            "-n",
            &scene.namespace,
            "--validate=false",
            "-f",
            "-",
        ];
        let output = scene
            .cluster
            .kubectl_output(&args, Some(&manifest))
            .unwrap();
        assert!(output.status.success());
        let message = reason(&scene, "imageprovider", "p", "SecretNotFound");
        assert!(
            message.contains(&format!("{}/none", scene.namespace)),
            "{message}"
        );
    }
}

/// Changes a provider in a way that changes nothing, so that its objects are read now.
fn touch(scene: &Scene, kind: &str, name: &str) {
    let generation = |o: &serde_json::Value| o["metadata"]["generation"].as_i64();
    let now = scene.get(kind, name);
    let seconds = 3600 + generation(&now).unwrap_or_default();
    let patch = format!(
        r#"{{"spec":{{"auth":{{"workloadIdentity":{{"exchange":{{"durationSeconds":{seconds}}}}}}}}}}}"#
    );
    scene.kubectl(&["patch", kind, name, "--type=merge", "-p", &patch]);
    scene.wait(kind, name, |o| {
        o["status"]["observedGeneration"].as_i64() == generation(o)
            && generation(o) > generation(&now)
    });
}

/// The requests to the cloud that held a token of this ServiceAccount of the scene's namespace.
fn asked_as(scene: &Scene, account: &str) -> Vec<fakecloud::SeenToken> {
    let subject = format!("system:serviceaccount:{}:{account}", scene.namespace);
    let mut seen = scene.cloud.seen_tokens();
    seen.retain(|seen| claims(&seen.token).contains(&subject));
    seen
}

fn claims(token: &str) -> String {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap_or_default();
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default()
}
