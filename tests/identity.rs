//! Proofs of identity and what the simulated clouds give for them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, their helpers too"
)]

mod days;
mod exchanges;
mod metadata;
mod projects;
pub(crate) mod secrets;
mod with_platforms;

use fakecloud::{FakeCloud, IdToken, IdentityProvider, defaults};
use futures::future::BoxFuture;
use imageref::cloud::Credential;
use imageref::cloud::identity::{
    ALIBABA_AUDIENCE, AgencyUser, Exchanger, HUAWEI_AUDIENCE, Identity, IdentityEndpoints, Issued,
    Mint, NearUri, Region, Source, TokenSource,
};
use imageref::facts::{Failure, FailureKind};
use secrecy::SecretString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Simulated clouds, and an exchanger that asks them.
struct Bench {
    fake: FakeCloud,
    exchanger: Arc<Exchanger>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut IdentityEndpoints)) -> Self {
        let fake = FakeCloud::start().await;
        let provider = |urn: &str, audience: &str| IdentityProvider {
            urn: urn.into(),
            issuer: defaults::ID_TOKEN_ISSUER.into(),
            audiences: vec![audience.into()],
            subjects: vec![defaults::ID_TOKEN_SUBJECT.into()],
        };
        let own = provider(defaults::OIDC_PROVIDER_URN, HUAWEI_AUDIENCE);
        fake.add_huawei_provider(defaults::OIDC_PROVIDER, own);
        fake.configure(|options| options.lock_after_failures = None);
        let mut endpoints = endpoints(&fake.url());
        change(&mut endpoints);
        endpoints.check(true).unwrap();
        let exchanger =
            Arc::new(Exchanger::new(super::cloud::network(&fake.url()), endpoints).unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self {
            fake,
            exchanger,
            folder,
        }
    }

    async fn exchange(&self, source: Source) -> Result<Issued, Failure> {
        self.exchanger.exchange(&identity(source)).await
    }

    async fn kind(&self, source: Source) -> FailureKind {
        self.exchange(source).await.unwrap_err().kind
    }

    fn uri(&self, path: &str) -> NearUri {
        NearUri::new(&format!("{}{path}", self.fake.url())).unwrap()
    }

    /// A projected file with a token for an audience.
    fn file(&self, audience: &str) -> PathBuf {
        self.file_with(&IdToken::new(audience, self.fake.now()).text())
    }

    fn file_with(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("token");
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path
    }

    fn minted(&self) -> (TokenSource, Arc<Minting>) {
        let minting = Arc::new(Minting {
            token: IdToken::new("", self.fake.now()),
            asked: Mutex::default(),
        });
        let account_uid = "uid-1".to_owned();
        let source = TokenSource::Minted {
            account_uid,
            mint: minting.clone(),
        };
        (source, minting)
    }
}

/// The API server's token requests.
struct Minting {
    token: IdToken,
    asked: Mutex<Vec<String>>,
}

impl Mint for Minting {
    fn mint(&self, audience: &'static str) -> BoxFuture<'_, Result<SecretString, Failure>> {
        self.asked.lock().unwrap().push(audience.to_owned());
        let token = IdToken {
            audiences: vec![audience.to_owned()],
            ..self.token.clone()
        };
        Box::pin(async move { Ok(token.text().into()) })
    }
}

fn endpoints(origin: &str) -> IdentityEndpoints {
    let origin = Some(origin.to_owned());
    IdentityEndpoints {
        huawei_iam: origin.clone(),
        huawei_sts: origin.clone(),
        huawei_metadata: origin.clone(),
        alibaba_sts: origin.clone(),
        alibaba_metadata: origin,
        ..IdentityEndpoints::default()
    }
}

fn identity(source: Source) -> Identity {
    Identity::new(source, Region::new(defaults::REGION).unwrap()).unwrap()
}

fn huawei_keys() -> Credential {
    Credential::HuaweiKeys {
        access_key: defaults::HUAWEI_AK.into(),
        secret_key: defaults::HUAWEI_SK.into(),
        security_token: None,
    }
}

fn password(password: &str, project: Option<&str>) -> Source {
    Source::HuaweiPassword {
        domain: defaults::IAM_DOMAIN.into(),
        user: defaults::IAM_USER.into(),
        password: password.into(),
        project: project.map(Into::into),
    }
}

fn user(password: &str) -> AgencyUser {
    AgencyUser::Password {
        domain: defaults::IAM_DOMAIN.into(),
        user: defaults::IAM_USER.into(),
        password: password.into(),
    }
}

fn agency(user: AgencyUser, agency: &str) -> Source {
    Source::HuaweiAgency {
        user,
        domain: defaults::IAM_DOMAIN.into(),
        agency: agency.into(),
        duration_s: 3600,
    }
}

fn sts(token: TokenSource) -> Source {
    Source::HuaweiStsOidc {
        provider_urn: defaults::OIDC_PROVIDER_URN.into(),
        agency_urn: defaults::AGENCY_URN.into(),
        session_name: "imageref".into(),
        duration_s: 3600,
        token,
    }
}

fn id_token(token: TokenSource) -> Source {
    Source::HuaweiIdToken {
        idp_id: defaults::OIDC_PROVIDER.into(),
        duration_s: 21_600,
        token,
    }
}

fn rrsa(role: &str, token: TokenSource) -> Source {
    Source::AlibabaOidc {
        role_arn: role.into(),
        oidc_provider_arn: defaults::ALIBABA_OIDC_PROVIDER_ARN.into(),
        session_name: "imageref".into(),
        duration_s: 3600,
        token,
    }
}

/// Every form that is exchanged, with the proof the clouds accept.
fn all(bench: &Bench) -> Vec<Source> {
    let (minted, _) = bench.minted();
    let file = bench.file(defaults::POD_IDENTITY_AUDIENCE);
    vec![
        password(defaults::IAM_PASSWORD, Some(defaults::PROJECT_ID)),
        agency(user(defaults::IAM_PASSWORD), defaults::AGENCY),
        agency(AgencyUser::Keys(huawei_keys()), defaults::AGENCY),
        sts(minted.clone()),
        id_token(minted.clone()),
        Source::HuaweiMetadata,
        Source::HuaweiPodIdentity {
            uri: bench.uri("/pod-identity/credentials"),
            token_file: file,
        },
        rrsa(defaults::ALIBABA_ROLE_ARN, minted),
        Source::AlibabaMetadata { role: None },
        Source::AlibabaCredentialsUri {
            uri: bench.uri("/credentials-uri"),
        },
    ]
}

/// The audiences that a provider asks for.
const AUDIENCES: [&str; 2] = [HUAWEI_AUDIENCE, ALIBABA_AUDIENCE];
