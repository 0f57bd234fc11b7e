//! Which project a Huawei Cloud credential means, where nobody said.
//!
//! Owns `KeystoneListProjects` and its answers by proof. Must not know who needs a project. The
//! invariant that would break first: several projects are an error, never a choice, and an outage of
//! IAM takes no project away that was found before.
//!
//! Source: the credential of the Python package `huaweicloudsdkcore`.

use super::entries::{Entries, Worth};
use super::exchange::{Call, Exchanger};
use super::huawei_iam::{origin, sign_in};
use super::refused::Service;
use super::{CredentialCache, Identity, Refusals, Region};
use crate::cloud::transport::Method;
use crate::cloud::{Credential, LONGEST_PAUSE};
use crate::facts::{Failure, FailureKind};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// How long an answer is believed.
const FOUND_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a failure stands.
const FAILED_FOR: Duration = Duration::from_secs(300);
const CAPACITY: usize = 4096;

type Answered = Result<Arc<str>, Failure>;
type Flight = Shared<BoxFuture<'static, Answered>>;
type Fingerprint = [u8; 32];

/// Project ids by proof, one call under way for each.
#[derive(Clone)]
pub struct ProjectIds(Arc<Held>);

struct Held {
    exchanger: Arc<Exchanger>,
    refusals: Arc<Refusals>,
    made: Instant,
    entries: Entries<Entry>,
}

#[derive(Default)]
struct Entry(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The last one found, and when.
    found: Option<(Arc<str>, Timestamp)>,
    trouble: Option<Trouble>,
    /// The call under way, and the credential that it is made with.
    flight: Option<(Fingerprint, Flight)>,
}

struct Trouble {
    failure: Failure,
    at: Timestamp,
    wait: Duration,
    /// The credential that was used.
    with: Fingerprint,
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change is one assignment; a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worth(&self) -> Worth {
        let known = self.lock();
        match (&known.flight, &known.found) {
            (Some(_), _) => Worth::Keep,
            (None, Some(_)) => Worth::WhileInUse,
            (None, None) => Worth::Nothing,
        }
    }
}

/// What is left of a time that began then. A clock that was set back ends it.
fn left(since: Timestamp, wait: Duration, now: Timestamp) -> Option<Duration> {
    let age = Duration::try_from(since.duration_until(now)).ok()?;
    wait.checked_sub(age).filter(|left| !left.is_zero())
}

impl Known {
    /// What there is to say without a call to whoever has the credential of this fingerprint.
    fn answer(&self, with: &Fingerprint, now: Timestamp) -> Option<Answered> {
        let stands = self.trouble.as_ref().and_then(|trouble| {
            // A refused credential says nothing of the next one.
            let of_another =
                trouble.failure.kind == FailureKind::AuthenticationFailed && trouble.with != *with;
            let left = left(trouble.at, trouble.wait, now).filter(|_| !of_another)?;
            Some(Failure {
                retry_after: Some(left),
                ..trouble.failure.clone()
            })
        });
        match (stands, &self.found) {
            (Some(failure), found) => Some(or_last(failure, found.as_ref())),
            (None, Some((id, at))) if self.trouble.is_none() => {
                left(*at, FOUND_FOR, now).map(|_| Ok(id.clone()))
            }
            (None, _) => None,
        }
    }

    fn record(&mut self, asked: Answered, with: Fingerprint, now: Timestamp) -> Answered {
        self.flight = None;
        match asked {
            Ok(id) => {
                self.trouble = None;
                self.found = Some((id.clone(), now));
                Ok(id)
            }
            Err(failure) => {
                let asked = failure.retry_after;
                let wait = asked.map_or(FAILED_FOR, |wait| wait.min(LONGEST_PAUSE));
                // An outage that shows in many ways is one: its first failure stays.
                let first = self.trouble.take().map(|trouble| trouble.failure);
                let first =
                    first.filter(|first| first.kind.is_passing() && failure.kind.is_passing());
                let failure = Failure {
                    retry_after: Some(wait),
                    ..first.unwrap_or(failure)
                };
                self.trouble = Some(Trouble {
                    failure: failure.clone(),
                    at: now,
                    wait,
                    with,
                });
                or_last(failure, self.found.as_ref())
            }
        }
    }
}

/// The id that was found before, if this failure says nothing of it.
fn or_last(failure: Failure, found: Option<&(Arc<str>, Timestamp)>) -> Answered {
    let passing = failure.kind.is_passing() || failure.kind == FailureKind::Throttled;
    match found {
        Some((id, _)) if passing => Ok(id.clone()),
        _ => Err(failure),
    }
}

impl ProjectIds {
    /// None are known at first.
    pub fn new(exchanger: Arc<Exchanger>, refusals: Arc<Refusals>) -> Self {
        Self(Arc::new(Held {
            exchanger,
            refusals,
            made: Instant::now(),
            entries: Entries::new(CAPACITY),
        }))
    }

