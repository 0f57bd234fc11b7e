//! What a registry adds to the platform's answer: digest and platforms, and the architecture where
//! the platform states none.
//!
//! Owns when a registry is asked, and what its answer or its failure does to the status. Must not
//! know how one is asked. The invariants that would break first: what was read stays with the very
//! path and image that it was read for, and no failure of a registry takes the platform's answer
//! away.

use super::schedule::{self, BACKOFF_CEILING};
use super::{Draft, Object, Provided, judge};
use crate::api::condition::{self, Truth};
use crate::api::{ConditionType, DigestPolicy, ImageRefSpec, ImageRefStatus, Reason};
use crate::facts::{Arch, Content, Digest, Facts, Failure, FailureKind, Platform};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Bound on `status.platforms`; the largest indexes in use have about a dozen entries.
const MOST_PLATFORMS: usize = 64;

/// What a registry said of the path that a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// It was not asked: [`contents_due`] says no, or this process asks no registries. A read that was
    /// due and could not be made is [`Self::Failed`].
    NotAsked,
    /// Its answer.
    Read(Arc<Content>),
    /// A failure, of the registry or on the way to it.
    Failed(Failure),
    /// Too many others wait for the registry: it is asked soon, and meanwhile the platform's answer
    /// stands by itself.
    Later,
}

/// Whether to ask the registry about `facts`, the answer of a look that was due. `status` is the one
/// before that answer.
///
/// Never for what the provider does not accept or may not be used: an image that is still being
/// built is not in its registry yet.
pub fn contents_due(
    object: &Object<'_>,
    provided: &Provided,
    status: &ImageRefStatus,
    facts: &Facts,
) -> bool {
    let (spec, Provided::Target { accept, .. }) = (object.spec, provided) else {
        return false;
    };
    let known = || {
        status.digest.is_some()
            && !schedule::target_changed(object, provided, status)
            && is_same(status, Some(&facts.image_id), facts.image.as_deref())
            && !registry_failed(status)
    };
    let due = match spec.digest_policy() {
        DigestPolicy::Never => false,
        DigestPolicy::IfNotPresent => object.unhandled_request(status).is_some() || !known(),
        DigestPolicy::Always => true,
    };
    if !due || facts.image.is_none() || !judge::is_usable(spec, facts.status.as_str()) {
        return false;
    }
    accept.as_ref().is_none_or(|accept| {
        let mut answer = ImageRefStatus::default();
        facts.write_to(&mut answer);
        judge::accepted(accept, &answer).is_ok()
    })
}

/// What a status knows of the very image and path of `facts`, for a registry that may say that it
/// still stands.
pub fn known_content(status: &ImageRefStatus, facts: &Facts) -> Option<Content> {
    let digest = Digest::parse(status.digest.as_deref()?)?;
    let platforms = status.platforms.iter().map(|text| Platform::parse(text));
    let platforms = platforms.collect::<Option<_>>()?;
    let same = is_same(status, Some(&facts.image_id), facts.image.as_deref());
    same.then_some(Content { digest, platforms })
}

