//! No secret comes out: every input of the operator's process and of `imageref resolve` is planted,
//! clouds repeat what they are sent, and every output is searched.

use super::canaries::Canaries;
use super::operator::{self, Scene, condition};
use super::process::own_scene;
use super::sign_in;
use fakecloud::{
    Agency, AlibabaAccount, Fault, FaultKind, HuaweiAccount, IdentityProvider, Role, defaults,
};
use imageref::cloud::identity::{ALIBABA_AUDIENCE, HUAWEI_AUDIENCE};
use serde_json::{Value, json};
use std::process::Command;

const SECRET_KEY: &str = "canary+Secret/key==0001";
const SECURITY_TOKEN: &str = "canary+Security/token==0002-0123456789";
const AUTH_TOKEN: &str = "canary+Auth/token==0003-0123456789";
const PASSWORD: &str = "canary+Pass/word==0004";
const ALIBABA_SECRET: &str = "canary+Alibaba/secret==0005";
const ALIBABA_TOKEN: &str = "canary+Alibaba/token==0006-0123456789";
const PLANTED: [&str; 6] = [
    SECRET_KEY,
    SECURITY_TOKEN,
    AUTH_TOKEN,
    PASSWORD,
    ALIBABA_SECRET,
    ALIBABA_TOKEN,
];
const ACCESS_KEY: &str = "AKCANARY00000001";
const ALIBABA_KEY: &str = "LTAICANARY000001";
const SUBJECTS: [&str; 3] = ["sts", "id-token", "rrsa"];

/// Makes the cloud accept what is planted.
fn accept(scene: &Scene) {
    let cloud = &scene.cloud;
    cloud.configure(|options| options.lock_after_failures = None);
    let account = HuaweiAccount {
        sk: SECRET_KEY.into(),
        security_token: Some(SECURITY_TOKEN.into()),
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_huawei_account(ACCESS_KEY, account);
    let account = AlibabaAccount {
        secret: ALIBABA_SECRET.into(),
        security_token: Some(ALIBABA_TOKEN.into()),
        account: defaults::ALIBABA_ACCOUNT.into(),
    };
    cloud.add_alibaba_account(ALIBABA_KEY, account);
    cloud.add_token(AUTH_TOKEN, Some(defaults::PROJECT_ID));
    cloud.add_user(defaults::IAM_USER, PASSWORD);
    let provider = |urn: &str, audience: &str| IdentityProvider {
        urn: urn.into(),
        issuer: defaults::ID_TOKEN_ISSUER.into(),
        audiences: vec![audience.into()],
        subjects: SUBJECTS
            .map(|name| format!("system:serviceaccount:{}:{name}", scene.namespace))
            .to_vec(),
    };
    cloud.add_huawei_provider(
        "team",
        provider("iam::fake-domain-id:oidc-provider:team", HUAWEI_AUDIENCE),
    );
    let arn = "acs:ram::1000000000000001:oidc-provider/team";
    cloud.add_alibaba_provider(arn, provider(arn, ALIBABA_AUDIENCE));
    let agency = Agency {
        urn: "iam::fake-domain-id:agency:team".into(),
        trusted: vec!["team".into(), defaults::IAM_USER.into()],
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_agency("team", agency);
    let role = Role {
        trusted: vec![arn.into()],
        account: defaults::ALIBABA_ACCOUNT.into(),
    };
    cloud.add_role("acs:ram::1000000000000001:role/team", role);
}

/// Secrets and ServiceAccounts with what is planted.
fn proofs(namespace: &str) -> Vec<Value> {
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": data});
    let mut all = vec![
        secret(
            "keys",
            json!({"accessKeyId": ACCESS_KEY, "accessKeySecret": SECRET_KEY, "securityToken": SECURITY_TOKEN}),
        ),
        secret("token", json!({"authToken": AUTH_TOKEN})),
        secret(
            "user",
            json!({"domainName": defaults::IAM_DOMAIN, "userName": defaults::IAM_USER, "password": PASSWORD}),
        ),
        secret(
            "alibaba",
            json!({"accessKeyId": ALIBABA_KEY, "accessKeySecret": ALIBABA_SECRET, "securityToken": ALIBABA_TOKEN}),
        ),
        // Keys in the wrong place: what an error says of them must not repeat them.
        secret(
            "broken",
            json!({"accessKeyId": format!("AK {SECRET_KEY}"), "accessKeySecret": SECRET_KEY}),
        ),
        secret(
            "mixed",
            json!({"authToken": AUTH_TOKEN, "password": PASSWORD}),
        ),
    ];
    all.extend(SUBJECTS.map(|name| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace,
            "annotations": {"imageref.dev/allow-provider": name}}})
    }));
    all
}

