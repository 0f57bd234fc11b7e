//! What an identity service's refusal means.
//!
//! Owns the classes and sentences. Pure. The invariant that would break first: a message consists of
//! our own words and of codes from a list. An identity service echoes passwords and tokens, so none
//! of its own words are shown.
//!
//! Sources: IAM API Reference, *Status Codes* and *Error Codes*; Alibaba Cloud STS,
//! *`AssumeRoleWithOIDC`*; the error tables of the platforms, which share the gateways.

use super::{Source, huawei_metadata};
use crate::cloud::transport::Answer;
use crate::cloud::{modelarts, pai, refusal};
use crate::facts::Failure;
use crate::facts::FailureKind::{
    self, AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
};

/// Codes of Alibaba Cloud that help and hold nothing of the request.
const ALIBABA_CODES: [&str; 20] = [
    "AuthenticationFail.OIDCToken.Expired",
    "AuthenticationFail.OIDCToken.Invalid",
    "AuthenticationFail.OIDCToken.AudienceNotMatch",
    "AuthenticationFail.OIDCToken.IssuerConfigurationBroken",
    "AuthenticationFail.OIDCToken.PublicKeyFingerprintMismatch",
    "AuthenticationFail.NoPermission",
    "EntityNotExist.Role",
    "EntityNotExist.OIDCProvider",
    "InvalidParameter.OIDCProviderArn",
    "InvalidParameter.RoleArn",
    "InvalidParameter.RoleSessionName",
    "InvalidParameter.DurationSeconds",
    "InvalidTimeStamp.Expired",
    "InvalidTimeStamp.Format",
    "NoPermission",
    "Throttling",
    "Throttling.User",
    "Throttling.Api",
    "ServiceUnavailable",
    "InternalError",
];

/// Whom we asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Iam,
    HuaweiSts,
    HuaweiMetadata,
    PodIdentity,
    AlibabaSts,
    AlibabaMetadata,
    CredentialsUri,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Iam => "IAM",
            Self::HuaweiSts | Self::AlibabaSts => "STS",
            Self::HuaweiMetadata | Self::AlibabaMetadata => "the metadata service",
            Self::PodIdentity => "the pod identity agent",
            Self::CredentialsUri => "the credentials agent",
        }
    }

    const fn is_alibaba(self) -> bool {
        matches!(
            self,
            Self::AlibabaSts | Self::AlibabaMetadata | Self::CredentialsUri
        )
    }

    /// What to look at when the proof is refused.
    const fn advice(self, source: &Source) -> &'static str {
        match (self, source) {
            (Self::Iam, Source::HuaweiPassword { .. }) => {
                "check account, user, password and projectId"
            }
            (Self::Iam, Source::HuaweiAgency { .. }) => {
                "check account, user and agency, and that the user may act as the agency"
            }
            (Self::Iam, Source::HuaweiIdToken { .. }) => {
                "check the identity provider's id, its issuer, client id and keys, and its rules"
            }
            (Self::HuaweiSts, _) => {
                "check both URNs, the identity provider's issuer, client id and keys, and the agency's trust policy"
            }
            (Self::AlibabaSts, _) => {
                "check both ARNs, the identity provider's issuer, client id and fingerprint, and the role's trust policy"
            }
            (Self::HuaweiMetadata, _) => "check that the node has an agency",
            (Self::AlibabaMetadata, _) => "check that the node has a RAM role, and its name",
            (Self::PodIdentity, _) => "check the pod's service account and its agency",
            _ => "check the proof that the provider gives",
        }
    }
}

/// The failure that an answer is. `sent` is all that we sent: nothing of it comes back.
pub(super) fn failure(
    service: Service,
    source: &Source,
    answer: &Answer,
    sent: &[&str],
) -> Failure {
    let (kind, code) = classify(service, answer.status, &answer.body);
    let name = service.name();
    let sentence = match kind {
        AuthenticationFailed => {
            format!(
                "{name} does not accept the proof: {}",
                service.advice(source)
            )
        }
        PermissionDenied => format!("{name} does not allow this: {}", service.advice(source)),
        Throttled => format!("{name} asks for a pause"),
        BadRequest => format!(
            "{name} refused the exchange as malformed: {}",
            service.advice(source)
        ),
        _ => format!("{name} has a fault of its own"),
    };
    let code = code.unwrap_or_else(|| format!("HTTP {}", answer.status));
    let id = answer.request_id.clone();
    Failure {
        kind,
        message: format!("{sentence} ({code})"),
        retry_after: answer.retry_after,
        request_id: id.filter(|id| !sent.iter().any(|part| part.contains(id.as_str()))),
    }
}

