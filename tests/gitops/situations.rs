//! `ImageRef`s in every situation of the table, as the planner leaves them.
//!
//! Owns which steps lead into a situation, and what tools are to make of it. Must not write a status
//! itself. The invariant that would break first: each row of the table is the row of a situation.

use crate::plan::case::*;
use imageref::api::Expect;
use imageref::api::provider::Accept;
use imageref::facts::{Facts, Failure, FailureKind, ImageStatus};
use imageref::plan::{CONFIRM_AFTER, Contents, Look, Provided, STALL_AFTER};
use std::time::Duration;

/// One object, and what tools are to make of it.
pub(crate) struct Situation {
    /// The row of the table, in its words.
    pub(crate) row: &'static str,
    /// The object's name.
    pub(crate) name: &'static str,
    pub(crate) kstatus: &'static str,
    pub(crate) argo: &'static str,
    pub(crate) case: Case,
}

/// What a situation looks like from outside: by kstatus, and in Argo CD.
type Seen = (&'static str, &'static str);

const GOOD: Seen = ("Current", "Healthy");
const BAD: Seen = ("Failed", "Degraded");
const WAITING: Seen = ("InProgress", "Progressing");
const PAUSED: Seen = ("Current", "Suspended");
const PAUSED_WITHOUT_ANSWER: Seen = ("InProgress", "Suspended");

/// Every situation, in the order of the table.
pub(crate) fn all() -> Vec<Situation> {
    let parts = [first_looks(), outages(), verdicts(), registries(), others()];
    parts.into_iter().flatten().collect()
}

