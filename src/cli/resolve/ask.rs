//! One answer per `ImageRef`, as the operator would give it.
//!
//! Owns the way from the objects in the files to `plan`, and the few repetitions that a command run
//! once can afford. Must not decide anything about images. The invariant that would break first: the
//! status is what `plan` makes of the same objects and the same answer in a cluster.

use super::credentials::{self, Environment, Missing};
use super::manifests::Manifests;
use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{DigestPolicy, ImageRef, ImageRefStatus, RECONCILE_REQUESTED_AT, Reason};
use crate::cli::input::object::NAME_LABEL;
use crate::cli::input::reference::Reference;
use crate::cloud::gate::{Gate, Gates, Limits};
use crate::cloud::identity::{CredentialCache, Identity, ProjectIds, Refusals, Region};
use crate::cloud::provider::{self, Provider};
use crate::cloud::{AllowedEndpoints, Clouds, Credential};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::{self, Due, Input, Look, Memory, Provided, ProviderId, Target};
use crate::registry::Reader;
use jiff::Timestamp;
use kube::ResourceExt as _;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Waits before the second and the third try.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

/// The longest pause that is waited for when a platform asks for one.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Waits for a pause that another reference's call brought about.
const MOST_WAITS: usize = 6;

/// How soon to try again for a place among the calls of a provider.
pub(super) const NO_PLACE: Duration = Duration::from_millis(50);

/// Everything that the answers depend on.
pub(super) struct Asker {
    pub(super) manifests: Manifests,
    pub(super) clouds: Clouds,
    /// `None`: no registries are asked.
    pub(super) registries: Option<Reader>,
    pub(super) allowed: AllowedEndpoints,
    pub(super) operator_namespace: String,
    pub(super) environment: Option<Environment>,
    pub(super) gates: Gates,
    pub(super) credentials: CredentialCache,
    pub(super) projects: ProjectIds,
    /// Users and keys that were refused, whichever providers name them.
    pub(super) refusals: Arc<Refusals>,
    /// Where the credentials of each provider came from.
    pub(super) origins: Mutex<BTreeMap<ProviderId, String>>,
}

/// An `ImageRef` with its status, and what a person is told about it.
pub(in crate::cli) struct Answer {
    pub(super) object: ImageRef,
    /// `True`, `False` or `Unknown`.
    pub(super) ready: String,
    /// What stays the reason if nothing changes: a command does not keep trying.
    pub(super) reason: String,
    pub(super) message: String,
    /// What helps here, where files and variables stand for a cluster.
    pub(super) fix: Option<String>,
}

impl Answer {
    pub(super) fn resolved(&self) -> bool {
        self.ready == Truth::True.as_str()
    }

    /// The reference with its answer.
    pub(in crate::cli) fn into_reference(self) -> Reference {
        Reference {
            namespace: self.object.namespace().unwrap_or_default(),
            name: self.object.name_any(),
            follows_tag: self.object.spec.digest_policy() == DigestPolicy::Always,
            status: self.object.status.unwrap_or_default(),
        }
    }
}

struct Observed {
    provided: Provided,
    /// `None`: the platform is not to be asked.
    signed_in: Option<Result<SignedIn, Failure>>,
    fix: Option<String>,
}

impl Observed {
    fn unavailable(provided: Provided, fix: Option<String>) -> Self {
        Self {
            provided,
            signed_in: None,
            fix,
        }
    }
}

/// Who a provider is towards its platform.
pub(super) struct SignedIn {
    pub(super) identity: Arc<Identity>,
    pub(super) credential: Arc<Credential>,
    project: Option<Arc<str>>,
}

impl Asker {
    /// Resolves one reference.
    pub(super) async fn answer(&self, object: &ImageRef) -> Answer {
        let Observed {
            provided,
            signed_in,
            fix,
        } = self.observe(object).await;
        let requested_at = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let uid = object.uid().unwrap_or_default();
        let subject = plan::Object {
            spec: &object.spec,
            // A cluster gives a new object generation 1.
            generation: object.metadata.generation.unwrap_or(1),
            uid: &uid,
            requested_at: requested_at.as_deref(),
        };
        // What the CRD's default puts into a new object.
        let previous = ImageRefStatus {
            observed_generation: Some(-1),
            ..ImageRefStatus::default()
        };
        let memory = Memory::default();
        let due = plan::due(&subject, &provided, &previous, &memory, Timestamp::now());
        let look = match (due, &provided, &signed_in) {
            (Due::Now, Provided::Unavailable { failure, .. }, _)
            | (Due::Now, _, Some(Err(failure))) => Look::Failed(failure.clone()),
            (Due::Now, Provided::Target { target, .. }, Some(Ok(signed_in))) => {
                match self.look(object, target, signed_in).await {
                    Ok(facts) => Look::Found {
                        contents: self
                            .contents(&subject, &provided, target, signed_in, &facts)
                            .await,
                        facts: Arc::new(facts),
                        as_of: Timestamp::now(),
                    },
                    Err(failure) => Look::Failed(failure),
                }
            }
            (Due::Now, Provided::Target { .. }, None) | (Due::At(_) | Due::Never, ..) => {
                Look::NotDue
            }
        };
        let input = Input {
            object: subject,
            previous: &previous,
            provided: &provided,
            look,
            memory,
            now: Timestamp::now(),
        };
        let status = plan::plan(input.clone()).status;
        let (ready, reason, message) = settled(&input, &status);
        let mut object = object.clone();
        object.status = Some(status);
        Answer {
            object,
            ready,
            reason,
            message,
            fix,
        }
    }

