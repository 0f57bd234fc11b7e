//! The management APIs of the vendors' registries: one signed call and its answer.
//!
//! Owns how such a call is signed, sent and, if refused, classed. Must not know what is asked for or
//! when to ask again: nothing here is tried twice. The invariant that would break first: a call goes
//! to the vendor's or the operator's origin, signed as it is sent, and no part of the credential
//! comes back in a failure.

use super::endpoint::check_region;
use super::identity::renewal;
use super::modelarts::{self, derived::DerivedSigning, encoded};
use super::network::{Network, Routes};
use super::refusal::Refusal;
use super::transport::{self, Answer, Method, Request, Way};
use super::{Credential, Entropy, pai};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked of a management API. No call here has a body.
pub(crate) struct Ask<'a> {
    /// The API's name in sentences.
    pub(crate) name: &'static str,
    /// What the user must be allowed to do, for the sentence about that.
    pub(crate) right: &'static str,
    /// What of the provider's spec to look at when the API knows nothing of the kind.
    pub(crate) fields: &'static str,
    pub(crate) origin: &'a str,
    /// In plain characters.
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) credential: &'a Credential,
}

/// What an API's failures are told with.
#[derive(Clone, Copy)]
struct Words {
    name: &'static str,
    right: &'static str,
    fields: &'static str,
}

/// An answer that is a success. Has no `Debug`: it holds a password.
pub(crate) struct Reply {
    origin: String,
    words: Words,
    answer: Answer,
}

/// The client of all management APIs. One for the process.
pub(crate) struct Management {
    routes: Routes,
    entropy: Entropy,
    derived: DerivedSigning,
}

impl Management {
    /// `origins` are the operator's own, checked where they were given.
    pub(crate) fn new(
        mut network: Network,
        origins: impl IntoIterator<Item = String>,
        entropy: Entropy,
        derived: DerivedSigning,
    ) -> Result<Self, String> {
        network.allowed = network.allowed.and(origins);
        let routes = Routes::new(network)?;
        Ok(Self {
            routes,
            entropy,
            derived,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.entropy.clock)()
    }

    /// A call of Huawei Cloud's `service` in a region, for a project where one is known.
    pub(crate) async fn huawei(
        &self,
        ask: &Ask<'_>,
        service: &str,
        region: &str,
        project: Option<&str>,
    ) -> Result<Reply, Failure> {
        use modelarts::sign;
        let now = self.now();
        let query = owned(ask.query);
        // As the vendor's SDKs send them; without a language messages may come in Chinese.
        let plain = [
            ("Content-Type", "application/json"),
            ("X-Language", "en-us"),
        ];
        let (query, headers) = match ask.credential {
            Credential::HuaweiToken(token) => {
                let mut headers: Vec<(String, SecretString)> = plain
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .to_vec();
                headers.push(("X-Auth-Token".into(), token.clone()));
                (encoded(&query), headers)
            }
            Credential::HuaweiKeys {
                access_key,
                secret_key,
                security_token,
            } => {
                let host = transport::host(ask.origin);
                let request = sign::Request {
                    method: "POST",
                    host,
                    path: ask.path,
                    query: &query,
                    headers: &owned(&plain),
                    body: b"",
                };
                let credential = sign::Credential {
                    access_key: access_key.clone(),
                    secret_key: secret_key.clone(),
                    security_token: security_token.clone(),
                    scope: project.map(|id| sign::Scope::Project(id.into())),
                };
                let scheme = self.derived.scheme(host, region, service);
                let signed = sign::sign(&request, &credential, &scheme, now)
                    .map_err(|error| unsignable(&error.to_string()))?;
                (signed.query, signed.headers)
            }
            Credential::AlibabaKeys { .. } => {
                return Err(unsignable("the access key is Alibaba's"));
            }
        };
        let answer = self.send(ask, &query, &headers, now).await?;
        reply(ask, answer, modelarts::error::classify)
    }

    /// A call of an action in the style that has no paths.
    pub(crate) async fn alibaba(
        &self,
        ask: &Ask<'_>,
        action: &str,
        version: &str,
    ) -> Result<Reply, Failure> {
        use pai::sign;
        let Credential::AlibabaKeys {
            access_key,
            secret_key,
            security_token,
        } = ask.credential
        else {
            return Err(unsignable("it is not Alibaba's"));
        };
        let now = self.now();
        let query = owned(ask.query);
        let request = sign::Request {
            method: "POST",
            host: transport::host(ask.origin),
            path: ask.path,
            query: &query,
            headers: &owned(&[("accept", "application/json")]),
            body: b"",
        };
        let credential = sign::Credential {
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
            security_token: security_token.clone(),
        };
        let action = sign::Action {
            name: action,
            version,
        };
        let nonce = (self.entropy.nonce)();
        let rule = sign::HeaderRule::Documented;
        let signed = sign::sign(&request, &credential, action, now, &nonce, rule)
            .map_err(|error| unsignable(&error.to_string()))?;
        let answer = self.send(ask, &signed.query, &signed.headers, now).await?;
        reply(ask, answer, pai::error::classify)
    }

    async fn send(
        &self,
        ask: &Ask<'_>,
        query: &str,
        headers: &[(String, SecretString)],
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        let request = Request {
            method: Method::Post,
            origin: ask.origin,
            path: ask.path,
            query,
            headers,
            body: b"",
        };
        let sent = Box::pin(transport::send(Way::Far(&self.routes), &request, now));
        tokio::time::timeout(PATIENCE, sent)
            .await
            .unwrap_or_else(|_| {
                let host = transport::host(ask.origin);
                let seconds = PATIENCE.as_secs();
                let message = format!("{host} gave no whole answer within {seconds} s");
                Err(Failure::new(FailureKind::Unreachable, message))
            })
    }
}

impl Reply {
    /// Reads the body; a failure says where reading ended and never what was there.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        super::read(&self.origin, &self.answer)
    }

