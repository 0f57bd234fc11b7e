//! `ImageRef`: which platform image a team means, and what it expects of it.
//!
//! Owns the shape and the rules of the spec. Must not know how an image is looked up. The
//! invariant that would break first: every rule here has a bad manifest in the tests, with the
//! message a person would read.

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

use super::condition::ConditionType;
use super::duration;
use super::source::Source;
use super::status::ImageRefStatus;
use kube::core::Rule;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A workload image of an AI cloud, declared and checked against the platform.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "imageref.dev",
    version = "v1alpha1",
    kind = "ImageRef",
    plural = "imagerefs",
    singular = "imageref",
    shortname = "imgref",
    shortname = "ir",
    category = "ai-images",
    namespaced,
    status = "ImageRefStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "An image of an AI cloud's image API, declared and checked: the operator asks the platform and writes architecture, status and path into the status.",
    selectable = ".spec.providerRef.name",
    selectable = ".status.arch",
    selectable = ".status.status",
    printcolumn(
        name = "PROVIDER",
        type_ = "string",
        json_path = ".status.provider.name"
    ),
    printcolumn(name = "ARCH", type_ = "string", json_path = ".status.arch"),
    printcolumn(name = "STATUS", type_ = "string", json_path = ".status.status"),
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
        name = "SWR-PATH",
        type_ = "string",
        json_path = ".status.swrPath",
        priority = 1
    ),
    printcolumn(
        name = "DIGEST",
        type_ = "string",
        json_path = ".status.digest",
        priority = 1
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
#[x_kube(validation = max_staleness_rule())]
#[x_kube(validation = Rule::new("!has(self.expect) || !has(self.expect.serverType) || has(self.source.liteServer)")
    .message("expect.serverType applies to source.liteServer only: remove it")
    .field_path(".expect.serverType"))]
#[x_kube(validation = Rule::new("!has(self.expect) || !has(self.expect.pathPrefixes) || !has(self.source.liteServer)")
    .message("expect.pathPrefixes does not apply to source.liteServer, whose images are machine images without a path: remove it")
    .field_path(".expect.pathPrefixes"))]
#[x_kube(validation = Rule::new("!has(self.expect) || !has(self.expect.accelerators) || !has(self.source.liteServer)")
    .message("expect.accelerators does not apply to source.liteServer, whose images do not state them: remove it")
    .field_path(".expect.accelerators"))]
#[x_kube(validation = Rule::new("!has(self.expect) || !has(self.expect.digest) || !has(self.source.liteServer)")
    .message("expect.digest does not apply to source.liteServer, whose images are machine images without a digest: remove it")
    .field_path(".expect.digest"))]
#[x_kube(validation = Rule::new("!has(self.expect) || !has(self.expect.digest) || self.digestPolicy != 'Never'")
    .message("expect.digest is about a digest that digestPolicy Never does not read: write digestPolicy: IfNotPresent or Always, or remove expect.digest")
    .field_path(".expect.digest"))]
pub struct ImageRefSpec {
    /// The provider to ask. Left out: the namespace's ImageProvider named `default`, else the
    /// ClusterImageProvider named `default`; the one used is in `status.provider`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,

    /// Which image is meant: exactly one of notebook, liteServer and pai, by id or by exact name.
    #[serde(default)]
    #[schemars(!default)]
    pub source: Source,

    /// How often to ask again: 1m to 168h, or 0s for "until the answer is final, then never".
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16), regex(pattern = duration::PATTERN))]
    #[x_kube(validation = duration::rule("duration(self) == duration('0s') || (duration(self) >= duration('1m') && duration(self) <= duration('168h'))",
        "interval must be 0s (never again) or between 1m and 168h"))]
    pub interval: String,

    /// The longest that one look at the platform may take: 1s to 5m.
    #[serde(default = "default_timeout")]
    #[schemars(length(max = 16), regex(pattern = duration::PATTERN))]
    #[x_kube(validation = duration::rule("duration(self) >= duration('1s') && duration(self) <= duration('5m')",
        "timeout must be between 1s and 5m"))]
    pub timeout: String,

    /// Stop looking; what the status says stays as it is.
    #[serde(default)]
    pub suspend: bool,

    /// How long a good answer may be used while it cannot be confirmed. Left out: the longer of
    /// 24h and three intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = duration::PATTERN))]
    #[x_kube(validation = duration::rule("duration(self) >= duration('0s')", "maxStaleness must be a duration"))]
    pub max_staleness: Option<String>,

    /// When to ask the registry for digest and platforms: Never; IfNotPresent, which is once for
    /// each path; or Always, which is at each look. Machine images have no path and are never asked for.
    #[serde(default = "default_digest_policy")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self in ['Never', 'IfNotPresent', 'Always']",
        "digestPolicy must be Never, IfNotPresent or Always"))]
    pub digest_policy: String,

    /// How many changes to keep in `status.history`.
    #[serde(default = "default_history_limit")]
    #[schemars(range(min = 0, max = 20))]
    pub history_limit: i32,

    /// What must be true of the image. A change here is judged at once, without a look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,

    /// Why the object as stored could not be read; set by the reader, never part of an object.
    #[serde(skip)]
    #[schemars(skip)]
    pub unreadable: Option<String>,
}

