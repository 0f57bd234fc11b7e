//! What there is to know before a plan: the reference's provider, and what its platform says.
//!
//! Owns the reading side of a reconcile. Must not write anything. The invariant that would break
//! first: every wait in here has a limit.

use super::Context;
use crate::api::ImageRef;
use crate::cloud::Credential;
use crate::cloud::provider::{self, Provider};
use crate::facts::{Failure, FailureKind};
use crate::plan::{Look, Provided, Target};
use jiff::Timestamp;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a place among the calls of a provider.
const PLACE_LIMIT: Duration = Duration::from_secs(30);

/// A reference's provider.
pub(crate) struct Observed {
    pub(crate) provided: Provided,
    pub(crate) credential: Option<Arc<Credential>>,
    /// Changes when the provider or its credential does.
    pub(crate) version: String,
}

impl Observed {
    fn unavailable(provided: Provided) -> Self {
        let version = match &provided {
            Provided::Unavailable { failure, .. } => failure.kind.as_str(),
            Provided::Target { .. } => "suspended",
        };
        Self {
            version: version.into(),
            provided,
            credential: None,
        }
    }
}

/// Finds the provider of a reference, and the credential to ask it with.
pub(crate) async fn provider_of(context: &Context, object: &ImageRef) -> Observed {
    let namespace = object.namespace().unwrap_or_default();
    let found = provider::choose(&object.spec, &namespace, |id| context.find(id));
    let provider = match found {
        Ok(provider) => provider,
        Err(unavailable) => return Observed::unavailable(*unavailable),
    };
    let not_ready = |message: String| {
        Observed::unavailable(Provided::Unavailable {
            provider: Some(provider.id()),
            failure: Failure::new(FailureKind::ProviderNotReady, message),
        })
    };
    let labels = if provider.needs_labels(&namespace) {
        match context.namespaces.labels(&namespace).await {
            Ok(labels) => labels,
            Err(error) => return not_ready(error.to_string()),
        }
    } else {
        Arc::new(BTreeMap::new())
    };
    let allowed = &context.config.allowed;
    let provided = provider.provide(&object.spec, &namespace, &labels, allowed);
    let Provided::Target {
        target,
        suspended: false,
        ..
    } = &provided
    else {
        return Observed::unavailable(provided);
    };
    let Some(secret) = provider.secret(&context.config.operator_namespace) else {
        return not_ready(format!(
            "{} names no Secret: mend spec.auth.secretRef",
            provider.id()
        ));
    };
    match context.secrets.credential(&secret, &target.account).await {
        Ok(credential) => Observed {
            version: version(&provider, &credential),
            credential: Some(credential),
            provided,
        },
        Err(error) => not_ready(format!("{}: {error}", provider.id())),
    }
}

/// Names a provider together with the proof it asks with.
pub(super) fn version(provider: &Provider, credential: &Credential) -> String {
    let (uid, generation) = match provider {
        Provider::Namespaced(p) => (p.uid(), p.metadata.generation),
        Provider::Cluster(p) => (p.uid(), p.metadata.generation),
    };
    let proof = hex::encode(&credential.fingerprint()[..8]);
    format!(
        "{}/{}/{proof}",
        uid.unwrap_or_default(),
        generation.unwrap_or_default()
    )
}

/// Asks the platform. `None`: too many others are waiting for it.
pub(crate) async fn look(
    context: &Context,
    object: &ImageRef,
    target: &Target,
    credential: &Credential,
) -> Option<Look> {
    let status = object.status.as_ref();
    // A name stays bound to its image only while it is the same question.
    let bound = status
        .filter(|s| s.resolved_for.as_ref() == Some(&target.resolved_for(&object.spec.source)))
        .and_then(|s| s.image_id.as_deref());
    let timeout = object.spec.timeout();
    let gate = context.gates.of(&target.provider);
    let now = Timestamp::now;
    let before = (gate.health(), gate.pause(now()).is_some());
    let call = || context.clouds.look(target, credential, bound, timeout);
    let passed = tokio::time::timeout(PLACE_LIMIT + timeout, gate.pass(credential, now, call));
    let result = passed.await.ok()??;
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
        (Err(failure), Some(image)) if failure.kind == FailureKind::NotFound => {
            Look::Failed(suspect(context, target, image, failure))
        }
        (Err(failure), _) => Look::Failed(failure),
    })
}

/// A missing image, or one of too many at once.
fn suspect(context: &Context, target: &Target, image: &str, failure: Failure) -> Failure {
    let provider = target.provider.to_ref();
    let gone = crate::facts::ImageStatus::Deleted.as_str();
    let known: BTreeSet<String> = context
        .refs
        .state()
        .iter()
        .filter_map(|object| object.status.as_ref())
        .filter(|s| s.provider.as_ref() == Some(&provider) && s.status.as_deref() != Some(gone))
        .filter_map(|s| s.image_id.clone())
        .collect();
    if !known.contains(image) {
        // Its absence was confirmed before.
        context.absences.settled(&target.provider, image);
        return failure;
    }
    if context
        .absences
        .missing(&target.provider, image, known.len(), Timestamp::now())
    {
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

/// When to come back to a provider that is busy: 1 to 3 seconds, spread by the object.
pub(crate) fn busy(object: &ImageRef) -> Duration {
    let digest = Sha256::digest(object.uid().unwrap_or_default());
    Duration::from_millis(1000 + u64::from(u16::from_be_bytes([digest[0], digest[1]])) % 2000)
}