/// Class and, if it is one of a list, code.
fn classify(service: Service, status: u16, body: &[u8]) -> (FailureKind, Option<String>) {
    let refusal::Refusal { kind, code, .. } = if service.is_alibaba() {
        pai::error::classify(status, body)
    } else {
        modelarts::error::classify(status, body)
    };
    let code = code.as_deref().unwrap_or_default();
    let kind = match code {
        _ if code.starts_with("AuthenticationFail.") || code.starts_with("EntityNotExist.") => {
            AuthenticationFailed
        }
        _ => kind,
    };
    let instance = matches!(service, Service::HuaweiMetadata | Service::AlibabaMetadata);
    let kind = match kind {
        // What is not found here is a user, an agency or a role; on a node, the role it lacks.
        NotFound => AuthenticationFailed,
        // Metadata services mean a missing token or role by it, never a policy.
        PermissionDenied if instance => AuthenticationFailed,
        ProviderError if status == 404 && instance => AuthenticationFailed,
        kind => kind,
    };
    (kind, shown(code))
}

fn shown(code: &str) -> Option<String> {
    let huawei = code.split_once('.').is_some_and(|(family, number)| {
        ["IAM", "APIGW", "APIG", "STS5", "PAP5"].contains(&family)
            && (1..=6).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    });
    (huawei || ALIBABA_CODES.contains(&code)).then(|| code.to_owned())
}

/// Whether Huawei Cloud's metadata service says that the node has no agency, which asking again does
/// not change.
pub(super) fn has_no_agency(answer: &Answer) -> bool {
    let needle = huawei_metadata::NO_AGENCY.as_bytes();
    answer.status == 401 && answer.body.windows(needle.len()).any(|part| part == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(service: Service, status: u16, body: &str) -> (FailureKind, Option<String>) {
        classify(service, status, body.as_bytes())
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn classes_follow_the_code_and_then_the_status() {
        use Service::{AlibabaMetadata, AlibabaSts, HuaweiMetadata, HuaweiSts, Iam};
        let iam = |code: &str| json!({"error_code": code, "error_msg": "m"}).to_string();
        let keystone =
            |code: u16| json!({"error": {"code": code, "message": "m", "title": "t"}}).to_string();
        let sts = |code: &str| json!({"Code": code, "Message": "m"}).to_string();
        let rows = [
            (
                Iam,
                401,
                iam("IAM.0062"),
                AuthenticationFailed,
                Some("IAM.0062"),
            ),
            (
                Iam,
                404,
                iam("IAM.0004"),
                AuthenticationFailed,
                Some("IAM.0004"),
            ),
            (
                Iam,
                403,
                iam("IAM.0003"),
                PermissionDenied,
                Some("IAM.0003"),
            ),
            (Iam, 429, iam("IAM.0012"), Throttled, Some("IAM.0012")),
            (Iam, 500, iam("IAM.0006"), ProviderError, Some("IAM.0006")),
            (Iam, 400, iam("IAM.0011"), BadRequest, Some("IAM.0011")),
            (Iam, 401, keystone(401), AuthenticationFailed, None),
            (Iam, 404, keystone(404), AuthenticationFailed, None),
            (
                HuaweiSts,
                403,
                iam("PAP5.0011"),
                PermissionDenied,
                Some("PAP5.0011"),
            ),
            (HuaweiSts, 503, "oops".into(), ProviderError, None),
            (HuaweiSts, 404, "<html>".into(), ProviderError, None),
            (
                AlibabaSts,
                400,
                sts("AuthenticationFail.OIDCToken.Expired"),
                AuthenticationFailed,
                Some("AuthenticationFail.OIDCToken.Expired"),
            ),
            (
                AlibabaSts,
                400,
                sts("AuthenticationFail.OIDCToken.SEEN"),
                AuthenticationFailed,
                None,
            ),
            (
                AlibabaSts,
                404,
                sts("EntityNotExist.Role"),
                AuthenticationFailed,
                Some("EntityNotExist.Role"),
            ),
            (
                AlibabaSts,
                400,
                sts("Throttling.User"),
                Throttled,
                Some("Throttling.User"),
            ),
            (
                AlibabaSts,
                403,
                sts("NoPermission"),
                PermissionDenied,
                Some("NoPermission"),
            ),
            (
                HuaweiMetadata,
                404,
                String::new(),
                AuthenticationFailed,
                None,
            ),
            (
                AlibabaMetadata,
                404,
                "<html>".into(),
                AuthenticationFailed,
                None,
            ),
            (
                AlibabaMetadata,
                403,
                "<html>".into(),
                AuthenticationFailed,
                None,
            ),
            (AlibabaMetadata, 500, String::new(), ProviderError, None),
        ];
        for (service, status, body, kind, code) in rows {
            assert_eq!(
                of(service, status, &body),
                (kind, code.map(str::to_owned)),
                "{service:?} {status} {body}"
            );
        }
    }

    #[test]
    fn only_codes_of_a_list_are_shown() {
        for code in [
            "IAM.SEEN",
            "SEEN.1",
            "IAM.1234567",
            "401",
            "EntityNotExist.SEEN",
            "",
        ] {
            assert_eq!(shown(code), None, "{code}");
        }
    }
}
