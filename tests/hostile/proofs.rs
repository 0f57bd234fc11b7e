//! Texts in a proof of identity: refused by the CRD in its words, refused by the operator with the
//! CRD out of the way, or one value that the cloud may refuse.
//!
//! Owns what is proved of `proofs.yaml`. Must not know what the clouds answer.

use super::refused::{object, read};
use crate::cloud::network;
use crate::manifests::rows::expand;
use fakecloud::{FakeCloud, IdToken, LoggedRequest};
use imageref::api::{ProviderKind, validation};
use imageref::cloud::Cloud;
use imageref::cloud::identity::{
    ALIBABA_AUDIENCE, Exchanger, HUAWEI_AUDIENCE, Identity, IdentityEndpoints, NearUri, Region,
    TokenSource,
};
use imageref::cloud::provider::Provider;
use imageref::cloud::sign_in::{OperatorIdentities, SignIn, of_secret, of_token};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    kind: Option<String>,
    #[serde(default)]
    pai: bool,
    auth: Value,
    #[serde(default)]
    schema: Vec<String>,
    inside: Option<String>,
    text: Option<String>,
}

impl Row {
    fn objects(&self) -> Vec<(&'static str, Value)> {
        let mut spec = if self.pai {
            json!({"pai": {"region": "cn-shanghai"}})
        } else {
            json!({"modelArts": {"region": "cn-north-4", "projectId": "p"}})
        };
        spec["auth"] = expand(&self.auth);
        let mut wide = spec.clone();
        wide["allowedNamespaces"] = json!({"selector": {}});
        let both = [
            (ProviderKind::Namespaced.as_str(), spec),
            (ProviderKind::Cluster.as_str(), wide),
        ];
        both.into_iter()
            .filter(|(kind, _)| self.kind.as_deref().is_none_or(|only| only == *kind))
            .map(|(kind, spec)| (kind, object(kind, &spec)))
            .collect()
    }
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = serde_saphyr::from_str(include_str!("proofs.yaml")).unwrap();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert!(names.len() == rows.len() && rows.len() >= 55);
    rows
}

/// What the controller does between an object and its proof.
fn identity(provider: &Provider, token: &Path) -> Result<Identity, String> {
    let (cloud, region) = provider.cloud()?;
    let token = TokenSource::Projected(token.to_owned());
    let source = match provider.sign_in("operator")? {
        SignIn::Secret { agency, .. } => {
            let keys = ["accessKeyId", "accessKeySecret"].map(|key| (key.into(), b"key".to_vec()));
            of_secret(cloud, &BTreeMap::from(keys), agency, provider.project())?
        }
        SignIn::ServiceAccount { exchange, .. } => {
            of_token(cloud, exchange, &provider.id(), token)?
        }
        SignIn::Operator(wanted) => own().source(cloud, wanted, &provider.id())?,
    };
    Identity::new(source, Region::new(region)?)
}

/// An operator that has everything that it can have.
fn own() -> OperatorIdentities {
    let near = || NearUri::new("http://127.0.0.1:1/").unwrap();
    OperatorIdentities {
        pod_identity: Some((near(), "/nonexistent".into())),
        credentials_uri: Some(near()),
        huawei_token_file: Some("/nonexistent".into()),
        alibaba_token_file: Some("/nonexistent".into()),
    }
}

#[test]
fn the_crd_refuses_what_it_can_in_words_that_help() {
    for row in rows() {
        for (kind, mut object) in row.objects() {
            let found = validation::validate(kind, &mut object);
            let says: BTreeSet<_> = found
                .iter()
                .map(|violation| format!("{}: {}", violation.path, violation.message))
                .collect();
            let expected = row.schema.iter().cloned().collect();
            // Each kind names the ways that it has.
            let own_words = |says: BTreeSet<String>| -> BTreeSet<_> {
                let one = |text: &String| text.contains("auth: set exactly one of");
                says.into_iter().filter(|text| !one(text)).collect()
            };
            assert_eq!(says.len(), row.schema.len(), "{} ({kind})", row.name);
            assert_eq!(
                own_words(says),
                own_words(expected),
                "{} ({kind})",
                row.name
            );
        }
    }
}

#[test]
fn the_operator_refuses_what_would_leave_its_place_without_the_crd() {
    let mut refused = 0;
    for row in rows() {
        let Some(inside) = &row.inside else { continue };
        for (kind, object) in row.objects() {
            let message = identity(&read(kind, object), Path::new("/nonexistent"));
            let message = message.map(drop).expect_err(&row.name);
            assert!(message.contains(inside), "{} ({kind}): {message}", row.name);
            let short = message.chars().count() < 300;
            assert!(
                short && !message.chars().any(char::is_control),
                "{}: {message}",
                row.name
            );
            refused += 1;
        }
    }
    assert!(refused >= 50, "{refused}");
}

/// Where proofs go, whatever is in them.
const PATHS: [&str; 4] = [
    "/v3.0/OS-CREDENTIAL/securitytokens",
    "/v3.0/OS-AUTH/id-token/tokens",
    "/v5/agencies/assume-with-oidc",
    "/",
];

#[tokio::test]
async fn what_slips_through_both_is_one_value_of_one_request() {
    let cloud = FakeCloud::start().await;
    let origin = Some(cloud.url());
    let endpoints = IdentityEndpoints {
        huawei_iam: origin.clone(),
        huawei_sts: origin.clone(),
        alibaba_sts: origin,
        ..IdentityEndpoints::default()
    };
    let exchanger = Exchanger::new(network(&cloud.url()), endpoints).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut sent = 0;
    for row in rows() {
        if row.inside.is_some() {
            continue;
        }
        for (kind, object) in row.objects() {
            let provider = read(kind, object);
            let audience = match provider.cloud().unwrap().0 {
                Cloud::Huawei => HUAWEI_AUDIENCE,
                Cloud::Alibaba => ALIBABA_AUDIENCE,
            };
            std::fs::write(&file, IdToken::new(audience, cloud.now()).text()).unwrap();
            let identity = identity(&provider, file.path()).unwrap();
            let before = cloud.log().len();
            let failure = exchanger.exchange(&identity).await.expect_err(&row.name);
            let log: Vec<LoggedRequest> = cloud.log().split_off(before);
            let [request] = log.as_slice() else {
                panic!("{}: {failure}, {log:?}", row.name);
            };
            assert!(
                PATHS.contains(&request.path.as_str()) && request.query.is_empty(),
                "{}: {request:?}",
                row.name
            );
            if let Some(text) = &row.text {
                let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let seen = [text, &encoded].map(|text| cloud.sightings(text).len());
                assert!(seen != [0, 0], "{}", row.name);
                assert!(!failure.message.contains(text), "{failure}");
            }
            sent += 1;
        }
    }
    assert!(sent >= 20, "{sent}");
}
