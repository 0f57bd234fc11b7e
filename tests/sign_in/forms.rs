//! Each form of credential resolves an image, and its provider says where its credentials are from.

use super::super::operator::condition;
use super::*;
use fakecloud::{Operation, Place};

const ANYBODY: &str = "allowedNamespaces: {selector: {}},";

/// A Secret with these keys.
fn secret(name: &str, keys: &[(&str, &str)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, value)| format!("{key}: \"{value}\""))
        .collect();
    format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, stringData: {{{}}}}}",
        keys.join(", ")
    )
}

#[test]
fn every_form_of_a_namespaced_provider_resolves_an_image() {
    let Some(scene) = scene("forms") else { return };
    let team = scene.namespace.clone();
    register(&scene.cloud, &team, &team, "reader");
    allow_tokens(&scene);
    let user = [
        ("domainName", defaults::IAM_DOMAIN),
        ("userName", defaults::IAM_USER),
        ("password", defaults::IAM_PASSWORD),
    ];
    let huawei = [
        ("accessKeyId", defaults::HUAWEI_AK),
        ("accessKeySecret", defaults::HUAWEI_SK),
    ];
    let alibaba = [
        ("accessKeyId", defaults::ALIBABA_AK),
        ("accessKeySecret", defaults::ALIBABA_SECRET),
    ];
    scene.apply(&secret("keys", &huawei));
    scene.apply(&secret("token", &[("authToken", defaults::AUTH_TOKEN)]));
    scene.apply(&secret("user", &user));
    scene.apply(&secret("alibaba", &alibaba));
    let agency = |secret: &str| {
        format!(
            "{{secretRef: {{name: {secret}}}, agency: {{domainName: {}, name: {}}}}}",
            defaults::IAM_DOMAIN,
            defaults::AGENCY
        )
    };
    let from = |secret: &str| format!("{{secretRef: {{name: {secret}}}}}");
    let id_token = format!("{{huaweiIdToken: {{identityProviderId: \"{team}\"}}}}");
    let rows = [
        ("keys", false, from("keys"), "CredentialsRead"),
        ("token", false, from("token"), "CredentialsRead"),
        ("password", false, from("user"), "CredentialsRead"),
        ("agency-keys", false, agency("keys"), "CredentialsIssued"),
        ("agency-user", false, agency("user"), "CredentialsIssued"),
        (
            "sts",
            false,
            workload("sts", &sts(&team)),
            "CredentialsIssued",
        ),
        (
            "id-token",
            false,
            workload("id-token", &id_token),
            "CredentialsIssued",
        ),
        ("alibaba", true, from("alibaba"), "CredentialsRead"),
        (
            "rrsa",
            true,
            workload("rrsa", &rrsa(&team)),
            "CredentialsIssued",
        ),
    ];
    // One ServiceAccount a provider: its annotation names one.
    for (name, ..) in &rows[5..] {
        scene.apply(&service_account(name, name));
    }
    let subjects =
        ["sts", "id-token", "rrsa"].map(|name| format!("system:serviceaccount:{team}:{name}"));
    for audience in [HUAWEI_AUDIENCE, ALIBABA_AUDIENCE] {
        let huawei = audience == HUAWEI_AUDIENCE;
        let urn = if huawei {
            provider_urn(&team)
        } else {
            provider_arn(&team)
        };
        let provider = IdentityProvider {
            urn: urn.clone(),
            issuer: defaults::ID_TOKEN_ISSUER.into(),
            audiences: vec![audience.into()],
            subjects: subjects.to_vec(),
        };
        if huawei {
            scene.cloud.add_huawei_provider(&team, provider);
        } else {
            scene.cloud.add_alibaba_provider(&urn, provider);
        }
    }
    for (name, at_pai, auth, _) in &rows {
        let manifest = if *at_pai { pai } else { modelarts };
        scene.apply(&manifest(&scene, "ImageProvider", name, auth, ""));
        scene.image_ref(name, &reference("ImageProvider", name, *at_pai));
    }
    for (name, _, _, reason) in &rows {
        let resolved = scene.wait_reason(name, "Resolved");
        assert!(resolved["status"]["image"].is_string(), "{name}");
        let provider = scene.wait("imageprovider", name, |o| {
            condition(o, "Ready")["status"] == "True"
        });
        assert_eq!(condition(&provider, "Ready")["reason"], *reason, "{name}");
    }
    // Tokens of ServiceAccounts travel in bodies, never in a URL.
    let places = scene.cloud.seen_tokens();
    assert!(places.iter().all(|seen| seen.place != Place::Query));
}

