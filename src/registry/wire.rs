//! The wire: one request to a registry, one answer within bounds.
//!
//! Owns every bound on an answer, and the operator's network under it: proxy, extra authorities and
//! the judgement of addresses are those of requests to the clouds. Must not know what an answer
//! means, and follows nothing. The invariant that would break first: a request leaves only for a URL
//! that [`RegistryHosts`] lets through, at an address that was judged.

use super::RegistryHosts;
use super::look::Missed;
use super::refusal::Asked;
use crate::cloud::Network;
use crate::cloud::gate::turn;
use crate::cloud::identity::Clock;
use crate::cloud::network::Routes;
use crate::cloud::refusal::request_id;
use crate::cloud::transport::{header, pause, refusal, unreachable};
use crate::facts::{Failure, FailureKind};
use crate::telemetry::Metrics;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::Empty;
use url::Url;

/// Bound on a manifest, in bytes: what registries take at most (OCI distribution specification,
/// "Pushing Manifests").
pub const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;
/// Bound on an image's config, in bytes.
pub const LARGEST_CONFIG: usize = 4 * 1024 * 1024;
/// Bound on the answer of a token service, in bytes.
pub const LARGEST_TOKEN: usize = 64 * 1024;
/// Bound on the hops to where a config is stored.
pub const MOST_REDIRECTS: usize = 3;
/// Bound on one request and its whole answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bound on what is read of an answer that is no success, in bytes.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// A request. Has no `Debug`: it shows who asks.
pub(super) struct Call<'a> {
    pub(super) asked: Asked,
    /// Whether the headers of the answer are enough.
    pub(super) head: bool,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    pub(super) authorization: Option<&'a SecretString>,
    /// Bound on the body, in bytes.
    pub(super) largest: usize,
    /// The host as messages name it.
    pub(super) shown: &'a str,
}

/// An answer, whatever its status. Has no `Debug`: it may hold a token.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenges: Vec<String>,
    /// `Docker-Content-Digest`.
    pub(super) digest: Option<String>,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Wire {
    routes: Routes,
    pub(super) hosts: RegistryHosts,
    pub(super) clock: Clock,
    metrics: Arc<Metrics>,
    /// What answers in place of the registries.
    #[cfg(test)]
    pub(super) stand_in: Option<StandIn>,
}

/// What answers requests in process, for tests with a time of their own; `None`: the connection broke.
#[cfg(test)]
pub(crate) type StandIn = Arc<
    dyn Fn(
            reqwest::Request,
        ) -> futures::future::BoxFuture<'static, Option<hyper::Response<Vec<u8>>>>
        + Send
        + Sync,
>;

impl Wire {
    /// The operator's network, open to the registries that it names instead of cloud endpoints.
    pub(super) fn new(
        network: Network,
        hosts: RegistryHosts,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, String> {
        let allowed = hosts.endpoints()?;
        let routes = Routes::new(Network { allowed, ..network })?;
        Ok(Self {
            routes,
            hosts,
            clock,
            metrics,
            #[cfg(test)]
            stand_in: None,
        })
    }

    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, Missed> {
        turn((self.clock)()).await?;
        let (shown, asked) = (call.shown, call.asked);
        let begun = Instant::now();
        let sent = tokio::time::timeout(PATIENCE, self.exchange(call)).await;
        let sent = sent.unwrap_or_else(|_| {
            let message = format!(
                "{shown} gave no whole answer within {} s",
                PATIENCE.as_secs()
            );
            Err(Failure::new(FailureKind::Unreachable, message).into())
        });
        let status = sent.as_ref().ok().map(|answer| answer.status);
        let took = begun.elapsed();
        self.metrics.registry_request(asked.as_str(), status, took);
        sent
    }

    /// Its span has neither path nor query: token services are told scopes and accounts there.
    #[tracing::instrument(name = "registry request", level = "debug", skip_all, fields(
        server.address = call.shown,
        http.request.method = if call.head { "HEAD" } else { "GET" },
        http.response.status_code = Empty,
    ))]
    async fn exchange(&self, call: Call<'_>) -> Result<Answer, Missed> {
        let shown = call.shown;
        if !self.hosts.is_sendable(&call.url) {
            let message = format!("{shown} is to be reached over plain HTTP, which is not done");
            return Err(Failure::new(FailureKind::PermissionDenied, message).into());
        }
        let origin = call.url.origin().ascii_serialization();
        let route = self.routes.to(&origin, &call.url);
        let route = route.map_err(|refused| refusal(shown, &refused))?;
        let mut request = if call.head {
            route.client.head(call.url)
        } else {
            route.client.get(call.url)
        };
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = call.authorization {
            let value = HeaderValue::from_bytes(authorization.expose_secret().as_bytes());
            let mut value = value.map_err(|_| {
                let message =
                    format!("the token or login for {shown} has characters that cannot be sent");
                Failure::new(FailureKind::AuthenticationFailed, message)
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        #[cfg(test)]
        if let Some(stand_in) = &self.stand_in {
            let request = request
                .build()
                .map_err(|error| unreachable(shown, false, &error))?;
            let response = stand_in(request)
                .await
                .ok_or_else(|| Failure::new(FailureKind::Unreachable, "the connection broke"))?;
            return read(response.into(), shown, call.largest, &self.clock).await;
        }
        let response = request.send().await;
        let response = response.map_err(|error| unreachable(shown, route.is_proxied, &error))?;
        let status = response.status().as_u16();
        Span::current().record("http.response.status_code", i64::from(status));
        read(response, shown, call.largest, &self.clock).await
    }
}

async fn read(
    mut response: reqwest::Response,
    shown: &str,
    largest: usize,
    clock: &Clock,
) -> Result<Answer, Missed> {
    let status = response.status();
    let headers = response.headers();
    let text = |name: &str| header(headers, name).map(|text| text.trim().to_owned());
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    let mut answer = Answer {
        status: status.as_u16(),
        challenges: challenges
            .filter_map(|value| value.to_str().ok().map(Into::into))
            .collect(),
        digest: text("docker-content-digest").filter(|text| !text.is_empty()),
        location: text(LOCATION.as_str()),
        retry_after: pause(headers, clock()),
        request_id: header(headers, "x-request-id").and_then(request_id),
        body: Vec::new(),
    };
    let bound = if status.is_success() {
        largest
    } else {
        LARGEST_REFUSAL
    };
    loop {
        let (missed, message): (fn(Failure) -> Missed, _) = match response.chunk().await {
            Ok(Some(chunk)) if answer.body.len() + chunk.len() <= bound => {
                answer.body.extend_from_slice(&chunk);
                continue;
            }
            Ok(None) => return Ok(answer),
            // The status says enough.
            Ok(Some(_)) | Err(_) if !status.is_success() => {
                answer.body.clear();
                return Ok(answer);
            }
            Ok(Some(_)) => (
                Missed::Answer,
                format!("the answer of {shown} is larger than {} KiB", bound >> 10),
            ),
            Err(_) => (Missed::Trouble, format!("the answer of {shown} broke off")),
        };
        return Err(missed(Failure {
            request_id: answer.request_id,
            ..Failure::new(FailureKind::ResponseInvalid, message)
        }));
    }
}
