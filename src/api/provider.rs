//! `ImageProvider` and `ClusterImageProvider`: an account, a project and how to sign in.
//!
//! Owns the shape and the rules of both. Must not know how credentials are read. The invariant
//! that would break first: a namespaced provider can name nothing outside its namespace.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "each printer column and selectable field has the same keys"
)]

use super::auth::{Auth, ClusterAuth};
use super::limits::ProviderLimits;
use super::registry::Registry;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// An account of an AI cloud for the ImageRefs of one namespace.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "imageref.dev",
    version = "v1alpha1",
    kind = "ImageProvider",
    plural = "imageproviders",
    singular = "imageprovider",
    category = "ai-images",
    namespaced,
    status = "ProviderStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "An account of an AI cloud for the ImageRefs of its own namespace.",
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "MESSAGE",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.modelArts) != has(self.pai)",
    "set exactly one of modelArts and pai: a provider is one account of one platform"))]
#[x_kube(validation = ("!has(self.auth.agency) || has(self.modelArts)",
    "auth.agency is Huawei Cloud's: it goes with modelArts"))]
#[x_kube(validation = ("!has(self.auth.workloadIdentity) || (has(self.auth.workloadIdentity.exchange.alibabaRrsa) ? has(self.pai) : has(self.modelArts))",
    "auth.workloadIdentity.exchange is of the other cloud: modelArts takes huaweiSts or huaweiIdToken, pai takes alibabaRrsa"))]
#[x_kube(validation = ("!has(self.registry) || !has(self.registry.auth) || !has(self.registry.auth.fromProvider) || !has(self.registry.auth.fromProvider.acrInstanceId) || has(self.pai)",
    "registry.auth.fromProvider.acrInstanceId is Alibaba Cloud's: it goes with pai"))]
pub struct ImageProviderSpec {
    /// Huawei Cloud ModelArts: notebook and Lite Server images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_arts: Option<ModelArts>,
    /// Alibaba Cloud PAI: AIWorkSpace images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pai: Option<Pai>,
    /// How to sign in.
    #[serde(default)]
    #[schemars(!default)]
    pub auth: Auth,
    /// Stop asking this platform; what the references say stays as it is.
    #[serde(default)]
    pub suspend: bool,
    /// How the registries that images live in are asked for digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// How much this platform may be asked; within what the operator grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProviderLimits>,
    /// Why the object as stored could not be read; set by the reader, never part of an object.
    #[serde(skip)]
    #[schemars(skip)]
    pub unreadable: Option<String>,
}

/// An account of an AI cloud that a platform team offers to chosen namespaces.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "imageref.dev",
    version = "v1alpha1",
    kind = "ClusterImageProvider",
    plural = "clusterimageproviders",
    singular = "clusterimageprovider",
    category = "ai-images",
    status = "ProviderStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "An account of an AI cloud that a platform team offers to chosen namespaces; its Secret is in the operator's namespace.",
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "MESSAGE",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.modelArts) != has(self.pai)",
    "set exactly one of modelArts and pai: a provider is one account of one platform"))]
#[x_kube(validation = ("!has(self.auth.agency) || has(self.modelArts)",
    "auth.agency is Huawei Cloud's: it goes with modelArts"))]
#[x_kube(validation = ("!has(self.auth.workloadIdentity) || (has(self.auth.workloadIdentity.exchange.alibabaRrsa) ? has(self.pai) : has(self.modelArts))",
    "auth.workloadIdentity.exchange is of the other cloud: modelArts takes huaweiSts or huaweiIdToken, pai takes alibabaRrsa"))]
#[x_kube(validation = ("!has(self.auth.operatorIdentity) || !has(self.auth.operatorIdentity.projectedToken) || (has(self.auth.operatorIdentity.projectedToken.exchange.alibabaRrsa) ? has(self.pai) : has(self.modelArts))",
    "auth.operatorIdentity.projectedToken.exchange is of the other cloud: modelArts takes huaweiSts or huaweiIdToken, pai takes alibabaRrsa"))]
#[x_kube(validation = ("!has(self.auth.operatorIdentity) || !has(self.auth.operatorIdentity.podIdentity) || has(self.modelArts)",
    "auth.operatorIdentity.podIdentity is Huawei Cloud's: it goes with modelArts"))]
#[x_kube(validation = ("!has(self.auth.operatorIdentity) || !has(self.auth.operatorIdentity.credentialsUri) || has(self.pai)",
    "auth.operatorIdentity.credentialsUri is Alibaba Cloud's: it goes with pai"))]
#[x_kube(validation = ("!has(self.auth.operatorIdentity) || !has(self.auth.operatorIdentity.metadata) || !has(self.auth.operatorIdentity.metadata.roleName) || has(self.pai)",
    "auth.operatorIdentity.metadata.roleName is Alibaba Cloud's: a node of Huawei Cloud has one agency, which needs no name"))]
#[x_kube(validation = ("!has(self.registry) || !has(self.registry.auth) || !has(self.registry.auth.fromProvider) || !has(self.registry.auth.fromProvider.acrInstanceId) || has(self.pai)",
    "registry.auth.fromProvider.acrInstanceId is Alibaba Cloud's: it goes with pai"))]