#[test]
fn every_identity_of_the_operators_own_serves_cluster_providers() {
    let Some(scene) = scene("own") else { return };
    // The default agency and role trust the default identity providers; the projected tokens have
    // the product's audiences.
    let provider = |urn: &str, audience: &str| IdentityProvider {
        urn: urn.into(),
        issuer: defaults::ID_TOKEN_ISSUER.into(),
        audiences: vec![audience.into()],
        subjects: vec![defaults::ID_TOKEN_SUBJECT.into()],
    };
    scene.cloud.add_huawei_provider(
        defaults::OIDC_PROVIDER,
        provider(defaults::OIDC_PROVIDER_URN, HUAWEI_AUDIENCE),
    );
    let own = |form: &str| format!("{{operatorIdentity: {{{form}}}}}");
    let projected_sts = format!(
        "projectedToken: {{exchange: {{huaweiSts: {{providerUrn: \"{}\", agencyUrn: \"{}\"}}}}}}",
        defaults::OIDC_PROVIDER_URN,
        defaults::AGENCY_URN
    );
    let projected_rrsa = format!(
        "projectedToken: {{exchange: {{alibabaRrsa: {{roleArn: \"{}\", oidcProviderArn: \"{}\"}}}}}}",
        defaults::ALIBABA_ROLE_ARN,
        defaults::ALIBABA_OIDC_PROVIDER_ARN
    );
    let rows = [
        ("huawei-metadata", false, own("metadata: {}")),
        ("pod-identity", false, own("podIdentity: {}")),
        ("projected-sts", false, own(&projected_sts)),
        ("alibaba-metadata", true, own("metadata: {}")),
        ("credentials-uri", true, own("credentialsUri: {}")),
        ("projected-rrsa", true, own(&projected_rrsa)),
    ];
    for (name, at_pai, auth) in &rows {
        let manifest = if *at_pai { pai } else { modelarts };
        scene.apply(&manifest(
            &scene,
            "ClusterImageProvider",
            name,
            auth,
            ANYBODY,
        ));
        scene.image_ref(name, &reference("ClusterImageProvider", name, *at_pai));
    }
    for (name, ..) in &rows {
        scene.wait_reason(name, "Resolved");
        let provider = scene.get("clusterimageprovider", name);
        assert_eq!(
            condition(&provider, "Ready")["reason"],
            "CredentialsIssued",
            "{name}"
        );
    }
}

#[test]
fn a_project_that_is_left_out_is_looked_up_once_and_shown() {
    let Some(scene) = scene("project") else {
        return;
    };
    scene.apply(&secret(
        "keys",
        &[
            ("accessKeyId", defaults::HUAWEI_AK),
            ("accessKeySecret", defaults::HUAWEI_SK),
        ],
    ));
    let url = scene.cloud.url();
    let before = scene.cloud.calls().of(Operation::IamProjects);
    scene.apply(&format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: default}},
          spec: {{modelArts: {{region: {}, endpoint: \"{url}\"}}, auth: {{secretRef: {{name: keys}}}}}}}}",
        defaults::REGION
    ));
    for name in ["one", "two"] {
        scene.image_ref(name, &reference("ImageProvider", "default", false));
        scene.wait_reason(name, "Resolved");
    }
    let provider = scene.wait("imageprovider", "default", |o| {
        o["status"]["projectId"].is_string()
    });
    assert_eq!(provider["status"]["projectId"], defaults::PROJECT_ID);
    assert_eq!(scene.cloud.calls().of(Operation::IamProjects), before + 1);
    // Suspended, it keeps its project, and its references their answers.
    scene.kubectl(&[
        "patch",
        "imageprovider",
        "default",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":true}}"#,
    ]);
    let suspended = scene.wait("imageprovider", "default", |o| {
        condition(o, "Ready")["reason"] == "Suspended"
    });
    assert_eq!(suspended["status"]["projectId"], defaults::PROJECT_ID);
    let kept = scene.wait_reason("one", "Suspended");
    assert!(kept["status"]["image"].is_string());
    // Named in the spec, it is no longer something that was found.
    let spec = format!(
        r#"{{"spec":{{"modelArts":{{"projectId":"{}"}}}}}}"#,
        defaults::PROJECT_ID
    );
    scene.kubectl(&[
        "patch",
        "imageprovider",
        "default",
        "--type=merge",
        "-p",
        &spec,
    ]);
    scene.wait("imageprovider", "default", |o| {
        o["status"]["observedGeneration"] == o["metadata"]["generation"]
            && o["status"]["projectId"].is_null()
    });
}
