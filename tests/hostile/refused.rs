//! The table of what is refused: by the CRD in its words, and by the operator with the CRD out of
//! the way.

use crate::cloud::{alibaba, huawei, network, target};
use crate::manifests::rows::expand;
use fakecloud::{FakeCloud, defaults};
use imageref::api::{ClusterImageProvider, ImageProvider, ImageRefSpec, ProviderKind, validation};
use imageref::cloud::provider::Provider;
use imageref::cloud::{AllowedEndpoints, Clouds};
use imageref::facts::FailureKind;
use imageref::plan::target::{Account, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    provider: Option<Value>,
    secret: Option<String>,
    account: Option<String>,
    source: Option<Value>,
    schema: Option<String>,
    inside: String,
}

impl Row {
    fn provider_spec(&self) -> Option<Value> {
        let pai = json!({"pai": {"region": "cn-shanghai"}});
        let secret = |name: &str| json!({"secretRef": {"name": name}});
        let (mut spec, auth) = match (&self.provider, &self.secret, &self.account) {
            (Some(provider), None, None) => (expand(provider), secret("s")),
            (None, Some(name), None) => (pai, secret(name)),
            (None, None, Some(name)) => (pai, tokens_of(name)),
            _ => return None,
        };
        spec["auth"] = auth;
        Some(spec)
    }

    /// The object as each kind that it can be of.
    fn objects(&self) -> Vec<(&'static str, Value)> {
        let Some(spec) = self.provider_spec() else {
            let spec = json!({"source": expand(self.source.as_ref().unwrap())});
            return vec![("ImageRef", object("ImageRef", &spec))];
        };
        let mut wide = spec.clone();
        wide["allowedNamespaces"] = json!({"selector": {}});
        vec![
            ("ImageProvider", object("ImageProvider", &spec)),
            (
                "ClusterImageProvider",
                object("ClusterImageProvider", &wide),
            ),
        ]
    }
}

/// Signing in with tokens of a ServiceAccount.
fn tokens_of(name: &str) -> Value {
    let role = json!({
        "roleArn": "acs:ram::12:role/r",
        "oidcProviderArn": "acs:ram::12:oidc-provider/c",
    });
    let account = json!({"name": expand(&name.into())});
    json!({"workloadIdentity": {"serviceAccountRef": account, "exchange": {"alibabaRrsa": role}}})
}

/// An object of a kind around a spec.
pub(super) fn object(kind: &str, spec: &Value) -> Value {
    let metadata = json!({"name": "n", "namespace": "team"});
    json!({"apiVersion": "imageref.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = serde_saphyr::from_str(include_str!("refused.yaml")).unwrap();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert!(names.len() == rows.len() && rows.len() >= 80);
    rows
}

/// The account that a source is for.
fn account(source: &Value) -> Account {
    let query = if source.get("pai").is_some() {
        Query::PaiId(String::new())
    } else {
        Query::NotebookId(String::new())
    };
    target("https://nowhere.invalid", query).account
}

#[test]
fn the_crd_refuses_what_it_can_in_words_that_help() {
    for row in rows() {
        for (kind, mut object) in row.objects() {
            let found = validation::validate(kind, &mut object);
            let says: Vec<_> = found
                .iter()
                .map(|violation| format!("{}: {}", violation.path, violation.message))
                .collect();
            assert_eq!(
                says,
                Vec::from_iter(row.schema.clone()),
                "{} ({kind})",
                row.name
            );
        }
    }
}

#[test]
fn the_operator_refuses_all_of_it_without_the_crd() {
    let origins = [
        "https://modelarts.internal.example:8443",
        "http://127.0.0.1:9",
    ];
    let allowed = AllowedEndpoints::new(&origins, true).unwrap();
    for row in rows() {
        for (kind, object) in row.objects() {
            let refused = if kind == "ImageRef" {
                let spec: ImageRefSpec = serde_json::from_value(object["spec"].clone()).unwrap();
                Query::new(&spec.source, &account(&object["spec"]["source"])).map(drop)
            } else {
                let provider = read(kind, object);
                let sign_in = provider.sign_in("operator").map(drop);
                provider.check(&allowed).and(sign_in)
            };
            let message = refused.expect_err(&row.name);
            assert!(
                message.contains(&row.inside),
                "{} ({kind}): {message}",
                row.name
            );
            let short = message.chars().count() < 300;
            assert!(
                short && !message.chars().any(char::is_control),
                "{}",
                row.name
            );
        }
    }
}

pub(super) fn read(kind: &str, object: Value) -> Provider {
    if kind == ProviderKind::Namespaced.as_str() {
        let object: ImageProvider = serde_json::from_value(object).unwrap();
        Provider::Namespaced(Arc::new(object))
    } else {
        let object: ClusterImageProvider = serde_json::from_value(object).unwrap();
        Provider::Cluster(Arc::new(object))
    }
}

#[tokio::test]
async fn an_id_that_slips_through_both_is_refused_by_the_client_or_stays_one_segment() {
    let cloud = FakeCloud::start().await;
    let clouds = Clouds::new(network(&cloud.url())).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for row in rows() {
        let Some(source) = row.source.as_ref().map(expand) else {
            continue;
        };
        let ids = ["notebook", "liteServer", "pai"].map(|api| source[api]["id"].as_str());
        let Some(id) = ids.into_iter().flatten().next() else {
            continue;
        };
        let project = defaults::PROJECT_ID;
        for (query, path) in [
            (
                Query::NotebookId(id.into()),
                format!("/v1/{project}/images/{id}"),
            ),
            (
                Query::LiteServerId(id.into()),
                format!("/v1/{project}/dev-servers/images/{id}"),
            ),
            (Query::PaiId(id.into()), format!("/api/v1/images/{id}")),
        ] {
            let credential = match query {
                Query::PaiId(_) => alibaba(defaults::ALIBABA_SECRET),
                _ => huawei(defaults::HUAWEI_SK),
            };
            let before = cloud.log().len();
            let target = target(&cloud.url(), query);
            let failure = clouds
                .look(&target, &credential, None, super::PATIENCE)
                .await;
            let failure = failure.expect_err(id);
            let log = cloud.log().split_off(before);
            if failure.kind == FailureKind::InvalidSpec {
                assert!(log.is_empty(), "{}: {log:?}", row.name);
                refused += 1;
            } else {
                let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                assert!(
                    plain && log.len() == 1 && log[0].path == path,
                    "{}: {log:?}",
                    row.name
                );
                harmless += 1;
            }
        }
    }
    assert!(
        refused >= 45 && harmless <= 4,
        "{refused} refused, {harmless} harmless"
    );
}
