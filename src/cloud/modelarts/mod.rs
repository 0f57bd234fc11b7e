//! Huawei Cloud `ModelArts`: notebook images and Lite Server images.
//!
//! Owns the headers of its requests and how they are signed in. Must not know Kubernetes. The
//! invariant that would break first: a request names the project of the account in path and header.

pub mod derived;
pub mod endpoint;
pub mod error;
pub(super) mod lite_server;
pub(super) mod notebook;
pub mod sign;

use super::transport::{self, Answer, Request};
use super::{Clouds, Credential, Operation, check_segment};
use crate::facts::{Failure, FailureKind};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;

/// Entries asked for with one page: the documented default. No upper bound is documented.
const PAGE: u64 = 200;
/// The service's name in derived keys.
const SERVICE: &str = "modelarts";

/// One project, as one credential sees it.
pub(super) struct Project<'a> {
    pub(super) clouds: &'a Clouds,
    pub(super) endpoint: &'a str,
    pub(super) region: &'a str,
    pub(super) id: &'a str,
    pub(super) credential: &'a Credential,
}

impl Project<'_> {
    /// Asks for a path below the project; `path` consists of checked segments. An answer that is
    /// not a success is a failure.
    async fn get(
        &self,
        operation: Operation,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Answer, Failure> {
        let path = format!("/v1/{}/{path}", check_segment(self.id)?);
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let now = (self.clouds.entropy.clock)();
        let (query, headers) = self.sign(&path, &query, now)?;
        let request = Request::get(self.endpoint, &path, &query, &headers);
        let refused = |answer: &Answer| {
            error::classify(answer.status, &answer.body).into_failure(answer, self.credential)
        };
        self.clouds.get(operation, &request, now, refused).await
    }

    /// Query and headers as they are to be sent.
    fn sign(
        &self,
        path: &str,
        query: &[(String, String)],
        now: jiff::Timestamp,
    ) -> Result<(String, Vec<(String, SecretString)>), Failure> {
        // As the vendor's SDKs send them; without a language messages may come in Chinese.
        let plain = [
            ("Content-Type", "application/json"),
            ("X-Language", "en-us"),
        ];
        let plain = plain.map(|(name, value)| (name.to_owned(), value.to_owned()));
        match self.credential {
            Credential::HuaweiToken(token) => {
                let mut headers = plain.map(|(name, value)| (name, value.into())).to_vec();
                headers.push(("X-Project-Id".into(), self.id.into()));
                headers.push(("X-Auth-Token".into(), token.clone()));
                Ok((encoded(query), headers))
            }
            Credential::HuaweiKeys {
                access_key,
                secret_key,
                security_token,
            } => {
                let host = transport::host(self.endpoint);
                let request = sign::Request {
                    method: "GET",
                    host,
                    path,
                    query,
                    headers: &plain,
                    body: b"",
                };
                let credential = sign::Credential {
                    access_key: access_key.clone(),
                    secret_key: secret_key.clone(),
                    security_token: security_token.clone(),
                    scope: Some(sign::Scope::Project(self.id.into())),
                };
                let scheme = self.clouds.derived.scheme(host, self.region, SERVICE);
                let signed = sign::sign(&request, &credential, &scheme, now)
                    .map_err(|error| unsignable(&error.to_string()))?;
                Ok((signed.query, signed.headers))
            }
            Credential::AlibabaKeys { .. } => Err(unsignable("the access key is Alibaba's")),
        }
    }
}

/// An id as a path segment. `images/group` is another API, and the signature's rules turn an encoded
/// slash into a real one; no word of a route and no path is as long as a UUID and as plain.
fn check_id(id: &str) -> Result<&str, Failure> {
    if id.len() == 36 {
        check_segment(id)
    } else {
        Err(Failure::new(
            FailureKind::InvalidSpec,
            "the id of a ModelArts image must be a UUID",
        ))
    }
}

fn unsignable(why: &str) -> Failure {
    let message =
        format!("the request cannot be signed with what the provider's Secret holds: {why}");
    Failure::new(FailureKind::ProviderNotReady, message)
}

/// The query of a request that carries a token and so is not signed.
pub(super) fn encoded(query: &[(String, String)]) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs = query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
