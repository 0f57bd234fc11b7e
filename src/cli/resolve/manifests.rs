//! The objects in the files: those of the operator, Secrets and Namespaces.
//!
//! Owns what is taken from the files and what is refused, all of it at once. Must not ask anybody
//! anything. The invariant that would break first: what a cluster would refuse is refused here, with
//! its line, and nothing of a Secret is printed but the names of the keys that are known.

use super::document::{self, Node, Tree};
use super::files::{self, File};
use super::problem::{Problem, advice, name_only};
use super::{object, secret};
use crate::api::{ClusterImageProvider, GROUP, ImageProvider, ImageRef};
use crate::cloud::provider::Provider;
use crate::plan::ProviderId;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Most documents in all files together.
const MOST_DOCUMENTS: usize = 10_000;

/// The one version of the API.
const VERSION: &str = "v1alpha1";

const KINDS: [&str; 3] = ["ImageRef", "ImageProvider", "ClusterImageProvider"];

/// Kinds of the group that are no input of this command.
const OTHER_KINDS: [&str; 1] = ["ImageCatalog"];

/// A Secret's values and where they were found.
pub(super) struct Secret {
    pub(super) file: Arc<str>,
    pub(super) data: BTreeMap<String, Vec<u8>>,
}

/// Everything that was read.
#[derive(Default)]
pub(super) struct Manifests {
    /// In the order of the files.
    pub(super) refs: Vec<ImageRef>,
    pub(super) providers: HashMap<ProviderId, Provider>,
    /// By namespace and name.
    pub(super) secrets: BTreeMap<(String, String), Secret>,
    /// Labels by namespace.
    pub(super) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Objects of other kinds.
    pub(super) ignored: usize,
}

/// An object on its way in.
pub(super) struct Candidate<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) node: &'a Node,
    pub(super) kind: &'a str,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Candidate<'_> {
    /// A problem with the field at `path`.
    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let name = match (&self.namespace, self.name.as_str()) {
            (_, "") => String::new(),
            (Some(namespace), name) => format!(" {namespace}/{name}"),
            (None, name) => format!(" {name}"),
        };
        Problem {
            file: self.file.clone(),
            line: Some(self.node.line_of(path)),
            object: format!("{}{name}", self.kind),
            path: path.into(),
            message: message.into(),
        }
    }
}

/// Reads all files. The problems come in the order of the files and lines.
pub(super) fn read(
    paths: &[PathBuf],
    recursive: bool,
    namespace: &str,
) -> io::Result<(Manifests, Vec<Problem>)> {
    let mut problems = Vec::new();
    let files = files::read(paths, recursive, &mut problems);
    let nothing_read = files.is_empty();
    let (manifests, more) = document::with_deep_stack(|| Reader::new(namespace).read(&files))?;
    problems.extend(more);
    if manifests.refs.is_empty() && problems.is_empty() && !nothing_read {
        let first = files.first().map_or_else(|| "-".into(), |f| f.name.clone());
        let message = match manifests.ignored {
            0 => "no ImageRef in the input: there is nothing to resolve".into(),
            n => format!(
                "no ImageRef in the input, only other kinds ({n}): there is nothing to resolve"
            ),
        };
        problems.push(Problem::of_file(&first, None, message));
    }
    Ok((manifests, problems))
}

/// Kind, namespace and name.
type Key = (String, Option<String>, String);

struct Reader<'a> {
    default_namespace: &'a str,
    manifests: Manifests,
    problems: Vec<Problem>,
    documents: usize,
    /// Where each object stands: by kind, namespace and name.
    seen: HashMap<Key, (Arc<str>, u64)>,
}

impl<'a> Reader<'a> {
    fn new(default_namespace: &'a str) -> Self {
        Self {
            default_namespace,
            manifests: Manifests::default(),
            problems: Vec::new(),
            documents: 0,
            seen: HashMap::new(),
        }
    }

    fn read(mut self, files: &[File]) -> (Manifests, Vec<Problem>) {
        for file in files {
            let mut documents = document::cut(&file.text).peekable();
            if file.named && documents.peek().is_none() {
                self.problems
                    .push(Problem::of_file(&file.name, None, "is empty"));
            }
            for (before, text) in documents {
                self.documents += 1;
                if self.documents > MOST_DOCUMENTS {
                    let message = format!(
                        "more than {MOST_DOCUMENTS} documents: resolve them in several runs"
                    );
                    self.problems
                        .push(Problem::of_file(&file.name, Some(before + 1), message));
                    return (self.manifests, self.problems);
                }
                match document::read(text, before) {
                    Ok(node) => self.take(&file.name, &node),
                    Err(error) => self.problems.push(Problem::of_file(
                        &file.name,
                        Some(error.line),
                        error.message,
                    )),
                }
            }
        }
        (self.manifests, self.problems)
    }

