//! What surrounds the object: its namespace, the request, the user.
//!
//! Owns what labels and users mean. Must not know what is judged. The invariant that would break
//! first: the operator's own namespace and `kube-system` are never judged, whatever their labels.

use crate::admission::workload::Subject;
use crate::admission::{ADMISSION, ADMISSION_TEMPLATES, MUTATE, REQUIRE_DIGEST};
use std::collections::BTreeMap;

/// What a finding does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It is counted and logged.
    Audit,
    /// Its author is told.
    Warn,
    /// The request is refused.
    Enforce,
}

impl Mode {
    /// The value of a label that means it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// Reads the value of a label. One that is not known enforces: a typing error must not open a
    /// namespace.
    pub fn from_label(value: &str) -> Self {
        match value {
            "warn" => Self::Warn,
            "audit" => Self::Audit,
            _ => Self::Enforce,
        }
    }
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted, or connected to: nothing new runs.
    Other,
}

impl Operation {
    /// Reads the operation of an admission request.
    pub fn from_request(name: &str) -> Self {
        match name {
            "CREATE" => Self::Create,
            "UPDATE" => Self::Update,
            _ => Self::Other,
        }
    }
}

/// What surrounds the object.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The object's namespace.
    pub namespace: &'a str,
    /// The operator's namespace; empty where there is none.
    pub own_namespace: &'a str,
    /// The mode of the namespace; `None` if it did not opt in.
    pub mode: Option<Mode>,
    /// The mode that the namespace sets for templates of pods.
    pub templates: Option<Mode>,
    /// Whether images must be named by digest.
    pub require_digest: bool,
    /// Whether names of ImageRefs are replaced by images.
    pub mutates: bool,
    /// The operation.
    pub operation: Operation,
    /// The name of the user who asks.
    pub user: &'a str,
}

impl<'a> Context<'a> {
    /// An object made by nobody in particular, in a namespace with these labels.
    pub fn of_namespace(namespace: &'a str, labels: &BTreeMap<String, String>) -> Self {
        let mode = |label| labels.get(label).map(|value| Mode::from_label(value));
        Self {
            namespace,
            own_namespace: "",
            mode: mode(ADMISSION),
            templates: mode(ADMISSION_TEMPLATES),
            // As with modes, a value that is not known asks for more.
            require_digest: labels.get(REQUIRE_DIGEST).is_some_and(|v| v != "false"),
            mutates: mutates(labels),
            operation: Operation::Create,
            user: "",
        }
    }

    /// The mode that applies; `None` if nothing is judged.
    ///
    /// A template is warned about unless its own label says more, and is never treated more
    /// strictly than a pod: one label at `warn` opens the namespace.
    pub fn mode_of(&self, subject: Subject) -> Option<Mode> {
        let excluded = self.namespace == "kube-system"
            || (self.namespace == self.own_namespace && !self.namespace.is_empty());
        let mode = self.mode.filter(|_| !excluded)?;
        Some(match subject {
            Subject::Pod => mode,
            Subject::Template => mode.min(self.templates.unwrap_or(Mode::Warn)),
        })
    }
}

/// Whether a namespace with these labels has names of ImageRefs replaced by images.
pub(in crate::admission) fn mutates(labels: &BTreeMap<String, String>) -> bool {
    labels.get(MUTATE).is_some_and(|value| value == "true")
}

/// The controllers of kube-controller-manager that make pods, or what pods are made from
/// (Kubernetes, "Controller Roles").
const CONTROLLERS: [&str; 7] = [
    "replicaset-controller",
    "statefulset-controller",
    "daemon-set-controller",
    "job-controller",
    "cronjob-controller",
    "deployment-controller",
    "replication-controller",
];

/// Whether the user is a built-in controller, which makes anew what was there before. Who owns the
/// object says nothing: anybody may write an owner reference.
pub fn is_built_in_controller(user: &str) -> bool {
    // Without an account for each, all of them act as the manager.
    user == "system:kube-controller-manager"
        || user
            .strip_prefix("system:serviceaccount:kube-system:")
            .is_some_and(|account| CONTROLLERS.contains(&account))
}

/// Whether pods that are made anew pass with a warning while their reference is unusable for this
/// reason: pods must not stop healing because a cloud account died.
pub(super) fn heals(reason: &str) -> bool {
    matches!(reason, "StaleTooLong" | "ImageNotActive") || reason.starts_with("Provider")
}
