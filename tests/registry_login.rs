//! Logins for registries from providers' credentials, given by simulated clouds that check signatures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, their helpers too"
)]

mod days;
mod grants;
mod hosts;
mod refusals;
mod secrets;

use fakecloud::{AlibabaAccount, FakeCloud, HuaweiAccount, defaults};
use imageref::cloud::{Credential, DerivedSigning, Entropy};
use imageref::facts::{Failure, FailureKind};
use imageref::plan::target::Account;
use imageref::registry::login::{Granted, Issued, LoginEndpoints, Logins, Want};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Simulated clouds, and logins that are asked of them; one clock for both.
struct Bench {
    fake: FakeCloud,
    logins: Logins,
    ahead: Arc<AtomicI64>,
}

impl Bench {
    async fn new() -> Self {
        let fake = FakeCloud::start().await;
        fake.configure(|options| options.lock_after_failures = None);
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = ahead.clone();
        let entropy = Entropy {
            clock: Box::new(move || {
                Timestamp::now() + SignedDuration::from_secs(clock.load(Ordering::SeqCst))
            }),
            ..Entropy::default()
        };
        let endpoints = LoginEndpoints {
            swr_api: Some(fake.url()),
            acr_api: Some(fake.url()),
            ..LoginEndpoints::default()
        };
        endpoints.check(true).unwrap();
        let network = super::cloud::network(&fake.url());
        let derived = DerivedSigning::Never;
        let logins = Logins::with_entropy(network, endpoints, derived, entropy).unwrap();
        Self {
            fake,
            logins,
            ahead,
        }
    }

    fn pass(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
        self.fake
            .configure(|options| options.clock_offset_s += seconds);
    }

    async fn ask(&self, credential: &Credential) -> Result<Granted, Failure> {
        self.ask_for(credential, own_host(credential)).await
    }

    async fn ask_for(&self, credential: &Credential, host: &str) -> Result<Granted, Failure> {
        let account = account(credential);
        // As callers do: comes back while too many wait.
        loop {
            let want = want(&account, credential, host);
            if let Some(granted) = self.logins.of(want).await {
                return granted;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn login(&self, credential: &Credential) -> Arc<Issued> {
        match self.ask(credential).await {
            Ok(Granted::Login(issued)) => issued,
            other => panic!("{other:?}"),
        }
    }

    async fn kind(&self, credential: &Credential) -> FailureKind {
        self.ask(credential).await.unwrap_err().kind
    }

    /// Whether the registry that a credential is for takes a login now.
    fn is_good(&self, credential: &Credential, issued: &Issued) -> bool {
        let login = &issued.login;
        let password = login.password.expose_secret();
        self.fake
            .accepts_registry_login(own_host(credential), &login.username, password)
    }

    /// Temporary keys of Huawei Cloud that the clouds know.
    fn temporary(&self, key: &str) -> Credential {
        let (secret, token) = (format!("{key}-secret"), format!("{key}-security-token"));
        let account = HuaweiAccount {
            sk: secret.clone(),
            security_token: Some(token.clone()),
            project_id: defaults::PROJECT_ID.into(),
        };
        self.fake.add_huawei_account(key, account);
        Credential::HuaweiKeys {
            access_key: key.into(),
            secret_key: secret.into(),
            security_token: Some(token.into()),
        }
    }

    /// Temporary keys of Alibaba Cloud that the clouds know.
    fn sts(&self, key: &str) -> Credential {
        let (secret, token) = (format!("{key}-secret"), format!("{key}-security-token"));
        let account = AlibabaAccount {
            secret: secret.clone(),
            security_token: Some(token.clone()),
            account: defaults::ALIBABA_ACCOUNT.into(),
        };
        self.fake.add_alibaba_account(key, account);
        Credential::AlibabaKeys {
            access_key: key.into(),
            secret_key: secret.into(),
            security_token: Some(token.into()),
        }
    }

    /// One of each form that is exchanged.
    fn exchanged(&self) -> [Credential; 4] {
        [
            self.temporary("HSTFAKE0000000000001"),
            token(),
            super::cloud::alibaba(defaults::ALIBABA_SECRET),
            self.sts("STS.fake0000000001"),
        ]
    }
}

fn token() -> Credential {
    Credential::HuaweiToken(defaults::AUTH_TOKEN.into())
}

fn want<'a>(account: &'a Account, credential: &'a Credential, host: &'a str) -> Want<'a> {
    Want {
        account,
        credential,
        host,
        acr_instance: Some(defaults::ACR_INSTANCE),
    }
}

fn account(credential: &Credential) -> Account {
    let (endpoint, region) = ("https://unused.example".to_owned(), defaults::REGION.into());
    match credential {
        Credential::AlibabaKeys { .. } => Account::Pai {
            endpoint,
            region,
            workspace_id: None,
        },
        _ => Account::ModelArts {
            endpoint,
            region,
            project_id: defaults::PROJECT_ID.into(),
            workspace_id: "0".into(),
        },
    }
}

fn own_host(credential: &Credential) -> &'static str {
    match credential {
        Credential::AlibabaKeys { .. } => defaults::ACR_HOST,
        _ => defaults::SWR_HOST,
    }
}