pub struct ClusterImageProviderSpec {
    /// The namespaces whose ImageRefs may use this provider.
    #[serde(default)]
    #[schemars(!default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// What ImageRefs through this provider may resolve to; anything else is ProviderNotAllowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
    /// Huawei Cloud ModelArts: notebook and Lite Server images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_arts: Option<ModelArts>,
    /// Alibaba Cloud PAI: AIWorkSpace images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pai: Option<Pai>,
    /// How to sign in.
    #[serde(default)]
    #[schemars(!default)]
    pub auth: ClusterAuth,
    /// Stop asking this platform; what the references say stays as it is.
    #[serde(default)]
    pub suspend: bool,
    /// How the registries that images live in are asked for digests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// How much this platform may be asked; within what the operator grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProviderLimits>,
    /// Why the object as stored could not be read; set by the reader, never part of an object.
    #[serde(skip)]
    #[schemars(skip)]
    pub unreadable: Option<String>,
}

/// Namespaces by name, by label, or both; a namespace is served if either matches.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.names) || has(self.selector)",
    "allowedNamespaces must say whom to serve: names, or selector ({} is every namespace)"))]
#[x_kube(validation = Rule::new("!has(self.selector) || !has(self.selector.matchLabels) || self.selector.matchLabels.size() > 0")
    .message("matchLabels holds no label, which would serve every namespace: write selector: {} if you mean that")
    .field_path(".selector.matchLabels"))]
#[x_kube(validation = Rule::new("!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.size() > 0")
    .message("matchExpressions holds no expression, which would serve every namespace: write selector: {} if you mean that")
    .field_path(".selector.matchExpressions"))]
#[x_kube(validation = Rule::new("!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && e.values.size() > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || e.values.size() == 0))")
    .message("operator must be In or NotIn with values, or Exists or DoesNotExist without")
    .field_path(".selector.matchExpressions"))]
pub struct AllowedNamespaces {
    /// Namespaces by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 256), inner(length(max = 63)))]
    #[x_kube(validation = ("self.all(x, x.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",
        "names must be names of namespaces, without wildcards: selector serves a group of them"))]
    pub names: Vec<String>,
    /// Namespaces by label; `{}` is every namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Bounds on the images behind a provider. A list that is given must contain the image's value;
/// an image that lacks the value is outside.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.pathPrefixes) || has(self.organizations) || has(self.workspaceIds) || has(self.visibility)",
    "accept must name at least one of pathPrefixes, organizations, workspaceIds and visibility; leave accept out to accept every image"))]
pub struct Accept {
    /// Prefixes of the image path, `HOST/` and any number of path segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 255)))]
    #[x_kube(validation = ("self.all(x, x.matches('^[a-z0-9.-]+(:[0-9]+)?/([a-z0-9._/-]*)$'))",
        "a path prefix must name the whole host and a slash, such as swr.cn-north-4.myhuaweicloud.com/ai-team/"))]
    pub path_prefixes: Vec<String>,
    /// SWR organizations that images may belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 64)))]
    #[x_kube(validation = ("self.all(x, x.matches('^[a-z][a-z0-9._-]*$'))",
        "organizations must be names of SWR organizations, without wildcards: they begin with a lower-case letter and consist of lower-case letters, digits, '.', '_' and '-'"))]
    pub organizations: Vec<String>,
    /// Workspaces that images may belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x.matches('^([0-9]+|[0-9a-z]{32})$'))",
        "workspaceIds must be digits (PAI, or 0), or 32 lower-case letters and digits (ModelArts)"))]
    pub workspace_ids: Vec<String>,
    /// Visibilities that images may have: `PRIVATE`, `PUBLIC`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 2), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x in ['PRIVATE', 'PUBLIC'])", "visibility must be PRIVATE or PUBLIC"))]
    pub visibility: Vec<String>,
}

/// A ModelArts project.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ModelArts {
    /// The region, such as `cn-north-4`.
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[a-z]{2}(-[a-z0-9]{1,20}){1,3}$')",
        "region must be a region's id such as cn-north-4"))]
    pub region: String,
    /// The project's id; without it the project that has the region's name is looked up in IAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9-]+$')",
        "projectId must consist of 1 to 64 letters, digits and hyphens; the console shows it under My Credentials"))]
    pub project_id: Option<String>,
    /// The workspace that names are looked up in; `0` is the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^(0|[0-9a-z]{32})$')",
        "workspaceId must be 0 or 32 lower-case letters and digits"))]
    pub workspace_id: Option<String>,
    /// Another origin than the vendor's own for the region; the operator must allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('^https?://[a-z0-9.-]+(:[0-9]{1,5})?$')",
        "endpoint must be an origin without a path, such as https://modelarts.cn-north-4.myhuaweicloud.com"))]
    pub endpoint: Option<String>,
}

/// A PAI region.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Pai {
    /// The region, such as `cn-shanghai`.
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[a-z]{2}(-[a-z0-9]{1,20}){1,3}$')",
        "region must be a region's id such as cn-shanghai"))]
    pub region: String,
    /// The workspace that names are looked up in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = ("self.matches('^[0-9]+$')", "workspaceId must consist of digits"))]
    pub workspace_id: Option<String>,
    /// Another origin than the vendor's own for the region; the operator must allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('^https?://[a-z0-9.-]+(:[0-9]{1,5})?$')",
        "endpoint must be an origin without a path, such as https://aiworkspace.cn-shanghai.aliyuncs.com"))]
    pub endpoint: Option<String>,
}

/// The status of both kinds of provider.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The ModelArts project that was looked up because the spec names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Conditions: Ready, Throttled, Listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Whether the platform is asked: Closed, or Open from three failures in a row until it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<String>,
}

/// The two kinds of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderKind {
    /// `ImageProvider`
    Namespaced,
    /// `ClusterImageProvider`
    Cluster,
}

impl ProviderKind {
    /// The kind's name in an object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespaced => "ImageProvider",
            Self::Cluster => "ClusterImageProvider",
        }
    }
}
