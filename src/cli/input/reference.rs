//! `ImageRefs` with what they stand for, wherever that was found out.
//!
//! Owns the reading of a status. Must not judge it. The invariant that would break first: a status
//! that cannot be read approves nothing.

use super::{Object, Reader};
use crate::admission::KnownRef;
use crate::api::ImageRefStatus;
use crate::lock::Entry;
use std::fmt;

/// An `ImageRef` that has an answer.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Reference {
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    /// `spec.digestPolicy: Always`.
    pub(in crate::cli) follows_tag: bool,
    pub(in crate::cli) status: ImageRefStatus,
}

impl Reference {
    /// What verdicts read of it.
    pub(in crate::cli) fn known(&self) -> KnownRef {
        KnownRef {
            follows_tag: self.follows_tag,
            ..KnownRef::new(&self.namespace, &self.name, &self.status)
        }
    }

    /// What a lock keeps of it.
    pub(in crate::cli) fn entry(&self) -> Entry {
        Entry {
            follows_tag: self.follows_tag,
            ..Entry::new(&self.namespace, &self.name, &self.status)
        }
    }

    /// The reason and the message of Ready, if it may not be used.
    pub(in crate::cli) fn unusable(&self) -> Option<(String, String)> {
        self.known().unusable.map(|why| (why.reason, why.message))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<&Entry> for Reference {
    fn from(entry: &Entry) -> Self {
        Self {
            namespace: entry.namespace.clone(),
            name: entry.name.clone(),
            follows_tag: entry.follows_tag,
            status: entry.to_status(),
        }
    }
}

/// What is taken of the `ImageRefs` in files.
#[derive(Default)]
pub(in crate::cli) struct References {
    /// Those with a status, in the order of the files.
    pub(in crate::cli) answered: Vec<Reference>,
    /// Where those without one stand.
    pub(in crate::cli) unanswered: Vec<(String, Reference)>,
}

impl References {
    /// Takes an `ImageRef`. The spec is not read: what it stands for is in its status.
    pub(in crate::cli) fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        let candidate = reader.single(object, true);
        let namespace = candidate.namespace.clone().unwrap_or_default();
        let name = candidate.name.clone();
        let policy = object
            .node
            .get("spec")
            .and_then(|spec| spec.get("digestPolicy"));
        let follows_tag = policy.is_some_and(|policy| policy.to_value() == "Always");
        let Some(status) = object.node.get("status").filter(|node| !node.is_null()) else {
            let line = object.node.line_of("metadata.name");
            let place = format!("{}:{line}", object.file);
            let bare = Reference {
                namespace,
                name,
                follows_tag,
                status: ImageRefStatus::default(),
            };
            return self.unanswered.push((place, bare));
        };
        match serde_path_to_error::deserialize(status.to_value()) {
            Ok(status) => self.answered.push(Reference {
                namespace,
                name,
                follows_tag,
                status,
            }),
            Err(error) => {
                let path = format!("status.{}", error.path());
                let problem = candidate.problem(&path, "cannot be read as this field of the kind");
                reader.problems.push(problem);
            }
        }
    }

    /// One line about those without a status; empty if there is none.
    pub(in crate::cli) fn note(&self) -> String {
        let Some((place, first)) = self.unanswered.first() else {
            return String::new();
        };
        let s = if self.unanswered.len() == 1 { "" } else { "s" };
        format!(
            "{place}: ImageRef {first}: has no status and approves nothing ({} ImageRef{s} in all): give what `imageref resolve -o yaml` or `kubectl get imagerefs -A -o yaml` prints\n",
            self.unanswered.len()
        )
    }
}
