//! The verdicts on a cluster's objects, and how many of each there were.
//!
//! Owns how an object of a cluster is made one that is applied, and what is kept of it. Must not know
//! how objects arrive. The invariant that would break first: what is kept does not grow with the
//! cluster.

use crate::admission::Decision;
use crate::cli::cluster::Labels;
use crate::cli::verdicts::{Around, Facts, Judged, Report, judge, plural};
use kube::api::{ApiResource, DynamicObject};
use kube::core::ObjectMeta;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The most objects with findings that are kept and printed; the others are counted.
const MOST: usize = 10_000;

/// The mark of a pod that a node made from a file of its own.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What was judged so far.
pub(super) struct Tally<'a> {
    namespaces: &'a BTreeMap<String, Labels>,
    around: &'a Around<'a>,
    pods: usize,
    templates: usize,
    judged_in: BTreeSet<String>,
    left_out: usize,
    left_out_in: BTreeSet<String>,
    findings: usize,
    warned: usize,
    denied: usize,
    kept: Vec<Judged>,
    not_shown: usize,
    beyond: Decision,
}

impl<'a> Tally<'a> {
    pub(super) fn new(namespaces: &'a BTreeMap<String, Labels>, around: &'a Around<'a>) -> Self {
        Self {
            namespaces,
            around,
            pods: 0,
            templates: 0,
            judged_in: BTreeSet::new(),
            left_out: 0,
            left_out_in: BTreeSet::new(),
            findings: 0,
            warned: 0,
            denied: 0,
            kept: Vec::new(),
            not_shown: 0,
            beyond: Decision::Allow,
        }
    }

    /// Judges an object, unless something else made it that is judged itself.
    pub(super) fn take(&mut self, object: DynamicObject, resource: &ApiResource) {
        let is_pod = resource.kind == "Pod" && resource.group.is_empty();
        let DynamicObject { metadata, data, .. } = object;
        if !is_pod && is_owned(&metadata) {
            return;
        }
        let namespace = metadata.namespace.clone().unwrap_or_default();
        let object = as_applied(data, &metadata, resource);
        let labels = self.namespaces.get(&namespace);
        let Some((mode, verdict)) = judge(&object, &namespace, labels, self.around) else {
            return;
        };
        if mode.is_none() {
            self.left_out += 1;
            self.left_out_in.insert(namespace);
            return;
        }
        self.judged_in.insert(namespace.clone());
        *(if is_pod {
            &mut self.pods
        } else {
            &mut self.templates
        }) += 1;
        self.findings += verdict.findings.len();
        match verdict.decision {
            Decision::Allow => {}
            Decision::Warn => self.warned += 1,
            Decision::Deny => self.denied += 1,
        }
        if verdict.findings.is_empty() {
            return;
        }
        if self.kept.len() == MOST {
            self.not_shown += 1;
            self.beyond = self.beyond.max(verdict.decision);
            return;
        }
        self.kept.push(Judged {
            place: None,
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            namespace,
            name: metadata.name.unwrap_or_default(),
            mode,
            verdict,
        });
    }

    pub(super) fn into_report(self) -> Report {
        let counts = [
            ("pods", self.pods),
            ("templates", self.templates),
            ("namespaces", self.judged_in.len()),
            ("findings", self.findings),
            ("leftOut", self.left_out),
            ("notShown", self.not_shown),
        ];
        let counts = counts.map(|(name, count)| (name.to_owned(), Value::from(count)));
        Report {
            summary: self.summary(),
            judged: self.kept,
            facts: Facts::Cluster,
            beyond: self.beyond,
            counts: Map::from_iter(counts),
        }
    }

    fn summary(&self) -> String {
        let mut text = plural(self.pods, "pod");
        // Writing to a String does not fail.
        if self.templates > 0 {
            let _ = write!(text, " and {}", plural(self.templates, "template"));
        }
        let namespaces = plural(self.judged_in.len(), "namespace");
        let findings = plural(self.findings, "finding");
        let _ = write!(text, " in {namespaces} judged: {findings}");
        let decided = [(self.warned, "warned about"), (self.denied, "denied")];
        let decided = decided.into_iter().filter(|(count, _)| *count > 0);
        let decided: Vec<_> = decided
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if !decided.is_empty() {
            let _ = write!(text, ", {}", decided.join(", "));
        }
        if self.not_shown > 0 {
            let _ = write!(text, "; {} with findings not shown", self.not_shown);
        }
        if self.left_out > 0 {
            let objects = plural(self.left_out, "object");
            let namespaces = plural(self.left_out_in.len(), "namespace");
            let why = if self.around.mode.is_none() {
                "that did not opt in (--mode enforce judges them too)"
            } else {
                "that are never judged"
            };
            let _ = write!(text, "; {objects} left out, in {namespaces} {why}");
        }
        text
    }
}

/// Whether a controller made it and would make it again.
fn is_owned(metadata: &ObjectMeta) -> bool {
    let owners = metadata.owner_references.iter().flatten();
    owners
        .into_iter()
        .any(|owner| owner.controller == Some(true))
}

/// The object as it was when admission saw it: a node is chosen later, unless the node made the pod.
pub(in crate::cli) fn as_applied(
    data: Value,
    metadata: &ObjectMeta,
    resource: &ApiResource,
) -> Value {
    let Value::Object(mut object) = data else {
        return Value::Null;
    };
    object.insert("apiVersion".into(), resource.api_version.clone().into());
    object.insert("kind".into(), resource.kind.clone().into());
    let annotations = metadata.annotations.as_ref();
    let mirror = annotations.is_some_and(|all| all.contains_key(MIRROR));
    if resource.kind == "Pod"
        && !mirror
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("nodeName");
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Configuration, Known, Mode};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    fn pod(name: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "busybox"}]},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_kept_is_bounded_and_nothing_is_left_uncounted() {
        let configuration = Configuration::default();
        let known = Known::new(configuration.mirrors());
        let around = Around {
            own_namespace: "",
            mode: Some(Mode::Enforce),
            known: &known,
            configuration: &configuration,
        };
        let namespaces = BTreeMap::new();
        let mut tally = Tally::new(&namespaces, &around);
        let resource = ApiResource::erase::<Pod>(&());
        for n in 0..MOST + 3 {
            tally.take(pod(&format!("p{n}")), &resource);
        }
        let report = tally.into_report();
        assert_eq!(report.judged.len(), MOST);
        assert_eq!(
            report.summary,
            "10003 pods in 1 namespace judged: 10003 findings, 10003 denied; 3 with findings not shown"
        );
        assert_eq!(report.beyond, Decision::Deny);
    }

    #[test]
    fn a_pod_is_judged_without_the_node_that_was_found_for_it() {
        let resource = ApiResource::erase::<Pod>(&());
        let DynamicObject {
            mut metadata, data, ..
        } = pod("p");
        let seen = as_applied(data.clone(), &metadata, &resource);
        assert_eq!(seen["spec"]["nodeName"], Value::Null);
        assert_eq!(
            (&seen["kind"], &seen["apiVersion"]),
            (&"Pod".into(), &"v1".into())
        );
        metadata.annotations = Some([(MIRROR.to_owned(), "x".to_owned())].into());
        let seen = as_applied(data, &metadata, &resource);
        assert_eq!(seen["spec"]["nodeName"], "n");
    }
}
