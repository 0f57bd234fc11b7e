//! The table of situations, row by row, as `docs/imageref.md` prints it.

use imageref::api::condition::{self, Truth};
use imageref::api::provider::Accept;
use imageref::api::{
    ConditionType, Expect, ImageRefSpec, ImageRefStatus, NotebookSource, ProviderKind, Reason,
    Source, Upstream,
};
use imageref::facts::{Arch, Facts, Failure, FailureKind, ImageStatus};
use imageref::plan::{
    Account, CONFIRM_AFTER, Due, Input, Look, Memory, Object, Plan, Provided, ProviderId, Query,
    STALL_AFTER, Target, due, plan,
};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

pub(crate) const ID: &str = "278e88d1-5b71-4766-8502-b3ba72e824d9";
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// One object and what an operator remembers of it; every step goes through the planner.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) spec: ImageRefSpec,
    pub(crate) generation: i64,
    pub(crate) requested_at: Option<String>,
    pub(crate) status: ImageRefStatus,
    pub(crate) memory: Memory,
    pub(crate) provided: Provided,
    pub(crate) now: Timestamp,
}

pub(crate) fn spec() -> ImageRefSpec {
    ImageRefSpec {
        source: Source {
            notebook: Some(NotebookSource {
                id: Some(ID.into()),
                ..Default::default()
            }),
            ..Default::default()
        },
        interval: "1h".into(),
        timeout: "20s".into(),
        history_limit: 5,
        ..Default::default()
    }
}

pub(crate) fn provided(region: &str) -> Provided {
    Provided::Target {
        target: Target {
            provider: ProviderId {
                kind: ProviderKind::Cluster,
                namespace: None,
                name: "modelarts".into(),
            },
            account: Account::ModelArts {
                endpoint: format!("https://modelarts.{region}.myhuaweicloud.com"),
                region: region.into(),
                project_id: "p1".into(),
                workspace_id: "0".into(),
            },
            query: Query::NotebookId(ID.into()),
        },
        accept: None,
        suspended: false,
    }
}

pub(crate) fn unavailable(kind: FailureKind) -> Provided {
    let Provided::Target { target, .. } = provided("cn-north-4") else {
        unreachable!()
    };
    Provided::Unavailable {
        provider: Some(target.provider),
        failure: Failure::new(kind, "the provider cannot be used"),
    }
}

pub(crate) fn facts() -> Facts {
    let path = "swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.1";
    Facts {
        image_id: ID.into(),
        arch: Some(Arch::Arm64),
        status: ImageStatus::Active,
        swr_path: Some(path.into()),
        image: Some(path.into()),
        accelerators: vec!["ASCEND".into(), "CPU".into()],
        size: Some(3_376_133_259),
        created: Some("2026-08-01T00:00:00.000Z".into()),
        updated: None,
        upstream: Upstream {
            api: "notebook".into(),
            name: Some("pytorch".into()),
            organization: Some("ai-team".into()),
            arch: Some("aarch64".into()),
            status: Some("ACTIVE".into()),
            visibility: Some("PRIVATE".into()),
            request_id: Some("r-1".into()),
            ..Default::default()
        },
    }
}

pub(crate) fn fail(kind: FailureKind) -> Look {
    Look::Failed(Failure::new(kind, "it failed"))
}

impl Case {
    pub(crate) fn new() -> Self {
        Self {
            spec: spec(),
            generation: 1,
            requested_at: None,
            status: ImageRefStatus {
                observed_generation: Some(-1),
                ..Default::default()
            },
            memory: Memory::default(),
            provided: provided("cn-north-4"),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        }
    }

    fn resolved() -> Self {
        let mut case = Self::new();
        case.step(Look::Found(facts()));
        case
    }

