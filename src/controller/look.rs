//! One look: what a platform says of a reference's image, asked for it or for others.
//!
//! Owns the way from a due look to an answer: shared lists first, then calls through the gate of the
//! proof, with one renewal of a refused credential. Must not write anything. The invariant that would
//! break first: a call made for many is bounded by the operator's limit, never by one reference's.

use super::held::stands_for;
use super::report::Named;
use super::sign_ins::SignedIn;
use super::{Context, contents};
use crate::api::ImageRef;
use crate::cloud::gate::Gate;
use crate::cloud::identity::Identity;
use crate::cloud::snapshot::{By, Calls, Listing, Question, Scope};
use crate::cloud::{Credential, Cut};
use crate::facts::{Api, Facts, Failure, FailureKind};
use crate::plan::{self, Look, Provided, ProviderId, Target};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::Empty;

/// The longest that one call may take, all its pages included.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// First and longest wait of a reference whose provider is busy.
const SHORTEST_BUSY: Duration = Duration::from_millis(250);
const LONGEST_BUSY: Duration = Duration::from_secs(15);

/// How a platform is asked with one proof.
struct Asked {
    context: Arc<Context>,
    provider: ProviderId,
    gate: Arc<Gate>,
    identity: Arc<Identity>,
    credential: Arc<Credential>,
    /// Whether this look has begun a call, or takes what others began.
    called: AtomicBool,
}

impl Asked {
    /// Makes a call through the gate, and counts it.
    async fn pass<T, F>(
        &self,
        api: Api,
        by: By,
        call: impl Fn(Arc<Credential>) -> F,
    ) -> Option<Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let metrics = &self.context.metrics;
        let (asked, made) = (Instant::now(), AtomicBool::new(false));
        let call = |credential| {
            if !made.swap(true, Ordering::Relaxed) {
                let waited = asked.elapsed();
                metrics.call_waits.observe([api.as_str()], waited);
            }
            call(credential)
        };
        let result = self.pass_uncounted(call).await;
        let outcome = match &result {
            None => "busy",
            Some(Ok(_)) => "ok",
            Some(Err(_)) if !made.load(Ordering::Relaxed) => "held_back",
            Some(Err(failure)) => failure.kind.as_str(),
        };
        let labels = [api.as_str(), by.as_str(), outcome];
        metrics.calls.count(labels);
        result
    }

    /// Makes a call through the gate; a refused credential is renewed once, if it can be.
    async fn pass_uncounted<T, F>(
        &self,
        call: impl Fn(Arc<Credential>) -> F,
    ) -> Option<Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let now = || self.context.now();
        let principal = self.identity.asks_as();
        let refusals = self.context.sign_ins.refusals();
        if let Some(failure) = principal.and_then(|own| refusals.refused(&own, now())) {
            return Some(Err(failure));
        }
        let before = (self.gate.health(), self.gate.pause(now()).is_some());
        let mut credential = self.credential.clone();
        let mut renewed = false;
        let result = loop {
            let fingerprint = credential.fingerprint();
            let made = || refusals.attempt(principal, now, || call(credential.clone()));
            let passed = self.gate.pass(&fingerprint, now, made);
            match passed.await? {
                Err(failure) if failure.kind == FailureKind::AuthenticationFailed && !renewed => {
                    renewed = true;
                    let sign_ins = &self.context.sign_ins;
                    match sign_ins.renewed(&self.identity, &fingerprint).await {
                        None => break Err(failure),
                        Some(Err(unissued)) => break Err(unissued),
                        Some(Ok(another)) => credential = another,
                    }
                }
                result => break result,
            }
        };
        if before != (self.gate.health(), self.gate.pause(now()).is_some()) {
            self.context.health_changed(&self.provider);
        }
        Some(result)
    }

    fn to_own(&self) -> Self {
        Self {
            context: self.context.clone(),
            provider: self.provider.clone(),
            gate: self.gate.clone(),
            identity: self.identity.clone(),
            credential: self.credential.clone(),
            called: AtomicBool::new(true),
        }
    }
}

impl Calls for Asked {
    fn list(&self, scope: &Scope) -> BoxFuture<'static, Option<Result<Listing, Failure>>> {
        self.called.store(true, Ordering::Relaxed);
        let (asked, scope) = (self.to_own(), scope.clone());
        async move {
            let clouds = &asked.context.clouds;
            let call = |credential: Arc<Credential>| {
                let scope = &scope;
                async move { clouds.list(scope, &credential, CALL_LIMIT).await }
            };
            let listed = asked.pass(scope.api(), By::List, call).await;
            if let Some(Ok(listing)) = &listed {
                count_list(&asked.context, scope.api(), listing);
            }
            let shows = match &listed {
                Some(Ok(listing)) => listing.cut.is_some(),
                Some(Err(failure)) => failure.kind == FailureKind::PermissionDenied,
                None => false,
            };
            if shows {
                asked.context.health_changed(&asked.provider);
            }
            listed
        }
        .boxed()
    }

    fn get(
        &self,
        target: &Target,
        bound: Option<&str>,
    ) -> BoxFuture<'static, Option<Result<Facts, Failure>>> {
        self.called.store(true, Ordering::Relaxed);
        let (asked, target) = (self.to_own(), target.clone());
        let bound = bound.map(str::to_owned);
        async move {
            let clouds = &asked.context.clouds;
            let call = |credential: Arc<Credential>| {
                let (target, bound) = (&target, bound.as_deref());
                async move { clouds.look(target, &credential, bound, CALL_LIMIT).await }
            };
            asked.pass(target.query.api(), By::Get, call).await
        }
        .boxed()
    }
}

