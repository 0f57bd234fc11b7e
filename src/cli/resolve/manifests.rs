//! What is taken from the files to resolve: the operator's objects, Secrets and Namespaces.
//!
//! Owns what is taken and what is refused, all of it at once. Must not ask anybody anything. The
//! invariant that would break first: what a cluster would refuse is refused here, with its line, and
//! nothing of a Secret is printed but the names of the keys that are known.

use super::secret;
use crate::api::{ClusterImageProvider, ImageProvider, ImageRef};
use crate::cli::input::problem::Problem;
use crate::cli::input::{self, Object, Reader, Taker, object};
use crate::cloud::provider::Provider;
use crate::plan::ProviderId;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A Secret's values and where they were found.
pub(super) struct Secret {
    pub(super) file: Arc<str>,
    pub(super) data: BTreeMap<String, Vec<u8>>,
}

/// Everything that was read.
#[derive(Default)]
pub(in crate::cli) struct Manifests {
    /// In the order of the files.
    pub(in crate::cli) refs: Vec<ImageRef>,
    pub(super) providers: HashMap<ProviderId, Provider>,
    /// By namespace and name.
    pub(super) secrets: BTreeMap<(String, String), Secret>,
    /// Labels by namespace.
    pub(in crate::cli) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Objects of other kinds.
    pub(in crate::cli) ignored: usize,
}

/// Reads all files. The problems come in the order of the files and lines.
pub(in crate::cli) fn read(
    paths: &[PathBuf],
    recursive: bool,
    namespace: &str,
) -> io::Result<(Manifests, Vec<Problem>)> {
    let mut manifests = Manifests::default();
    let (mut problems, first) = input::read(paths, recursive, namespace, &mut manifests)?;
    if problems.is_empty() {
        problems.extend(manifests.lack(first.as_ref()));
    }
    Ok((manifests, problems))
}

impl Taker for Manifests {
    fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        if object.is_ours() {
            self.take_ours(object, reader);
        } else if object.is("v1", "Secret") {
            self.take_secret(object, reader);
        } else if object.is("v1", "Namespace") {
            let candidate = reader.single(object, false);
            let labels = input::labels_of(&candidate);
            self.namespaces.insert(candidate.name, labels);
        } else {
            self.ignored += 1;
        }
    }
}

impl Manifests {
    /// The problem that there is nothing to ask about.
    pub(in crate::cli) fn lack(&self, first: Option<&Arc<str>>) -> Option<Problem> {
        let first = first.filter(|_| self.refs.is_empty())?;
        let message = match self.ignored {
            0 => "no ImageRef in the input: there is nothing to resolve".into(),
            n => format!(
                "no ImageRef in the input, only other kinds ({n}): there is nothing to resolve"
            ),
        };
        Some(Problem::of_file(first, None, message))
    }

    fn take_ours(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        let before = reader.problems.len();
        let candidate = reader.single(object, object.kind != "ClusterImageProvider");
        let problems = &mut reader.problems;
        match object.kind {
            "ImageRef" => {
                let read = object::read::<ImageRef>(&candidate, problems);
                self.refs.extend(read);
            }
            "ImageProvider" => {
                let read = object::read::<ImageProvider>(&candidate, problems);
                self.provide(read.map(|p| Provider::Namespaced(Arc::new(p))));
            }
            _ => {
                let read = object::read::<ClusterImageProvider>(&candidate, problems);
                self.provide(read.map(|p| Provider::Cluster(Arc::new(p))));
            }
        }
        problems[before..].sort_by_key(|problem| problem.line);
    }

    fn provide(&mut self, provider: Option<Provider>) {
        if let Some(provider) = provider {
            self.providers.insert(provider.id(), provider);
        }
    }

    fn take_secret(&mut self, object: Object<'_>, reader: &mut Reader<'_>) {
        let candidate = reader.single(object, true);
        let data = secret::data(&candidate, &mut reader.problems);
        let secret = Secret {
            file: object.file.clone(),
            data,
        };
        let key = (candidate.namespace.unwrap_or_default(), candidate.name);
        self.secrets.insert(key, secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::input::files::{self, File};
    use proptest::prelude::*;

    fn read_bytes(bytes: Vec<u8>) -> Option<(Manifests, Vec<Problem>)> {
        let text = files::decode(bytes).ok()?;
        let file = File {
            name: "f.yaml".into(),
            text,
            named: true,
        };
        let mut manifests = Manifests::default();
        let problems = input::read_files(&[file], "default", &mut manifests);
        Some((manifests, problems))
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