    pub(super) fn find(&self, id: &ProviderId) -> Option<Provider> {
        self.manifests.providers.get(id).cloned()
    }

    /// The provider of a reference, and who it is towards its platform.
    async fn observe(&self, object: &ImageRef) -> Observed {
        let namespace = object.namespace().unwrap_or_default();
        let chosen = match provider::choose(object.spec.provider_ref.as_ref(), &namespace, |id| {
            self.find(id)
        }) {
            Ok(chosen) => chosen,
            Err(unavailable) => {
                let fix = "add the provider's file with -f".to_owned();
                return Observed::unavailable(*unavailable, Some(fix));
            }
        };
        let not_ready = |message: String, fix| {
            let provided = Provided::Unavailable {
                provider: Some(chosen.id()),
                failure: Failure::new(FailureKind::ProviderNotReady, message),
            };
            Observed::unavailable(provided, fix)
        };
        let Some(labels) = self.labels(&chosen, &namespace) else {
            let message = format!(
                "{}: whether it serves namespace {namespace} depends on the namespace's labels, which are not known",
                chosen.id()
            );
            let fix = format!("add the file of Namespace {namespace} with -f");
            return not_ready(message, Some(fix));
        };
        let provide = |project: Option<&str>| {
            let labels = &labels;
            chosen.provide(
                &object.spec,
                &namespace,
                labels,
                project,
                &self.allowed,
                &Limits::LOOSEST,
            )
        };
        let may_ask = !chosen.suspended() && chosen.serves(&namespace, &labels);
        let (cloud, region) = match chosen.cloud() {
            Ok(found) if may_ask && chosen.check(&self.allowed).is_ok() => found,
            // Nothing is sent for it, not even a proof.
            _ => return Observed::unavailable(provide(chosen.known_project()), None),
        };
        let found = credentials::find(
            &chosen,
            cloud,
            &self.manifests,
            &self.operator_namespace,
            self.environment,
        );
        let identity = match found {
            Ok((source, from)) => {
                let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
                origins.insert(chosen.id(), from);
                drop(origins);
                Region::new(region).and_then(|region| Identity::new(source, region))
            }
            Err(Missing { message, fix }) => return not_ready(message, fix),
        };
        let identity = match identity {
            Ok(identity) => Arc::new(identity),
            Err(why) => return not_ready(format!("{}: {why}", chosen.id()), None),
        };
        let signed_in = self.sign_in(&chosen, identity).await;
        let signed_in = signed_in.map_err(|failure| Failure {
            message: format!("{}: {}", chosen.id(), failure.message),
            ..failure
        });
        let provided = match &signed_in {
            Ok(signed_in) => provide(signed_in.project.as_deref()),
            Err(failure) if chosen.needs_project() => {
                let provided = Provided::Unavailable {
                    provider: Some(chosen.id()),
                    failure: failure.clone(),
                };
                return Observed::unavailable(provided, None);
            }
            Err(_) => provide(None),
        };
        Observed {
            provided,
            signed_in: Some(signed_in),
            fix: None,
        }
    }

    async fn sign_in(
        &self,
        provider: &Provider,
        identity: Arc<Identity>,
    ) -> Result<SignedIn, Failure> {
        let (credential, project) = if provider.needs_project() {
            let signed_in = self.projects.signed_in(&self.credentials, &identity);
            let (credential, project) = signed_in.await?;
            (credential, Some(project))
        } else {
            (self.credentials.credential(&identity).await?, None)
        };
        Ok(SignedIn {
            identity,
            credential,
            project,
        })
    }

