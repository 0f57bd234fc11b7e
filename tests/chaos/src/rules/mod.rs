//! What must hold whatever is broken: pure functions over what was recorded.
//!
//! Owns the shape of a violation. Must not know how anything was recorded or broken. The invariant that
//! would break first: each rule has a test with a history that breaks it.

mod budget;
mod kept;
mod level;
mod true_ready;
mod verdict;

pub(crate) use budget::{Call, is_over_budget, over_budget};
pub(crate) use kept::{is_lost, kept};
pub(crate) use level::{Level, leaks};
pub(crate) use true_ready::{is_true_now, true_ready};
pub(crate) use verdict::verdicts_kept;

use crate::history::Asks;
use crate::truth::{Image, Past};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a good answer may be used while it cannot be confirmed: `spec.maxStaleness` of all
/// references.
pub(crate) const MAX_STALENESS: Duration = Duration::from_secs(15 * 60);

/// From a write to the moment at which the watch brought it: a second on a busy machine, more when the
/// API server was away.
pub(crate) const ALLOWANCE: Duration = Duration::from_secs(60);

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Violation {
    /// The rule.
    pub(crate) rule: String,
    /// Which reference, process or account.
    pub(crate) about: String,
    /// Seconds since the world began.
    pub(crate) at_seconds: u64,
    /// What was seen.
    pub(crate) what: String,
}

impl Violation {
    /// Something that was seen at a time since the world began.
    pub(crate) fn new(rule: &str, about: &str, at: Duration, what: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            about: about.into(),
            at_seconds: at.as_secs(),
            what: what.into(),
        }
    }
}

/// Whether an image is what a spec asks for.
fn may_be_used(asks: &Asks, image: &Image) -> bool {
    let arch = asks.arch.as_ref().is_none_or(|wanted| {
        let arch = image.arch.as_ref();
        arch.is_some_and(|arch| wanted.contains(arch))
    });
    image.status == "ACTIVE" && arch
}

/// What the image that a spec asks for was, at some time since an answer may be as old as it may be.
fn images<'a>(asks: &Asks, past: &'a Past, at: Duration) -> Vec<&'a Image> {
    let from = at.saturating_sub(MAX_STALENESS + ALLOWANCE);
    asks.image
        .as_ref()
        .map_or_else(Vec::new, |id| past.images(id, from, at))
}

#[cfg(test)]
mod fixtures {
    use crate::history::{Asks, Key, Ready, Said, Seen, Status};
    use crate::truth::{Image, Past};
    use std::time::Duration;

    pub(super) fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    pub(super) fn key() -> Key {
        "team/a".into()
    }

    pub(super) fn image(arch: &str, status: &str, tag: &str) -> Image {
        Image {
            arch: Some(arch.into()),
            status: status.into(),
            path: format!("host/x:{tag}"),
        }
    }

    /// The image `i` is for 64-bit Arm from the beginning.
    pub(super) fn past() -> Past {
        let mut past = Past::default();
        past.image("i", Duration::ZERO, image("arm64", "ACTIVE", "1"));
        past
    }

    pub(super) fn asks() -> Asks {
        Asks {
            image: Some("i".into()),
            is_notebook: true,
            arch: None,
            digest: false,
        }
    }

    /// The status that fits [`past`].
    pub(super) fn status() -> Status {
        Status {
            observed: 1,
            ready: Ready::True,
            reason: "Resolved".into(),
            stale: None,
            arch: Some("arm64".into()),
            word: Some("ACTIVE".into()),
            path: Some("host/x:1".into()),
            id: Some("i".into()),
            digest: None,
        }
    }

    pub(super) fn said(at: u64, status: Option<Status>) -> Said {
        Said {
            at: seconds(at),
            uid: "u".into(),
            generation: 1,
            asks: asks(),
            status,
        }
    }

    pub(super) fn all(said: impl IntoIterator<Item = Said>) -> Vec<Seen> {
        said.into_iter()
            .map(|said| Seen::Said(said.into()))
            .collect()
    }
}