    pub(crate) fn object(&self) -> Object<'_> {
        Object {
            spec: &self.spec,
            generation: self.generation,
            uid: "0b4f",
            requested_at: self.requested_at.as_deref(),
        }
    }

    pub(crate) fn plan(&self, look: Look) -> Plan {
        plan(Input {
            object: self.object(),
            previous: &self.status,
            provided: &self.provided,
            look,
            memory: self.memory.clone(),
            now: self.now,
        })
    }

    pub(crate) fn step(&mut self, look: Look) -> Plan {
        let plan = self.plan(look);
        if plan.write {
            self.status = plan.status.clone();
        }
        self.memory = plan.memory.clone();
        plan
    }

    pub(crate) fn due(&self) -> Due {
        due(
            &self.object(),
            &self.provided,
            &self.status,
            &self.memory,
            self.now,
        )
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    fn edit(&mut self, edit: impl FnOnce(&mut ImageRefSpec)) {
        edit(&mut self.spec);
        self.generation += 1;
    }

    fn ready(&self) -> (String, String) {
        let ready = condition::find(&self.status.conditions, ConditionType::Ready).unwrap();
        (ready.status.clone(), ready.reason.clone())
    }

    fn assert_ready(&self, truth: Truth, reason: Reason) {
        assert_eq!(
            self.ready(),
            (truth.as_str().into(), reason.as_str().into()),
            "{:#?}",
            self.status
        );
    }

    fn has(&self, type_: ConditionType, reason: Reason) -> bool {
        condition::is_true(&self.status.conditions, type_)
            && condition::has_reason(&self.status.conditions, type_, reason)
    }

    fn is(&self, type_: ConditionType) -> bool {
        condition::is_true(&self.status.conditions, type_)
    }

    /// What `kstatus` computes, by its published rules for custom resources.
    pub(crate) fn kstatus(&self) -> &'static str {
        if self.status.observed_generation != Some(self.generation) {
            return "InProgress";
        }
        for condition in &self.status.conditions {
            match (condition.type_.as_str(), condition.status.as_str()) {
                ("Reconciling", "True") => return "InProgress",
                ("Stalled", "True") => return "Failed",
                _ => {}
            }
        }
        match condition::find(&self.status.conditions, ConditionType::Ready) {
            Some(ready) if ready.status == "True" => "Current",
            Some(_) => "InProgress",
            None => "Current",
        }
    }

    /// How long from now the next look is due.
    fn wait(&self) -> Duration {
        match self.due() {
            Due::Now => Duration::ZERO,
            Due::At(at) => self.now.duration_until(at).unsigned_abs(),
            Due::Never => Duration::MAX,
        }
    }
}

fn is_regular(wait: Duration) -> bool {
    (HOUR / 10..=HOUR * 5 / 4).contains(&wait)
}

#[test]
fn row_new_not_yet_seen_is_in_progress_and_due_now() {
    let case = Case::new();
    assert_eq!(case.status.observed_generation, Some(-1));
    assert!(case.status.conditions.is_empty());
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Now);
}

#[test]
fn row_first_look_failing_in_passing_progresses_then_stalls_after_15_minutes() {
    for kind in [
        FailureKind::Unreachable,
        FailureKind::ProviderError,
        FailureKind::ResponseInvalid,
    ] {
        let mut case = Case::new();
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert!(case.has(ConditionType::Reconciling, Reason::ProgressingWithRetry));
        assert_eq!(case.kstatus(), "InProgress");
        let mut waits = vec![];
        for _ in 0..6 {
            waits.push(case.wait());
            case.pass(case.wait());
            case.step(fail(kind));
        }
        assert!(
            waits.is_sorted() && waits[0] < Duration::from_secs(10),
            "{waits:?}"
        );
        assert!(!case.is(ConditionType::Stalled));
        case.pass(STALL_AFTER);
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert!(case.is(ConditionType::Stalled) && !case.is(ConditionType::Reconciling));
        assert_eq!(case.kstatus(), "Failed");
        case.pass(HOUR);
        let plan = case.step(fail(kind));
        assert!(
            !plan.write,
            "a stalled look that fails again says nothing new"
        );
        case.step(Look::Found(facts()));
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(!case.is(ConditionType::Stalled));
    }
}

#[test]
fn row_first_look_without_provider_progresses_and_names_it_when_it_stalls() {
    for (kind, reason) in [
        (FailureKind::ProviderNotFound, Reason::ProviderNotFound),
        (FailureKind::ProviderNotReady, Reason::ProviderNotReady),
    ] {
        let mut case = Case::new();
        case.provided = unavailable(kind);
        case.step(fail(kind));
        case.assert_ready(Truth::Unknown, Reason::Progressing);
        assert_eq!(case.kstatus(), "InProgress");
        case.pass(STALL_AFTER);
        case.step(Look::NotDue);
        case.assert_ready(Truth::Unknown, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
    }
}

#[test]
fn row_first_look_refused_is_false_and_asks_again_at_the_interval_only() {
    for (kind, reason) in [
        (
            FailureKind::AuthenticationFailed,
            Reason::AuthenticationFailed,
        ),
        (FailureKind::PermissionDenied, Reason::PermissionDenied),
    ] {
        let mut case = Case::new();
        let plan = case.step(fail(kind));
        case.assert_ready(Truth::False, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()), "{:?}", case.wait());
        assert_eq!(plan.events.len(), 1);
        assert!(plan.events[0].warning);
    }
}

