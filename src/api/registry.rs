//! `spec.registry` of both kinds of provider: how registries are asked for digests.
//!
//! Owns the shape and the rules. Must not know how a registry is asked or a login is made. The
//! invariant that would break first: at most one way to log in is named, so that no login is sent
//! where another was meant.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]

use super::auth::SecretRef;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How the registries behind a provider's images are asked.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// How to log in to the registry; anonymous if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<RegistryAuth>,
    /// Ask hosts of the vendor's private network by their public names, for an operator that is not
    /// in that network.
    #[serde(default)]
    pub public_hosts: bool,
}

/// How to log in to a registry.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.anonymous), has(self.secretRef), has(self.fromProvider)].filter(x, x).size() == 1",
    "set exactly one of anonymous, secretRef and fromProvider in registry.auth; leave auth out to ask without a login"))]
pub struct RegistryAuth {
    /// Without a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
    /// A Secret of type kubernetes.io/dockerconfigjson, where the Secret of spec.auth would be: in
    /// the ImageProvider's own namespace, or in the operator's for a ClusterImageProvider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// A login made from the keys that spec.auth gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_provider: Option<FromProvider>,
}

/// No login; it has no fields.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
pub struct Anonymous {}

/// A login made from the provider's own keys.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FromProvider {
    /// The instance of Alibaba Cloud Container Registry (Enterprise Edition) that images live in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 68))]
    #[x_kube(validation = ("self.matches('^cri-[a-z0-9]{1,64}$')",
        "acrInstanceId must be cri- followed by lower-case letters and digits, as the console shows it"))]
    pub acr_instance_id: Option<String>,
}