/// Completes facts that were just written, by what the registry said or has said; `before` is the
/// status before them, `unread_since` when it was first asked in vain.
pub(super) fn add(
    draft: &mut Draft<'_>,
    before: &ImageRefStatus,
    contents: &Contents,
    unread_since: Option<Timestamp>,
) {
    let interval = draft.interval();
    let begun = condition::find(&before.conditions, ConditionType::Stale)
        .filter(|stale| is_registrys(stale))
        .cloned();
    let status = &mut draft.status;
    let wanted = is_wanted(draft.object.spec) && status.image.is_some();
    if !wanted || !is_same(before, status.image_id.as_deref(), status.image.as_deref()) {
        status.digest = None;
        status.platforms.clear();
    }
    match contents {
        Contents::Read(content) if wanted => {
            status.digest = Some(content.digest.as_str().into());
            status.platforms = platforms(content);
        }
        Contents::Failed(failure) if wanted => {
            let path = status.image.as_deref().unwrap_or_default();
            let (reason, message) = explain(failure, path);
            let since = unread_since.unwrap_or(draft.now).min(draft.now);
            draft.memory.unread_since = Some(since);
            let is_new = draft.now.duration_since(since).unsigned_abs() <= interval / 2;
            match begun {
                // A registry that refuses now and fails now would cost a write a look.
                Some(begun)
                    if begun.reason == Reason::RegistryDenied.as_str()
                        && reason == Reason::RegistryUnreachable =>
                {
                    let refused = Reason::RegistryDenied;
                    draft.set(ConditionType::Stale, Truth::True, refused, &begun.message);
                }
                // A pause is over by the next look, and until then the digest is as good as before.
                None if failure.kind == FailureKind::Throttled
                    && status.digest.is_some()
                    && is_new => {}
                _ => draft.set(ConditionType::Stale, Truth::True, reason, &message),
            }
        }
        Contents::Later if wanted => {
            // Waiting for a turn tells nothing: what the registry failed by is not over.
            if let Some(begun) = begun {
                let reasons = [Reason::RegistryUnreachable, Reason::RegistryDenied];
                let reason = reasons.into_iter().find(|r| begun.reason == r.as_str());
                let reason = reason.unwrap_or(Reason::RegistryUnreachable);
                draft.set(ConditionType::Stale, Truth::True, reason, &begun.message);
                draft.memory.unread_since = unread_since;
            }
        }
        _ => {}
    }
    let status = &mut draft.status;
    status.image = status
        .image
        .take()
        .map(|path| pinned(&path, status.digest.as_deref()));
    if status.arch.is_none() && states_no_arch(status) {
        status.arch = match known_archs(status)[..] {
            [only] => Some(only.as_str().into()),
            _ => None,
        };
    }
}

/// With the policy `Never`: nothing of what was read is shown, from the edit on.
pub(super) fn forget(spec: &ImageRefSpec, status: &mut ImageRefStatus) {
    if is_wanted(spec) {
        return;
    }
    if registry_failed(status) {
        condition::remove(&mut status.conditions, ConditionType::Stale);
    }
    if status.digest.take().is_none() {
        return;
    }
    status.platforms.clear();
    if states_no_arch(status) {
        status.arch = None;
    }
    if let Some(image) = &status.image {
        let path = path_of(image);
        let name = path.rsplit('/').next().unwrap_or_default();
        // A path without a tag may have been the platform's own with a digest, and would mean another
        // image without it: the next look knows.
        if name.contains(':') {
            status.image = Some(path.to_owned());
        }
    }
}

/// When to look again because of a failed read, if sooner than otherwise: only a digest that is not
/// there at all is worth it.
pub(super) fn retry(draft: &mut Draft<'_>, contents: &Contents, unread: u32) -> Option<Timestamp> {
    let pause = match contents {
        Contents::Failed(failure) if owes_digest(&draft.status) => failure.retry_after,
        Contents::Later if draft.status.digest.is_none() => None,
        _ => return None,
    };
    draft.memory.unread = unread.saturating_add(1);
    let interval = draft.interval();
    let pause = pause.unwrap_or(Duration::ZERO).min(BACKOFF_CEILING);
    let pause = schedule::after(&draft.object, pause, "registry", draft.now);
    let backoff = schedule::backoff(&draft.object, interval, draft.memory.unread, draft.now);
    Some(backoff.max(pause))
}

/// Whether a digest is wanted of an image that may be used, and none was read yet.
pub(super) fn is_missing(spec: &ImageRefSpec, status: &ImageRefStatus) -> bool {
    is_wanted(spec)
        && status.image.is_some()
        && status.digest.is_none()
        && judge::is_usable(spec, status.status.as_deref().unwrap_or_default())
}

