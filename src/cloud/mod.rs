//! Asking Huawei `ModelArts` and Alibaba PAI about one image.
//!
//! Owns the way from a [`Target`] and a [`Credential`] to [`Facts`] or a [`Failure`]. Must not know
//! Kubernetes, budgets or when to ask again: nothing here is tried twice. The invariant that would
//! break first: a request goes to the origin of the target's account, signed as it is sent, and no
//! part of a credential comes back in a failure.

pub mod address;
pub mod credential;
pub mod endpoint;
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod guard;
pub mod identity;
pub(crate) mod management;
pub mod modelarts;
pub mod network;
mod paging;
pub mod pai;
pub mod provider;
pub mod proxy;
pub mod refusal;
mod select;
pub mod sign_in;
pub mod snapshot;
pub(crate) mod transport;

pub use credential::{Cloud, Credential};
pub use endpoint::AllowedEndpoints;
pub use modelarts::derived::DerivedSigning;
pub use network::Network;
pub use paging::{Cut, MOST_BYTES, MOST_IMAGES, MOST_PAGES};
pub use proxy::Proxies;
pub use select::select;
pub use transport::{LARGEST_BODY, LONGEST_PAUSE};

use crate::facts::{Api, Facts, Failure, FailureKind};
use crate::plan::target::{Account, Query, Target};
use crate::telemetry::Metrics;
use jiff::Timestamp;
use network::Routes;
use serde::de::DeserializeOwned;
use snapshot::{Listing, Scope};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use transport::{Answer, Request, Way};

/// What signing needs and no request holds.
pub struct Entropy {
    /// The time: signatures are good for some minutes around it.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// A text never given before.
    pub nonce: Box<dyn Fn() -> String + Send + Sync>,
}

impl Default for Entropy {
    /// The system's clock and random UUIDs.
    fn default() -> Self {
        Self {
            clock: Box::new(Timestamp::now),
            nonce: Box::new(|| uuid::Uuid::new_v4().to_string()),
        }
    }
}

/// The clients of all platforms. One for the process: connections are shared, identities are not.
pub struct Clouds {
    routes: Routes,
    entropy: Entropy,
    derived: DerivedSigning,
    metrics: Arc<Metrics>,
    /// What answers in place of the platforms.
    #[cfg(test)]
    stand_in: Option<transport::StandIn>,
}

impl fmt::Debug for Clouds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clouds")
    }
}

impl Clouds {
    /// Clients that reach the platforms as `network` says.
    ///
    /// # Errors
    /// One sentence: the certificates cannot be read, or the system has none.
    pub fn new(network: Network) -> Result<Self, String> {
        Self::with_entropy(network, Entropy::default())
    }

    /// As [`Clouds::new`], with a clock and nonces of the caller's.
    ///
    /// # Errors
    /// As [`Clouds::new`].
    pub fn with_entropy(network: Network, entropy: Entropy) -> Result<Self, String> {
        let routes = Routes::new(network)?;
        let derived = DerivedSigning::Never;
        Ok(Self {
            routes,
            entropy,
            derived,
            metrics: Arc::default(),
            #[cfg(test)]
            stand_in: None,
        })
    }

    /// Has requests answered in process.
    #[cfg(test)]
    pub(crate) fn with_stand_in(mut self, stand_in: transport::StandIn) -> Self {
        self.stand_in = Some(stand_in);
        self
    }

    /// Where requests are counted; without this, nowhere.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Where `ModelArts` is signed to by `V11-HMAC-SHA256`; without this, nowhere.
    #[must_use]
    pub fn with_derived_signing(mut self, derived: DerivedSigning) -> Self {
        self.derived = derived;
        self
    }

    /// Asks about one image: by id with one get, by name through lists and [`select`]. `bound` is the
    /// id that a name meant before; `timeout` bounds the look as a whole, all pages included, but not
    /// their waiting for a turn in the account's budget.
    ///
    /// # Errors
    /// The class of what went wrong; [`Failure::message`] is fit for users of the cluster.
    pub async fn look(
        &self,
        target: &Target,
        credential: &Credential,
        bound: Option<&str>,
        timeout: Duration,
    ) -> Result<Facts, Failure> {
        let asked = Box::pin(self.ask(target, credential, bound));
        let asked = async { asked.await.map_err(|failure| about(&target.query, failure)) };
        within(timeout, &target.account, asked).await
    }