    /// A success that cannot be used.
    pub(crate) fn invalid(&self, what: &str) -> Failure {
        let host = transport::host(&self.origin);
        super::invalid(&self.answer, format!("the answer of {host} {what}"))
    }

    /// A success by its status that says in its body that it is none.
    pub(crate) fn refused(&self, credential: &Credential) -> Failure {
        let refusal = pai::error::classify(400, &self.answer.body);
        failure(self.words, refusal, &self.answer, credential)
    }

    /// The end of what was issued, as a header gives it.
    pub(crate) fn expires(&self) -> Option<&str> {
        self.answer.expires.as_deref()
    }

    /// How long something lives from now on that ends at an instant by the other side's clock.
    pub(crate) fn life(&self, expires: Option<Timestamp>, now: Timestamp) -> Duration {
        let issued = self.answer.date.unwrap_or(now);
        expires.map_or(renewal::ASSUMED_LIFE, |end| renewal::life(issued, end))
    }
}

pub(super) fn reply(
    ask: &Ask<'_>,
    answer: Answer,
    classify: impl Fn(u16, &[u8]) -> Refusal,
) -> Result<Reply, Failure> {
    let words = Words {
        name: ask.name,
        right: ask.right,
        fields: ask.fields,
    };
    if !(200..300).contains(&answer.status) {
        let refusal = classify(answer.status, &answer.body);
        return Err(failure(words, refusal, &answer, ask.credential));
    }
    let origin = ask.origin.to_owned();
    Ok(Reply {
        origin,
        words,
        answer,
    })
}

/// Speaks of the registry's API where the platforms' tables speak of images.
fn failure(words: Words, refusal: Refusal, answer: &Answer, credential: &Credential) -> Failure {
    use FailureKind::{
        AuthenticationFailed, BadRequest, NotFound, PermissionDenied, ProviderError, Throttled,
    };
    let Words {
        name,
        right,
        fields,
    } = words;
    let kind = match refusal.kind {
        // Nothing here asks for an image, so none is missing.
        NotFound => BadRequest,
        kind => kind,
    };
    let sentence = match kind {
        AuthenticationFailed => format!(
            "{name} refused the provider's credentials; renew them, or use a secretRef for the registry"
        ),
        PermissionDenied => format!(
            "{name} gives the provider's user no login; allow it {right}, or use a secretRef for the registry"
        ),
        Throttled => format!("{name} asks for a pause"),
        BadRequest => {
            format!("{name} does not know what it was asked for; check the provider's {fields}")
        }
        ProviderError => format!("{name} has a fault of its own"),
        _ => format!("{name} gave no login"),
    };
    Refusal { kind, ..refusal }.into_failure_of(&sentence, answer, credential)
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

fn unsignable(why: &str) -> Failure {
    let message = format!("no login can be asked for with the provider's credentials: {why}");
    Failure::new(FailureKind::ProviderNotReady, message)
}

/// Whether a text is a region's id, and so safe inside a host's name.
pub(crate) fn is_region(region: &str) -> bool {
    check_region(region).is_ok()
}

/// Whether an operator's own origin is in the one spelling that is sent to.
pub(crate) fn check_origin(
    name: &str,
    origin: &str,
    insecure_loopback: bool,
) -> Result<(), String> {
    super::endpoint::check_origin(name, origin, insecure_loopback)
}
