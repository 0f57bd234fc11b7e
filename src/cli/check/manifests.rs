//! What is taken from the files to check: workloads, `ImageRefs` with their status, Namespaces.
//!
//! Owns what counts of the files to apply and of those with references. Must not judge. The
//! invariant that would break first: where references are in files of their own, no status in the
//! files to apply has an image allowed.

use crate::admission::{Configuration, KnownRef, extract};
use crate::cli::input::document::Node;
use crate::cli::input::{self, Object, Reader, Taker};
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
    /// Those with a status.
    pub(super) refs: Vec<KnownRef>,
    /// Where `ImageRefs` without a status stand, and their names.
    pub(super) unanswered: Vec<String>,
    /// Labels by namespace.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// How many other objects there were.
    pub(super) left_out: usize,
}

impl Manifests {
    /// Has the references of `cluster` count in place of these, and its Namespaces before these.
    pub(super) fn count_from(&mut self, cluster: Self) {
        self.left_out += self.refs.len() + self.unanswered.len();
        self.left_out += cluster.workloads.len() + cluster.left_out;
        self.refs = cluster.refs;
        self.unanswered = cluster.unanswered;
        self.namespaces.extend(cluster.namespaces);
    }
}

/// The taking of what a configuration knows.
pub(super) struct Taking<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) manifests: Manifests,
}

impl Taker for Taking<'_> {
    fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        if object.is_ours() && object.kind == "ImageRef" {
            self.take_ref(object, reader);
        } else if object.is("v1", "Namespace") {
            let candidate = reader.single(object, false);
            let labels = input::labels_of(&candidate);
            self.manifests.namespaces.insert(candidate.name, labels);
        } else if extract(&object.to_value(), self.configuration).is_some() {
            let candidate = reader.named(object, true, true);
            self.manifests.workloads.push(Workload {
                file: object.file.clone(),
                node: object.node.clone(),
                api_version: object.api_version.into(),
                kind: object.kind.into(),
                namespace: candidate.namespace.unwrap_or_default(),
                name: candidate.name,
            });
        } else {
            self.manifests.left_out += 1;
        }
    }
}

impl Taking<'_> {
    /// The spec is not read: what a reference stands for is in its status.
    fn take_ref(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        let candidate = reader.single(object, true);
        let namespace = candidate.namespace.as_deref().unwrap_or_default();
        let name = &candidate.name;
        let Some(status) = object.node.get("status").filter(|node| !node.is_null()) else {
            let line = object.node.line_of("metadata.name");
            let place = format!("{}:{line}: ImageRef {namespace}/{name}", object.file);
            return self.manifests.unanswered.push(place);
        };
        match serde_path_to_error::deserialize(status.to_value()) {
            Ok(status) => {
                let known = KnownRef::new(namespace, name, &status);
                self.manifests.refs.push(known);
            }
            Err(error) => {
                let path = format!("status.{}", error.path());
                let problem = candidate.problem(&path, "cannot be read as this field of the kind");
                reader.problems.push(problem);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::judge::{Around, judge};
    use crate::cli::input::files::{self, File};
    use proptest::prelude::*;

    const SEED: &str = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n  spec:\n    containers: [{name: c, image: 'r.example/a:1'}]\n---\napiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata:\n  name: a\nstatus:\n  image: r.example/a:1\n  platforms: [linux/amd64]\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns, labels: {a: b}}\n";

    /// How many workloads, references and Namespaces there are, and how many problems.
    fn read_and_judge(bytes: Vec<u8>) -> Option<[usize; 4]> {
        let text = files::decode(bytes).ok()?;
        let file = File {
            name: "f.yaml".into(),
            text,
            named: true,
        };
        let configuration = Configuration::default();
        let mut taking = Taking {
            configuration: &configuration,
            manifests: Manifests::default(),
        };
        let problems = input::read_files(&[file], "default", &mut taking);
        let manifests = taking.manifests;
        let around = Around {
            own_namespace: "",
            mode: None,
            configuration: &configuration,
        };
        let judged = judge(&manifests, &around);
        assert_eq!(judged.len(), manifests.workloads.len(), "none is lost");
        Some([
            judged.len(),
            manifests.refs.len(),
            manifests.namespaces.len(),
            problems.len(),
        ])
    }

    #[test]
    fn a_good_stream_is_read() {
        assert_eq!(read_and_judge(SEED.into()), Some([1, 1, 1, 0]));
    }

    #[test]
    fn a_resource_that_is_called_a_list_is_one_object() {
        let list =
            "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: l}\nitems: [a, b]\n";
        assert_eq!(read_and_judge(list.into()), Some([0, 0, 0, 0]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_harmed_stream_never_panics(
            at in 0..SEED.len(), cut in 0..12_usize, with in "[-:{}\\[\\]&*!|>'\"#, \na-z0-9]{0,4}",
        ) {
            let mut text = SEED.to_owned();
            text.replace_range(at..(at + cut).min(text.len()), &with);
            let _ = read_and_judge(text.into_bytes());
        }
    }
}