fn count_list(context: &Context, api: Api, listing: &Listing) {
    let metrics = &context.metrics;
    let end = match listing.cut {
        Some(Cut::Pages) => "cut_at_pages",
        Some(Cut::Images) => "cut_at_images",
        Some(Cut::Bytes) => "cut_at_bytes",
        None if listing.whole => "whole",
        None => "not_whole",
    };
    metrics.lists.count([api.as_str(), end]);
    metrics
        .list_pages
        .add([api.as_str()], u64::from(listing.pages));
    let images = u64::try_from(listing.images().count()).unwrap_or(u64::MAX);
    metrics.list_images.add([api.as_str()], images);
}

/// Asks the platform. `None`: too many others are waiting for it.
#[tracing::instrument(level = "debug", skip_all, fields(
    provider = %target.provider, api = target.query.api().as_str(), error.type = Empty
))]
pub(crate) async fn look(
    context: &Arc<Context>,
    object: &ImageRef,
    provided: &Provided,
    target: &Target,
    signed_in: &SignedIn,
) -> Option<Look> {
    let interval = provided.interval(&object.spec);
    let status = object.status.clone().unwrap_or_default();
    // A name stays bound to its image only while it is the same question.
    let same = status.resolved_for.as_ref() == Some(&target.resolved_for(&object.spec.source));
    let bound = status.image_id.as_deref().filter(|_| same);
    let timeout = object.spec.timeout();
    let proof = signed_in.identity.proof();
    let asked = Asked {
        context: context.clone(),
        provider: target.provider.clone(),
        gate: context.gates.of(proof, &target.account),
        identity: signed_in.identity.clone(),
        credential: signed_in.credential.clone(),
        called: AtomicBool::new(false),
    };
    let question = Question {
        proof,
        target,
        bound,
        max_age: plan::max_age(interval, &status),
        not_before: context
            .memories
            .not_before(object)
            .max(plan::confirms_from(&status)),
        distinct: context.census.distinct(context, interval, target),
    };
    let counted = |by: &'static str, result: &'static str| {
        let shared = if asked.called.load(Ordering::Relaxed) {
            "false"
        } else {
            "true"
        };
        let api = target.query.api().as_str();
        context.metrics.looks.count([api, by, shared, result]);
    };
    let busy = || counted("none", "busy");
    let Some(seat) = asked.gate.seat() else {
        busy();
        return None;
    };
    let looked = context.snapshots.look(&question, &asked);
    let result = match tokio::time::timeout(timeout, looked).await {
        Ok(Some(looked)) => looked,
        Ok(None) => {
            busy();
            return None;
        }
        // The call goes on, for others and for the next look.
        Err(_) => Err(Failure::new(
            FailureKind::Unreachable,
            format!(
                "{} has not answered within {} s",
                target.provider,
                timeout.as_secs_f32()
            ),
        )),
    };
    let failure = match result {
        Ok(answer) => {
            counted(answer.by.as_str(), "ok");
            tracing::debug!(
                object = %Named(object),
                provider = %target.provider,
                request_id = answer.facts.upstream.request_id.as_deref().unwrap_or_default(),
                by = answer.by.as_str(),
                "the image was found"
            );
            context
                .absences
                .settled(&target.provider, &answer.facts.image_id);
            // Whoever waits for a registry holds nobody up who waits for the platform.
            drop(seat);
            let said =
                contents::read(context, object, provided, target, signed_in, &answer.facts).await?;
            // Not before: the registry, too, owes an answer of the time that one was asked for.
            context.memories.answered(object, answer.as_of);
            return Some(Look::Found {
                facts: answer.facts,
                // The older half of the answer says when it is due again.
                as_of: said
                    .as_of
                    .map_or(answer.as_of, |read| read.min(answer.as_of)),
                contents: said.contents,
            });
        }
        Err(failure) => failure,
    };
    counted("none", failure.kind.as_str());
    Span::current().record("error.type", failure.kind.as_str());
    tracing::debug!(
        object = %Named(object),
        provider = %target.provider,
        request_id = failure.request_id.as_deref().unwrap_or_default(),
        kind = failure.kind.as_str(),
        %failure,
        "the look failed"
    );
    Some(Look::Failed(match bound {
        Some(image) if failure.kind == FailureKind::NotFound => {
            suspect(context, target, image, interval, failure)
        }
        _ => failure,
    }))
}

/// A missing image, or one of too many at once.
fn suspect(
    context: &Context,
    target: &Target,
    image: &str,
    interval: Duration,
    failure: Failure,
) -> Failure {
    let known = context.census.known(context, &target.provider);
    if !known.contains(&stands_for(image)) {
        // Its absence was confirmed before.
        context.absences.settled(&target.provider, image);
        return failure;
    }
    let missing = context.absences.missing(
        &target.provider,
        image,
        known.len(),
        interval,
        context.now(),
    );
    if missing {
        let message = format!(
            "{} says that many of its {} images vanished together, which is more likely a fault: {}",
            target.provider,
            known.len(),
            failure.message
        );
        return Failure {
            kind: FailureKind::MassDisappearance,
            message,
            ..failure
        };
    }
    failure
}

/// When to come back to a provider that is busy, the `turned_away`th time: after a quarter of a second
/// and up to twice that, then later and later, up to half a minute. Spread by the object.
pub(crate) fn busy(object: &ImageRef, turned_away: u32) -> Duration {
    let digest = Sha256::digest(object.uid().unwrap_or_default());
    let spread = f64::from(digest[0]) / 255.0;
    let wait = SHORTEST_BUSY.saturating_mul(1 << turned_away.min(8));
    wait.min(LONGEST_BUSY).mul_f64(1.0 + spread)
}
