//! Alibaba Cloud PAI: `AIWorkSpace` images.
//!
//! Owns the version of the API and how its requests are signed. Must not know Kubernetes. The
//! invariant that would break first: no two requests carry the same nonce.

pub mod endpoint;
pub mod error;
pub(super) mod images;
pub mod sign;

use super::transport::{self, Answer, Request};
use super::{Clouds, Credential, Operation};
use crate::facts::{Failure, FailureKind};

const VERSION: &str = "2021-02-04";

/// One region, as one credential sees it.
pub(super) struct Region<'a> {
    pub(super) clouds: &'a Clouds,
    pub(super) endpoint: &'a str,
    pub(super) credential: &'a Credential,
}

impl Region<'_> {
    /// Calls the action of an operation; `path` consists of checked segments. An answer that is not a
    /// success is a failure.
    async fn get(
        &self,
        operation: Operation,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Answer, Failure> {
        let Credential::AlibabaKeys {
            access_key,
            secret_key,
            security_token,
        } = self.credential
        else {
            return Err(unsignable("it is not Alibaba's"));
        };
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let now = (self.clouds.entropy.clock)();
        let request = sign::Request {
            method: "GET",
            host: transport::host(self.endpoint),
            path,
            query: &query,
            headers: &[("accept".to_owned(), "application/json".to_owned())],
            body: b"",
        };
        let credential = sign::Credential {
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            security_token: security_token.clone(),
        };
        let action = sign::Action {
            name: operation.as_str(),
            version: VERSION,
        };
        let nonce = (self.clouds.entropy.nonce)();
        let rule = sign::HeaderRule::Documented;
        let signed = sign::sign(&request, &credential, action, now, &nonce, rule)
            .map_err(|error| unsignable(&error.to_string()))?;
        let request = Request::get(self.endpoint, path, &signed.query, &signed.headers);
        let refused = |answer: &Answer| {
            error::classify(answer.status, &answer.body).into_failure(answer, self.credential)
        };
        self.clouds.get(operation, &request, now, refused).await
    }
}

fn unsignable(why: &str) -> Failure {
    let message =
        format!("the request cannot be signed with what the provider's Secret holds: {why}");
    Failure::new(FailureKind::ProviderNotReady, message)
}
