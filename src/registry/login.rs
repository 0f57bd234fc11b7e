//! What a registry is shown: logins made from a provider's credential, and those of Secrets.
//!
//! Owns the way from a credential and an image's host to a [`Login`]. Must not know Kubernetes, nor
//! how a registry is asked. The invariant that would break first: **a login goes to no host but the
//! one it was issued for**, and what was issued for one credential is served for that one alone.
//!
//! | credential | registry | login |
//! |---|---|---|
//! | permanent keys of Huawei Cloud | SWR of the provider's region | the formula of [`long_term_login`]; nothing is asked |
//! | temporary keys or a token of Huawei Cloud | the same | SWR's `CreateSecret` |
//! | keys of Alibaba Cloud, permanent or temporary | an enterprise instance of Container Registry | `ListInstanceEndpoint`, then `GetAuthorizationToken` |
//! | any | any other | none; [`Granted::Without`] says why |

mod acr;
mod cache;
pub mod docker_config;
#[doc(hidden)]
pub(super) mod fuzzing;
mod ground;
mod key;
mod swr;

pub use docker_config::DockerConfig;
pub use ground::LoginEndpoints;

use super::swr_login::{Login, long_term_login};
use crate::cloud::management::Management;
use crate::cloud::{Credential, DerivedSigning, Entropy, Network};
use crate::facts::{Failure, FailureKind};
use crate::plan::target::Account;
use cache::{Cache, Subject};
use ground::Ground;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a login is wanted for.
#[derive(Clone, Copy)]
pub struct Want<'a> {
    /// The provider's account: its region decides which registries are its own.
    pub account: &'a Account,
    /// What the provider signs in with.
    pub credential: &'a Credential,
    /// The image's host, with its port.
    pub host: &'a str,
    /// The instance of Container Registry that the provider names.
    pub acr_instance: Option<&'a str>,
}

/// What was issued. Printing it shows no part of it.
pub struct Issued {
    /// The login.
    pub login: Login,
    /// What stands for the whole login in caches; see [`proof`].
    pub proof: [u8; 32],
    /// When it ends by the other side's clock; `None` if it does not say, or never does.
    pub expires_at: Option<Timestamp>,
}

impl Issued {
    fn new(login: Login, expires_at: Option<Timestamp>) -> Self {
        let proof = proof(&login);
        Self {
            login,
            proof,
            expires_at,
        }
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issued(until {:?})", self.expires_at)
    }
}

/// SHA-256 over name and password: what a registry gave for one login is for nobody who lacks it. Not
/// to be printed: a weak password could be guessed from it.
pub fn proof(login: &Login) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [login.username.as_str(), login.password.expose_secret()] {
        // The length in front: "ab" + "c" and "a" + "bc" are different logins.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The answer to a [`Want`].
#[derive(Clone, Debug)]
pub enum Granted {
    /// The login for the host.
    Login(Arc<Issued>),
    /// The provider's identity gives none for this host: one sentence that says why and what to write
    /// instead. What is public there can be read without.
    Without(String),
}

/// What was brought, and how long it is good.
struct Brought {
    granted: Granted,
    life: Duration,
}

/// Logins from providers' credentials. One for the process.
pub struct Logins {
    issuer: Arc<Issuer>,
    cache: Cache,
}

/// Whoever asks the management APIs.
struct Issuer {
    management: Management,
    endpoints: LoginEndpoints,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logins({} held)", self.cache.len())
    }
}

impl Logins {
    /// Asks the management APIs over `network`; `endpoints` are the operator's and were checked.
    ///
    /// # Errors
    /// One sentence: the network's certificates cannot be read, or the system has none.
    pub fn new(
        network: Network,
        endpoints: LoginEndpoints,
        derived: DerivedSigning,
    ) -> Result<Self, String> {
        Self::with_entropy(network, endpoints, derived, Entropy::default())
    }