    /// Reads all images of a scope; `timeout` bounds all pages together. A bound on the list that was
    /// hit is no failure: [`Listing::cut`] names it.
    ///
    /// # Errors
    /// As [`Clouds::look`], but never that an image does not exist.
    pub async fn list(
        &self,
        scope: &Scope,
        credential: &Credential,
        timeout: Duration,
    ) -> Result<Listing, Failure> {
        let listed = Box::pin(self.all(scope, credential));
        within(timeout, scope.account(), listed).await
    }

    async fn all(&self, scope: &Scope, credential: &Credential) -> Result<Listing, Failure> {
        let as_of = (self.entropy.clock)();
        let parts = match (self.platform(scope.account(), credential)?, scope.api()) {
            (Platform::ModelArts(project), Api::Notebook) => {
                let workspace_id = scope.workspace_id().unwrap_or_default();
                Vec::from(modelarts::notebook::all(&project, workspace_id).await?)
            }
            (Platform::ModelArts(project), Api::LiteServer) => {
                vec![(None, modelarts::lite_server::all(&project).await?)]
            }
            (Platform::Pai(region), Api::Pai) => {
                vec![(None, pai::images::all(&region, scope.workspace_id()).await?)]
            }
            _ => return Err(wrong_platform()),
        };
        Ok(Listing::new(parts, as_of))
    }

    async fn ask(
        &self,
        target: &Target,
        credential: &Credential,
        bound: Option<&str>,
    ) -> Result<Facts, Failure> {
        let query = &target.query;
        match (self.platform(&target.account, credential)?, query) {
            (Platform::ModelArts(project), Query::NotebookId(id)) => {
                modelarts::notebook::by_id(&project, id).await
            }
            (Platform::ModelArts(project), Query::NotebookName { .. }) => {
                modelarts::notebook::by_name(&project, query, bound).await
            }
            (Platform::ModelArts(project), Query::LiteServerId(id)) => {
                modelarts::lite_server::by_id(&project, id).await
            }
            (Platform::ModelArts(project), Query::LiteServerName { .. }) => {
                modelarts::lite_server::by_name(&project, query, bound).await
            }
            (Platform::Pai(region), Query::PaiId(id)) => pai::images::by_id(&region, id).await,
            (Platform::Pai(region), Query::PaiName { .. }) => {
                pai::images::by_name(&region, query, bound).await
            }
            _ => Err(wrong_platform()),
        }
    }

    fn platform<'a>(
        &'a self,
        account: &'a Account,
        credential: &'a Credential,
    ) -> Result<Platform<'a>, Failure> {
        match (account, credential) {
            (
                Account::ModelArts {
                    endpoint,
                    region,
                    project_id,
                    ..
                },
                Credential::HuaweiKeys { .. } | Credential::HuaweiToken(_),
            ) => Ok(Platform::ModelArts(modelarts::Project {
                clouds: self,
                endpoint,
                region,
                id: project_id,
                credential,
            })),
            (Account::Pai { endpoint, .. }, Credential::AlibabaKeys { .. }) => {
                Ok(Platform::Pai(pai::Region {
                    clouds: self,
                    endpoint,
                    credential,
                }))
            }
            _ => Err(Failure::new(
                FailureKind::ProviderNotReady,
                "the provider's credentials are of another cloud",
            )),
        }
    }

    async fn send(&self, request: &Request<'_>, now: Timestamp) -> Result<Answer, Failure> {
        #[cfg(test)]
        if let Some(stand_in) = &self.stand_in {
            return stand_in(request).await;
        }
        transport::send(Way::Far(&self.routes), request, now).await
    }

    /// Sends a request. An answer that is not a success is the failure that `refused` makes of it.
    async fn get(
        &self,
        operation: Operation,
        request: &Request<'_>,
        now: Timestamp,
        refused: impl FnOnce(&Answer) -> Failure,
    ) -> Result<Answer, Failure> {
        gate::turn(now).await?;
        let mut counted = self
            .metrics
            .request(operation.api().as_str(), operation.as_str());
        let sent = self.send(request, now).await;
        let result = sent.and_then(|answer| {
            counted.answered(answer.status);
            if (200..300).contains(&answer.status) {
                Ok(answer)
            } else {
                Err(refused(&answer))
            }
        });
        counted.ended(result.as_ref().err().map(|failure| failure.kind.as_str()));
        result
    }
}

