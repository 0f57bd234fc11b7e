//! Whether a provider can be used.
//!
//! Owns the reason of a provider's Ready. Must not write. The invariant that would break first: a
//! provider is ready only if it can sign in and its platform does not refuse it.

use crate::api::Reason;
use crate::api::condition::Truth;
use crate::cloud::gate::{Gate, Health};
use crate::cloud::provider::Provider;
use crate::cloud::sign_in::SignIn;
use crate::cloud::snapshot::{Listed, Scope};
use crate::controller::Context;
use crate::controller::observe::{self, Version};
use crate::controller::sign_ins::{self, NotSignedIn, SignedIn};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// The longest wait for a provider to sign in: one slow identity service holds up no other provider.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(5);

/// What there is to say of a provider.
pub(super) struct Judged {
    pub(super) truth: Truth,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) version: Version,
    pub(super) project: Option<String>,
    pub(super) gate: Option<Arc<Gate>>,
    /// What the lists came to that were read with its proof; `None` while it has none.
    pub(super) lists: Option<Vec<(Scope, Listed)>>,
}

impl Judged {
    fn not_ready(reason: Reason, message: String) -> Self {
        Self {
            truth: Truth::False,
            reason,
            message,
            version: Version::unusable(reason.as_str()),
            project: None,
            gate: None,
            lists: None,
        }
    }
}

/// Whether the provider can be used. `None`: what it signs in with could not be read just now, or its
/// sign-in is still under way.
pub(super) async fn judge(context: &Context, provider: &Provider) -> Option<Judged> {
    let allowed = &context.config.allowed;
    // Before anything is sent anywhere.
    if let Err(message) = provider.check(allowed) {
        let reason = if provider.has_endpoint() {
            Reason::EndpointNotAllowed
        } else {
            Reason::InvalidSpec
        };
        context.gates.leave(&provider.id());
        return Some(Judged::not_ready(reason, message));
    }
    if provider.suspended() {
        context.gates.leave(&provider.id());
        let message = "spec.suspend is set: the platform is not asked until it is removed";
        return Some(Judged::not_ready(Reason::Suspended, message.into()));
    }
    let signing_in = context.sign_ins.anew(provider);
    // What issues credentials goes on without us, and is asked how it ended at the next reconcile.
    let signed_in = tokio::time::timeout(SIGN_IN_LIMIT, signing_in).await.ok()?;
    let SignedIn {
        identity, project, ..
    } = match signed_in {
        Ok(signed_in) => signed_in,
        Err(NotSignedIn { reason, failure }) => {
            if reason.is_none() {
                warn!(provider = %provider.id(), error = failure.message, "what the provider signs in with is read again soon");
            }
            return reason.map(|reason| Judged::not_ready(reason, failure.message));
        }
    };
    let account = match provider.account(project.as_deref(), allowed) {
        Ok(account) => account,
        Err(message) => return Some(Judged::not_ready(Reason::InvalidSpec, message)),
    };
    let limits = provider.limits(&context.config.for_tenants);
    let gates = &context.gates;
    gates.limit(identity.proof(), &account, provider.id(), limits);
    let gate = gates.of(identity.proof(), &account);
    let (truth, reason, message) = match gate.health() {
        Health::Failing(failure) => (Truth::False, sign_ins::reason(&failure), failure.message),
        Health::Unknown | Health::Answering => {
            let (reason, message) = credentials(provider, &context.config.operator_namespace);
            (Truth::True, reason, message)
        }
    };
    Some(Judged {
        truth,
        reason,
        message,
        version: observe::version(context, provider, &identity, &account).await,
        project: project.map(|id| id.to_string()),
        gate: Some(gate),
        lists: Some(context.snapshots.lists(identity.proof(), &account)),
    })
}

/// Where a provider that can be used has its credentials from.
fn credentials(provider: &Provider, operator_namespace: &str) -> (Reason, String) {
    match provider.sign_in(operator_namespace) {
        Ok(SignIn::Secret {
            secret: (namespace, name),
            agency,
        }) => match agency {
            None => (
                Reason::CredentialsRead,
                format!("Secret {namespace}/{name} holds credentials"),
            ),
            Some(agency) => (
                Reason::CredentialsIssued,
                format!(
                    "keys of agency {} are issued to the user in Secret {namespace}/{name}",
                    agency.name
                ),
            ),
        },
        Ok(SignIn::ServiceAccount {
            account: (namespace, name),
            ..
        }) => (
            Reason::CredentialsIssued,
            format!("keys are issued for ServiceAccount {namespace}/{name}"),
        ),
        Ok(SignIn::Operator(_)) | Err(_) => (
            Reason::CredentialsIssued,
            "keys are issued for the operator's own identity".into(),
        ),
    }
}
