//! Issued credentials at the platforms: they work, and a platform's refusal renews them once.

use super::{Bench, identity, rrsa, sts};
use fakecloud::{Operation, defaults};
use imageref::api::ProviderKind;
use imageref::cloud::identity::{CacheOptions, CredentialCache, Identity, Source};
use imageref::cloud::{Clouds, Credential, DerivedSigning};
use imageref::facts::{Facts, Failure, FailureKind};
use imageref::plan::target::{Account, ProviderId, Query, Target};
use std::sync::Arc;
use std::time::Duration;

fn target(origin: &str, query: Query) -> Target {
    let account = match query {
        Query::PaiId(_) => Account::Pai {
            endpoint: origin.into(),
            region: "cn-shanghai".into(),
            workspace_id: None,
        },
        _ => Account::ModelArts {
            endpoint: origin.into(),
            region: defaults::REGION.into(),
            project_id: defaults::PROJECT_ID.into(),
            workspace_id: "0".into(),
        },
    };
    let provider = ProviderId {
        kind: ProviderKind::Cluster,
        namespace: None,
        name: "p".into(),
    };
    Target {
        provider,
        account,
        query,
    }
}

fn notebook() -> Query {
    Query::NotebookId(defaults::SEED_NOTEBOOK_ID.into())
}

async fn look(bench: &Bench, query: Query, credential: &Credential) -> Result<Facts, Failure> {
    let clouds = Clouds::new(crate::cloud::network(&bench.fake.url())).unwrap();
    let target = target(&bench.fake.url(), query);
    clouds
        .look(&target, credential, None, Duration::from_secs(20))
        .await
}

/// As a caller has to do it.
async fn look_with_renewal(
    bench: &Bench,
    cache: &CredentialCache,
    identity: &Arc<Identity>,
    query: Query,
) -> Result<Facts, Failure> {
    let credential = cache.credential(identity).await?;
    let looked = look(bench, query.clone(), &credential).await;
    match looked {
        Err(failure) if failure.kind == FailureKind::AuthenticationFailed => {
            if !cache.invalidate(identity, &credential.fingerprint()) {
                return Err(failure);
            }
            let credential = cache.credential(identity).await?;
            look(bench, query, &credential).await
        }
        looked => looked,
    }
}

#[tokio::test]
async fn what_every_form_brings_opens_its_platform() {
    let bench = Bench::new().await;
    for source in super::all(&bench) {
        let form = source.form();
        let query = if form.starts_with("alibaba") {
            Query::PaiId(defaults::SEED_PAI_ID.into())
        } else {
            notebook()
        };
        let issued = bench.exchange(source).await.unwrap();
        let facts = look(&bench, query, &issued.credential).await;
        assert!(facts.is_ok(), "{form}: {facts:?}");
    }
}

#[tokio::test]
async fn keys_that_ended_early_are_renewed_once_and_refusals_stand() {
    let bench = Bench::new().await;
    let cache = CredentialCache::new(bench.exchanger.clone(), CacheOptions::default());
    let (minted, _) = bench.minted();
    for (source, query, operation) in [
        (sts(minted.clone()), notebook(), Operation::AssumeWithOidc),
        (
            rrsa(defaults::ALIBABA_ROLE_ARN, minted),
            Query::PaiId(defaults::SEED_PAI_ID.into()),
            Operation::AssumeRoleWithOidc,
        ),
    ] {
        let identity = Arc::new(identity(source));
        let exchanges = || bench.fake.calls().of(operation);
        let expire = || async {
            let credential = cache.credential(&identity).await.unwrap();
            let (Credential::HuaweiKeys { access_key, .. }
            | Credential::AlibabaKeys { access_key, .. }) = &*credential
            else {
                panic!()
            };
            assert!(bench.fake.expire_key(access_key));
        };
        look_with_renewal(&bench, &cache, &identity, query.clone())
            .await
            .unwrap();
        expire().await;
        look_with_renewal(&bench, &cache, &identity, query.clone())
            .await
            .unwrap();
        assert_eq!(exchanges(), 2, "{operation:?}");
        expire().await;
        for _ in 0..5 {
            let failure = look_with_renewal(&bench, &cache, &identity, query.clone()).await;
            assert_eq!(failure.unwrap_err().kind, FailureKind::AuthenticationFailed);
        }
        assert_eq!(exchanges(), 2, "{operation:?}: the refusal stands");
    }
}

#[tokio::test]
async fn an_endpoint_that_asks_for_derived_keys_gets_them() {
    let bench = Bench::new().await;
    bench.fake.configure(|options| {
        options.v11_region = Some(defaults::REGION.into());
        options.v11_service = Some("modelarts".into());
    });
    let credential = super::huawei_keys();
    let target = target(&bench.fake.url(), notebook());
    for (derived, scheme) in [
        (DerivedSigning::Never, "SDK-HMAC-SHA256"),
        (DerivedSigning::OtherHosts, "V11-HMAC-SHA256"),
    ] {
        let clouds = Clouds::new(crate::cloud::network(&bench.fake.url()))
            .unwrap()
            .with_derived_signing(derived);
        clouds
            .look(&target, &credential, None, Duration::from_secs(20))
            .await
            .unwrap();
        assert_eq!(bench.fake.sightings(scheme).len(), 1, "{scheme}");
    }
    let wrong = Source::Static(Credential::HuaweiToken("t".into()));
    assert_eq!(identity(wrong).region().as_str(), defaults::REGION);
}
