//! What is printed, whatever the form.
//!
//! Owns the shape that all forms read, and the sentence at the end. Must not know any form. The
//! invariant that would break first: a verdict whose facts nobody confirmed says so.

use crate::admission::{Decision, Mode, Verdict};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Where an object stands in a file.
pub(in crate::cli) struct Place {
    /// As it was named; `-` for standard input.
    pub(in crate::cli) file: Arc<str>,
    /// The line of the object.
    pub(in crate::cli) line: u64,
    /// The line of each finding.
    pub(in crate::cli) findings: Vec<u64>,
}

/// One object with its verdict.
pub(in crate::cli) struct Judged {
    /// `None` for what is in a cluster.
    pub(in crate::cli) place: Option<Place>,
    pub(in crate::cli) api_version: String,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    /// `None` if the object is not judged.
    pub(in crate::cli) mode: Option<Mode>,
    pub(in crate::cli) verdict: Verdict,
}

impl Judged {
    /// `Pod team-a/train`
    pub(super) fn called(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// The line of a finding, in a file.
    pub(super) fn line_of(&self, finding: usize) -> Option<u64> {
        let place = self.place.as_ref()?;
        Some(place.findings.get(finding).copied().unwrap_or(place.line))
    }
}

/// Where the facts of verdicts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Facts {
    /// Statuses in files.
    Files,
    /// Statuses in a cluster.
    Cluster,
    /// The clouds, asked just now.
    Clouds,
    /// A lock file of this name.
    Lock {
        file: String,
        /// Whether the clouds said the same; `None` if they were not asked.
        verified: Option<bool>,
    },
}

impl Facts {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Cluster => "cluster",
            Self::Clouds => "clouds",
            Self::Lock { .. } => "lock",
        }
    }

    /// Whether what was to be verified is true.
    pub(super) fn hold(&self) -> bool {
        !matches!(
            self,
            Self::Lock {
                verified: Some(false),
                ..
            }
        )
    }

    /// Why verdicts are unverified; `None` if they are not.
    pub(super) fn unverified(&self) -> Option<String> {
        match self {
            Self::Lock {
                file,
                verified: None,
            } => Some(format!(
                "unverified: the facts are those of {file}, and no cloud was asked (--verify asks)"
            )),
            Self::Lock {
                file,
                verified: Some(false),
            } => Some(format!(
                "unverified: the facts are those of {file}, and the clouds say something else"
            )),
            _ => None,
        }
    }
}

/// Everything that is printed.
pub(in crate::cli) struct Report {
    pub(in crate::cli) judged: Vec<Judged>,
    pub(in crate::cli) facts: Facts,
    /// The strictest decision on objects that are not among `judged`.
    pub(in crate::cli) beyond: Decision,
    /// What was judged, in one sentence.
    pub(in crate::cli) summary: String,
    /// Numbers for programs.
    pub(in crate::cli) counts: Map<String, Value>,
}

impl Report {
    /// The strictest decision.
    pub(super) fn decision(&self) -> Decision {
        let decisions = self.judged.iter().map(|one| one.verdict.decision);
        decisions.fold(self.beyond, Decision::max)
    }

    /// The sentence at the end.
    pub(super) fn sentence(&self) -> String {
        match self.facts.unverified() {
            Some(why) => format!("{}; {why}", self.summary),
            None => self.summary.clone(),
        }
    }
}

/// `1 pod`, `2 pods`
pub(in crate::cli) fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
