//! What there is to know before a plan: the reference's provider, and whether it can be asked.
//!
//! Owns the reading of objects. Must not write anything, nor ask a platform about an image. The
//! invariant that would break first: every wait in here has a limit.

use super::held::stands_for;
use super::sign_ins::{NotSignedIn, SignedIn};
use super::{ApiError, Context, limited};
use crate::api::{ImageRef, ProviderKind};
use crate::cloud::identity::{Identity, Proof};
use crate::cloud::provider::{self, Provider};
use crate::facts::{Failure, FailureKind};
use crate::plan::{Account, Provided};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a provider to sign in.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(2);

/// A reference's provider, and who it is towards its platform.
pub(crate) struct Observed {
    pub(crate) provided: Provided,
    /// `None`: the platform is not to be asked.
    pub(crate) signed_in: Option<Result<SignedIn, Failure>>,
    pub(crate) version: Version,
}

/// Changes when a provider or its proof does, and when it can be used again: whoever was refused
/// meanwhile is to ask anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Stands for the provider and what it proves itself by, or for why it cannot be used.
    who: u64,
    /// How often its platform answered again after an outage or a refusal; `None` if it cannot be used.
    recoveries: Option<u32>,
}

impl Version {
    /// A provider that cannot be used, for this reason.
    pub(crate) fn unusable(reason: &'static str) -> Self {
        Self {
            who: stands_for(reason),
            recoveries: None,
        }
    }

    /// A provider that can be used. Told apart by what it says, `object`, and by its proof.
    pub(crate) fn usable(object: &impl Hash, proof: &Proof, recoveries: u32) -> Self {
        Self {
            who: stands_for(&(object, proof)),
            recoveries: Some(recoveries),
        }
    }

    /// Whether all that changed is that the platform answers again.
    pub(crate) fn only_recovered(self, now: Self) -> bool {
        self.who == now.who && self.recoveries.is_some() && now.recoveries.is_some()
    }

    /// A provider that answered again so often.
    #[cfg(test)]
    pub(crate) fn recovered(recoveries: u32) -> Self {
        Self {
            who: 0,
            recoveries: Some(recoveries),
        }
    }
}

impl Observed {
    fn unavailable(provided: Provided) -> Self {
        let version = match &provided {
            Provided::Unavailable { failure, .. } => failure.kind.as_str(),
            Provided::Target { .. } => "suspended",
        };
        Self {
            version: Version::unusable(version),
            provided,
            signed_in: None,
        }
    }
}

/// An object that cannot be read has come without its status, which is read by itself here: without
/// it, every plan would look like a change.
pub(crate) async fn with_stored_status(
    context: &Context,
    object: Arc<ImageRef>,
) -> Result<Arc<ImageRef>, ApiError> {
    if object.spec.unreadable.is_none() || object.status.is_some() {
        return Ok(object);
    }
    let namespace = object.namespace().unwrap_or_default();
    let kind = ApiResource::erase::<ImageRef>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &kind);
    let stored = limited("reading an ImageRef", api.get_opt(&object.name_any())).await?;
    let Some(mut stored) = stored.filter(|stored| stored.uid() == object.uid()) else {
        return Ok(object);
    };
    let status = stored.data.get_mut("status").map(serde_json::Value::take);
    let mut object = Arc::unwrap_or_clone(object);
    object.metadata.resource_version = stored.metadata.resource_version;
    object.status = status.and_then(|status| serde_json::from_value(status).ok());
    Ok(Arc::new(object))
}

/// Finds the provider of a reference, and signs it in. `None`: that takes too long, come back later.
pub(crate) async fn provider_of(context: &Context, object: &ImageRef) -> Option<Observed> {
    let namespace = object.namespace().unwrap_or_default();
    let found = provider::choose(object.spec.provider_ref.as_ref(), &namespace, |id| {
        context.find(id)
    });
    let chosen = match found {
        Ok(chosen) => chosen,
        Err(mut unavailable) => {
            explain_absence(context, &mut unavailable);
            return Some(Observed::unavailable(*unavailable));
        }
    };
    let not_ready = |message: String| {
        Observed::unavailable(Provided::Unavailable {
            provider: Some(chosen.id()),
            failure: Failure::new(FailureKind::ProviderNotReady, message),
        })
    };
    let labels = if chosen.needs_labels(&namespace) {
        match context.namespaces.labels(&namespace).await {
            Ok(labels) => labels,
            Err(error) => return Some(not_ready(error.to_string())),
        }
    } else {
        Arc::new(BTreeMap::new())
    };
    let allowed = &context.config.allowed;
    let provide = |project| {
        let for_tenants = &context.config.for_tenants;
        chosen.provide(
            &object.spec,
            &namespace,
            &labels,
            project,
            allowed,
            for_tenants,
        )
    };
    let may_ask = !chosen.suspended() && chosen.serves(&namespace, &labels);
    if !may_ask || chosen.check(allowed).is_err() {
        // Nothing is sent for it, not even a proof.
        let project = chosen.known_project();
        let provided = provide(project);
        return Some(Observed::unavailable(provided));
    }
    // What issues credentials may be slow, and goes on without us: no worker waits for it long.
    let signing_in = context.sign_ins.of(&chosen);
    let signed_in = tokio::time::timeout(SIGN_IN_LIMIT, signing_in).await.ok()?;
    let signed_in = signed_in.map_err(|NotSignedIn { failure, .. }| Failure {
        message: format!("{}: {}", chosen.id(), failure.message),
        ..failure
    });
    let project = match &signed_in {
        Ok(SignedIn { project, .. }) => project.as_deref(),
        Err(failure) if chosen.needs_project() && chosen.known_project().is_none() => {
            return Some(Observed::unavailable(Provided::Unavailable {
                provider: Some(chosen.id()),
                failure: failure.clone(),
            }));
        }
        Err(_) => chosen.known_project(),
    };
    let provided = provide(project);
    let Provided::Target { target, .. } = &provided else {
        return Some(Observed::unavailable(provided));
    };
    let version = match &signed_in {
        Ok(SignedIn { identity, .. }) => version(context, &chosen, identity, &target.account).await,
        Err(failure) => Version::unusable(failure.kind.as_str()),
    };
    Some(Observed {
        provided,
        signed_in: Some(signed_in),
        version,
    })
}

/// Says why a ClusterImageProvider that may well exist is not there for this operator.
fn explain_absence(context: &Context, unavailable: &mut Provided) {
    let Provided::Unavailable { provider, failure } = unavailable else {
        return;
    };
    let namespaced = provider
        .as_ref()
        .is_some_and(|id| id.kind == ProviderKind::Namespaced);
    let missing = failure.kind == FailureKind::ProviderNotFound;
    if missing && !namespaced && !context.config.cluster_providers {
        failure
            .message
            .push_str("; this operator runs with --namespaces and serves no ClusterImageProviders");
    }
}

/// The version of a provider that can be used.
pub(super) async fn version(
    context: &Context,
    provider: &Provider,
    identity: &Identity,
    account: &Account,
) -> Version {
    let proof = identity.proof();
    let recoveries = context.gates.of(proof, account).recoveries();
    let pull_secret = context.pull_secrets.of(provider).await;
    let object = (provider.version(), pull_secret.map(|secret| secret.version));
    Version::usable(&object, &proof, recoveries)
}
