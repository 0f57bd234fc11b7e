//! The verdicts on what was read.
//!
//! Owns what surrounds an object without a cluster: its namespace's labels, or none. The invariant
//! that would break first: a namespace about which nothing is known is judged most strictly.

use super::manifests::{Manifests, Workload};
use crate::admission::{Configuration, Context, Known, Mode, Verdict, extract, verdict};

/// What is the same for all objects.
pub(super) struct Around<'a> {
    /// The operator's namespace.
    pub(super) own_namespace: &'a str,
    /// The mode of all namespaces, if their labels do not say it.
    pub(super) mode: Option<Mode>,
    pub(super) configuration: &'a Configuration,
}

/// One object with its verdict.
pub(super) struct Judged<'a> {
    pub(super) workload: &'a Workload,
    /// `None` if the object is not judged.
    pub(super) mode: Option<Mode>,
    pub(super) verdict: Verdict,
}

/// Judges all workloads, in their order.
pub(super) fn judge<'a>(manifests: &'a Manifests, around: &Around<'_>) -> Vec<Judged<'a>> {
    let configuration = around.configuration;
    let mut known = Known::new(configuration.mirrors());
    for one in &manifests.refs {
        known.insert(one.clone());
    }
    let judge = |workload: &'a Workload| {
        let object = workload.as_object().to_value();
        let object = extract(&object, configuration)?;
        let context = context(workload, manifests, around);
        Some(Judged {
            workload,
            mode: context.mode_of(object.subject),
            verdict: verdict(&object, None, &context, &known, configuration),
        })
    };
    manifests.workloads.iter().filter_map(judge).collect()
}

fn context<'c>(workload: &'c Workload, manifests: &Manifests, around: &Around<'c>) -> Context<'c> {
    let namespace = &workload.namespace;
    let labels = manifests.namespaces.get(namespace);
    let empty = std::collections::BTreeMap::new();
    let context = Context {
        own_namespace: around.own_namespace,
        ..Context::of_namespace(namespace, labels.unwrap_or(&empty))
    };
    let unknown = labels.is_none().then_some(Mode::Enforce);
    match around.mode.or(unknown) {
        Some(mode) => Context {
            mode: Some(mode),
            templates: Some(mode),
            ..context
        },
        None => context,
    }
}