#[test]
fn row_resolved_is_true_and_current_and_looked_at_once_an_interval() {
    let mut case = Case::new();
    let plan = case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert_eq!(case.kstatus(), "Current");
    assert_eq!(case.status.arch.as_deref(), Some("arm64"));
    assert_eq!(case.status.last_changed_time, case.status.last_checked_time);
    assert_eq!(plan.events.len(), 1);
    assert!(!plan.events[0].warning);
    assert!(is_regular(case.wait()), "{:?}", case.wait());
    case.pass(HOUR);
    let again = Facts {
        upstream: Upstream {
            request_id: Some("r-2".into()),
            ..facts().upstream
        },
        ..facts()
    };
    let plan = case.step(Look::Found(again));
    assert!(
        !plan.write && plan.events.is_empty(),
        "a request id is no change"
    );
}

#[test]
fn row_a_failed_refresh_keeps_the_answer_and_shows_stale() {
    for (kind, reason) in [
        (FailureKind::Unreachable, Reason::ProviderUnreachable),
        (FailureKind::ProviderError, Reason::ProviderError),
        (FailureKind::ResponseInvalid, Reason::ResponseInvalid),
        (
            FailureKind::AuthenticationFailed,
            Reason::AuthenticationFailed,
        ),
        (FailureKind::PermissionDenied, Reason::PermissionDenied),
        (FailureKind::BadRequest, Reason::ProviderError),
        (FailureKind::ProviderNotFound, Reason::ProviderNotFound),
        (FailureKind::ProviderNotReady, Reason::ProviderNotReady),
    ] {
        let mut case = Case::resolved();
        let before = case.status.clone();
        case.pass(HOUR);
        let plan = case.step(fail(kind));
        case.assert_ready(Truth::True, Reason::ServingStale);
        assert!(case.has(ConditionType::Stale, reason), "{kind:?}");
        assert_eq!(case.kstatus(), "Current");
        assert_eq!(case.status.swr_path, before.swr_path);
        assert!(
            plan.events.is_empty(),
            "an outage has its event on the provider"
        );
        case.pass(HOUR);
        assert!(!case.step(fail(kind)).write, "an outage writes once");
        case.pass(HOUR);
        assert!(case.step(Look::Found(facts())).write);
        case.assert_ready(Truth::True, Reason::Resolved);
        assert!(!case.is(ConditionType::Stale));
    }
}

#[test]
fn row_older_than_max_staleness_becomes_unknown_and_recovers() {
    let mut case = Case::resolved();
    case.edit(|spec| spec.max_staleness = Some("2h".into()));
    case.step(Look::NotDue);
    case.pass(HOUR);
    let plan = case.step(fail(FailureKind::Unreachable));
    assert!(
        plan.requeue
            .is_some_and(|wait| wait <= HOUR * 2 + Duration::from_secs(1))
    );
    case.pass(HOUR * 2 - Duration::from_secs(60));
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.pass(Duration::from_secs(61));
    let plan = case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    assert!(case.is(ConditionType::Stale));
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(plan.events.len(), 1);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.edit(|spec| spec.max_staleness = Some("12h".into()));
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn row_absent_the_first_time_changes_nothing_but_stale() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Stale, Reason::NotFoundUnconfirmed));
    assert_eq!(case.kstatus(), "Current");
    assert!(case.wait() >= CONFIRM_AFTER && case.wait() < CONFIRM_AFTER * 2);
    // Asking sooner, by annotation, confirms nothing and does not move the date either.
    for n in 0..3 {
        case.pass(Duration::from_secs(60));
        case.requested_at = Some(format!("{n}"));
        case.step(fail(FailureKind::NotFound));
        case.assert_ready(Truth::True, Reason::Resolved);
    }
    case.pass(CONFIRM_AFTER - Duration::from_secs(180));
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
}

#[test]
fn row_confirmed_absent_is_false_and_looked_at_once_an_interval() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::NotFound));
    case.pass(case.wait());
    let plan = case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    assert!(case.has(ConditionType::Stalled, Reason::ImageNotFound));
    assert!(!case.is(ConditionType::Stale));
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
    assert_eq!(plan.events.len(), 1);
    assert_eq!(case.status.history[0].changed, ["status"]);
    case.pass(HOUR);
    assert!(!case.step(fail(FailureKind::NotFound)).write);
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(
        !case.is(ConditionType::Drifted),
        "nobody could use it while it was gone"
    );
}

#[test]
fn row_absent_and_never_resolved_needs_one_look() {
    let mut case = Case::new();
    case.step(fail(FailureKind::NotFound));
    case.assert_ready(Truth::False, Reason::ImageNotFound);
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
}

#[test]
fn row_many_vanishing_together_changes_nothing_but_stale() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::MassDisappearance));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Stale, Reason::ProviderError));
    assert_eq!(case.kstatus(), "Current");
    assert!(
        case.wait() < Duration::from_secs(10),
        "back-off, not the interval"
    );
}