/// Whether an expectation is about what a registry says of this image, and nothing was read yet.
pub(super) fn expected_unread(spec: &ImageRefSpec, status: &ImageRefStatus) -> bool {
    let expected = spec.expect.as_ref().is_some_and(|expect| {
        expect.digest.is_some() || (!expect.arch.is_empty() && states_no_arch(status))
    });
    expected && is_missing(spec, status)
}

/// Whether the first read for this path failed in passing.
pub(super) fn owes_digest(status: &ImageRefStatus) -> bool {
    status.digest.is_none()
        && condition::has_reason(
            &status.conditions,
            ConditionType::Stale,
            Reason::RegistryUnreachable,
        )
}

/// Whether Stale is about the registry.
pub(super) fn registry_failed(status: &ImageRefStatus) -> bool {
    condition::find(&status.conditions, ConditionType::Stale).is_some_and(is_registrys)
}

/// Whether Stale is about the platform: only that ages, and ends when the platform recovers.
pub fn platform_failed(status: &ImageRefStatus) -> bool {
    condition::is_true(&status.conditions, ConditionType::Stale) && !registry_failed(status)
}

/// Whether a condition is about the registry, not the platform.
pub(super) fn is_registrys(condition: &Condition) -> bool {
    [Reason::RegistryUnreachable, Reason::RegistryDenied]
        .iter()
        .any(|reason| condition.reason == reason.as_str())
}

/// Whether the platform has no word for the architecture, not even one that is not known.
pub(super) fn states_no_arch(status: &ImageRefStatus) -> bool {
    status.upstream.as_ref().is_none_or(|u| u.arch.is_none())
}

/// The architectures in `status.platforms` that nodes of these clouds have, under Linux.
pub(super) fn known_archs(status: &ImageRefStatus) -> Vec<Arch> {
    [Arch::Amd64, Arch::Arm64]
        .into_iter()
        .filter(|arch| {
            status.platforms.iter().any(|platform| {
                let mut parts = platform.split('/');
                parts.next() == Some("linux") && parts.next() == Some(arch.as_str())
            })
        })
        .collect()
}

/// The image's path without a digest behind it.
pub(super) fn path_of(image: &str) -> &str {
    match image.split_once('@') {
        Some((path, digest)) if Digest::parse(digest).is_some() => path,
        _ => image,
    }
}

/// The digest in the image's path, if the platform itself wrote one there or it was pinned.
pub(super) fn digest_in(image: &str) -> Option<&str> {
    let (_, digest) = image.split_once('@')?;
    Digest::parse(digest).is_some().then_some(digest)
}

fn is_wanted(spec: &ImageRefSpec) -> bool {
    spec.digest_policy() != DigestPolicy::Never
}

/// Whether `status` is about this image under this path.
fn is_same(status: &ImageRefStatus, image_id: Option<&str>, path: Option<&str>) -> bool {
    status.image_id.as_deref() == image_id
        && status.image == path.map(|path| pinned(path, status.digest.as_deref()))
}

/// What to put into a pod; a path that has a digest of its own stays as it is.
fn pinned(path: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) if !path.contains('@') => format!("{path}@{digest}"),
        _ => path.to_owned(),
    }
}

fn platforms(content: &Content) -> Vec<String> {
    let mut platforms: Vec<_> = content.platforms.iter().map(ToString::to_string).collect();
    platforms.sort();
    platforms.dedup();
    platforms.truncate(MOST_PLATFORMS);
    platforms
}

/// The reason and the message of a failed read of `path`.
fn explain(failure: &Failure, path: &str) -> (Reason, String) {
    let message = &failure.message;
    if failure.kind.is_passing() || failure.kind == FailureKind::Throttled {
        return (
            Reason::RegistryUnreachable,
            format!("the digest could not be read: {message}"),
        );
    }
    let message = if failure.kind == FailureKind::NotFound {
        format!("the registry does not have {path}, which the platform lists: {message}")
    } else {
        format!("the digest cannot be read: {message}")
    };
    (Reason::RegistryDenied, message)
}
