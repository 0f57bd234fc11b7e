//! What is taken from the files to check: workloads, `ImageRefs`, Namespaces.
//!
//! Owns what counts of the files to apply and of those with references. Must not judge. The
//! invariant that would break first: where references are in files of their own, or elsewhere, no
//! status in the files to apply has an image allowed.

use crate::admission::{Configuration, extract};
use crate::cli::input::document::Node;
use crate::cli::input::reference::References;
use crate::cli::input::{self, Object, Reader, Taker};
use crate::cli::resolve;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object that runs pods.
pub(super) struct Workload {
    pub(super) file: Arc<str>,
    pub(super) node: Node,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    /// Ends with `*` where a cluster would complete it.
    pub(super) name: String,
}

impl Workload {
    pub(super) fn as_object(&self) -> Object<'_> {
        Object {
            file: &self.file,
            node: &self.node,
            api_version: &self.api_version,
            kind: &self.kind,
        }
    }

    /// The line of the image at a place that the verdict names; of the object if it names none.
    pub(super) fn line_of(&self, place: &str) -> u64 {
        // A volume's image has a field more than a container's; the longest that is there counts.
        self.node.line_of(&format!("{place}.image.reference"))
    }
}

/// Everything that was read.
#[derive(Default)]
pub(super) struct Manifests {
    /// In the order of the files.
    pub(super) workloads: Vec<Workload>,
    pub(super) refs: References,
    /// What the clouds are to be asked about, with what that takes.
    pub(super) to_ask: resolve::Manifests,
    /// Labels by namespace.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// How many other objects there were.
    pub(super) left_out: usize,
}

impl Manifests {
    /// Has the references of `other` count in place of these, and its Namespaces before these.
    pub(super) fn count_from(&mut self, other: Self) {
        self.drop_references();
        self.left_out += other.workloads.len() + other.left_out;
        self.refs = other.refs;
        self.to_ask = other.to_ask;
        self.namespaces.extend(other.namespaces);
    }

    /// Has none of the statuses in the files count.
    pub(super) fn drop_references(&mut self) {
        let refs = std::mem::take(&mut self.refs);
        self.left_out += refs.answered.len() + refs.unanswered.len();
    }
}

/// The taking of what a configuration knows.
pub(super) struct Taking<'a> {
    pub(super) configuration: &'a Configuration,
    /// Whether the clouds are asked about the `ImageRefs` in these files.
    pub(super) asks: bool,
    pub(super) manifests: Manifests,
}

impl Taker for Taking<'_> {
    fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        let manifests = &mut self.manifests;
        if object.is("v1", "Namespace") {
            let candidate = reader.single(object, false);
            let labels = input::labels_of(&candidate);
            let both = [&mut manifests.namespaces, &mut manifests.to_ask.namespaces];
            for namespaces in both {
                namespaces.insert(candidate.name.clone(), labels.clone());
            }
        } else if self.asks && (object.is_ours() || object.is("v1", "Secret")) {
            manifests.to_ask.take(object, reader);
        } else if object.is_ours() && object.kind == "ImageRef" {
            manifests.refs.take(object, reader);
        } else if extract(&object.to_value(), self.configuration).is_some() {
            let candidate = reader.named(object, true, true);
            manifests.workloads.push(Workload {
                file: object.file.clone(),
                node: object.node.clone(),
                api_version: object.api_version.into(),
                kind: object.kind.into(),
                namespace: candidate.namespace.unwrap_or_default(),
                name: candidate.name,
            });
        } else {
            manifests.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::report;
    use crate::cli::input::files::{self, File};
    use crate::cli::verdicts::Facts;
    use proptest::prelude::*;

    const SEED: &str = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n  spec:\n    containers: [{name: c, image: 'r.example/a:1'}]\n---\napiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata:\n  name: a\nstatus:\n  image: r.example/a:1\n  platforms: [linux/amd64]\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns, labels: {a: b}}\n";

    /// How many workloads, references and Namespaces there are, and how many problems.
    fn read_and_judge(bytes: Vec<u8>, asks: bool) -> Option<[usize; 4]> {
        let text = files::decode(bytes).ok()?;
        let file = File {
            name: "f.yaml".into(),
            text,
            named: true,
        };
        let configuration = Configuration::default();
        let mut taking = Taking {
            configuration: &configuration,
            asks,
            manifests: Manifests::default(),
        };
        let problems = input::read_files(&[file], "default", &mut taking);
        let manifests = taking.manifests;
        let report = report(&manifests, "", None, &configuration, Facts::Files);
        assert_eq!(
            report.judged.len(),
            manifests.workloads.len(),
            "none is lost"
        );
        Some([
            report.judged.len(),
            manifests.refs.answered.len() + manifests.to_ask.refs.len(),
            manifests.namespaces.len(),
            problems.len(),
        ])
    }

    #[test]
    fn a_good_stream_is_read() {
        assert_eq!(read_and_judge(SEED.into(), false), Some([1, 1, 1, 0]));
        // To be asked about it, an ImageRef needs a spec.
        let with_spec = SEED.replace("status:", "spec: {source: {pai: {id: image-1}}}\nstatus:");
        assert_eq!(read_and_judge(with_spec.into(), true), Some([1, 1, 1, 0]));
    }

    #[test]
    fn a_resource_that_is_called_a_list_is_one_object() {
        let list =
            "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: l}\nitems: [a, b]\n";
        assert_eq!(read_and_judge(list.into(), false), Some([0, 0, 0, 0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_harmed_stream_never_panics(
            at in 0..SEED.len(), cut in 0..12_usize, with in "[-:{}\\[\\]&*!|>'\"#, \na-z0-9]{0,4}",
            asks: bool,
        ) {
            let mut text = SEED.to_owned();
            text.replace_range(at..(at + cut).min(text.len()), &with);
            let _ = read_and_judge(text.into_bytes(), asks);
        }
    }
}