#[test]
fn row_not_active_is_false_and_watched_closely_only_while_creating() {
    for status in [ImageStatus::Init, ImageStatus::Creating] {
        let mut case = Case::new();
        case.step(Look::Found(Facts { status, ..facts() }));
        case.assert_ready(Truth::False, Reason::ImageNotActive);
        assert!(case.is(ConditionType::Reconciling));
        assert_eq!(case.kstatus(), "InProgress");
        assert!(case.wait() <= Duration::from_secs(40));
    }
    for status in [
        ImageStatus::CreateFailed,
        ImageStatus::Error,
        ImageStatus::Deleted,
        ImageStatus::Inactive,
        ImageStatus::Unknown,
    ] {
        let mut case = Case::new();
        case.step(Look::Found(Facts { status, ..facts() }));
        case.assert_ready(Truth::False, Reason::ImageNotActive);
        assert!(case.has(ConditionType::Stalled, Reason::ImageNotActive));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
    }
}

#[test]
fn row_a_violated_expectation_is_false_and_judged_without_a_look() {
    let rows: Vec<(Expect, Truth, Reason)> = vec![
        (
            Expect {
                arch: vec!["amd64".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::ArchMismatch,
        ),
        (
            Expect {
                status: vec!["INACTIVE".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::StatusMismatch,
        ),
        (
            Expect {
                accelerators: vec!["CPU".into(), "GPU".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::AcceleratorMismatch,
        ),
        (
            Expect {
                path_prefixes: vec!["swr.cn-north-4.myhuaweicloud.com/ai".into()],
                ..Default::default()
            },
            Truth::False,
            Reason::PathNotAllowed,
        ),
        (
            Expect {
                server_type: vec!["BMS".into()],
                ..Default::default()
            },
            Truth::Unknown,
            Reason::FactUnavailable,
        ),
    ];
    for (expect, truth, reason) in rows {
        let mut case = Case::resolved();
        case.edit(|spec| spec.expect = Some(expect));
        assert!(
            matches!(case.due(), Due::At(_)),
            "no look for an edited expectation"
        );
        case.step(Look::NotDue);
        case.assert_ready(Truth::False, Reason::ExpectationFailed);
        assert_eq!(case.status.observed_generation, Some(2));
        let compliant = condition::find(&case.status.conditions, ConditionType::Compliant).unwrap();
        assert_eq!(
            (compliant.status.as_str(), compliant.reason.as_str()),
            (truth.as_str(), reason.as_str())
        );
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
        case.edit(|spec| spec.expect = None);
        case.step(Look::NotDue);
        case.assert_ready(Truth::True, Reason::Resolved);
    }
}

#[test]
fn a_violated_server_type_names_both_types() {
    let mut case = Case::new();
    let mut found = facts();
    found.upstream.server_type = Some("ECS".into());
    case.edit(|spec| {
        spec.expect = Some(Expect {
            server_type: vec!["BMS".into()],
            ..Default::default()
        });
    });
    case.step(Look::Found(found));
    assert!(condition::has_reason(
        &case.status.conditions,
        ConditionType::Compliant,
        Reason::ServerTypeMismatch
    ));
}

#[test]
fn an_explicit_status_list_replaces_the_rule_that_images_are_active() {
    let mut case = Case::new();
    case.edit(|spec| {
        spec.expect = Some(Expect {
            status: vec!["INACTIVE".into()],
            ..Default::default()
        });
    });
    case.step(Look::Found(Facts {
        status: ImageStatus::Inactive,
        ..facts()
    }));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(condition::has_reason(
        &case.status.conditions,
        ConditionType::Compliant,
        Reason::Met
    ));
}

#[test]
fn row_an_expectation_about_a_fact_not_read_yet_is_unknown() {
    let mut case = Case::new();
    case.spec.expect = Some(Expect {
        arch: vec!["arm64".into()],
        ..Default::default()
    });
    case.step(Look::Pending);
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    let compliant = condition::find(&case.status.conditions, ConditionType::Compliant).unwrap();
    assert_eq!(compliant.status, "Unknown");
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Now);
}

#[test]
fn row_provider_not_allowed_drops_the_facts_at_once() {
    let mut case = Case::resolved();
    case.provided = unavailable(FailureKind::ProviderNotAllowed);
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!((&case.status.image, &case.status.image_id), (&None, &None));
    assert!(case.status.history.is_empty() && case.status.upstream.is_none());
    assert_eq!(case.kstatus(), "Failed");
    assert!(is_regular(case.wait()));
}

#[test]
fn row_an_answer_outside_accept_is_provider_not_allowed_and_never_shown() {
    let outside = [
        Accept {
            path_prefixes: vec!["swr.cn-north-4.myhuaweicloud.com/other/".into()],
            ..Default::default()
        },
        Accept {
            organizations: vec!["other".into()],
            ..Default::default()
        },
        Accept {
            workspace_ids: vec!["0".into()],
            ..Default::default()
        },
        Accept {
            visibility: vec!["PUBLIC".into()],
            ..Default::default()
        },
    ];
    for accept in outside {
        let mut case = Case::new();
        let Provided::Target { accept: slot, .. } = &mut case.provided else {
            unreachable!()
        };
        *slot = Some(accept);
        case.step(Look::Found(facts()));
        case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
        assert_eq!((&case.status.image, &case.status.upstream), (&None, &None));
        assert!(is_regular(case.wait()));
    }
    let mut case = Case::new();
    let Provided::Target { accept: slot, .. } = &mut case.provided else {
        unreachable!()
    };
    *slot = Some(Accept {
        organizations: vec!["ai-team".into()],
        ..Default::default()
    });
    case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn row_invalid_spec_and_ambiguous_match_are_false() {
    for (kind, reason) in [
        (FailureKind::InvalidSpec, Reason::InvalidSpec),
        (FailureKind::BadRequest, Reason::InvalidSpec),
        (FailureKind::Ambiguous, Reason::AmbiguousMatch),
    ] {
        let mut case = Case::new();
        case.step(fail(kind));
        case.assert_ready(Truth::False, reason);
        assert!(case.has(ConditionType::Stalled, reason));
        assert_eq!(case.kstatus(), "Failed");
        assert!(is_regular(case.wait()));
    }
    let mut case = Case::new();
    case.spec.unreadable = Some("spec.interval: invalid type".into());
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::InvalidSpec);
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn row_throttled_changes_nothing_and_is_stale_after_one_missed_interval() {
    let throttled = |seconds| {
        Look::Failed(Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(FailureKind::Throttled, "the platform throttles")
        })
    };
    let mut case = Case::resolved();
    case.pass(HOUR);
    let plan = case.step(throttled(600));
    assert!(!plan.write);
    assert!(
        case.wait() >= Duration::from_secs(600),
        "the platform's pause is obeyed"
    );
    // An annotation does not shorten the pause, and says that it waits.
    case.requested_at = Some("now".into());
    assert!(case.wait() >= Duration::from_secs(600));
    case.step(throttled(600));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Reconciling, Reason::ReconcileRequested));
    assert_eq!(case.status.last_handled_reconcile_at, None);
    case.requested_at = None;
    for _ in 0..5 {
        case.pass(Duration::from_secs(660));
        assert!(!case.is(ConditionType::Stale));
        case.step(throttled(600));
    }
    case.pass(Duration::from_secs(660));
    case.step(throttled(600));
    assert!(case.has(ConditionType::Stale, Reason::RateLimited));
    case.assert_ready(Truth::True, Reason::Resolved);
    case.step(Look::Found(facts()));
    assert!(!case.is(ConditionType::Stale) && !case.is(ConditionType::Reconciling));

    let mut case = Case::new();
    case.step(throttled(60));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert_eq!(case.kstatus(), "InProgress");
}

#[test]
fn row_suspended_keeps_the_value_and_says_so() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert!(!case.is(ConditionType::Stale) && !case.is(ConditionType::Stalled));
    assert_eq!(case.status.observed_generation, Some(2));
    assert_eq!(case.kstatus(), "Current");
    assert_eq!(case.due(), Due::Never);
    assert_eq!(case.step(Look::NotDue).requeue, None);
    // Age does not run meanwhile.
    case.pass(HOUR * 1000);
    assert!(!case.step(Look::NotDue).write);
    case.edit(|spec| spec.suspend = false);
    assert_eq!(case.due(), Due::Now);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::True, Reason::ServingStale);

    let mut case = Case::resolved();
    let Provided::Target { suspended, .. } = &mut case.provided else {
        unreachable!()
    };
    *suspended = true;
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::Suspended);
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn row_suspended_with_the_source_edited_drops_the_facts() {
    let mut case = Case::resolved();
    case.edit(|spec| {
        spec.suspend = true;
        spec.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"));
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Suspended);
    assert_eq!(
        (&case.status.image, &case.status.resolved_for),
        (&None, &None)
    );
    assert_eq!(case.kstatus(), "InProgress");
    assert_eq!(case.due(), Due::Never);
}

#[test]
fn row_another_source_or_another_account_drops_the_facts_in_the_same_write() {
    let edits: [fn(&mut Case); 3] = [
        |case| case.edit(|s| s.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"))),
        |case| case.provided = provided("cn-north-9"),
        |case| {
            let Provided::Target { target, .. } = &mut case.provided else {
                unreachable!()
            };
            target.provider.name = "other".into();
        },
    ];
    for edit in edits {
        for look in [Look::Pending, Look::NotDue, fail(FailureKind::Unreachable)] {
            let mut case = Case::resolved();
            edit(&mut case);
            assert_eq!(case.due(), Due::Now);
            let plan = case.step(look);
            assert!(plan.write);
            case.assert_ready(Truth::Unknown, Reason::Progressing);
            assert!(case.is(ConditionType::Reconciling));
            assert_eq!((&case.status.image, &case.status.arch), (&None, &None));
            assert_eq!(case.kstatus(), "InProgress");
        }
    }
}

#[test]
fn an_edit_that_names_a_missing_provider_does_not_serve_the_old_providers_answer() {
    let mut case = Case::resolved();
    case.generation += 1;
    let mut gone = unavailable(FailureKind::ProviderNotFound);
    let Provided::Unavailable {
        provider: Some(provider),
        ..
    } = &mut gone
    else {
        unreachable!()
    };
    provider.name = "gone".into();
    case.provided = gone;
    case.step(fail(FailureKind::ProviderNotFound));
    case.assert_ready(Truth::Unknown, Reason::Progressing);
    assert_eq!(case.status.image, None);
}

#[test]
fn interval_0s_looks_until_the_answer_is_final_and_then_never() {
    let mut case = Case::new();
    case.spec.interval = "0s".into();
    case.step(fail(FailureKind::Unreachable));
    assert!(matches!(case.due(), Due::At(_)));
    case.pass(case.wait());
    case.step(Look::Found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    assert!(matches!(case.due(), Due::At(_)), "not final yet");
    case.pass(case.wait());
    let plan = case.step(Look::Found(facts()));
    assert_eq!((case.due(), plan.requeue), (Due::Never, None));
    // A requested look that fails does not start the clock of age.
    case.requested_at = Some("1".into());
    assert_eq!(case.due(), Due::Now);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::True, Reason::ServingStale);
    case.pass(HOUR * 24 * 365);
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    assert_eq!(case.due(), Due::Never);

    let mut case = Case::new();
    case.spec.interval = "0s".into();
    case.step(fail(FailureKind::NotFound));
    assert_eq!(case.due(), Due::Never, "stalled is final");
}

#[test]
fn the_annotation_asks_for_one_look_and_is_echoed_to_64_characters() {
    let mut case = Case::resolved();
    case.requested_at = Some("é".repeat(100));
    assert_eq!(case.due(), Due::Now);
    case.step(Look::Found(facts()));
    assert_eq!(case.status.last_handled_reconcile_at, Some("é".repeat(64)));
    assert_ne!(case.due(), Due::Now);
}

#[test]
fn drift_is_kept_with_its_history_until_it_is_acknowledged() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    let moved = Facts {
        image: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        swr_path: Some("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.2".into()),
        ..facts()
    };
    let plan = case.step(Look::Found(moved.clone()));
    case.assert_ready(Truth::True, Reason::Resolved);
    assert!(case.has(ConditionType::Drifted, Reason::PathChanged));
    assert_eq!(plan.events.len(), 1);
    let entry = &case.status.history[0];
    assert_eq!(entry.changed, ["image", "swrPath"]);
    assert!(entry.from["image"].ends_with(":2.1") && entry.to["image"].ends_with(":2.2"));
    assert_eq!(entry.cause, "UpstreamChanged");
    case.pass(HOUR);
    assert!(
        !case.step(Look::Found(moved.clone())).write,
        "drift is sticky"
    );
    assert!(case.is(ConditionType::Drifted));
    case.requested_at = Some("seen".into());
    case.step(Look::Found(moved));
    assert!(!case.is(ConditionType::Drifted));
    assert_eq!(case.status.history.len(), 1);
}

#[test]
fn drift_names_the_gravest_change_and_a_spec_edit_acknowledges_it() {
    type Edit = fn(&mut Facts);
    let rows: [(Edit, Reason); 3] = [
        (|f| f.arch = Some(Arch::Amd64), Reason::ArchChanged),
        (|f| f.status = ImageStatus::Inactive, Reason::StatusChanged),
        (
            |f| {
                f.image_id = "other".into();
                f.arch = None;
            },
            Reason::ImageReplaced,
        ),
    ];
    for (edit, reason) in rows {
        let mut case = Case::resolved();
        let mut next = facts();
        edit(&mut next);
        case.step(Look::Found(next));
        assert!(case.has(ConditionType::Drifted, reason), "{reason:?}");
        case.edit(|spec| spec.history_limit = 0);
        case.step(Look::NotDue);
        assert!(!case.is(ConditionType::Drifted));
        assert!(
            case.status.history.is_empty(),
            "historyLimit is obeyed at once"
        );
    }
}

#[test]
fn an_expectation_edited_during_an_outage_is_judged_on_the_stored_facts() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.edit(|s| {
        s.expect = Some(Expect {
            arch: vec!["amd64".into()],
            ..Default::default()
        })
    });
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    case.edit(|s| {
        s.expect = Some(Expect {
            arch: vec!["arm64".into()],
            ..Default::default()
        })
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
}

#[test]
fn after_a_restart_settled_references_wait_for_their_own_slot() {
    let resolved = Case::resolved();
    let slots: std::collections::BTreeSet<_> = (0..100)
        .map(|n| {
            let object = Object {
                uid: &n.to_string(),
                ..resolved.object()
            };
            match due(
                &object,
                &resolved.provided,
                &resolved.status,
                &Memory::default(),
                resolved.now,
            ) {
                Due::At(at) => resolved.now.duration_until(at).as_secs() / 360,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(slots.len() >= 9, "spread over the interval: {slots:?}");
    let mut refused = Case::new();
    refused.step(fail(FailureKind::NotFound));
    refused.memory = Memory::default();
    assert!(
        matches!(refused.due(), Due::At(_)),
        "a broken object is no reason for a call"
    );
    let mut fresh = Case::new();
    fresh.step(fail(FailureKind::Unreachable));
    fresh.memory = Memory::default();
    assert_eq!(fresh.due(), Due::Now, "without an answer it asks");
}

#[test]
fn a_confirmed_answer_is_written_once_per_quarter_of_max_staleness() {
    let mut case = Case::resolved();
    let mut writes = 0;
    for _ in 0..48 {
        case.pass(HOUR);
        writes += usize::from(case.step(Look::Found(facts())).write);
    }
    assert_eq!(writes, 8, "24h / 4 = 6h");
}

#[test]
fn after_a_restart_a_settled_reference_comes_back_for_its_slot() {
    for end in [Look::Found(facts()), fail(FailureKind::NotFound)] {
        let mut case = Case::new();
        case.step(end);
        case.memory = Memory::default();
        let Due::At(slot) = case.due() else { panic!() };
        let wait = case.step(Look::NotDue).requeue.unwrap();
        assert!(case.now.duration_until(slot).unsigned_abs().abs_diff(wait) < HOUR / 3600);
        case.pass(wait);
        assert_eq!(case.due(), Due::Now);
    }
}

#[test]
fn an_edit_during_a_pause_neither_spins_nor_is_forgotten() {
    let throttled = || {
        Look::Failed(Failure {
            retry_after: Some(HOUR),
            ..Failure::new(FailureKind::Throttled, "slower")
        })
    };
    let mut case = Case::resolved();
    case.spec.interval = "1m".into();
    case.step(throttled());
    case.edit(|spec| spec.history_limit = 3);
    let wait = case.step(Look::NotDue).requeue.unwrap();
    case.pass(wait);
    while let Due::At(_) = case.due() {
        let again = case.step(Look::NotDue).requeue.unwrap();
        assert!(again > Duration::ZERO, "spins until the pause is over");
        case.pass(again);
    }

    let mut case = Case::resolved();
    case.step(throttled());
    case.edit(|spec| {
        spec.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3"));
    });
    let look = match case.due() {
        Due::Now => Look::Pending,
        _ => Look::NotDue,
    };
    let plan = case.step(look);
    assert!(
        plan.requeue.is_some(),
        "nobody comes back for the new source"
    );
}

#[test]
fn an_interval_set_on_a_reference_that_was_looked_up_once_takes_effect() {
    let mut case = Case::new();
    case.spec.interval = "0s".into();
    assert_eq!(case.step(Look::Found(facts())).requeue, None);
    case.edit(|spec| spec.interval = "1h".into());
    let look = match case.due() {
        Due::Now => Look::Pending,
        _ => Look::NotDue,
    };
    assert!(is_regular(case.step(look).requeue.unwrap()));
}

#[test]
fn an_outage_that_shows_in_many_ways_is_written_once() {
    let mut case = Case::resolved();
    let mut writes = 0;
    for kind in [
        FailureKind::Unreachable,
        FailureKind::ProviderError,
        FailureKind::ResponseInvalid,
        FailureKind::Unreachable,
    ] {
        case.pass(HOUR);
        writes += usize::from(case.step(fail(kind)).write);
    }
    assert_eq!(writes, 1);
    assert!(case.has(ConditionType::Stale, Reason::ProviderUnreachable));
    case.step(fail(FailureKind::AuthenticationFailed));
    assert!(case.has(ConditionType::Stale, Reason::AuthenticationFailed));
}

#[test]
fn a_requested_look_is_in_progress_as_long_as_the_pause_lasts() {
    let throttled = || {
        Look::Failed(Failure {
            retry_after: Some(HOUR),
            ..Failure::new(FailureKind::Throttled, "slower")
        })
    };
    let mut case = Case::resolved();
    case.step(throttled());
    case.requested_at = Some("a".into());
    for requested in ["a", "b"] {
        case.requested_at = Some(requested.into());
        assert!(matches!(case.due(), Due::At(_)));
        case.step(Look::NotDue);
        assert!(case.has(ConditionType::Reconciling, Reason::ReconcileRequested));
    }
    case.requested_at = None;
    case.step(Look::NotDue);
    assert!(!case.is(ConditionType::Reconciling));
}

#[test]
fn a_drift_is_announced_once() {
    let mut case = Case::resolved();
    let moved = Facts {
        arch: Some(Arch::Amd64),
        ..facts()
    };
    assert_eq!(case.step(Look::Found(moved.clone())).events.len(), 1);
    case.pass(HOUR);
    let other = Facts {
        accelerators: vec!["GPU".into()],
        ..moved
    };
    assert!(case.step(Look::Found(other)).events.is_empty());
}

#[test]
fn a_suspension_does_not_revive_an_expired_answer() {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(fail(FailureKind::Unreachable));
    case.pass(HOUR * 25);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.assert_ready(Truth::Unknown, Reason::Suspended);
    case.edit(|spec| spec.suspend = false);
    case.step(fail(FailureKind::Unreachable));
    case.assert_ready(Truth::Unknown, Reason::StaleTooLong);
    case.step(Look::Found(facts()));
    case.assert_ready(Truth::True, Reason::Resolved);
}

#[test]
fn suspending_a_reference_keeps_no_answer_that_its_provider_has_withdrawn() {
    // The namespace is not served any more …
    let mut case = Case::resolved();
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    case.provided = unavailable(FailureKind::ProviderNotAllowed);
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!(case.status.image, None);
    // … or the image is not accepted any more.
    let mut case = Case::resolved();
    case.edit(|spec| spec.suspend = true);
    case.step(Look::NotDue);
    let Provided::Target { accept, .. } = &mut case.provided else {
        unreachable!()
    };
    *accept = Some(Accept {
        organizations: vec!["other".into()],
        ..Default::default()
    });
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ProviderNotAllowed);
    assert_eq!(case.status.image, None);
    assert!(!case.step(Look::NotDue).write);
}

#[test]
fn a_suspension_launders_no_verdict() {
    for kind in [FailureKind::Ambiguous, FailureKind::InvalidSpec] {
        let mut case = Case::resolved();
        case.pass(HOUR);
        case.step(fail(kind));
        case.edit(|spec| spec.suspend = true);
        case.step(Look::NotDue);
        case.assert_ready(Truth::False, Reason::Suspended);
        case.edit(|spec| spec.suspend = false);
        for _ in 0..3 {
            case.step(fail(FailureKind::Unreachable));
            assert!(!case.is(ConditionType::Ready), "{:#?}", case.status);
            case.step(Look::NotDue);
            assert!(!case.is(ConditionType::Ready));
        }
        case.step(Look::Found(facts()));
        case.assert_ready(Truth::True, Reason::Resolved);
    }
}

#[test]
fn the_annotation_acknowledges_a_drift_even_if_its_look_fails() {
    let mut case = Case::resolved();
    case.step(Look::Found(Facts {
        arch: Some(Arch::Amd64),
        ..facts()
    }));
    assert!(case.is(ConditionType::Drifted));
    case.requested_at = Some("seen".into());
    case.step(fail(FailureKind::Unreachable));
    assert!(!case.is(ConditionType::Drifted));
}

#[test]
fn an_image_still_being_built_is_waited_for_whatever_status_is_expected() {
    let mut case = Case::new();
    case.spec.expect = Some(Expect {
        status: vec!["ACTIVE".into()],
        ..Default::default()
    });
    case.step(Look::Found(Facts {
        status: ImageStatus::Creating,
        ..facts()
    }));
    case.assert_ready(Truth::False, Reason::ImageNotActive);
    assert!(case.is(ConditionType::Reconciling));
    assert!(case.wait() < Duration::from_secs(60));
}

#[test]
fn a_refusal_without_facts_states_no_status_of_the_image() {
    let mut case = Case::new();
    case.step(fail(FailureKind::NotFound));
    assert_eq!(case.status.status.as_deref(), Some("DELETED"));
    case.step(fail(FailureKind::AuthenticationFailed));
    assert_eq!(case.status.status, None);
}
