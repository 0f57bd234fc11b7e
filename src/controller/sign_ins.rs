//! Signing in: from a provider to the credential that its platform is asked with.
//!
//! Owns the order: proof, credential, project. Must not know the forms of proof. The invariant that
//! would break first: what a provider signs in with comes from its own proof, whoever asks.

use super::proofs::{NoProof, Proofs};
use super::tokens::Unanswered;
use crate::api::Reason;
use crate::cloud::Credential;
use crate::cloud::identity::{
    CacheOptions, CredentialCache, Exchanger, Identity, ProjectIds, Refusals,
};
use crate::cloud::provider::Provider;
use crate::cloud::sign_in::OperatorIdentities;
use crate::facts::{Failure, FailureKind};
use kube::Client;
use std::sync::Arc;

/// Who a provider is towards its platform.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) identity: Arc<Identity>,
    pub(crate) credential: Arc<Credential>,
    /// The project that was looked up, for a provider that names none.
    pub(crate) project: Option<Arc<str>>,
}

/// Why a provider cannot sign in.
#[derive(Clone, Debug)]
pub(crate) struct NotSignedIn {
    /// The reason of the provider's Ready; `None` if nothing is known of it.
    pub(crate) reason: Option<Reason>,
    /// What it is for the provider's references.
    pub(crate) failure: Failure,
}

impl From<NoProof> for NotSignedIn {
    fn from(error: NoProof) -> Self {
        Self {
            reason: error.reason(),
            failure: error.failure(),
        }
    }
}

impl From<Failure> for NotSignedIn {
    fn from(failure: Failure) -> Self {
        Self {
            reason: Some(reason(&failure)),
            failure: for_references(failure),
        }
    }
}

/// The reason of a provider's Ready for a failure of its platform, or of the service that issues its
/// keys.
pub(super) fn reason(failure: &Failure) -> Reason {
    match failure.kind {
        FailureKind::AuthenticationFailed => Reason::AuthenticationFailed,
        FailureKind::PermissionDenied => Reason::PermissionDenied,
        FailureKind::Unreachable => Reason::ProviderUnreachable,
        FailureKind::ResponseInvalid => Reason::ResponseInvalid,
        FailureKind::ProviderNotReady => Reason::IdentityUnavailable,
        FailureKind::Throttled => Reason::RateLimited,
        _ => Reason::ProviderError,
    }
}

/// What an exchange's failure is for references: an identity service knows nothing of their images or
/// specs.
fn for_references(failure: Failure) -> Failure {
    let kind = match failure.kind {
        FailureKind::Unreachable
        | FailureKind::ProviderError
        | FailureKind::ResponseInvalid
        | FailureKind::Throttled
        | FailureKind::AuthenticationFailed
        | FailureKind::PermissionDenied => failure.kind,
        _ => FailureKind::ProviderNotReady,
    };
    Failure { kind, ..failure }
}

/// Proofs, issued credentials and projects of all providers.
pub(crate) struct SignIns {
    proofs: Proofs,
    credentials: CredentialCache,
    projects: ProjectIds,
    refusals: Arc<Refusals>,
    unanswered: Unanswered,
}

impl SignIns {
    pub(crate) fn new(
        client: Client,
        operator_namespace: &str,
        own: OperatorIdentities,
        exchanger: Arc<Exchanger>,
        options: CacheOptions,
    ) -> Self {
        let unanswered = Unanswered::default();
        Self {
            proofs: Proofs::new(client, operator_namespace, own, unanswered.clone()),
            unanswered,
            projects: ProjectIds::new(exchanger.clone(), options.refusals.clone()),
            refusals: options.refusals.clone(),
            credentials: CredentialCache::new(exchanger, options),
        }
    }

    /// What is known of users and keys that were refused.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Signs a provider in with its objects as last read.
    pub(crate) async fn of(&self, provider: &Provider) -> Result<SignedIn, NotSignedIn> {
        self.with(provider, self.proofs.of(provider).await?).await
    }

    /// Signs a provider in with its objects read anew.
    pub(crate) async fn anew(&self, provider: &Provider) -> Result<SignedIn, NotSignedIn> {
        self.with(provider, self.proofs.anew(provider).await?).await
    }

    async fn with(
        &self,
        provider: &Provider,
        identity: Arc<Identity>,
    ) -> Result<SignedIn, NotSignedIn> {
        let signing_in = self.exchanged(provider, &identity).await;
        let (credential, project) = signing_in.map_err(|failure| {
            let unanswered = self.unanswered.is_of(&identity);
            match NotSignedIn::from(failure) {
                // The API server's trouble, not the provider's.
                known if unanswered && known.reason == Some(Reason::IdentityUnavailable) => {
                    NotSignedIn {
                        reason: None,
                        ..known
                    }
                }
                known => known,
            }
        })?;
        Ok(SignedIn {
            identity,
            credential,
            project,
        })
    }

    async fn exchanged(
        &self,
        provider: &Provider,
        identity: &Arc<Identity>,
    ) -> Result<(Arc<Credential>, Option<Arc<str>>), Failure> {
        if provider.needs_project() {
            let signed_in = self.projects.signed_in(&self.credentials, identity).await?;
            return Ok((signed_in.0, Some(signed_in.1)));
        }
        Ok((self.credentials.credential(identity).await?, None))
    }

    /// Another credential of the same identity, after the platform refused this one. `None`: there is
    /// none to be had, and the refusal stands.
    pub(crate) async fn renewed(
        &self,
        identity: &Arc<Identity>,
        refused: &[u8; 32],
    ) -> Option<Result<Arc<Credential>, Failure>> {
        if self.credentials.invalidate(identity, refused) {
            let renewed = self.credentials.credential(identity).await;
            Some(renewed.map_err(for_references))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
