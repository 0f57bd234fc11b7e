//! Owns the record of what was asked: counts by operation and a bounded log of requests.
//! Must not be known here: how requests are answered.

use jiff::Timestamp;
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
    /// IAM: a token by password, access key or agency.
    IamToken,
    /// IAM: projects.
    IamProjects,
    /// IAM: temporary keys for a token or an agency.
    IamSecurityTokens,
    /// IAM: a token for an identity token.
    IamIdToken,
    /// IAM: an unscoped token for an identity token, by federation.
    IamFederation,
    /// IAM: domains.
    IamDomains,
    /// Huawei Cloud STS: who the caller is.
    CallerIdentity,
    /// Huawei Cloud STS: temporary keys for an identity token.
    AssumeWithOidc,
    /// Huawei Cloud instance metadata: a token.
    MetadataToken,
    /// Huawei Cloud instance metadata: temporary keys.
    MetadataSecurityKey,
    /// Huawei Cloud pod identity: temporary keys.
    PodIdentity,
    /// Alibaba Cloud STS: temporary keys for an identity token.
    AssumeRoleWithOidc,
    /// Alibaba Cloud ECS metadata: a token.
    EcsMetadataToken,
    /// Alibaba Cloud ECS metadata: the name of the role.
    EcsMetadataRole,
    /// Alibaba Cloud ECS metadata: temporary keys.
    EcsMetadataKeys,
    /// Alibaba Cloud: temporary keys of a credentials URI.
    CredentialsUri,
    /// SWR: a temporary login.
    SwrCreateSecret,
    /// Container Registry: the hosts of an instance.
    AcrListInstanceEndpoint,
    /// Container Registry: a temporary login.
    AcrGetAuthorizationToken,
}

/// The services of the simulated clouds, each on a host of its own in the real ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Service {
    /// Huawei Cloud `ModelArts`.
    ModelArts,
    /// Huawei Cloud IAM.
    Iam,
    /// Huawei Cloud STS.
    HuaweiSts,
    /// Huawei Cloud instance metadata.
    HuaweiMetadata,
    /// Huawei Cloud pod identity.
    PodIdentity,
    /// Alibaba Cloud PAI.
    Pai,
    /// Alibaba Cloud STS.
    AlibabaSts,
    /// Alibaba Cloud ECS metadata.
    EcsMetadata,
    /// Alibaba Cloud credentials URI.
    CredentialsUri,
    /// Huawei Cloud SWR, its management API.
    Swr,
    /// Alibaba Cloud Container Registry, its API.
    Acr,
}

impl Operation {
    /// The service it is of.
    pub fn service(self) -> Service {
        match self {
            Operation::ShowImage
            | Operation::ListImage
            | Operation::ListImageGroup
            | Operation::GetDevServerImage
            | Operation::ListDevServerImages => Service::ModelArts,
            Operation::PaiGetImage | Operation::PaiListImages => Service::Pai,
            Operation::IamToken
            | Operation::IamProjects
            | Operation::IamSecurityTokens
            | Operation::IamIdToken
            | Operation::IamFederation
            | Operation::IamDomains => Service::Iam,
            Operation::CallerIdentity | Operation::AssumeWithOidc => Service::HuaweiSts,
            Operation::MetadataToken | Operation::MetadataSecurityKey => Service::HuaweiMetadata,
            Operation::PodIdentity => Service::PodIdentity,
            Operation::AssumeRoleWithOidc => Service::AlibabaSts,
            Operation::EcsMetadataToken
            | Operation::EcsMetadataRole
            | Operation::EcsMetadataKeys => Service::EcsMetadata,
            Operation::CredentialsUri => Service::CredentialsUri,
            Operation::SwrCreateSecret => Service::Swr,
            Operation::AcrListInstanceEndpoint | Operation::AcrGetAuthorizationToken => {
                Service::Acr
            }
        }
    }
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
    /// When it came, by the machine's clock.
    pub at: Timestamp,
    /// Method.
    pub method: String,
    /// The address it came in at, `host:port`.
    pub origin: String,
    /// The host it asked for; through a proxy another than the address.
    pub host: String,
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

/// A logged request with what it carried, which the log does not show.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) request: LoggedRequest,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The newest requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(VecDeque<Entry>);

impl Log {
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.0.len() == LOG_LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        self.entries().map(|entry| entry.request.clone()).collect()
    }
}