/// Every form, each with a reference; those in files alone for `resolve`.
fn providers(scene: &Scene) -> Vec<Value> {
    let url = scene.cloud.url();
    let namespace = &scene.namespace;
    let modelarts = json!({"region": defaults::REGION, "endpoint": url});
    let pai = json!({"region": "cn-shanghai", "endpoint": url});
    let from = |secret: &str| json!({"secretRef": {"name": secret}});
    let workload = |name: &str, exchange: Value| json!({"workloadIdentity": {"serviceAccountRef": {"name": name}, "exchange": exchange}});
    let sts = json!({"huaweiSts": {"providerUrn": "iam::fake-domain-id:oidc-provider:team", "agencyUrn": "iam::fake-domain-id:agency:team"}});
    let rrsa = json!({"alibabaRrsa": {"roleArn": "acs:ram::1000000000000001:role/team", "oidcProviderArn": "acs:ram::1000000000000001:oidc-provider/team"}});
    let agency = json!({"secretRef": {"name": "user"}, "agency": {"domainName": defaults::IAM_DOMAIN, "name": "team"}});
    let own = |form: &str| json!({"operatorIdentity": {form: {}}});
    let rows = [
        ("ImageProvider", "keys", &modelarts, from("keys")),
        ("ImageProvider", "token", &modelarts, from("token")),
        ("ImageProvider", "user", &modelarts, from("user")),
        ("ImageProvider", "agency", &modelarts, agency),
        ("ImageProvider", "broken", &modelarts, from("broken")),
        ("ImageProvider", "mixed", &modelarts, from("mixed")),
        ("ImageProvider", "sts", &modelarts, workload("sts", sts)),
        (
            "ImageProvider",
            "id-token",
            &modelarts,
            workload(
                "id-token",
                json!({"huaweiIdToken": {"identityProviderId": "team"}}),
            ),
        ),
        ("ImageProvider", "alibaba", &pai, from("alibaba")),
        ("ImageProvider", "rrsa", &pai, workload("rrsa", rrsa)),
        (
            "ClusterImageProvider",
            "metadata",
            &modelarts,
            own("metadata"),
        ),
        (
            "ClusterImageProvider",
            "pod-identity",
            &modelarts,
            own("podIdentity"),
        ),
        ("ClusterImageProvider", "ecs", &pai, own("metadata")),
        ("ClusterImageProvider", "agent", &pai, own("credentialsUri")),
    ];
    let mut all = Vec::new();
    for (kind, name, platform, auth) in rows {
        let at_pai = *platform == pai;
        let mut metadata = json!({"name": name});
        let mut spec = json!({"auth": auth});
        spec[if at_pai { "pai" } else { "modelArts" }] = platform.clone();
        if kind == "ImageProvider" {
            metadata["namespace"] = namespace.as_str().into();
        } else {
            spec["allowedNamespaces"] = json!({"selector": {}});
        }
        all.push(json!({"apiVersion": "imageref.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}));
        let source = if at_pai {
            json!({"pai": {"id": defaults::SEED_PAI_ID}})
        } else {
            json!({"notebook": {"id": defaults::ASCEND_NOTEBOOK_ID}})
        };
        all.push(
            json!({"apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"providerRef": {"kind": kind, "name": name}, "source": source}}),
        );
    }
    all
}

fn documents(objects: &[Value]) -> String {
    let texts: Vec<_> = objects.iter().map(Value::to_string).collect();
    texts.join("\n---\n")
}

/// `imageref resolve -v` at level trace: both of its outputs.
fn resolve(scene: &Scene, manifests: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.yaml");
    std::fs::write(&file, manifests).unwrap();
    let url = scene.cloud.url();
    let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .args([
            "resolve",
            "-v",
            "--log",
            "trace",
            "--no-env",
            "--insecure-loopback",
            "--no-registries",
        ])
        .args([
            "--allow-endpoint",
            &url,
            "--huawei-iam-endpoint",
            &url,
            "-f",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(
        stdout.contains("READY") && stderr.contains("TRACE"),
        "{stderr}"
    );
    stdout + &stderr
}

/// Everything that was planted, issued or minted.
fn secrets(scene: &Scene) -> Vec<String> {
    let mut secrets: Vec<String> = PLANTED.map(Into::into).to_vec();
    secrets.extend(scene.cloud.seen_tokens().into_iter().map(|seen| seen.token));
    for account in scene.cloud.huawei_accounts().into_values() {
        secrets.push(account.sk);
        secrets.extend(account.security_token);
    }
    for account in scene.cloud.alibaba_accounts().into_values() {
        secrets.push(account.secret);
        secrets.extend(account.security_token);
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

#[test]
fn no_secret_token_or_signature_is_in_any_output_whatever_the_clouds_repeat() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    accept(&scene);
    let rights = include_str!("../deploy/rbac-workload-identity.yaml");
    let args = sign_in::arguments(&scene.cloud, scene.cluster.folder());
    let trace = vec![("IMAGEREF_LOG".to_owned(), "trace".to_owned())];
    scene.operator = Some(operator::start_with(scene.cluster, "operator", args, trace));
    scene
        .cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], rights)
        .unwrap();
    sign_in::allow_tokens(&scene);
    let (proofs, providers) = (proofs(&scene.namespace), providers(&scene));
    scene.apply(&documents(&proofs));
    scene.apply(&documents(&providers));
    let refs: Vec<_> = providers
        .iter()
        .filter(|o| o["kind"] == "ImageRef")
        .collect();
    let names: Vec<_> = refs
        .iter()
        .filter_map(|o| o["metadata"]["name"].as_str())
        .collect();
    let good = |name: &&&str| !["broken", "mixed"].contains(name);
    for name in names.iter().filter(good) {
        scene.wait_reason(name, "Resolved");
    }
    for name in ["broken", "mixed"] {
        scene.wait("imageprovider", name, |o| {
            condition(o, "Ready")["reason"] == "SecretInvalid"
        });
    }
    let files: Vec<_> = proofs
        .iter()
        .filter(|o| o["kind"] == "Secret")
        .chain(&providers)
        .cloned()
        .collect();
    let mut outputs = vec![("resolve", resolve(&scene, &documents(&files)))];

    // From now on every service repeats what it is asked with.
    for (round, status) in [401, 403, 400, 500].into_iter().enumerate() {
        let echo = FaultKind::Echo { status };
        scene.cloud.set_faults(vec![Fault::always(echo)]);
        let round = round.to_string();
        let mark = format!("imageref.dev/reconcile-requested-at={round}");
        scene.kubectl(&["annotate", "--overwrite", "imageref", "--all", &mark]);
        for name in names.iter().filter(good) {
            scene.wait("imageref", name, |o| {
                o["status"]["lastHandledReconcileAt"] == round
            });
        }
        outputs.push(("resolve", resolve(&scene, &documents(&files))));
    }

    for kind in [
        "imagerefs",
        "imageproviders",
        "clusterimageproviders",
        "events",
    ] {
        outputs.push((
            kind,
            scene
                .cluster
                .kubectl(&["get", kind, "-A", "-o", "yaml"])
                .unwrap(),
        ));
        outputs.push((
            kind,
            scene.cluster.kubectl(&["describe", kind, "-A"]).unwrap(),
        ));
    }
    let log = scene.operator_log();
    assert!(
        log.contains("TRACE") && log.contains("exchanged a proof"),
        "the log was heard"
    );
    outputs.push(("log", log));
    let secrets = secrets(&scene);
    let mut canaries = Canaries::default();
    for secret in &secrets {
        canaries.plant(secret);
    }
    canaries.plant("Signature=");
    canaries.plant("SDK-HMAC-SHA256 Access");
    assert!(secrets.len() > 20, "{}", secrets.len());
    for (what, text) in &outputs {
        assert!(text.len() > 100, "{what} is empty: {text}");
        canaries.check(text);
    }
}
