//! `spec.auth` of a provider: the forms in which it can prove who it is.
//!
//! Owns their shape and rules. Must not know how a proof is exchanged. The invariant that would
//! break first: a namespaced provider cannot name the operator's identity; its kind has no field
//! for it.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Life of issued keys if a provider does not say, in seconds.
pub const DURATION_SECONDS: u32 = 3600;

/// How an ImageProvider signs in.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.secretRef), has(self.workloadIdentity)].filter(x, x).size() == 1",
    "set exactly one of secretRef and workloadIdentity in auth; operatorIdentity is for a ClusterImageProvider"))]
#[x_kube(validation = ("!has(self.agency) || has(self.secretRef)",
    "agency goes with secretRef: the Secret holds the user who acts as the agency"))]
pub struct Auth {
    /// A Secret of the provider's own namespace, with one of: `accessKeyId`, `accessKeySecret`
    /// and, for temporary keys, `securityToken`; for ModelArts also `authToken`, or
    /// `domainName`, `userName` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The agency of Huawei Cloud to act as; the Secret holds a user who may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<Agency>,
    /// A ServiceAccount of the provider's own namespace, whose token the cloud exchanges for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
}

/// How a ClusterImageProvider signs in.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.secretRef), has(self.workloadIdentity), has(self.operatorIdentity)].filter(x, x).size() == 1",
    "set exactly one of secretRef, workloadIdentity and operatorIdentity in auth"))]
#[x_kube(validation = ("!has(self.agency) || has(self.secretRef)",
    "agency goes with secretRef: the Secret holds the user who acts as the agency"))]
pub struct ClusterAuth {
    /// A Secret of the operator's namespace, with one of: `accessKeyId`, `accessKeySecret` and,
    /// for temporary keys, `securityToken`; for ModelArts also `authToken`, or `domainName`,
    /// `userName` and `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The agency of Huawei Cloud to act as; the Secret holds a user who may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agency: Option<Agency>,
    /// A ServiceAccount of the operator's namespace, whose token the cloud exchanges for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
    /// The identity of the operator's own node or pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_identity: Option<OperatorIdentity>,
}

/// Names a Secret.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "name must be the name of a Secret: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// An agency of Huawei Cloud.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Agency {
    /// The account that the agency belongs to.
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[^\\\\p{Cc}\\\\p{Cf}]+$')",
        "domainName must be the name of an account, as the console shows it under My Credentials"))]
    pub domain_name: String,
    /// The agency's name.
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[^\\\\p{Cc}\\\\p{Cf}]+$')",
        "name must be the name of an agency, as IAM lists it"))]
    pub name: String,
    /// Life of the keys that are issued, 900 to 86400; 3600 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 900, max = 86400))]
    pub duration_seconds: Option<u32>,
}

/// The token of a ServiceAccount, and what it is exchanged for.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIdentity {
    /// The ServiceAccount. It must carry the annotation `imageref.dev/allow-provider` with the
    /// provider's name.
    pub service_account_ref: ServiceAccountRef,
    /// What its token is exchanged for.
    #[serde(default)]
    #[schemars(!default)]
    pub exchange: TokenExchange,
}

/// Names a ServiceAccount.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// The ServiceAccount's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "name must be the name of a ServiceAccount: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// Where a ServiceAccount's token is exchanged for keys, and for whose.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.huaweiSts), has(self.huaweiIdToken), has(self.alibabaRrsa)].filter(x, x).size() == 1",
    "set exactly one of huaweiSts, huaweiIdToken and alibabaRrsa in exchange"))]
pub struct TokenExchange {
    /// STS of Huawei Cloud; the token's audience is `sts.myhuaweicloud.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huawei_sts: Option<HuaweiSts>,
    /// IAM of Huawei Cloud, the older way, for regions without STS; the token's audience is
    /// `sts.myhuaweicloud.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huawei_id_token: Option<HuaweiIdToken>,
    /// STS of Alibaba Cloud (RRSA); the token's audience is `sts.aliyuncs.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alibaba_rrsa: Option<AlibabaRrsa>,
    /// Life of the keys that are issued, 900 to 43200; 3600 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 900, max = 43200))]
    pub duration_seconds: Option<u32>,
}

/// An agency that trusts an identity provider of IAM.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HuaweiSts {
    /// URN of the identity provider.
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^iam::[A-Za-z0-9-]+:oidc-provider:[^\\\\p{Cc}\\\\p{Cf}]+$')",
        "providerUrn must be the URN of an OIDC identity provider, such as iam::0a1b2c:oidc-provider:my-cluster"))]
    pub provider_urn: String,
    /// URN of the agency.
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^iam::[A-Za-z0-9-]+:agency:[^\\\\p{Cc}\\\\p{Cf}]+$')",
        "agencyUrn must be the URN of an agency, such as iam::0a1b2c:agency:image-reader"))]
    pub agency_urn: String,
}

/// An identity provider of IAM with conversion rules.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HuaweiIdToken {
    /// The identity provider's id.
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9_-]+$')",
        "identityProviderId must consist of letters, digits, '-' and '_'"))]
    pub identity_provider_id: String,
}

/// A RAM role that trusts an OIDC identity provider.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlibabaRrsa {
    /// ARN of the role.
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^acs:ram::[0-9]+:role/[A-Za-z0-9._-]+$')",
        "roleArn must be the ARN of a RAM role, such as acs:ram::1234567890123456:role/image-reader"))]
    pub role_arn: String,
    /// ARN of the identity provider.
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9._-]+$')",
        "oidcProviderArn must be the ARN of an OIDC identity provider, such as acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0123"))]
    pub oidc_provider_arn: String,
}

/// Which identity of the operator's own to use. Addresses and files are the operator's flags.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.metadata), has(self.podIdentity), has(self.credentialsUri), has(self.projectedToken)].filter(x, x).size() == 1",
    "set exactly one of metadata, podIdentity, credentialsUri and projectedToken in operatorIdentity"))]
pub struct OperatorIdentity {
    /// The agency (Huawei Cloud) or RAM role (Alibaba Cloud) of the operator's node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The agency that Huawei Cloud's pod identity agent has for the operator's ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<PodIdentity>,
    /// What the operator's credentials agent gives, by the URI in its flags (Alibaba Cloud).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_uri: Option<CredentialsUri>,
    /// The token in the operator's own projected file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projected_token: Option<ProjectedToken>,
}

/// The node's identity.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The RAM role's name (Alibaba Cloud); the metadata service is asked for it if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$')",
        "roleName must be the name of a RAM role: letters, digits, '.', '_' and '-'"))]
    pub role_name: Option<String>,
}

/// Huawei Cloud's pod identity; it has no fields.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct PodIdentity {}

/// The credentials agent; it has no fields.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialsUri {}

/// The operator's projected token.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProjectedToken {
    /// What it is exchanged for.
    #[serde(default)]
    #[schemars(!default)]
    pub exchange: TokenExchange,
}
