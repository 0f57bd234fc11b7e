//! Condition types and reasons: the closed vocabulary of every status.
//!
//! Owns the names and how a set of conditions is read and merged. The invariant that would break
//! first: a transition time moves only when the condition's status does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The types of condition that the operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The answer in the status may be used.
    Ready,
    /// The operator is working towards an answer.
    Reconciling,
    /// Nothing will change until somebody changes something.
    Stalled,
    /// The answer could not be confirmed when it was due.
    Stale,
    /// The answer meets `spec.expect`.
    Compliant,
    /// The image behind the reference changed; stays until a spec change or the annotation.
    Drifted,
    /// On providers: the platform asked for a pause.
    Throttled,
    /// On providers: the lists that answer for many references can be read whole.
    Listed,
}

impl ConditionType {
    /// The name in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Stale => "Stale",
            Self::Compliant => "Compliant",
            Self::Drifted => "Drifted",
            Self::Throttled => "Throttled",
            Self::Listed => "Listed",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Every reason that a condition of this operator can carry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// All reasons, for documentation tests and metrics.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the object.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    /// The platform's answer is current and meets the expectations.
    Resolved,
    /// The last good answer is served although it could not be confirmed.
    ServingStale,
    /// `spec.suspend` of the reference or its provider is set.
    Suspended,
    /// No answer yet; the operator keeps trying.
    Progressing,
    /// The platform does not have the image.
    ImageNotFound,
    /// The platform has the image, but not in state ACTIVE.
    ImageNotActive,
    /// More than one image carries the name.
    AmbiguousMatch,
    /// `spec.expect` is not met.
    ExpectationFailed,
    /// The provider does not exist.
    ProviderNotFound,
    /// The provider exists but cannot be used now.
    ProviderNotReady,
    /// The provider does not serve this namespace or does not accept this image.
    ProviderNotAllowed,
    /// The platform refused the credentials.
    AuthenticationFailed,
    /// The platform knows the credentials and forbids the call.
    PermissionDenied,
    /// The spec cannot be resolved as written.
    InvalidSpec,
    /// The last good answer is older than `maxStaleness`.
    StaleTooLong,
    /// The spec changed and is being looked up.
    NewGeneration,
    /// The annotation asked for a look that waits for the provider.
    ReconcileRequested,
    /// A look failed in passing and is repeated.
    ProgressingWithRetry,
    /// The platform throttles.
    RateLimited,
    /// On providers: the platform does not throttle.
    NotThrottled,
    /// The platform cannot be reached.
    ProviderUnreachable,
    /// The platform answers with an error of its own.
    ProviderError,
    /// The platform's answer cannot be read.
    ResponseInvalid,
    /// The image was missing once; a second look decides.
    NotFoundUnconfirmed,
    /// The registry cannot be reached, or answers with an error of its own.
    RegistryUnreachable,
    /// The registry refuses the read, or does not have what the platform lists.
    RegistryDenied,
    /// Every expectation is met.
    Met,
    /// The architecture is none of the expected ones.
    ArchMismatch,
    /// The status is none of the expected ones.
    StatusMismatch,
    /// An expected accelerator is not supported by the image.
    AcceleratorMismatch,
    /// The server type is none of the expected ones.
    ServerTypeMismatch,
    /// The registry has another digest than the expected one.
    DigestMismatch,
    /// The path begins with none of the expected prefixes.
    PathNotAllowed,
    /// The registry holds the image for other architectures than the platform states.
    PlatformMismatch,
    /// An expectation is about a fact that nobody states, or that was not read yet.
    FactUnavailable,
    /// The registry has another digest under the same path.
    DigestChanged,
    /// The path changed.
    PathChanged,
    /// The architecture changed.
    ArchChanged,
    /// The status changed.
    StatusChanged,
    /// Another image took over the name.
    ImageReplaced,
    /// On providers: the Secret was read and holds usable credentials.
    CredentialsRead,
    /// On providers: the cloud issued a credential for the provider's proof of identity.
    CredentialsIssued,
    /// On providers: the Secret does not exist.
    SecretNotFound,
    /// On providers: the Secret's keys are missing or cannot be used.
    SecretInvalid,
    /// On providers: the ServiceAccount does not exist.
    ServiceAccountNotFound,
    /// On providers: the ServiceAccount does not carry the provider's name as its annotation.
    ServiceAccountNotAllowed,
    /// On providers: what the form of identity needs of the operator or the cloud is not there.
    IdentityUnavailable,
    /// On providers: the endpoint is neither the vendor's own nor allowed by the operator.
    EndpointNotAllowed,
    /// On providers: the lists that were read last were read whole.
    ListComplete,
    /// On providers: a list has more than the operator reads of one.
    ListTooLong,
    /// On providers: the credentials may not read a list.
    ListDenied,
    /// On providers: the platform's answer to a list cannot be used.
    ListFailed,
    /// On catalogues: every ImageRef that counts and is selected is in it.
    CatalogComplete,
    /// On catalogues: there is no room for all.
    CatalogFull,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// "True"
    True,
    /// "False"
    False,
    /// "Unknown"
    Unknown,
}

impl Truth {
    /// The name in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Longest message in bytes; the code truncates, since a limit in the schema would lose the write.
pub const MAX_MESSAGE: usize = 1024;

/// Cuts `text` to at most `limit` bytes at a character boundary.
pub fn truncate(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Finds a condition.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.as_str())
}

/// Whether the condition is there with status "True".
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == Truth::True.as_str())
}

/// Whether the condition is there with this reason.
pub fn has_reason(conditions: &[Condition], type_: ConditionType, reason: Reason) -> bool {
    find(conditions, type_).is_some_and(|c| c.reason == reason.as_str())
}

/// Puts a condition into the sorted list. The transition time is kept from the old condition of
/// the same type if the status is the same, else it is `now`.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: ConditionType,
    truth: Truth,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    let kept = find(conditions, type_)
        .filter(|c| c.status == truth.as_str())
        .map(|c| c.last_transition_time.clone());
    remove(conditions, type_);
    conditions.push(Condition {
        type_: type_.as_str().into(),
        status: truth.as_str().into(),
        reason: reason.as_str().into(),
        message: truncate(message, MAX_MESSAGE).into(),
        observed_generation: Some(generation),
        last_transition_time: kept.unwrap_or(Time(now)),
    });
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

/// Removes a condition.
pub fn remove(conditions: &mut Vec<Condition>, type_: ConditionType) {
    conditions.retain(|c| c.type_ != type_.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut list = Vec::new();
        set(
            &mut list,
            ConditionType::Ready,
            Truth::True,
            Reason::Resolved,
            "a",
            1,
            at(1),
        );
        set(
            &mut list,
            ConditionType::Ready,
            Truth::True,
            Reason::ServingStale,
            "b",
            2,
            at(2),
        );
        assert_eq!(list[0].last_transition_time.0, at(1));
        set(
            &mut list,
            ConditionType::Ready,
            Truth::False,
            Reason::ImageNotFound,
            "c",
            2,
            at(3),
        );
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].last_transition_time.0, at(3));
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let text = "é".repeat(MAX_MESSAGE);
        assert_eq!(truncate(&text, 1023).len(), 1022);
    }
}