fn row<const N: usize>(
    row: &'static str,
    cases: [(&'static str, Seen, Case); N],
) -> Vec<Situation> {
    let situation = |(name, (kstatus, argo), case)| Situation {
        row,
        name,
        kstatus,
        argo,
        case,
    };
    cases.into_iter().map(situation).collect()
}

fn first_looks() -> Vec<Situation> {
    let unreachable = || first(fail(FailureKind::Unreachable));
    let without = |kind| {
        let mut case = Case::new();
        case.provided = unavailable(kind);
        case.step(fail(kind));
        case
    };
    let rows = [
        row("new, not yet seen", [("new", WAITING, Case::new())]),
        row(
            "first look fails in passing: platform away, faulty, unreadable; or provider missing or not ready",
            [
                ("first-unreachable", WAITING, unreachable()),
                (
                    "first-no-provider",
                    WAITING,
                    without(FailureKind::ProviderNotFound),
                ),
            ],
        ),
        row(
            "… for 15 minutes",
            [
                ("stalled-unreachable", BAD, later(unreachable())),
                (
                    "stalled-no-provider",
                    BAD,
                    later(without(FailureKind::ProviderNotFound)),
                ),
                (
                    "stalled-provider-not-ready",
                    BAD,
                    later(without(FailureKind::ProviderNotReady)),
                ),
            ],
        ),
        row(
            "first look throttled",
            [
                ("first-throttled", WAITING, first(throttled())),
                ("stalled-throttled", BAD, later(first(throttled()))),
            ],
        ),
        row(
            "first look refused",
            [
                (
                    "authentication-failed",
                    BAD,
                    first(fail(FailureKind::AuthenticationFailed)),
                ),
                (
                    "permission-denied",
                    BAD,
                    first(fail(FailureKind::PermissionDenied)),
                ),
            ],
        ),
        row(
            "resolved, expectations met",
            [
                ("resolved", GOOD, Case::resolved()),
                (
                    "resolved-met",
                    GOOD,
                    expecting(expecting_arch("arm64"), found(facts())),
                ),
            ],
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn outages() -> Vec<Situation> {
    let gone = || refreshed(fail(FailureKind::NotFound));
    let mut refused = expecting(expecting_arch("amd64"), found(facts()));
    refused.pass(HOUR);
    refused.step(fail(FailureKind::Unreachable));
    let mut expired = refreshed(fail(FailureKind::Unreachable));
    expired.pass(HOUR * 25);
    expired.step(fail(FailureKind::Unreachable));
    let mut confirmed = gone();
    confirmed.pass(CONFIRM_AFTER);
    confirmed.step(fail(FailureKind::NotFound));
    let rows = [
        row(
            "a refresh fails, good answer, within maxStaleness",
            [(
                "serving-stale",
                GOOD,
                refreshed(fail(FailureKind::Unreachable)),
            )],
        ),
        row(
            "a refresh fails, verdict was False",
            [("stale-refusal", BAD, refused)],
        ),
        row(
            "not confirmed for longer than maxStaleness",
            [("stale-too-long", WAITING, expired)],
        ),
        row("image absent, first time", [("absent-once", GOOD, gone())]),
        row(
            "absence confirmed by a second look, 5 minutes later or more",
            [("absent", BAD, confirmed)],
        ),
        row(
            "absent, never resolved before",
            [("never-there", BAD, first(fail(FailureKind::NotFound)))],
        ),
        row(
            "many images of the provider vanish together",
            [(
                "mass-disappearance",
                GOOD,
                refreshed(fail(FailureKind::MassDisappearance)),
            )],
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn verdicts() -> Vec<Situation> {
    let stated = |status| first(found(Facts { status, ..facts() }));
    let rows = [
        row(
            "INIT or CREATING",
            [
                ("init", WAITING, stated(ImageStatus::Init)),
                ("creating", WAITING, stated(ImageStatus::Creating)),
            ],
        ),
        row(
            "not ACTIVE otherwise",
            [("inactive", BAD, stated(ImageStatus::Inactive))],
        ),
        row(
            "expectation violated",
            [(
                "wrong-arch",
                BAD,
                expecting(expecting_arch("amd64"), found(facts())),
            )],
        ),
        row(
            "expectation about a fact that the platform does not state",
            [(
                "no-arch",
                BAD,
                expecting(expecting_arch("arm64"), found(without_arch())),
            )],
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn registries() -> Vec<Situation> {
    let digest = |contents| expecting(expecting_digest('a'), found_with(facts(), contents));
    let answered = |contents| first(found_with(facts(), contents));
    let away = || unread(FailureKind::Unreachable);
    let mut drifted = read_once();
    drifted.pass(HOUR);
    drifted.step(found_with(facts(), read('b', &["linux/arm64"])));
    let rows = [
        row(
            "expectation about a digest, or about the architecture of an image whose platform states none; the registry not read yet, or failing in passing",
            [
                ("digest-not-read", WAITING, digest(Contents::Later)),
                ("digest-unreachable", WAITING, digest(away())),
            ],
        ),
        row(
            "… and the registry refuses, or is not asked",
            [(
                "digest-denied",
                BAD,
                digest(unread(FailureKind::PermissionDenied)),
            )],
        ),
        row(
            "expected digest is another one",
            [("wrong-digest", BAD, digest(read('b', &["linux/arm64"])))],
        ),
        row(
            "the registry fails in passing: away, faulty, unreadable, throttling",
            [("registry-unreachable", GOOD, answered(away()))],
        ),
        row(
            "the registry refuses, or does not have the tag",
            [(
                "registry-denied",
                GOOD,
                answered(unread(FailureKind::PermissionDenied)),
            )],
        ),
        row(
            "the registry holds the image for other architectures than the platform states",
            [("contradicted", GOOD, answered(read('a', &["linux/amd64"])))],
        ),
        row(
            "another digest under the same path",
            [("drifted", GOOD, drifted)],
        ),
    ];
    rows.into_iter().flatten().collect()
}

fn others() -> Vec<Situation> {
    let mut forbidden = Case::resolved();
    forbidden.provided = unavailable(FailureKind::ProviderNotAllowed);
    forbidden.step(Look::NotDue);
    let mut unaccepted = Case::new();
    if let Provided::Target { accept, .. } = &mut unaccepted.provided {
        *accept = Some(Accept {
            organizations: vec!["other".into()],
            ..Default::default()
        });
    }
    unaccepted.step(found(facts()));
    let mut waits = Case::resolved();
    waits.pass(HOUR);
    waits.requested_at = Some("now".into());
    waits.step(throttled());
    let mut late = refreshed(throttled());
    late.pass(HOUR);
    late.step(throttled());
    let mut moved = Case::resolved();
    moved.edit(|spec| spec.source.notebook.as_mut().unwrap().id = Some(ID.replace('2', "3")));
    let mut moved_paused = moved.clone();
    moved_paused.spec.suspend = true;
    moved_paused.step(Look::NotDue);
    moved.step(Look::Pending);
    let paused = |mut case: Case| {
        case.edit(|spec| spec.suspend = true);
        case.step(Look::NotDue);
        case
    };
    let mut paused_provider = Case::resolved();
    if let Provided::Target { suspended, .. } = &mut paused_provider.provided {
        *suspended = true;
    }
    paused_provider.step(Look::NotDue);
    let rows = [
        row(
            "expectation, no facts yet",
            [(
                "expecting",
                WAITING,
                expecting(expecting_arch("arm64"), Look::Pending),
            )],
        ),
        row(
            "provider does not serve the namespace, or does not accept the image",
            [
                ("forbidden", BAD, forbidden),
                ("unaccepted", BAD, unaccepted),
            ],
        ),
        row(
            "more than one image has the name",
            [("ambiguous", BAD, first(fail(FailureKind::Ambiguous)))],
        ),
        row(
            "spec does not fit the provider, or the platform calls the first request malformed",
            [("invalid", BAD, first(fail(FailureKind::InvalidSpec)))],
        ),
        row(
            "throttled",
            [
                ("throttled", GOOD, refreshed(throttled())),
                ("throttled-long", GOOD, late),
            ],
        ),
        row(
            "throttled, and the annotation asks for a look",
            [("throttled-and-asked", WAITING, waits)],
        ),
        row(
            "suspended (its own `suspend`, or its provider's)",
            [
                ("suspended", PAUSED, paused(Case::resolved())),
                ("suspended-provider", PAUSED, paused_provider),
                (
                    "suspended-refusal",
                    PAUSED_WITHOUT_ANSWER,
                    paused(first(fail(FailureKind::Ambiguous))),
                ),
            ],
        ),
        row(
            "suspended, source or target changed",
            [("suspended-elsewhere", PAUSED_WITHOUT_ANSWER, moved_paused)],
        ),
        row(
            "source edited; another provider; its endpoint, region, project or workspace changed",
            [("elsewhere", WAITING, moved)],
        ),
    ];
    rows.into_iter().flatten().collect()
}

/// After its first look.
fn first(look: Look) -> Case {
    let mut case = Case::new();
    case.step(look);
    case
}

/// After its first look, with assertions.
fn expecting(expect: Expect, look: Look) -> Case {
    let mut case = Case::new();
    case.spec.expect = Some(expect);
    case.step(look);
    case
}

/// With a good answer, after its second look.
fn refreshed(look: Look) -> Case {
    let mut case = Case::resolved();
    case.pass(HOUR);
    case.step(look);
    case
}

/// When a first look counts as failing for too long.
fn later(mut case: Case) -> Case {
    case.pass(STALL_AFTER);
    case.step(Look::NotDue);
    case
}

fn throttled() -> Look {
    Look::Failed(Failure {
        retry_after: Some(Duration::from_secs(600)),
        ..Failure::new(FailureKind::Throttled, "the platform throttles")
    })
}
