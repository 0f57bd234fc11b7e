//! Why a look at a platform brought no facts.
//!
//! Owns the closed set of failure classes that the planner reacts to. The invariant that would
//! break first: a message never holds a credential, a signed header or a response body.

use std::time::Duration;

/// The class of a failure; it alone decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// No connection, no answer in time, or the connection broke.
    Unreachable,
    /// The platform answered with an error of its own (5xx and kin).
    ProviderError,
    /// The answer could not be read: not JSON, cut short, too large, another shape.
    ResponseInvalid,
    /// The platform asked for a pause.
    Throttled,
    /// The credentials were refused.
    AuthenticationFailed,
    /// The credentials are known and the call is forbidden.
    PermissionDenied,
    /// The platform says that the image does not exist.
    NotFound,
    /// More than one image carries the name; the message lists the candidates.
    Ambiguous,
    /// The platform refused the request as malformed.
    BadRequest,
    /// Many images of the provider vanished at once: more likely a fault than a clean-up.
    MassDisappearance,
    /// The provider object does not exist.
    ProviderNotFound,
    /// The provider object exists but cannot be used: its Secret, its endpoint, its spec.
    ProviderNotReady,
    /// The provider does not serve this namespace.
    ProviderNotAllowed,
    /// The spec cannot be resolved as written, or not through this provider.
    InvalidSpec,
}

impl FailureKind {
    /// Whether it says nothing about credentials or the question: an outage shows so.
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::ProviderError | Self::ResponseInvalid
        )
    }

    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::ProviderError => "provider_error",
            Self::ResponseInvalid => "response_invalid",
            Self::Throttled => "throttled",
            Self::AuthenticationFailed => "authentication_failed",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::BadRequest => "bad_request",
            Self::MassDisappearance => "mass_disappearance",
            Self::ProviderNotFound => "provider_not_found",
            Self::ProviderNotReady => "provider_not_ready",
            Self::ProviderNotAllowed => "provider_not_allowed",
            Self::InvalidSpec => "invalid_spec",
        }
    }
}

/// A failed look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// One sentence for people: what failed and, where one is known, the fix. Lower case, no full
    /// stop at the end.
    pub message: String,
    /// How long the platform asked to wait, if it did.
    pub retry_after: Option<Duration>,
    /// The platform's id of the call, for its support.
    pub request_id: Option<String>,
}

impl Failure {
    /// A failure without a hint of the platform.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            request_id: None,
        }
    }
}
