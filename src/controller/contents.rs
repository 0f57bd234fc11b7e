//! What the registry says of an image that a look found.
//!
//! Owns the way from an answer of the platform to digest and platforms: whether to ask, with which
//! login, and for how long. Must not write anything. The invariant that would break first: nothing
//! that a registry does keeps the platform's answer from being written.

use super::Context;
use super::sign_ins::SignedIn;
use crate::api::{ImageRef, ImageRefStatus};
use crate::cloud::provider::Provider;
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::{self, Contents, Provided, Target};
use crate::registry::{LoginFrom, Wanted};

/// Asks the registry, if that is due. `None`: too many others wait for it, and the answer that the
/// status has stands meanwhile.
pub(super) async fn read(
    context: &Context,
    object: &ImageRef,
    provided: &Provided,
    target: &Target,
    signed_in: &SignedIn,
    facts: &Facts,
) -> Option<Contents> {
    let status = object.status.clone().unwrap_or_default();
    let subject = super::act::subject(object);
    let due = plan::contents_due(&subject.object(object), provided, &status, facts);
    let (Some(reader), true) = (&context.registries, due) else {
        return Some(Contents::NotAsked);
    };
    let Some(chosen) = context.find(&target.provider) else {
        return Some(Contents::NotAsked);
    };
    let secret = context.pull_secrets.of(&chosen).await;
    let config = match secret.map(|secret| secret.config).transpose() {
        Ok(config) => config,
        Err(failure) => return Some(counted(context, Contents::Failed(failure))),
    };
    let known = plan::known_content(&status, facts);
    let wanted = Wanted {
        image: facts.image.as_deref().unwrap_or_default(),
        login: match &config {
            Some(config) => LoginFrom::Secret(config),
            None => from_provider(&chosen, target, signed_in),
        },
        public: chosen.registry().is_some_and(|r| r.public_hosts),
        known: known.as_ref(),
        max_age: plan::max_age(provided.interval(&object.spec), &status),
        not_before: context.memories.not_before(object),
    };
    let timeout = object.spec.timeout();
    let contents = match tokio::time::timeout(timeout, Box::pin(reader.read(&wanted))).await {
        Ok(Some(Ok(read))) => Contents::Read(read.content),
        Ok(Some(Err(failure))) => Contents::Failed(failure),
        Ok(None) if is_first(&status) && !object.spec.interval().is_zero() => Contents::Later,
        Ok(None) => {
            context.metrics.registry_reads.count(["busy"]);
            return None;
        }
        // The call goes on, for others and for the next look.
        Err(_) => Contents::Failed(Failure::new(
            FailureKind::Unreachable,
            format!(
                "the registry of {} has not answered within {} s",
                wanted.image,
                timeout.as_secs_f32()
            ),
        )),
    };
    Some(counted(context, contents))
}

/// Whether the status has no answer yet, so that even one without a digest is worth a write.
fn is_first(status: &ImageRefStatus) -> bool {
    status.image_id.is_none()
}

fn from_provider<'a>(
    provider: &'a Provider,
    target: &'a Target,
    signed_in: &'a SignedIn,
) -> LoginFrom<'a> {
    let auth = provider.registry().and_then(|r| r.auth.as_ref());
    auth.and_then(|auth| auth.from_provider.as_ref())
        .map_or(LoginFrom::Nowhere, |from| LoginFrom::Provider {
            account: &target.account,
            credential: &signed_in.credential,
            proof: signed_in.identity.proof(),
            acr_instance: from.acr_instance_id.as_deref(),
        })
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
