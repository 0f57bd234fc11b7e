//! What the registry says of an image that a look found.
//!
//! Owns the way from an answer of the platform to digest and platforms: whether to ask, with which
//! login, and for how long. Must not write anything. The invariant that would break first: nothing
//! that a registry does keeps the platform's answer from being written.

use super::Context;
use super::sign_ins::SignedIn;
use crate::api::ImageRef;
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::{self, Contents, Provided, Target};
use crate::registry::{LoginFrom, Wanted};
use jiff::Timestamp;
use std::time::Duration;

/// How old the answer may be that is the first one about a path: a tag that moved since would be pinned
/// to what it was.
const FIRST: Duration = Duration::from_secs(60);

/// What a registry says, and of when that is if it said anything.
pub(super) struct Said {
    pub(super) contents: Contents,
    pub(super) as_of: Option<Timestamp>,
}

impl From<Contents> for Said {
    fn from(contents: Contents) -> Self {
        Self {
            contents,
            as_of: None,
        }
    }
}

/// Asks the registry, if that is due. `None`: too many others wait for it, and somebody asked to have a
/// known digest read anew, which has to wait.
#[tracing::instrument(name = "registry", level = "debug", skip_all)]
pub(super) async fn read(
    context: &Context,
    object: &ImageRef,
    provided: &Provided,
    target: &Target,
    signed_in: &SignedIn,
    facts: &Facts,
) -> Option<Said> {
    let status = object.status.clone().unwrap_or_default();
    let subject = super::act::subject(object);
    let due = plan::contents_due(&subject.object(object), provided, &status, facts);
    let (Some(reader), true) = (&context.registries, due) else {
        return Some(Contents::NotAsked.into());
    };
    let Some(chosen) = context.find(&target.provider) else {
        return Some(Contents::NotAsked.into());
    };
    let secret = context.pull_secrets.of(&chosen).await;
    let config = match secret.map(|secret| secret.config).transpose() {
        Ok(config) => config,
        Err(failure) => return Some(counted(context, Contents::Failed(failure)).into()),
    };
    let known = plan::known_content(&status, facts);
    let wanted = Wanted {
        image: facts.image.as_deref().unwrap_or_default(),
        login: match &config {
            Some(config) => LoginFrom::Secret(config),
            None => LoginFrom::provider(
                chosen.registry(),
                &target.account,
                &signed_in.credential,
                signed_in.identity.proof(),
            ),
        },
        public: chosen.registry().is_some_and(|r| r.public_hosts),
        known: known.as_ref(),
        max_age: match known {
            Some(_) => plan::max_age(provided.interval(&object.spec), &status),
            None => FIRST,
        },
        not_before: context.memories.not_before(object),
    };
    let timeout = object.spec.timeout();
    let mut as_of = None;
    let contents = match tokio::time::timeout(timeout, Box::pin(reader.read(&wanted))).await {
        Ok(Some(Ok(read))) => {
            as_of = Some(read.as_of);
            Contents::Read(read.content)
        }
        Ok(Some(Err(failure))) => Contents::Failed(failure),
        // There is a digest, and somebody asked to read it anew.
        Ok(None)
            if known.is_some() && subject.object(object).unhandled_request(&status).is_some() =>
        {
            context.metrics.registry_reads.count(["busy"]);
            return None;
        }
        // What is looked up only once must show that something is missing, or it would be for good.
        Ok(None) if object.spec.interval().is_zero() => Contents::Failed(Failure::new(
            FailureKind::Throttled,
            format!("too many wait for the registry of {}", wanted.image),
        )),
        Ok(None) => Contents::Later,
        // The call goes on, for others and for the next look.
        Err(_) => Contents::Failed(wanted.unanswered(timeout)),
    };
    let contents = counted(context, contents);
    Some(Said { contents, as_of })
}

fn counted(context: &Context, contents: Contents) -> Contents {
    let result = match &contents {
        Contents::NotAsked => return contents,
        Contents::Read(_) => "ok",
        Contents::Later => "busy",
        Contents::Failed(failure) => failure.kind.as_str(),
    };
    context.metrics.registry_reads.count([result]);
    contents
}
