//! The steps of a history, and what each does to an object or brings as a look.

use crate::plan::case::{Case, ID, facts, found_with, provided, unavailable};
use imageref::api::Expect;
use imageref::facts::{Arch, Content, Digest, Facts, Failure, FailureKind, ImageStatus, Platform};
use imageref::plan::{Contents, Due, Look, Memory, Provided};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What a registry says beside a found image.
#[derive(Clone, Debug)]
pub(super) enum Registry {
    NotAsked,
    /// One of two digests, and one of the sets of platforms.
    Read(u8, u8),
    Failed(FailureKind, Option<u64>),
}

#[derive(Clone, Debug)]
pub(super) enum Step {
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

pub(super) fn step() -> impl Strategy<Value = Step> {
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
pub(super) fn digest_of(path: &str, version: u8) -> String {
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

pub(super) fn mark(case: &Case) -> String {
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
pub(super) fn apply(case: &mut Case, step: &Step) -> Look {
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
