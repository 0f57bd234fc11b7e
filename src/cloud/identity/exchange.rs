//! One exchange: the form of proof decides whom to ask.
//!
//! Owns the clients of identity services and what they remember. Must not know caches or when to
//! ask again: nothing here is tried twice, but for a metadata token that is over. The invariant that
//! would break first: a proof goes to the vendor's or the operator's address and nowhere else.

use super::endpoints::IdentityEndpoints;
use super::refused::{self, Service};
use super::{Identity, Issued, Source};
use super::{
    alibaba_metadata, alibaba_sts, credentials_uri, huawei_iam, huawei_metadata, huawei_sts,
    pod_identity,
};
use crate::cloud::modelarts::derived::DerivedSigning;
use crate::cloud::network::{Network, Routes, near_client};
use crate::cloud::transport::{self, Answer, Method, Request, Way};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long IAM and STS may take for one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time, as an argument.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clients of all identity services. One for the process.
pub struct Exchanger {
    routes: Routes,
    near: reqwest::Client,
    pub(super) endpoints: IdentityEndpoints,
    pub(super) derived: DerivedSigning,
    clock: Clock,
    /// Until when Huawei Cloud's metadata service is asked without its token.
    pub(super) tokenless_until: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Exchanger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchanger")
    }
}

/// One call of an exchange. Has no `Debug`: it is a proof of identity.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) origin: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: Vec<(String, SecretString)>,
    /// Text, empty for none.
    pub(super) body: SecretString,
}

impl<'a> Call<'a> {
    /// Without query, headers and body.
    pub(super) fn new(method: Method, origin: &'a str, path: &'a str) -> Self {
        Self {
            method,
            origin,
            path,
            query: "",
            headers: Vec::new(),
            body: SecretString::default(),
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A body in JSON.
    pub(super) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into();
        self.header("Content-Type", "application/json")
    }

    /// The failure that an answer to this call is.
    pub(super) fn refused(&self, service: Service, source: &Source, answer: &Answer) -> Failure {
        let headers = self.headers.iter().map(|(_, value)| value);
        let sent: Vec<_> = headers
            .chain([&self.body])
            .map(ExposeSecret::expose_secret)
            .chain([self.path, self.query])
            .collect();
        refused::failure(service, source, answer, &sent)
    }
}

impl Exchanger {
    /// The services' addresses count as allowed: the operator names them, nobody else can.
    ///
    /// # Errors
    /// One sentence: certificates or endpoints cannot be used.
    pub fn new(mut network: Network, endpoints: IdentityEndpoints) -> Result<Self, String> {
        let near = near_client(&network.extra_roots)
            .map_err(|error| format!("no TLS client: {}", transport::cause(&error)))?;
        let services = [
            &endpoints.huawei_iam,
            &endpoints.huawei_sts,
            &endpoints.alibaba_sts,
        ];
        network.allowed = network.allowed.and(services.into_iter().flatten().cloned());
        Ok(Self {
            routes: Routes::new(network)?,
            near,
            endpoints,
            derived: DerivedSigning::default(),
            clock: Arc::new(Timestamp::now),
            tokenless_until: Mutex::default(),
        })
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where requests are signed by `V11-HMAC-SHA256`.
    #[must_use]
    pub fn with_derived_signing(mut self, derived: DerivedSigning) -> Self {
        self.derived = derived;
        self
    }

    /// Exchanges a proof for a credential.
    ///
    /// # Errors
    /// The class of what went wrong; the message is fit for users of the cluster.
    pub async fn exchange(&self, identity: &Identity) -> Result<Issued, Failure> {
        let source = identity.source();
        let exchanged = match source {
            Source::Static(credential) => Ok(Issued {
                credential: credential.clone(),
                issued_at: self.now(),
                expires_at: None,
            }),
            Source::HuaweiPassword { .. }
            | Source::HuaweiAgency { .. }
            | Source::HuaweiIdToken { .. } => Box::pin(huawei_iam::exchange(self, identity)).await,
            Source::HuaweiStsOidc { .. } => Box::pin(huawei_sts::exchange(self, identity)).await,
            Source::HuaweiMetadata => Box::pin(huawei_metadata::exchange(self, source)).await,
            Source::HuaweiPodIdentity { uri, token_file } => {
                Box::pin(pod_identity::exchange(self, source, uri, token_file)).await
            }
            Source::AlibabaOidc { .. } => Box::pin(alibaba_sts::exchange(self, identity)).await,
            Source::AlibabaMetadata { role } => {
                Box::pin(alibaba_metadata::exchange(self, source, role.as_deref())).await
            }
            Source::AlibabaCredentialsUri { uri } => {
                Box::pin(credentials_uri::exchange(self, source, uri)).await
            }
        };
        tracing::debug!(
            form = source.form(),
            outcome = exchanged
                .as_ref()
                .map_or_else(|failure| failure.kind.as_str(), |_| "issued"),
            "exchanged a proof of identity"
        );
        exchanged
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Asks a cloud's service.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        self.send_by(Way::Far(&self.routes), call, PATIENCE).await
    }

    /// Asks a service on this node: no proxy, plain HTTP, little patience.
    pub(super) async fn send_near(
        &self,
        call: &Call<'_>,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        self.send_by(Way::Near(&self.near), call, patience).await
    }

    async fn send_by(
        &self,
        way: Way<'_>,
        call: &Call<'_>,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        let request = Request {
            method: call.method,
            origin: call.origin,
            path: call.path,
            query: call.query,
            headers: &call.headers,
            body: call.body.expose_secret().as_bytes(),
        };
        let sent = Box::pin(transport::send(way, &request, self.now()));
        tokio::time::timeout(patience, sent)
            .await
            .unwrap_or_else(|_| {
                let host = transport::host(call.origin);
                let message = format!(
                    "{host} gave no whole answer within {} s",
                    patience.as_secs()
                );
                Err(Failure::new(FailureKind::Unreachable, message))
            })
    }
}

/// The operator has not said where a service is.
pub(super) fn nowhere(message: String) -> Failure {
    Failure::new(FailureKind::ProviderNotReady, message)
}