    /// As [`Logins::new`], with a clock and nonces of the caller's.
    ///
    /// # Errors
    /// As [`Logins::new`].
    pub fn with_entropy(
        network: Network,
        endpoints: LoginEndpoints,
        derived: DerivedSigning,
        entropy: Entropy,
    ) -> Result<Self, String> {
        let management = Management::new(network, endpoints.origins(), entropy, derived)?;
        Ok(Self {
            issuer: Arc::new(Issuer {
                management,
                endpoints,
            }),
            cache: Cache::default(),
        })
    }

    /// The login for a host: what is held while it is good, else what the management API gives. `None`:
    /// too many others wait for it, come back later.
    ///
    /// # Errors
    /// The class of what went wrong; the message is fit for users of the cluster. After a failure the
    /// same is said until `retry_after` is over.
    pub async fn of(&self, want: Want<'_>) -> Option<Result<Granted, Failure>> {
        let ground = self.ground(&want);
        match (&ground, want.credential) {
            (Ground::Nobody(why), _) => return Some(Ok(Granted::Without(why.clone()))),
            (
                Ground::Swr { region, .. },
                Credential::HuaweiKeys {
                    access_key,
                    secret_key,
                    security_token: None,
                },
            ) => {
                let login = long_term_login(region, access_key, secret_key);
                return Some(Ok(Granted::Login(Issued::new(login, None).into())));
            }
            (Ground::Swr { .. }, Credential::HuaweiKeys { .. } | Credential::HuaweiToken(_))
            | (Ground::Acr { .. }, Credential::AlibabaKeys { .. }) => {}
            _ => {
                return Some(Err(Failure::new(
                    FailureKind::ProviderNotReady,
                    "the provider's credentials are of another cloud",
                )));
            }
        }
        let subject: Subject = (want.credential.fingerprint(), ground.clone());
        let clocked = self.issuer.clone();
        let clock = move || clocked.management.now();
        let issue = || {
            let (issuer, credential) = (self.issuer.clone(), want.credential.clone());
            async move { issuer.issue(&ground, &credential).await }
        };
        Box::pin(self.cache.get(subject, clock, issue)).await
    }

    /// A registry refused the login of this proof. `true`: ask [`Logins::of`] once more and try again.
    /// `false`: the refusal stands, since the login never changes or was issued just now.
    pub fn refused(&self, want: Want<'_>, proof: &[u8; 32]) -> bool {
        let permanent = matches!(
            want.credential,
            Credential::HuaweiKeys {
                security_token: None,
                ..
            }
        );
        let subject = (want.credential.fingerprint(), self.ground(&want));
        !permanent
            && self
                .cache
                .refuse(&subject, proof, self.issuer.management.now())
    }

    fn ground(&self, want: &Want<'_>) -> Ground {
        Ground::of(
            want.account,
            want.host,
            want.acr_instance,
            &self.issuer.endpoints,
        )
    }
}

impl Issuer {
    async fn issue(&self, ground: &Ground, credential: &Credential) -> Result<Brought, Failure> {
        let (management, own) = (&self.management, &self.endpoints);
        let (registry, brought) = match ground {
            Ground::Swr {
                region,
                project_id,
                host,
            } => {
                let origin = own.swr_api(region);
                let issued = swr::issue(management, &origin, credential, region, project_id, host);
                ("swr", Box::pin(issued).await)
            }
            Ground::Acr {
                region,
                instance,
                host,
            } => {
                let origin = own.acr_api(region);
                let issued = acr::issue(management, &origin, credential, instance, host);
                ("acr", Box::pin(issued).await)
            }
            Ground::Nobody(why) => {
                let failure = Failure::new(FailureKind::InvalidSpec, why.clone());
                ("none", Err(failure))
            }
        };
        let outcome = match &brought {
            Ok(Brought {
                granted: Granted::Login(_),
                ..
            }) => "issued",
            Ok(_) => "not_its_own",
            Err(failure) => failure.kind.as_str(),
        };
        tracing::debug!(registry, outcome, "asked for a registry's login");
        brought
    }
}
