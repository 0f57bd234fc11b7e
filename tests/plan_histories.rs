//! Random histories of one object: edits, outages, restarts, time. What must hold after every step.

mod steps;

use super::plan::case::{Case, HOUR};
use imageref::api::condition::{self, Truth};
use imageref::api::{ConditionType, ImageRefStatus, Reason};
use imageref::facts::FailureKind;
use imageref::plan::{Contents, Due, Look, Memory, Plan, Provided};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use proptest::prelude::*;
use std::time::Duration;
use steps::{Step, apply, digest_of, mark, step};

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

    transition_times_hold(before, case)?;

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

/// Transition times move only with the status, and conditions are sorted.
fn transition_times_hold(before: &Case, case: &Case) -> Result<(), TestCaseError> {
    let conditions = &case.status.conditions;
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
    Ok(())
}

/// A digest is one of the very path that is shown, which is pinned by it.
fn what_was_read_fits(status: &ImageRefStatus, policy: &str) -> Result<(), TestCaseError> {
    let Some(digest) = &status.digest else {
        prop_assert!(status.platforms.is_empty());
        let pinned = status.image.as_ref().is_some_and(|i| i.contains('@'));
        prop_assert!(!pinned, "{:?}", status.image);
        return Ok(());
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