    /// The labels that decide whether a provider serves a namespace; `None` if they are not known.
    fn labels(&self, provider: &Provider, namespace: &str) -> Option<BTreeMap<String, String>> {
        if let Some(labels) = self.manifests.namespaces.get(namespace) {
            return Some(labels.clone());
        }
        // The one label that every namespace has.
        let own = BTreeMap::from([(NAME_LABEL.to_owned(), namespace.to_owned())]);
        let selector = provider
            .allowed_namespaces()
            .and_then(|a| a.selector.as_ref());
        let keys = selector.into_iter().flat_map(|selector| {
            let labels = selector.match_labels.iter().flatten().map(|(key, _)| key);
            labels.chain(
                selector
                    .match_expressions
                    .iter()
                    .flatten()
                    .map(|rule| &rule.key),
            )
        });
        let by_name_only = keys.clone().all(|key| key == NAME_LABEL);
        (by_name_only || !provider.needs_labels(namespace)).then_some(own)
    }

    /// Asks the platform; again after a failure that may pass.
    async fn look(
        &self,
        object: &ImageRef,
        target: &Target,
        signed_in: &SignedIn,
    ) -> Result<Facts, Failure> {
        let identity = &signed_in.identity;
        if let Some(provider) = self.find(&target.provider) {
            // Nobody's files are a tenant's.
            let limits = provider.limits(&Limits::LOOSEST);
            let (proof, id) = (identity.proof(), provider.id());
            self.gates.limit(proof, &target.account, id, limits);
        }
        let gate = self.gates.of(identity.proof(), &target.account);
        let mut waits = 0;
        let mut pauses = BACKOFF.into_iter();
        loop {
            let (called, result) = self.pass(&gate, object, target, signed_in).await;
            let failure = match result {
                Err(failure) if may_pass(failure.kind) => failure,
                settled => return settled,
            };
            let pause = match (called, pauses.as_slice().first()) {
                (true, Some(pause)) => failure.retry_after.unwrap_or(*pause).max(*pause),
                (false, _) if waits < MOST_WAITS => failure.retry_after.unwrap_or(BACKOFF[0]),
                _ => return Err(failure),
            };
            if pause > LONGEST_WAIT {
                return Err(failure);
            }
            if called {
                pauses.next();
            } else {
                waits += 1;
            }
            tracing::debug!(kind = failure.kind.as_str(), %failure, "the look failed; it is repeated");
            tokio::time::sleep(pause).await;
        }
    }

    /// One try, and whether the platform was called for it.
    async fn pass(
        &self,
        gate: &Gate,
        object: &ImageRef,
        target: &Target,
        signed_in: &SignedIn,
    ) -> (bool, Result<Facts, Failure>) {
        let timeout = object.spec.timeout();
        let credential = &signed_in.credential;
        let principal = signed_in.identity.asks_as();
        let called = AtomicBool::new(false);
        loop {
            let look = || {
                called.store(true, Ordering::Relaxed);
                async {
                    let mut result = self.clouds.look(target, credential, None, timeout).await;
                    if let Err(failure) = &mut result
                        && failure.kind == FailureKind::Throttled
                    {
                        // The gate would else pause for longer than a command should wait.
                        failure.retry_after.get_or_insert(BACKOFF[0]);
                    }
                    result
                }
            };
            // Providers that differ in project or endpoint try one key, each at a gate of its own.
            let call = || self.refusals.attempt(principal, Timestamp::now, look);
            let fingerprint = credential.fingerprint();
            let passed = Box::pin(gate.pass(&fingerprint, Timestamp::now, call)).await;
            if let Some(result) = passed {
                return (called.into_inner(), result);
            }
            tokio::time::sleep(NO_PLACE).await;
        }
    }
}

const fn may_pass(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unreachable
            | FailureKind::ProviderError
            | FailureKind::ResponseInvalid
            | FailureKind::Throttled
    )
}

/// Ready as the operator leaves it when the same thing happens until it gives up waiting.
fn settled(input: &Input<'_>, status: &ImageRefStatus) -> (String, String, String) {
    let read = |status: &ImageRefStatus| {
        let ready = condition::find(&status.conditions, ConditionType::Ready)?;
        Some((
            ready.status.clone(),
            ready.reason.clone(),
            ready.message.clone(),
        ))
    };
    let first = read(status);
    if condition::has_reason(
        &status.conditions,
        ConditionType::Ready,
        Reason::Progressing,
    ) && let Ok(later) = input
        .now
        .checked_add(plan::STALL_AFTER + Duration::from_secs(1))
    {
        let stalled = plan::plan(Input {
            previous: status,
            now: later,
            ..input.clone()
        });
        if let Some((ready, reason, _)) = read(&stalled.status) {
            return (
                ready,
                reason,
                first.map(|(.., message)| message).unwrap_or_default(),
            );
        }
    }
    first.unwrap_or_default()
}
