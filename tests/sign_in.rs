//! Signing in through the operator's own process: every form of credential, end to end.
//!
//! Owns one more control plane, with an operator that is told where simulated IAM, STS and metadata
//! services are; the shared one knows none. The invariant that would break first: each test has
//! identity providers, agencies and roles of its own in the cloud that all of them share.

mod forms;
mod hanging;
mod rights;
mod rotation;
mod strangers;
mod unreadable;

use super::on_cluster;
use super::operator::{self, Scene};
use cluster::{Cluster, Server};
use fakecloud::{Agency, FakeCloud, IdToken, IdentityProvider, Role, defaults};
use imageref::cloud::identity::{ALIBABA_AUDIENCE, HUAWEI_AUDIENCE};
use std::path::Path;
use std::sync::{Arc, OnceLock};

const SYSTEM: &str = "imageref-system";

struct Bench {
    cluster: &'static Cluster,
    cloud: Arc<FakeCloud>,
    operator: Server,
}

fn bench() -> Option<&'static Bench> {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    if !cluster::require() {
        return None;
    }
    Some(BENCH.get_or_init(|| {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start().unwrap()));
        on_cluster::apply_crds(cluster);
        let cloud = operator::runtime().block_on(FakeCloud::start());
        // Many refusals are meant; a locked key would refuse the tests beside.
        cloud.configure(|options| options.lock_after_failures = None);
        let args = arguments(&cloud, cluster.folder());
        let operator = operator::start_with(cluster, "operator-sign-in", args, Vec::new());
        let rights = include_str!("../deploy/rbac-workload-identity.yaml");
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], rights)
            .unwrap();
        Bench {
            cluster,
            cloud: Arc::new(cloud),
            operator,
        }
    }))
}

/// The flags of an operator for which everything is at this cloud.
pub(crate) fn arguments(cloud: &FakeCloud, folder: &Path) -> Vec<String> {
    let url = cloud.url();
    let options = cloud.options();
    let file = |audience: &str| {
        let path = folder.join(format!("{audience}.token"));
        std::fs::write(&path, IdToken::new(audience, cloud.now()).text()).unwrap();
        path.display().to_string()
    };
    let pairs = [
        ("--allow-endpoint", url.clone()),
        ("--huawei-iam-endpoint", url.clone()),
        ("--huawei-sts-endpoint", url.clone()),
        ("--huawei-metadata-endpoint", url.clone()),
        ("--alibaba-sts-endpoint", url.clone()),
        ("--alibaba-metadata-endpoint", url.clone()),
        (
            "--huawei-pod-identity-uri",
            format!("{url}{}", options.pod_identity_path),
        ),
        (
            "--huawei-pod-identity-token-file",
            file(defaults::POD_IDENTITY_AUDIENCE),
        ),
        (
            "--alibaba-credentials-uri",
            format!("{url}{}", options.credentials_uri_path),
        ),
        ("--huawei-token-file", file(HUAWEI_AUDIENCE)),
        ("--alibaba-token-file", file(ALIBABA_AUDIENCE)),
    ];
    let mut args = vec!["--insecure-loopback".to_owned()];
    args.extend(
        pairs
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value]),
    );
    args
}

fn scene(prefix: &str) -> Option<Scene> {
    let bench = bench()?;
    Some(Scene {
        cluster: bench.cluster,
        cloud: bench.cloud.clone(),
        namespace: on_cluster::namespace_in(bench.cluster, prefix),
        operator: None,
        shared: Some(&bench.operator),
    })
}