    fn take(&mut self, file: &Arc<str>, node: &Node) {
        let mut complain = |path: &str, message: String| {
            self.problems
                .push(Problem::of_file(file, Some(node.line_of(path)), message));
        };
        if node.is_null() {
            return;
        }
        if !matches!(node.tree, Tree::Map(_)) {
            return complain(
                "",
                "not a Kubernetes object: it must be a map with apiVersion and kind".into(),
            );
        }
        let field = |name: &str| {
            node.get(name)
                .and_then(Node::text)
                .filter(|t| !t.is_empty())
        };
        let (Some(version), Some(kind)) = (field("apiVersion"), field("kind")) else {
            let missing = ["apiVersion", "kind"]
                .into_iter()
                .filter(|name| field(name).is_none())
                .collect::<Vec<_>>()
                .join(" and ");
            return complain(
                "",
                format!(
                    "not a Kubernetes object: {missing} is missing; an ImageRef begins with apiVersion: {GROUP}/{VERSION} and kind: ImageRef"
                ),
            );
        };
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let known = KINDS.contains(&kind);
        if (group.is_empty() || group == GROUP)
            && kind.ends_with("List")
            && let Some(Tree::List(items)) = node.get("items").map(|items| &items.tree)
        {
            for item in items {
                self.take(file, item);
            }
        } else if group == GROUP && version != VERSION {
            complain(
                "apiVersion",
                format!("{}: apiVersion must be {GROUP}/{VERSION}", name_only(kind)),
            );
        } else if group == GROUP && !known && !OTHER_KINDS.contains(&kind) {
            complain(
                "kind",
                format!(
                    "unknown kind {} in {GROUP}{}",
                    name_only(kind),
                    advice(kind, KINDS)
                ),
            );
        } else if known && group != GROUP {
            complain(
                "apiVersion",
                format!("{kind}: apiVersion must be {GROUP}/{VERSION}"),
            );
        } else if known {
            self.take_ours(file, node, kind);
        } else if group.is_empty() && version == "v1" && kind == "Secret" {
            self.take_secret(file, node);
        } else if group.is_empty() && version == "v1" && kind == "Namespace" {
            self.take_namespace(file, node);
        } else {
            self.manifests.ignored += 1;
        }
    }

    fn candidate<'n>(
        &mut self,
        file: &'n Arc<str>,
        node: &'n Node,
        kind: &'n str,
        namespaced: bool,
    ) -> Candidate<'n> {
        let mut candidate = Candidate {
            file,
            node,
            kind,
            namespace: namespaced.then(|| self.default_namespace.to_owned()),
            name: String::new(),
        };
        self.problems.extend(object::identify(&mut candidate));
        if !candidate.name.is_empty() {
            let key = (
                kind.to_owned(),
                candidate.namespace.clone(),
                candidate.name.clone(),
            );
            let here = (file.clone(), node.line_of("metadata.name"));
            if let Some((file, line)) = self.seen.get(&key) {
                let message = format!("stands twice: {file}:{line} has it already; remove one");
                self.problems
                    .push(candidate.problem("metadata.name", message));
            } else {
                self.seen.insert(key, here);
            }
        }
        candidate
    }

    fn take_ours(&mut self, file: &Arc<str>, node: &Node, kind: &str) {
        let before = self.problems.len();
        let candidate = self.candidate(file, node, kind, kind != "ClusterImageProvider");
        match kind {
            "ImageRef" => {
                let read = object::read::<ImageRef>(&candidate, &mut self.problems);
                self.manifests.refs.extend(read);
            }
            "ImageProvider" => {
                let read = object::read::<ImageProvider>(&candidate, &mut self.problems);
                self.provide(read.map(|p| Provider::Namespaced(Arc::new(p))));
            }
            _ => {
                let read = object::read::<ClusterImageProvider>(&candidate, &mut self.problems);
                self.provide(read.map(|p| Provider::Cluster(Arc::new(p))));
            }
        }
        self.problems[before..].sort_by_key(|problem| problem.line);
    }

    fn provide(&mut self, provider: Option<Provider>) {
        if let Some(provider) = provider {
            self.manifests.providers.insert(provider.id(), provider);
        }
    }

    fn take_secret(&mut self, file: &Arc<str>, node: &Node) {
        let candidate = self.candidate(file, node, "Secret", true);
        let data = secret::data(&candidate, &mut self.problems);
        let key = (
            candidate.namespace.clone().unwrap_or_default(),
            candidate.name.clone(),
        );
        let secret = Secret {
            file: file.clone(),
            data,
        };
        self.manifests.secrets.insert(key, secret);
    }

    fn take_namespace(&mut self, file: &Arc<str>, node: &Node) {
        let candidate = self.candidate(file, node, "Namespace", false);
        let labels = node.get("metadata").and_then(|m| m.get("labels"));
        let mut labels: BTreeMap<_, _> = labels
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.text()?.to_owned())))
            .collect();
        // As the API server does for every namespace.
        labels.insert(object::NAME_LABEL.into(), candidate.name.clone());
        self.manifests
            .namespaces
            .insert(candidate.name.clone(), labels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_bytes(bytes: Vec<u8>) -> Option<(Manifests, Vec<Problem>)> {
        let text = files::decode(bytes).ok()?;
        let file = File {
            name: "f.yaml".into(),
            text,
            named: true,
        };
        Some(Reader::new("default").read(&[file]))
    }

    const SEED: &str = "apiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata:\n  name: a\nspec:\n  source:\n    pai: {id: image-1}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  accessKeySecret: hidden\n";

    #[test]
    fn a_good_stream_is_read() {
        let (manifests, problems) = read_bytes(SEED.into()).unwrap();
        assert_eq!(problems, []);
        assert_eq!(manifests.refs.len(), 1);
        assert_eq!(
            manifests.refs[0].spec.interval, "1h",
            "defaults are filled in"
        );
        assert!(
            manifests
                .secrets
                .contains_key(&("default".into(), "s".into()))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_bytes(bytes);
        }

        #[test]
        fn a_harmed_manifest_never_panics_and_never_shows_its_secret(
            at in 0..SEED.len(), cut in 0..12_usize, with in "[-:{}\\[\\]&*!|>'\"#, \\na-z]{0,4}",
        ) {
            let mut text = SEED.replace("hidden", "SEEN#123");
            let at = at.min(text.len());
            text.replace_range(at..(at + cut).min(text.len()), &with);
            if let Some((_, problems)) = read_bytes(text.into_bytes()) {
                for problem in problems {
                    prop_assert!(!problem.to_string().contains("SEEN"), "{problem}");
                }
            }
        }
    }
}
