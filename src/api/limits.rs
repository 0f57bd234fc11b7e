//! `spec.limits` of both kinds of provider: how much may be asked of one account.
//!
//! Owns the shape and the bounds. Must not know how a limit is kept or what is used where none is
//! given: that is the gate's. The invariant that would break first: the bounds here are those that
//! every limit is kept within, whatever an older CRD let through.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]
#![allow(
    clippy::doc_markdown,
    reason = "descriptions are read in `kubectl explain`, where product names carry no backticks"
)]

use super::duration;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Bounds on what one account is asked. Providers with the same credentials share one budget: the
/// smallest of theirs.
///
/// Whole requests a second: the API has no fractions, since a number with a point does not survive
/// every tool that reads and writes manifests. Whoever wants less than one a second wants a longer
/// minInterval.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLimits {
    /// Requests a second to the platform, each page of a list counted: 1 to 100; 5 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub requests_per_second: Option<i32>,
    /// Requests that may come at once after a quiet time: 1 to 200; 10 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub burst: Option<i32>,
    /// Calls under way at once: 1 to 32; 4 if left out. Above 5, a key that Huawei Cloud refuses in
    /// the middle of many calls is locked for some minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32))]
    pub max_concurrent: Option<i32>,
    /// The shortest interval at which ImageRefs are looked at through this provider: 1m to 168h; 1m
    /// if left out. It goes before a shorter spec.interval, but for 0s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = duration::PATTERN))]
    #[x_kube(validation = duration::rule("duration(self) >= duration('1m') && duration(self) <= duration('168h')",
        "minInterval must be between 1m and 168h"))]
    pub min_interval: Option<String>,
}
