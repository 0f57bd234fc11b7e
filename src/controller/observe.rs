//! What there is to know before a plan: the reference's provider, and what its platform says.
//!
//! Owns the reading side of a reconcile. Must not write anything. The invariant that would break
//! first: every wait in here has a limit.

use super::sign_ins::{NotSignedIn, SignedIn};
use super::{ApiError, Context, limited};
use crate::api::{ImageRef, ProviderKind};
use crate::cloud::identity::{Identity, Proof};
use crate::cloud::provider::{self, Provider};
use crate::facts::{Failure, FailureKind};
use crate::plan::{Account, Look, Provided, ProviderId, Target};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a place among the calls of a provider.
const PLACE_LIMIT: Duration = Duration::from_secs(30);

/// A reference's provider, and who it is towards its platform.
pub(crate) struct Observed {
    pub(crate) provided: Provided,
    /// `None`: the platform is not to be asked.
    pub(crate) signed_in: Option<Result<SignedIn, Failure>>,
    pub(crate) version: Version,
}

/// Changes when a provider or its proof does, and when it can be used again: whoever was refused
/// meanwhile is to ask anew.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Version {
    /// It cannot be used, for this reason.
    Unusable(&'static str),
    /// It can.
    Usable {
        /// UID and generation of the provider.
        object: (Option<String>, Option<i64>),
        /// What it proves itself by.
        proof: Proof,
        /// How often its platform answered again after an outage or a refusal.
        recoveries: u32,
    },
}

