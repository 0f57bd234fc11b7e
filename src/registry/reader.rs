//! From an image and what its provider says of registries to digest and platforms.
//!
//! Owns the order: reference, logins, registry. Must not know Kubernetes, nor where a Secret was read.
//! The invariant that would break first: a login that a registry refuses costs one more try at most
//! for each other login that there is.

use super::login::{Granted, Logins, Want};
use super::{Access, Asking, DockerConfig, Read, Registries};
use crate::api::Registry;
use crate::cloud::Credential;
use crate::cloud::identity::Proof;
use crate::facts::{Content, Failure, FailureKind, Reference};
use crate::plan::Account;
use jiff::Timestamp;
use std::time::Duration;

/// Where a login comes from.
#[derive(Clone, Copy)]
pub enum LoginFrom<'a> {
    /// None is shown.
    Nowhere,
    /// A Secret that somebody wrote.
    Secret(&'a DockerConfig),
    /// The provider's own credential.
    Provider {
        /// The provider's account.
        account: &'a Account,
        /// What it signs in with.
        credential: &'a Credential,
        /// What answers are kept by: the proof that the credential was issued for.
        proof: Proof,
        /// The instance of Container Registry that the provider names.
        acr_instance: Option<&'a str>,
    },
}

impl<'a> LoginFrom<'a> {
    /// The provider's own credential, if that is what it says of registries; else none.
    pub fn provider(
        registry: Option<&'a Registry>,
        account: &'a Account,
        credential: &'a Credential,
        proof: Proof,
    ) -> Self {
        let auth = registry.and_then(|registry| registry.auth.as_ref());
        auth.and_then(|auth| auth.from_provider.as_ref())
            .map_or(Self::Nowhere, |from| Self::Provider {
                account,
                credential,
                proof,
                acr_instance: from.acr_instance_id.as_deref(),
            })
    }
}

/// What is asked about an image.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The image as its platform names it.
    pub image: &'a str,
    /// Where the login comes from.
    pub login: LoginFrom<'a>,
    /// See [`Asking`].
    pub public: bool,
    /// See [`Asking`].
    pub known: Option<&'a Content>,
    /// See [`Asking`].
    pub max_age: Duration,
    /// See [`Asking`].
    pub not_before: Option<Timestamp>,
}

impl Wanted<'_> {
    /// The failure of an asker who waits no longer than `timeout`.
    pub fn unanswered(&self, timeout: Duration) -> Failure {
        let message = format!(
            "the registry of {} has not answered within {} s",
            self.image,
            timeout.as_secs_f32()
        );
        Failure::new(FailureKind::Unreachable, message)
    }
}

/// Asks registries. One for the process.
#[derive(Debug)]
pub struct Reader {
    registries: Registries,
    logins: Logins,
}

/// A refusal of a login, as opposed to all other failures.
fn is_refusal(result: &Result<Read, Failure>) -> bool {
    matches!(result, Err(failure) if matches!(
        failure.kind,
        FailureKind::AuthenticationFailed | FailureKind::PermissionDenied | FailureKind::NotFound
    ))
}

impl Reader {
    /// Asks with these.
    pub const fn new(registries: Registries, logins: Logins) -> Self {
        Self { registries, logins }
    }

    /// Says what an image is. `None`: too many others wait for its registry, or for a login there, come
    /// back later.
    pub async fn read(&self, wanted: &Wanted<'_>) -> Option<Result<Read, Failure>> {
        let reference = match Reference::parse(wanted.image) {
            Ok(reference) => reference,
            Err(why) => {
                let message = format!("the platform names the image {why}");
                return Some(Err(Failure::new(FailureKind::InvalidSpec, message)));
            }
        };
        match wanted.login {
            LoginFrom::Nowhere => self.ask(wanted, &reference, &Access::anonymous()).await,
            LoginFrom::Secret(config) => self.by_secret(wanted, &reference, config).await,
            LoginFrom::Provider {
                account,
                credential,
                proof,
                acr_instance,
            } => {
                let want = Want {
                    account,
                    credential,
                    host: reference.host(),
                    acr_instance,
                };
                self.by_provider(wanted, &reference, want, proof).await
            }
        }
    }

    async fn by_secret(
        &self,
        wanted: &Wanted<'_>,
        reference: &Reference,
        config: &DockerConfig,
    ) -> Option<Result<Read, Failure>> {
        let logins = match config.logins(reference.host(), reference.repository()) {
            Ok(logins) => logins,
            Err(why) => return Some(Err(Failure::new(FailureKind::ProviderNotReady, why))),
        };
        if logins.is_empty() {
            let why = config.lacks(reference.host());
            return self.without(wanted, reference, &why).await;
        }
        let mut last = None;
        for login in logins {
            let read = self.ask(wanted, reference, &Access::with(login)).await?;
            if !is_refusal(&read) {
                return Some(read);
            }
            last = Some(read);
        }
        last
    }

    async fn by_provider(
        &self,
        wanted: &Wanted<'_>,
        reference: &Reference,
        want: Want<'_>,
        proof: Proof,
    ) -> Option<Result<Read, Failure>> {
        let mut again = false;
        loop {
            let issued = match self.logins.of(want).await? {
                Ok(Granted::Login(issued)) => issued,
                Ok(Granted::Without(why)) => return self.without(wanted, reference, &why).await,
                Err(failure) => return Some(Err(failure)),
            };
            let access = Access::issued(issued.login.clone(), proof);
            let read = self.ask(wanted, reference, &access).await?;
            let refused = matches!(
                &read,
                Err(failure) if failure.kind == FailureKind::AuthenticationFailed
            );
            if again || !refused || !self.logins.refused(want, &issued.proof) {
                return Some(read);
            }
            again = true;
        }
    }

    /// Asks without a login, and says `why` there is none if that is refused.
    async fn without(
        &self,
        wanted: &Wanted<'_>,
        reference: &Reference,
        why: &str,
    ) -> Option<Result<Read, Failure>> {
        let read = self.ask(wanted, reference, &Access::anonymous()).await?;
        Some(if is_refusal(&read) {
            read.map_err(|failure| Failure {
                message: format!("{}; {why}", failure.message),
                ..failure
            })
        } else {
            read
        })
    }

    async fn ask(
        &self,
        wanted: &Wanted<'_>,
        reference: &Reference,
        access: &Access,
    ) -> Option<Result<Read, Failure>> {
        let asking = Asking {
            reference,
            access,
            public: wanted.public,
            known: wanted.known,
            max_age: wanted.max_age,
            not_before: wanted.not_before,
        };
        Box::pin(self.registries.read(&asking)).await
    }

    /// Drops what nobody has asked for in a long time.
    pub fn forget_idle(&self) {
        self.registries.forget_idle();
    }
}
