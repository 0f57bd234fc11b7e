//! Which project a Huawei Cloud credential means, where nobody said.
//!
//! Owns `KeystoneListProjects` and its answers by proof. Must not know who needs a project. The invariant that would break first: several
//! projects are an error, never a choice.
//!
//! Source: the credential of the Python package `huaweicloudsdkcore`.

use super::exchange::{Call, Exchanger};
use super::huawei_iam::{origin, sign_in};
use super::refused::Service;
use super::{Identity, Proof, Region};
use crate::cloud::Credential;
use crate::cloud::transport::Method;
use crate::facts::{Failure, FailureKind};
use moka::future::Cache;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer is believed.
const FOUND_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a failure stands.
const FAILED_FOR: Duration = Duration::from_secs(300);
const CAPACITY: u64 = 4096;

type Answered = Result<Arc<str>, Failure>;

/// Project ids by proof, one call under way for each.
#[derive(Clone)]
pub struct ProjectIds {
    exchanger: Arc<Exchanger>,
    cache: Cache<Proof, Answered>,
}

struct Life;

impl moka::Expiry<Proof, Answered> for Life {
    fn expire_after_create(&self, _: &Proof, answer: &Answered, _: Instant) -> Option<Duration> {
        Some(if answer.is_ok() {
            FOUND_FOR
        } else {
            FAILED_FOR
        })
    }
}

impl ProjectIds {
    /// None are known at first.
    pub fn new(exchanger: Arc<Exchanger>) -> Self {
        let cache = Cache::builder()
            .max_capacity(CAPACITY)
            .expire_after(Life)
            .build();
        Self { exchanger, cache }
    }

    /// As [`Exchanger::project_id`], asked once a day for a proof.
    ///
    /// # Errors
    /// As [`Exchanger::project_id`]; a failure stands for five minutes.
    pub async fn of(&self, identity: &Identity, credential: &Credential) -> Answered {
        let asked = async {
            let asked = Box::pin(self.exchanger.project_id(identity, credential)).await;
            asked.map(Arc::from)
        };
        self.cache.get_with(identity.proof(), asked).await
    }
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