/// What a team registers at both clouds: identity providers that trust one ServiceAccount, and an
/// agency and a role that trust them. Everything is named after the team.
pub(crate) fn register(cloud: &FakeCloud, team: &str, namespace: &str, account: &str) {
    let subject = format!("system:serviceaccount:{namespace}:{account}");
    let provider = |urn: String, audience: &str| IdentityProvider {
        urn,
        issuer: defaults::ID_TOKEN_ISSUER.into(),
        audiences: vec![audience.into()],
        subjects: vec![subject.clone()],
    };
    cloud.add_huawei_provider(team, provider(provider_urn(team), HUAWEI_AUDIENCE));
    let agency = Agency {
        urn: agency_urn(team),
        trusted: vec![team.into()],
        project_id: defaults::PROJECT_ID.into(),
    };
    cloud.add_agency(team, agency);
    let arn = provider_arn(team);
    cloud.add_alibaba_provider(&arn, provider(arn.clone(), ALIBABA_AUDIENCE));
    let role = Role {
        trusted: vec![arn],
        account: defaults::ALIBABA_ACCOUNT.into(),
    };
    cloud.add_role(&role_arn(team), role);
}

fn provider_urn(team: &str) -> String {
    format!("iam::{}:oidc-provider:{team}", defaults::IAM_DOMAIN_ID)
}

fn agency_urn(team: &str) -> String {
    format!("iam::{}:agency:{team}", defaults::IAM_DOMAIN_ID)
}

fn provider_arn(team: &str) -> String {
    format!(
        "acs:ram::{}:oidc-provider/{team}",
        defaults::ALIBABA_ACCOUNT
    )
}

fn role_arn(team: &str) -> String {
    format!("acs:ram::{}:role/{team}", defaults::ALIBABA_ACCOUNT)
}

/// `exchange` of a provider at STS of Huawei Cloud, for a team's agency.
pub(crate) fn sts(team: &str) -> String {
    format!(
        "{{huaweiSts: {{providerUrn: \"{}\", agencyUrn: \"{}\"}}}}",
        provider_urn(team),
        agency_urn(team)
    )
}

/// `exchange` of a provider at STS of Alibaba Cloud, for a team's role.
fn rrsa(team: &str) -> String {
    format!(
        "{{alibabaRrsa: {{roleArn: \"{}\", oidcProviderArn: \"{}\"}}}}",
        role_arn(team),
        provider_arn(team)
    )
}

/// `auth` by tokens of a ServiceAccount.
pub(crate) fn workload(account: &str, exchange: &str) -> String {
    format!(
        "{{workloadIdentity: {{serviceAccountRef: {{name: {account}}}, exchange: {exchange}}}}}"
    )
}

pub(crate) fn service_account(name: &str, provider: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, annotations: {{imageref.dev/allow-provider: {provider}}}}}}}"
    )
}

/// A provider of the fake ModelArts; `rest` is in YAML flow form.
fn modelarts(scene: &Scene, kind: &str, name: &str, auth: &str, rest: &str) -> String {
    let url = scene.cloud.url();
    format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{rest} modelArts: {{region: {}, projectId: {}, endpoint: \"{url}\"}}, auth: {auth}}}}}",
        defaults::REGION,
        defaults::PROJECT_ID
    )
}

/// A provider of the fake PAI.
fn pai(scene: &Scene, kind: &str, name: &str, auth: &str, rest: &str) -> String {
    let url = scene.cloud.url();
    format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{rest} pai: {{region: cn-shanghai, endpoint: \"{url}\"}}, auth: {auth}}}}}"
    )
}

/// The spec of a reference to an image that every credential of the fake cloud may read.
fn reference(kind: &str, provider: &str, pai: bool) -> String {
    let source = if pai {
        format!("pai: {{id: {}}}", defaults::SEED_PAI_ID)
    } else {
        format!("notebook: {{id: {}}}", defaults::ASCEND_NOTEBOOK_ID)
    };
    format!("providerRef: {{kind: {kind}, name: {provider}}}, source: {{{source}}}")
}

/// Lets the operator make tokens of the ServiceAccounts of the scene's namespace.
pub(crate) fn allow_tokens(scene: &Scene) {
    scene.kubectl(&[
        "create",
        "rolebinding",
        "imageref-workload-identity",
        "--clusterrole=imageref-workload-identity",
        "--serviceaccount=imageref-system:imageref",
    ]);
}
