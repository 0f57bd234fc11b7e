//! Random histories of one object: edits, outages, restarts, time. What must hold after every step.

use super::plan::case::{Case, HOUR, ID, facts, found_with, provided, unavailable};
use imageref::api::condition::{self, Truth};
use imageref::api::{ConditionType, Expect, ImageRefStatus, Reason};
use imageref::facts::{Arch, Content, Digest, Facts, Failure, FailureKind, ImageStatus, Platform};
use imageref::plan::{Contents, Due, Look, Memory, Plan, Provided};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What a registry says beside a found image.
#[derive(Clone, Debug)]
enum Registry {
    NotAsked,
    /// One of two digests, and one of the sets of platforms.
    Read(u8, u8),
    Failed(FailureKind, Option<u64>),
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Found(u8, Registry),
    Failed(FailureKind, Option<u64>),
    NotDue,
    Pending,
    Source(bool),
    Provider(u8),
    Suspend(bool),
    Interval(&'static str),
    MaxStaleness(Option<&'static str>),
    ExpectArch(Option<&'static str>),
    ExpectStatus(Option<&'static str>),
    ExpectDigest(Option<u8>),
    DigestPolicy(&'static str),
    HistoryLimit(i32),
    Request(u8),
    Restart,
}

fn kind() -> impl Strategy<Value = FailureKind> {
    use FailureKind as K;
    prop::sample::select(vec![
        K::Unreachable,
        K::ProviderError,
        K::ResponseInvalid,
        K::Throttled,
        K::AuthenticationFailed,
        K::PermissionDenied,
        K::NotFound,
        K::Ambiguous,
        K::BadRequest,
        K::MassDisappearance,
        K::InvalidSpec,
    ])
}

fn registry() -> impl Strategy<Value = Registry> {
    prop_oneof![
        2 => Just(Registry::NotAsked),
        2 => (0u8..2, 0u8..4).prop_map(|(digest, platforms)| Registry::Read(digest, platforms)),
        2 => (kind(), prop::option::of(0u64..4000)).prop_map(|(k, r)| Registry::Failed(k, r)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::sample::select(vec![0, 1, 61, 301, 3600, 90_000]).prop_map(Step::Pass),
        6 => (0u8..48, registry()).prop_map(|(v, r)| Step::Found(v, r)),
        4 => (kind(), prop::option::of(0u64..4000)).prop_map(|(k, r)| Step::Failed(k, r)),
        2 => Just(Step::NotDue),
        1 => Just(Step::Pending),
        1 => any::<bool>().prop_map(Step::Source),
        1 => (0u8..7).prop_map(Step::Provider),
        1 => any::<bool>().prop_map(Step::Suspend),
        1 => prop::sample::select(vec!["0s", "1m", "1h", "168h"]).prop_map(Step::Interval),
        1 => prop::sample::select(vec![None, Some("168h"), Some("500h")]).prop_map(Step::MaxStaleness),
        1 => prop::sample::select(vec![None, Some("amd64"), Some("arm64")]).prop_map(Step::ExpectArch),
        1 => prop::sample::select(vec![None, Some("INACTIVE"), Some("ACTIVE")]).prop_map(Step::ExpectStatus),
        1 => prop::option::of(0u8..2).prop_map(Step::ExpectDigest),
        1 => prop::sample::select(vec!["Never", "IfNotPresent", "Always"]).prop_map(Step::DigestPolicy),
        1 => (0..6).prop_map(Step::HistoryLimit),
        1 => (0u8..3).prop_map(Step::Request),
        1 => Just(Step::Restart),
    ]
}

/// Facts that carry the mark of the target they are about.
fn answer(case: &Case, variant: u8) -> Facts {
    let mark = mark(case);
    let mut facts = facts();
    if variant >= 24 {
        facts.upstream.arch = None;
    }
    Facts {
        image: Some(format!("{mark}:{}", variant % 2)),
        swr_path: Some(format!("{mark}:{}", variant % 2)),
        arch: [Some(Arch::Arm64), Some(Arch::Amd64), None][usize::from(variant % 3)]
            .filter(|_| facts.upstream.arch.is_some()),
        status: [
            ImageStatus::Active,
            ImageStatus::Active,
            ImageStatus::Creating,
            ImageStatus::Inactive,
        ][usize::from(variant / 6 % 4)],
        ..facts
    }
}

/// The digests that the registry has for a path at one time or another.
fn digest_of(path: &str, version: u8) -> String {
    let hash = Sha256::new().chain_update(path).chain_update([version]);
    format!("sha256:{}", hex::encode(hash.finalize()))
}

fn contents(registry: &Registry, path: &str) -> Contents {
    match registry {
        Registry::NotAsked => Contents::NotAsked,
        Registry::Read(version, platforms) => Contents::Read(
            Content {
                digest: Digest::parse(&digest_of(path, *version)).unwrap(),
                platforms: ["amd64", "arm64"][..usize::from(*platforms % 3)]
                    .iter()
                    .map(|architecture| Platform {
                        os: "linux".into(),
                        architecture: (*architecture).into(),
                        variant: None,
                    })
                    .collect(),
            }
            .into(),
        ),
        Registry::Failed(kind, retry_after) => Contents::Failed(Failure {
            retry_after: retry_after.map(Duration::from_secs),
            ..Failure::new(*kind, "it failed")
        }),
    }
}

fn mark(case: &Case) -> String {
    let id = case
        .spec
        .source
        .notebook
        .as_ref()
        .and_then(|n| n.id.clone())
        .unwrap();
    match &case.provided {
        Provided::Target { target, .. } => format!("host/{}/{id}", target.account_hash()),
        Provided::Unavailable { .. } => format!("host/none/{id}"),
    }
}

fn edit_expect(case: &mut Case, edit: impl FnOnce(&mut Expect)) {
    let mut expect = case.spec.expect.take().unwrap_or_default();
    edit(&mut expect);
    case.spec.expect = (expect != Expect::default()).then_some(expect);
    case.generation += 1;
}

/// Applies a step; returns the look to plan with.
fn apply(case: &mut Case, step: &Step) -> Look {
    match step {
        Step::Pass(seconds) => case.pass(Duration::from_secs(*seconds)),
        Step::Found(variant, registry) => {
            let answer = answer(case, *variant);
            let contents = contents(registry, answer.image.as_deref().unwrap());
            return found_with(answer, contents);
        }
        Step::Failed(kind, retry_after) => {
            return Look::Failed(Failure {
                retry_after: retry_after.map(Duration::from_secs),
                ..Failure::new(*kind, "it failed")
            });
        }
        Step::Pending => return Look::Pending,
        Step::NotDue => {}
        Step::Source(other) => {
            let id = if *other {
                ID.replace('2', "3")
            } else {
                ID.into()
            };
            case.spec.source.notebook.as_mut().unwrap().id = Some(id);
            case.generation += 1;
        }
        Step::Provider(which) => {
            case.provided = match which {
                0..=2 => provided("cn-north-4"),
                3 => provided("cn-north-9"),
                4 => unavailable(FailureKind::ProviderNotFound),
                5 => unavailable(FailureKind::ProviderNotReady),
                _ => unavailable(FailureKind::ProviderNotAllowed),
            }
        }
        Step::Suspend(suspend) => {
            case.spec.suspend = *suspend;
            case.generation += 1;
        }
        Step::Interval(interval) => {
            case.spec.interval = (*interval).into();
            case.generation += 1;
        }
        Step::MaxStaleness(limit) => {
            case.spec.max_staleness = limit.map(Into::into);
            case.generation += 1;
        }
        Step::ExpectArch(arch) => {
            edit_expect(case, |e| {
                e.arch = arch.iter().map(ToString::to_string).collect();
            });
        }
        Step::ExpectStatus(status) => {
            edit_expect(case, |e| {
                e.status = status.iter().map(ToString::to_string).collect();
            });
        }
        Step::ExpectDigest(version) => {
            let digest = version.map(|v| digest_of(&format!("{}:0", mark(case)), v));
            edit_expect(case, |e| e.digest = digest);
        }
        Step::DigestPolicy(policy) => {
            case.spec.digest_policy = (*policy).into();
            case.generation += 1;
        }
        Step::HistoryLimit(limit) => {
            case.spec.history_limit = *limit;
            case.generation += 1;
        }
        Step::Request(n) => case.requested_at = Some(n.to_string()),
        Step::Restart => case.memory = Memory::default(),
    }
    // As the controller does: a look that is due fails with what the provider lacks.
    match (&case.provided, case.due()) {
        (Provided::Unavailable { failure, .. }, Due::Now) => Look::Failed(failure.clone()),
        (_, Due::Now) => Look::Pending,
        _ => Look::NotDue,
    }
}

/// What the table says kstatus must be for a Ready condition.
fn expected_kstatus(case: &Case) -> &'static str {
    let conditions = &case.status.conditions;
    let ready = condition::find(conditions, ConditionType::Ready).expect("a plan sets Ready");
    let waits = condition::has_reason(
        conditions,
        ConditionType::Reconciling,
        Reason::ReconcileRequested,
    );
    match (ready.status.as_str(), ready.reason.as_str()) {
        _ if waits => "InProgress",
        ("True", _) => "Current",
        (_, "Suspended" | "StaleTooLong") => "InProgress",
        ("False", "ImageNotActive") if case.status.status.as_deref() == Some("CREATING") => {
            "InProgress"
        }
        ("False", _) => "Failed",
        _ if condition::is_true(conditions, ConditionType::Stalled) => "Failed",
        _ => "InProgress",
    }
}

fn check(before: &Case, step: &Step, look: &Look, case: &mut Case) -> Result<(), TestCaseError> {
    let plan = case.step(look.clone());
    let conditions = &case.status.conditions;

    // The same again writes nothing and says nothing.
    let again = case.plan(look.clone());
    prop_assert!(
        !again.write,
        "second time writes: {:#?}\n{:#?}",
        case.status,
        again.status
    );
    prop_assert!(again.events.is_empty());

    // Never both, and kstatus is the table's.
    let is = |t| condition::is_true(conditions, t);
    prop_assert!(!(is(ConditionType::Reconciling) && is(ConditionType::Stalled)));
    prop_assert_eq!(
        case.kstatus(),
        expected_kstatus(case),
        "{:#?}",
        &case.status
    );

    // Transition times move only with the status.
    for condition in conditions {
        let old = before
            .status
            .conditions
            .iter()
            .find(|c| c.type_ == condition.type_);
        // A registry and a platform that fail are two things that share Stale.
        let same = |old: &&Condition| {
            old.status == condition.status
                && old.reason.starts_with("Registry") == condition.reason.starts_with("Registry")
        };
        if let Some(old) = old.filter(same) {
            prop_assert_eq!(&old.last_transition_time, &condition.last_transition_time);
        }
        prop_assert!(condition.last_transition_time.0 <= case.now);
        prop_assert_eq!(condition.observed_generation, Some(case.generation));
    }
    let mut sorted = conditions.clone();
    sorted.sort_by(|a, b| a.type_.cmp(&b.type_));
    prop_assert_eq!(&sorted, conditions);

    // Facts of another target never survive.
    let id = case
        .spec
        .source
        .notebook
        .as_ref()
        .and_then(|n| n.id.clone())
        .unwrap();
    if let Some(image) = &case.status.image {
        let known = matches!(case.provided, Provided::Target { .. });
        prop_assert!(
            image.contains(&id),
            "{image} is about another source than {id}"
        );
        prop_assert!(
            !known || image.starts_with(&mark(case)),
            "{image} is about another account"
        );
        prop_assert!(case.status.resolved_for.is_some());
    }

    what_was_read_fits(&case.status, &case.spec.digest_policy)?;
    a_registry_takes_no_answer_away(before, look, case)?;

    // Ready means that the answer may be used.
    if is(ConditionType::Ready) {
        prop_assert!(case.status.image.is_some());
        let suspended = condition::has_reason(conditions, ConditionType::Ready, Reason::Suspended);
        let explicit = case
            .spec
            .expect
            .as_ref()
            .is_some_and(|e| !e.status.is_empty());
        prop_assert!(suspended || explicit || case.status.status.as_deref() == Some("ACTIVE"));
    }

    // A platform that fails in passing takes no good answer away before maxStaleness.
    let was_good = condition::is_true(&before.status.conditions, ConditionType::Ready);
    if let (Step::Failed(kind, _), true) = (step, was_good)
        && !matches!(
            kind,
            FailureKind::NotFound | FailureKind::Ambiguous | FailureKind::InvalidSpec
        )
        && matches!(case.provided, Provided::Target { .. })
    {
        let ready = condition::find(conditions, ConditionType::Ready).unwrap();
        let too_long = ready.reason == Reason::StaleTooLong.as_str();
        prop_assert!(ready.status == Truth::True.as_str() || too_long);
        if too_long {
            let stale = condition::find(conditions, ConditionType::Stale).unwrap();
            let age = case
                .now
                .duration_since(stale.last_transition_time.0)
                .unsigned_abs();
            prop_assert!(age > case.spec.max_staleness() && !case.spec.interval().is_zero());
        }
    }

    // No hot loop: after a look, the next one lies ahead.
    if matches!(look, Look::Found { .. } | Look::Failed(_)) {
        prop_assert!(
            plan.requeue.is_none_or(|wait| wait > Duration::ZERO),
            "{:?}",
            plan.requeue
        );
        prop_assert!(
            plan.requeue.is_none_or(|wait| wait <= HOUR * 24 * 8),
            "{:?}",
            plan.requeue
        );
    }
    prop_assert!(case.status.history.len() <= case.spec.history_limit());

    comes_back(&plan, case)
}

/// A digest is one of the very path that is shown, which is pinned by it.
fn what_was_read_fits(status: &ImageRefStatus, policy: &str) -> Result<(), TestCaseError> {
    let Some(digest) = &status.digest else {
        prop_assert!(status.platforms.is_empty());
        let pinned = status.image.as_ref().is_some_and(|i| i.contains('@'));
        return Ok(prop_assert!(!pinned, "{:?}", status.image));
    };
    prop_assert!(policy != "Never");
    let pinned = status.image.as_deref().unwrap_or_default();
    let path = pinned.strip_suffix(&format!("@{digest}"));
    prop_assert!(path.is_some(), "{pinned} is not pinned by {digest}");
    let path = path.unwrap();
    prop_assert_eq!(Some(path), status.swr_path.as_deref());
    let known = [digest_of(path, 0), digest_of(path, 1)];
    prop_assert!(known.contains(digest), "{digest} is of another path");
    Ok(())
}

/// With a registry that fails, Ready is what it would be without one, unless the expectations are
/// about what it says; and what it does to Stale does not age.
fn a_registry_takes_no_answer_away(
    before: &Case,
    look: &Look,
    case: &Case,
) -> Result<(), TestCaseError> {
    let conditions = &case.status.conditions;
    let stale = condition::find(conditions, ConditionType::Stale);
    if stale.is_some_and(|stale| stale.reason.starts_with("Registry")) {
        for of_the_platform in [Reason::ServingStale, Reason::StaleTooLong] {
            let ready = ConditionType::Ready;
            prop_assert!(!condition::has_reason(conditions, ready, of_the_platform));
        }
    }
    let Look::Found {
        facts,
        as_of,
        contents: Contents::Failed(_),
    } = look
    else {
        return Ok(());
    };
    let expect = case.spec.expect.clone().unwrap_or_default();
    if expect.digest.is_some() || (!expect.arch.is_empty() && facts.arch.is_none()) {
        return Ok(());
    }
    let without = Case {
        now: case.now,
        ..before.clone()
    };
    let without = without.plan(Look::Found {
        facts: facts.clone(),
        as_of: *as_of,
        contents: Contents::NotAsked,
    });
    let ready = |status: &ImageRefStatus| {
        condition::find(&status.conditions, ConditionType::Ready)
            .map(|c| (c.status.clone(), c.reason.clone()))
    };
    prop_assert_eq!(ready(&without.status), ready(&case.status));
    prop_assert_eq!(&without.status.image, &case.status.image);
    Ok(())
}

/// What can still change has a time at which coming back is of use.
fn comes_back(plan: &Plan, case: &Case) -> Result<(), TestCaseError> {
    // Nobody is forgotten: what can still change has a time, unless it is suspended or was looked
    // up for good.
    let suspended = case.spec.suspend;
    prop_assert!(
        plan.requeue.is_some() || suspended || case.spec.interval().is_zero(),
        "nothing brings it back: {:#?}",
        case.status
    );

    // Coming back is of use: a look is due then, or a verdict changes with time.
    if let Some(wait) = plan.requeue {
        let mut later = case.clone();
        later.pass(wait);
        if let Due::At(at) = later.due() {
            let again = later.step(Look::NotDue);
            prop_assert!(
                again.write || again.requeue > Some(Duration::ZERO),
                "spins until {at}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_invariant_holds_over_random_histories(steps in prop::collection::vec(step(), 1..40)) {
        let mut case = Case::new();
        for step in &steps {
            let before = case.clone();
            let look = apply(&mut case, step);
            // Looks are made only when one is due; anything may arrive, but a paused or suspended
            // provider is not asked.
            let look = match look {
                Look::Found { .. } | Look::Failed(_) if case.due() == Due::Never => Look::NotDue,
                Look::Found { .. } if !matches!(case.provided, Provided::Target { .. }) => Look::NotDue,
                look => look,
            };
            check(&before, step, &look, &mut case)?;
        }
    }

    #[test]
    fn losing_the_memory_changes_no_verdict_and_at_most_delays_its_expiry(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let mut kept = Case::new();
        let mut lost = Case::new();
        for step in &steps {
            let look = apply(&mut kept, step);
            apply(&mut lost, step);
            lost.memory = Memory::default();
            kept.step(look.clone());
            lost.step(look);
            let verdict = |case: &Case| {
                condition::find(&case.status.conditions, ConditionType::Ready)
                    .map(|c| (c.status.clone(), c.reason == Reason::StaleTooLong.as_str()))
            };
            let (kept, lost) = (verdict(&kept), verdict(&lost));
            if matches!(kept, Some((_, true))) {
                break;
            }
            prop_assert_eq!(kept, lost);
        }
    }
}