/// Names a provider.
#[derive(
    Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// `ImageProvider` (of the same namespace) or `ClusterImageProvider`.
    #[schemars(length(max = 32))]
    #[x_kube(validation = ("self in ['ImageProvider', 'ClusterImageProvider']",
        "kind must be ImageProvider or ClusterImageProvider"))]
    pub kind: String,
    /// The provider's name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = ("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "name must be the name of an object: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// Assertions about the image. A list is met if the fact is one of its entries.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.arch) || has(self.status) || has(self.accelerators) || has(self.serverType) || has(self.pathPrefixes) || has(self.digest)",
    "expect must name at least one of arch, status, accelerators, serverType, pathPrefixes and digest; leave expect out to assert nothing"))]
pub struct Expect {
    /// Architectures, in the spelling of `kubernetes.io/arch`: `amd64`, `arm64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x in ['amd64', 'arm64'])",
        "arch must be amd64 or arm64, in the spelling of the node label kubernetes.io/arch"))]
    pub arch: Vec<String>,
    /// Statuses; an explicit list replaces the rule that an image must be `ACTIVE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x in ['INIT', 'CREATING', 'CREATE_FAILED', 'ERROR', 'DELETED', 'ACTIVE', 'INACTIVE', 'UNKNOWN'])",
        "status must be one of INIT, CREATING, CREATE_FAILED, ERROR, DELETED, ACTIVE, INACTIVE and UNKNOWN"))]
    pub status: Vec<String>,
    /// Accelerators that the image must support, each of them: `CPU`, `GPU`, `ASCEND`, `PPU`, `XPU`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x in ['CPU', 'GPU', 'ASCEND', 'PPU', 'XPU'])",
        "accelerators must be some of CPU, GPU, ASCEND, PPU and XPU"))]
    pub accelerators: Vec<String>,
    /// Lite Server types: `BMS`, `ECS`, `HPS`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4), inner(length(max = 32)))]
    #[x_kube(validation = ("self.all(x, x in ['BMS', 'ECS', 'HPS'])", "serverType must be BMS, ECS or HPS"))]
    pub server_type: Vec<String>,
    /// Prefixes of the image path, `HOST/` and any number of path segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(length(max = 255)))]
    #[x_kube(validation = ("self.all(x, x.matches('^[a-z0-9.-]+(:[0-9]+)?/([a-z0-9._/-]*)$'))",
        "a path prefix must name the whole host and a slash, such as swr.cn-north-4.myhuaweicloud.com/ai-team/"))]
    pub path_prefixes: Vec<String>,
    /// The digest that the registry must give for the path: of the index where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71))]
    #[x_kube(validation = ("self.matches('^sha256:[a-f0-9]{64}$')",
        "digest must be sha256: and 64 lower-case hexadecimal digits"))]
    pub digest: Option<String>,
}

/// When a registry is asked for what a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestPolicy {
    /// Never; what was read before is forgotten.
    Never,
    /// Once for each path, until it was read.
    IfNotPresent,
    /// At each look.
    Always,
}

/// A text that is no duration is told so once, by its own field: here it passes.
fn max_staleness_rule() -> Rule {
    let pattern = duration::PATTERN;
    Rule::new(format!(
        "!has(self.maxStaleness) || !self.maxStaleness.matches('{pattern}') \
         || !self.interval.matches('{pattern}') \
         || duration(self.maxStaleness) >= duration(self.interval)"
    ))
    .message(
        "maxStaleness must not be shorter than interval: \
         an answer may not expire before it is due to be confirmed",
    )
    .field_path(".maxStaleness")
}

fn default_interval() -> String {
    "1h".into()
}

fn default_timeout() -> String {
    "20s".into()
}

fn default_digest_policy() -> String {
    "IfNotPresent".into()
}

const fn default_history_limit() -> i32 {
    5
}

impl ImageRefSpec {
    /// `interval`; one hour if it cannot be read. Zero means "until final, then never".
    pub fn interval(&self) -> Duration {
        duration::parse(&self.interval).unwrap_or(Duration::from_secs(3600))
    }

    /// `timeout`; 20 seconds if it cannot be read.
    pub fn timeout(&self) -> Duration {
        duration::parse(&self.timeout).unwrap_or(Duration::from_secs(20))
    }

    /// `maxStaleness`, or the longer of 24 hours and three intervals.
    pub fn max_staleness(&self) -> Duration {
        let floor = self.interval();
        self.max_staleness
            .as_deref()
            .and_then(duration::parse)
            .unwrap_or_else(|| Duration::from_secs(24 * 3600).max(floor * 3))
            .max(floor)
    }

    /// `digestPolicy`; `IfNotPresent` if it cannot be read.
    pub fn digest_policy(&self) -> DigestPolicy {
        match self.digest_policy.as_str() {
            "Never" => DigestPolicy::Never,
            "Always" => DigestPolicy::Always,
            _ => DigestPolicy::IfNotPresent,
        }
    }

    /// `historyLimit` within its bounds.
    pub fn history_limit(&self) -> usize {
        usize::try_from(self.history_limit.clamp(0, 20)).unwrap_or(0)
    }
}

impl ImageRef {
    /// Whether the answer in the status may be used.
    pub fn is_ready(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|s| super::condition::is_true(&s.conditions, ConditionType::Ready))
    }
}