/// What is asked of a platform, by the vendors' names.
#[derive(Clone, Copy)]
enum Operation {
    ShowImage,
    ListImage,
    GetDevServerImage,
    ListDevServerImages,
    GetImage,
    ListImages,
}

impl Operation {
    const fn api(self) -> Api {
        match self {
            Self::ShowImage | Self::ListImage => Api::Notebook,
            Self::GetDevServerImage | Self::ListDevServerImages => Api::LiteServer,
            Self::GetImage | Self::ListImages => Api::Pai,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::ShowImage => "ShowImage",
            Self::ListImage => "ListImage",
            Self::GetDevServerImage => "GetDevServerImage",
            Self::ListDevServerImages => "ListDevServerImages",
            Self::GetImage => "GetImage",
            Self::ListImages => "ListImages",
        }
    }
}

/// One account, as one credential sees it.
enum Platform<'a> {
    ModelArts(modelarts::Project<'a>),
    Pai(pai::Region<'a>),
}

/// Bounds all that is asked for one answer. Time in which requests wait for their turn is added: a
/// platform is not to blame for our own budget.
async fn within<T>(
    timeout: Duration,
    account: &Account,
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let begun = Instant::now();
    let mut asked = std::pin::pin!(asked);
    loop {
        let allowed = timeout.saturating_add(gate::waited());
        let left = allowed.saturating_sub(begun.elapsed());
        if let Ok(answer) = tokio::time::timeout(left, &mut asked).await {
            return answer;
        }
        if timeout.saturating_add(gate::waited()) <= allowed {
            break;
        }
    }
    let (Account::ModelArts { endpoint, .. } | Account::Pai { endpoint, .. }) = account;
    let host = transport::host(endpoint);
    let message = format!(
        "{host} gave no whole answer within {} s",
        timeout.as_secs_f32()
    );
    Err(Failure::new(FailureKind::Unreachable, message))
}

/// Says what was asked for, where the answer is about that.
fn about(query: &Query, failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::NotFound | FailureKind::Ambiguous => Failure {
            message: format!("{query}: {}", failure.message),
            ..failure
        },
        _ => failure,
    }
}

fn wrong_platform() -> Failure {
    Failure::new(
        FailureKind::InvalidSpec,
        "the source is of another platform than the provider",
    )
}

/// Reads the body of a success, whatever its content type says. Says where reading failed and never
/// what was there: a platform's answer is not for everyone who may read a status. Nesting beyond
/// 128 levels is refused by `serde_json`.
fn read<T: DeserializeOwned>(origin: &str, answer: &Answer) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(&answer.body);
    let read = T::deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    read.map_err(|error| {
        let what = if error.is_data() {
            "is not of the documented form"
        } else {
            "is not JSON"
        };
        let (line, column) = (error.line(), error.column());
        let host = transport::host(origin);
        invalid(
            answer,
            format!("the answer of {host} {what} (line {line}, column {column})"),
        )
    })
}

fn invalid(answer: &Answer, message: String) -> Failure {
    Failure {
        kind: FailureKind::ResponseInvalid,
        message,
        retry_after: None,
        request_id: answer.request_id.clone(),
    }
}

/// The facts of a get, if the answer is about the image that was asked for.
fn facts_of(facts: Option<Facts>, asked: &str, answer: &Answer) -> Result<Facts, Failure> {
    match facts {
        Some(facts) if facts.image_id == asked => Ok(facts),
        Some(_) => Err(invalid(
            answer,
            "the platform answered with another image than asked for".into(),
        )),
        None => Err(invalid(
            answer,
            "the platform's answer is not about an image".into(),
        )),
    }
}

/// Whether an id can be a path segment: nothing that a server or a parser takes for something else.
/// [`Query::new`] has checked more; this is the second lock on the same door.
fn check_segment(id: &str) -> Result<&str, Failure> {
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain && (1..=128).contains(&id.len()) {
        Ok(id)
    } else {
        Err(Failure::new(
            FailureKind::InvalidSpec,
            "an id has characters that no id has",
        ))
    }
}
