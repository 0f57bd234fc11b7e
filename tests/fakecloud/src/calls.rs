//! Owns the record of what was asked: counts by operation and a bounded log of requests.
//! Must not be known here: how requests are answered.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The log keeps this many requests, the newest.
pub const LOG_LIMIT: usize = 2000;

/// The operations of the simulated clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// `ModelArts`: one notebook image.
    ShowImage,
    /// `ModelArts`: notebook images.
    ListImage,
    /// `ModelArts`: groups of notebook images, the API whose path looks like an image named `group`.
    ListImageGroup,
    /// `ModelArts`: one Lite Server image.
    GetDevServerImage,
    /// `ModelArts`: Lite Server images.
    ListDevServerImages,
    /// PAI: one image.
    PaiGetImage,
    /// PAI: images.
    PaiListImages,
    /// IAM: a token by password.
    IamToken,
    /// IAM: projects.
    IamProjects,
}

/// Counts by operation; also what the server answers at `/_fake/calls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Calls(BTreeMap<Operation, u64>);

impl Calls {
    /// How often an operation was asked for, whatever the answer was.
    pub fn of(&self, operation: Operation) -> u64 {
        self.0.get(&operation).copied().unwrap_or_default()
    }

    /// All calls of all operations.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn count(&mut self, operation: Operation) {
        *self.0.entry(operation).or_default() += 1;
    }
}

/// A request that was answered, or dropped by a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// Method.
    pub method: String,
    /// Path as on the wire.
    pub path: String,
    /// Query as on the wire.
    pub query: String,
    /// The operation, if the route is one.
    pub operation: Option<Operation>,
    /// Status of the answer; none if the connection was closed instead.
    pub status: Option<u16>,
    /// Who asked, once authenticated: `ak:<access key>` or `token:<its first characters>`.
    pub principal: Option<String>,
}

/// The newest requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(VecDeque<LoggedRequest>);

impl Log {
    pub(crate) fn push(&mut self, request: LoggedRequest) {
        if self.0.len() == LOG_LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        self.0.iter().cloned().collect()
    }
}