impl Observed {
    fn unavailable(provided: Provided) -> Self {
        let version = match &provided {
            Provided::Unavailable { failure, .. } => failure.kind.as_str(),
            Provided::Target { .. } => "suspended",
        };
        Self {
            version: Version::Unusable(version),
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

/// Finds the provider of a reference, and signs it in.
pub(crate) async fn provider_of(context: &Context, object: &ImageRef) -> Observed {
    let namespace = object.namespace().unwrap_or_default();
    let found = provider::choose(&object.spec, &namespace, |id| context.find(id));
    let chosen = match found {
        Ok(chosen) => chosen,
        Err(mut unavailable) => {
            explain_absence(context, &mut unavailable);
            return Observed::unavailable(*unavailable);
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
            Err(error) => return not_ready(error.to_string()),
        }
    } else {
        Arc::new(BTreeMap::new())
    };
    let allowed = &context.config.allowed;
    let may_ask = !chosen.suspended() && chosen.serves(&namespace, &labels);
    if !may_ask || chosen.check(allowed).is_err() {
        // Nothing is sent for it, not even a proof.
        let project = chosen.known_project();
        let provided = chosen.provide(&object.spec, &namespace, &labels, project, allowed);
        return Observed::unavailable(provided);
    }
    let signed_in = context.sign_ins.of(&chosen).await;
    let signed_in = signed_in.map_err(|NotSignedIn { failure, .. }| Failure {
        message: format!("{}: {}", chosen.id(), failure.message),
        ..failure
    });
    let project = match &signed_in {
        Ok(SignedIn { project, .. }) => project.as_deref(),
        Err(failure) if chosen.needs_project() && chosen.known_project().is_none() => {
            return Observed::unavailable(Provided::Unavailable {
                provider: Some(chosen.id()),
                failure: failure.clone(),
            });
        }
        Err(_) => chosen.known_project(),
    };
    let provided = chosen.provide(&object.spec, &namespace, &labels, project, allowed);
    let Provided::Target { target, .. } = &provided else {
        return Observed::unavailable(provided);
    };
    let version = match &signed_in {
        Ok(SignedIn { identity, .. }) => version(context, &chosen, identity, &target.account),
        Err(failure) => Version::Unusable(failure.kind.as_str()),
    };
    Observed {
        provided,
        signed_in: Some(signed_in),
        version,
    }
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
pub(super) fn version(
    context: &Context,
    provider: &Provider,
    identity: &Identity,
    account: &Account,
) -> Version {
    let proof = identity.proof();
    Version::Usable {
        object: provider.version(),
        proof,
        recoveries: context.gates.of(proof, account).recoveries(),
    }
}

/// Asks the platform. `None`: too many others are waiting for it.
pub(crate) async fn look(
    context: &Context,
    object: &ImageRef,
    target: &Target,
    signed_in: &SignedIn,
) -> Option<Look> {
    let status = object.status.as_ref();
    // A name stays bound to its image only while it is the same question.
    let bound = status
        .filter(|s| s.resolved_for.as_ref() == Some(&target.resolved_for(&object.spec.source)))
        .and_then(|s| s.image_id.as_deref());
    let timeout = object.spec.timeout();
    let gate = context
        .gates
        .of(signed_in.identity.proof(), &target.account);
    let now = Timestamp::now;
    let before = (gate.health(), gate.pause(now()).is_some());
    let mut credential = signed_in.credential.clone();
    let mut renewed = false;
    let result = loop {
        let fingerprint = credential.fingerprint();
        let call = || context.clouds.look(target, &credential, bound, timeout);
        let passed = gate.pass(&fingerprint, now, call);
        let passed = tokio::time::timeout(PLACE_LIMIT + timeout, passed).await;
        match passed.ok()?? {
            Err(failure) if failure.kind == FailureKind::AuthenticationFailed && !renewed => {
                renewed = true;
                let identity = &signed_in.identity;
                match context.sign_ins.renewed(identity, &fingerprint).await {
                    None => break Err(failure),
                    Some(Err(unissued)) => break Err(unissued),
                    Some(Ok(another)) => credential = another,
                }
            }
            result => break result,
        }
    };
    if before != (gate.health(), gate.pause(now()).is_some()) {
        context.health_changed(&target.provider);
    }
    if let Err(failure) = &result {
        tracing::debug!(kind = failure.kind.as_str(), request_id = failure.request_id, %failure, "the look failed");
    }
    Some(match (result, bound) {
        (Ok(facts), _) => {
            context.absences.settled(&target.provider, &facts.image_id);
            Look::Found(facts)
        }
        (Err(failure), Some(image)) if failure.kind == FailureKind::NotFound => Look::Failed(
            suspect(context, target, image, object.spec.interval(), failure),
        ),
        (Err(failure), _) => Look::Failed(failure),
    })
}

/// A missing image, or one of too many at once.
fn suspect(
    context: &Context,
    target: &Target,
    image: &str,
    interval: Duration,
    failure: Failure,
) -> Failure {
    let known = known_images(&context.refs.state(), &target.provider);
    if !known.contains(image) {
        // Its absence was confirmed before.
        context.absences.settled(&target.provider, image);
        return failure;
    }
    let missing = context.absences.missing(
        &target.provider,
        image,
        known.len(),
        interval,
        Timestamp::now(),
    );
    if missing {
        let message = format!(
            "{} says that many of its {} images vanished together, which is more likely a fault: {}",
            target.provider,
            known.len(),
            failure.message
        );
        return Failure {
            kind: FailureKind::MassDisappearance,
            message,
            ..failure
        };
    }
    failure
}

/// The images that a provider is known to have. A status names its provider without the namespace,
/// which is the reference's own.
fn known_images(refs: &[Arc<ImageRef>], provider: &ProviderId) -> BTreeSet<String> {
    let shown = provider.to_ref();
    let own = provider.namespace.as_ref();
    let gone = crate::facts::ImageStatus::Deleted.as_str();
    refs.iter()
        .filter(|object| own.is_none() || object.metadata.namespace.as_ref() == own)
        .filter_map(|object| object.status.as_ref())
        .filter(|s| s.provider.as_ref() == Some(&shown) && s.status.as_deref() != Some(gone))
        .filter_map(|s| s.image_id.clone())
        .collect()
}

/// When to come back to a provider that is busy: 1 to 3 seconds, spread by the object.
pub(crate) fn busy(object: &ImageRef) -> Duration {
    let digest = Sha256::digest(object.uid().unwrap_or_default());
    Duration::from_millis(1000 + u64::from(u16::from_be_bytes([digest[0], digest[1]])) % 2000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ImageRefStatus, ProviderKind};

    #[test]
    fn the_images_of_a_provider_of_the_same_name_elsewhere_do_not_count() {
        let provider = |namespace: &str| ProviderId {
            kind: ProviderKind::Namespaced,
            namespace: Some(namespace.into()),
            name: "default".into(),
        };
        let object = |namespace: &str, id: &str| {
            let mut object = ImageRef::new(id, crate::api::ImageRefSpec::default());
            object.metadata.namespace = Some(namespace.into());
            object.status = Some(ImageRefStatus {
                provider: Some(provider(namespace).to_ref()),
                image_id: Some(id.into()),
                ..ImageRefStatus::default()
            });
            Arc::new(object)
        };
        let refs = [object("a", "1"), object("b", "2"), object("b", "3")];
        let known = known_images(&refs, &provider("a"));
        assert_eq!(known.into_iter().collect::<Vec<_>>(), ["1"]);
    }
}