    /// As [`Exchanger::project_id`], asked once a day for a proof; the call goes on if the caller
    /// gives up. While IAM cannot be asked, the last answer holds.
    ///
    /// # Errors
    /// As [`Exchanger::project_id`], with the time until it is asked again: what it asks for, else
    /// five minutes. A refusal stands for the credential that was refused.
    pub async fn of(&self, identity: &Arc<Identity>, credential: &Arc<Credential>) -> Answered {
        let with = credential.fingerprint();
        loop {
            let run = self.0.made.elapsed();
            let entry = self.0.entries.of(identity.proof(), run, Entry::worth)?;
            let (by, flight) = {
                let mut known = entry.lock();
                if let Some(flight) = known.flight.clone() {
                    flight
                } else if let Some(answer) = known.answer(&with, self.0.exchanger.now()) {
                    return answer;
                } else {
                    let task = ask(
                        self.0.clone(),
                        entry.clone(),
                        identity.clone(),
                        credential.clone(),
                    );
                    let flight = interrupted(tokio::spawn(task.in_current_span()), entry.clone())
                        .boxed()
                        .shared();
                    known.flight = Some((with, flight.clone()));
                    (with, flight)
                }
            };
            let answer = flight.await;
            if by == with || answer.is_ok() {
                return answer;
            }
            // It was made with another's credential: now it is this one's turn.
        }
    }
}

impl ProjectIds {
    /// A credential of this identity, and the project that it sees. Issued keys can be taken back:
    /// those that IAM refuses are renewed once.
    ///
    /// # Errors
    /// As [`CredentialCache::credential`] and [`ProjectIds::of`].
    pub async fn signed_in(
        &self,
        credentials: &CredentialCache,
        identity: &Arc<Identity>,
    ) -> Result<(Arc<Credential>, Arc<str>), Failure> {
        let credential = credentials.credential(identity).await?;
        let refused = match self.of(identity, &credential).await {
            Ok(project) => return Ok((credential, project)),
            Err(failure) if failure.kind != FailureKind::AuthenticationFailed => {
                return Err(failure);
            }
            Err(refused) => refused,
        };
        if !credentials.invalidate(identity, &credential.fingerprint()) {
            return Err(refused);
        }
        let credential = credentials.credential(identity).await?;
        let project = self.of(identity, &credential).await?;
        Ok((credential, project))
    }
}

async fn ask(
    held: Arc<Held>,
    entry: Arc<Entry>,
    identity: Arc<Identity>,
    credential: Arc<Credential>,
) -> Answered {
    let principal = identity.asks_as();
    let clock = || held.exchanger.now();
    let call = || held.exchanger.project_id(&identity, &credential);
    let asked = Box::pin(held.refusals.attempt(principal, clock, call)).await;
    let now = clock();
    entry
        .lock()
        .record(asked.map(Arc::from), credential.fingerprint(), now)
}

/// A call that panicked is over, too.
async fn interrupted(task: tokio::task::JoinHandle<Answered>, entry: Arc<Entry>) -> Answered {
    task.await.unwrap_or_else(|_| {
        entry.lock().flight = None;
        let message = "the look for the project was interrupted";
        Err(Failure::new(FailureKind::ProviderError, message))
    })
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    #[serde(default)]
    name: Option<String>,
}

impl Exchanger {
    /// The id of the project that has the region's name, as a credential of this identity sees it.
    ///
    /// # Errors
    /// None or several, which says to set projectId; or the class of what went wrong.
    pub async fn project_id(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<String, Failure> {
        let region = identity.region();
        let origin = origin(self, region)?;
        let query = [("name".to_owned(), region.as_str().to_owned())];
        let mut call = Call::new(Method::Get, &origin, "/v3/projects");
        let (query, headers) = sign_in(self, credential, &call, &query, "")?;
        call.query = &query;
        call.headers = headers;
        let answer = self.send(&call).await?;
        if answer.status != 200 {
            let refused = call.refused(Service::Iam, identity.source(), &answer);
            let message = format!(
                "IAM does not show the project of region {}: allow listing projects, or set projectId: {}",
                region.as_str(),
                refused.message
            );
            return Err(Failure { message, ..refused });
        }
        let found: Projects = crate::cloud::read(&origin, &answer)?;
        choose(found.projects, region)
    }
}

fn choose(mut projects: Vec<Project>, region: &Region) -> Result<String, Failure> {
    let name = region.as_str();
    projects.retain(|project| project.name.as_deref().is_none_or(|own| own == name));
    let found = projects.len();
    let plain = |id: &String| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match projects.pop().map(|project| project.id) {
        Some(id) if found == 1 && plain(&id) => Ok(id),
        _ => {
            let message =
                format!("IAM names {found} projects for region {name}, not one: set projectId");
            Err(Failure::new(FailureKind::ProviderNotReady, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_project_is_taken_and_none_or_several_are_not_guessed_from() {
        let region = Region::new("cn-north-4").unwrap();
        let project = |id: &str, name: Option<&str>| Project {
            id: id.into(),
            name: name.map(Into::into),
        };
        let own = || project("a1", Some("cn-north-4"));
        let sub = || project("b2", Some("cn-north-4_team"));
        assert_eq!(choose(vec![own()], &region).unwrap(), "a1");
        assert_eq!(choose(vec![own(), sub()], &region).unwrap(), "a1");
        assert_eq!(choose(vec![project("c", None)], &region).unwrap(), "c");
        for several in [
            vec![],
            vec![sub()],
            vec![own(), own()],
            vec![project("../x", None)],
        ] {
            let failure = choose(several, &region).unwrap_err();
            assert!(failure.message.contains("set projectId"), "{failure}");
        }
    }
}
