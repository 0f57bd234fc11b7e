//! What a reference may point at: one image of one of the three platform APIs.
//!
//! Owns the shape and the rules of `spec.source`. The invariant that would break first: an id that
//! ends up in a URL path consists of harmless characters only.

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

/// Which image is meant: exactly one platform API, by id or by exact name.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.notebook), has(self.liteServer), has(self.pai)].filter(x, x).size() == 1",
    "set exactly one of notebook, liteServer and pai: an ImageRef points at one image"))]
pub struct Source {
    /// An image of the ModelArts notebook image API (ShowImage, ListImage).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notebook: Option<NotebookSource>,
    /// A machine image of the ModelArts Lite Server image API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lite_server: Option<LiteServerSource>,
    /// An image of the Alibaba PAI (AIWorkSpace) image API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pai: Option<PaiSource>,
}

/// A ModelArts notebook image.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.id) != has(self.name)",
    "set either id or name: id is the image's UUID, name is matched exactly"))]
#[x_kube(validation = ("has(self.name) || !(has(self.tag) || has(self.organization) || has(self.type) || has(self.workspaceId))",
    "tag, organization, type and workspaceId narrow a name: remove them, or write name instead of id"))]
pub struct NotebookSource {
    /// The image's id, a lower-case UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",
        "id must be a lower-case UUID such as 278e88d1-5b71-4766-8502-b3ba72e824d9"))]
    pub id: Option<String>,
    /// The image's name, matched exactly, among the platform's own and the project's images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = ("self.matches('^[a-z0-9._-]+$')",
        "name must consist of lower-case letters, digits, '-', '_' and '.': write it as the platform shows it, without the tag"))]
    pub name: Option<String>,
    /// Only an image with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = ("self.matches('^[A-Za-z0-9_][A-Za-z0-9._-]*$')",
        "tag must consist of letters, digits, '_', '.' and '-', and not begin with '.' or '-'"))]
    pub tag: Option<String>,
    /// Only an image of this SWR organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[a-z][a-z0-9._-]*$')",
        "organization must begin with a lower-case letter and consist of lower-case letters, digits, '.', '_' and '-'"))]
    pub organization: Option<String>,
    /// Only the platform's own images (`BUILD_IN`) or only the project's (`DEDICATED`).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self in ['BUILD_IN', 'DEDICATED']", "type must be BUILD_IN or DEDICATED"))]
    pub type_: Option<String>,
    /// The ModelArts workspace; the provider's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self.matches('^(0|[0-9a-z]{32})$')",
        "workspaceId must be 0 or 32 lower-case letters and digits"))]
    pub workspace_id: Option<String>,
}

/// A ModelArts Lite Server machine image.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.id) != has(self.name)",
    "set either id or name: id is the image's UUID, name is matched exactly"))]
#[x_kube(validation = ("has(self.name) || !has(self.serverType)",
    "serverType narrows a name: remove it, or write name instead of id (spec.expect.serverType asserts it for an id)"))]
pub struct LiteServerSource {
    /// The image's id, a lower-case UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = ("self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')",
        "id must be a lower-case UUID of version 1 to 5 such as 7a1b6d2e-0c3f-4d5a-9e8b-1f2a3b4c5d6e"))]
    pub id: Option<String>,
    /// The image's name, matched exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^[^ \\\\t\\\\r\\\\n]([^\\\\t\\\\r\\\\n]*[^ \\\\t\\\\r\\\\n])?$')",
        "name must not be empty, begin or end with a space, or contain tabs or line breaks"))]
    pub name: Option<String>,
    /// Only an image for this type of server: `BMS`, `ECS` or `HPS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self in ['BMS', 'ECS', 'HPS']", "serverType must be BMS, ECS or HPS"))]
    pub server_type: Option<String>,
}

/// An Alibaba PAI image.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.id) != has(self.name)",
    "set either id or name: id begins with image-, name is matched exactly"))]
#[x_kube(validation = ("has(self.name) || !has(self.workspaceId)",
    "workspaceId narrows a name: remove it, or write name instead of id"))]
pub struct PaiSource {
    /// The image's id, `image-` and letters or digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 70))]
    #[x_kube(validation = ("self.matches('^image-[0-9a-zA-Z]{1,64}$')",
        "id must be image- followed by letters and digits, as the PAI console shows it"))]
    pub id: Option<String>,
    /// The image's name, matched exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(validation = ("self.matches('^[^ \\\\t\\\\r\\\\n]([^\\\\t\\\\r\\\\n]*[^ \\\\t\\\\r\\\\n])?$')",
        "name must not be empty, begin or end with a space, or contain tabs or line breaks"))]
    pub name: Option<String>,
    /// The PAI workspace; the provider's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = ("self.matches('^[0-9]+$')", "workspaceId must consist of digits"))]
    pub workspace_id: Option<String>,
}
