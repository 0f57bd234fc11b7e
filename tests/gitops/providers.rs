//! Providers with every reason that Ready may have.
//!
//! Owns what tools are to make of each. The invariant that would break first: what passes by itself
//! degrades nothing.

use imageref::api::condition::{self, Truth};
use imageref::api::{ConditionType, Reason};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// One provider, and what tools are to make of it.
pub(crate) struct Provider {
    pub(crate) kstatus: &'static str,
    /// Flux, with the health check expressions of the guide.
    pub(crate) flux: &'static str,
    pub(crate) argo: &'static str,
    pub(crate) object: Value,
}

/// By kstatus, by Flux with expressions, and in Argo CD.
type Seen = (&'static str, &'static str, &'static str);

const GOOD: Seen = ("Current", "Current", "Healthy");
/// Somebody must change something.
const BAD: Seen = ("InProgress", "Failed", "Degraded");
const PASSING: Seen = ("InProgress", "InProgress", "Progressing");
const PAUSED: Seen = ("InProgress", "InProgress", "Suspended");

const REASONS: [(Truth, Reason, Seen); 16] = [
    (Truth::True, Reason::CredentialsRead, GOOD),
    (Truth::True, Reason::CredentialsIssued, GOOD),
    (Truth::False, Reason::SecretNotFound, BAD),
    (Truth::False, Reason::SecretInvalid, BAD),
    (Truth::False, Reason::ServiceAccountNotFound, BAD),
    (Truth::False, Reason::ServiceAccountNotAllowed, BAD),
    (Truth::False, Reason::IdentityUnavailable, BAD),
    (Truth::False, Reason::EndpointNotAllowed, BAD),
    (Truth::False, Reason::InvalidSpec, BAD),
    (Truth::False, Reason::AuthenticationFailed, BAD),
    (Truth::False, Reason::PermissionDenied, BAD),
    (Truth::False, Reason::ProviderUnreachable, PASSING),
    (Truth::False, Reason::ProviderError, PASSING),
    (Truth::False, Reason::ResponseInvalid, PASSING),
    (Truth::False, Reason::RateLimited, PASSING),
    (Truth::False, Reason::Suspended, PAUSED),
];

/// Every provider: one that is new, then one a reason.
pub(crate) fn all() -> Vec<Provider> {
    let new = provider("new", PASSING, &json!({"observedGeneration": -1}));
    let judged = REASONS.map(|(truth, reason, seen)| {
        let name = reason.as_str().to_lowercase();
        provider(&name, seen, &status(truth, reason))
    });
    std::iter::once(new).chain(judged).collect()
}

fn status(truth: Truth, reason: Reason) -> Value {
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut conditions = Vec::new();
    let mut set = |type_, truth, reason, message| {
        condition::set(&mut conditions, type_, truth, reason, message, 1, now);
    };
    set(
        ConditionType::Ready,
        truth,
        reason,
        "what the operator says",
    );
    let (throttled, why) = match reason {
        Reason::RateLimited => (Truth::True, Reason::RateLimited),
        _ => (Truth::False, Reason::NotThrottled),
    };
    set(
        ConditionType::Throttled,
        throttled,
        why,
        "what the operator says",
    );
    json!({"observedGeneration": 1, "conditions": conditions})
}

fn provider(name: &str, (kstatus, flux, argo): Seen, status: &Value) -> Provider {
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1",
        "kind": "ImageProvider",
        "metadata": {"name": name, "namespace": "ai-team", "generation": 1},
        "spec": {
            "modelArts": {"region": "cn-north-4"},
            "auth": {"secretRef": {"name": "modelarts"}},
        },
        "status": status,
    });
    Provider {
        kstatus,
        flux,
        argo,
        object,
    }
}
