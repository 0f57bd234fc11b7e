//! Objects in files and on standard input, as every subcommand reads them.
//!
//! Owns the cutting into objects, Lists included, their type and their name. Must not know what a
//! command does with an object. The invariant that would break first: an object is taken or is a
//! problem with its line; none is passed over, and one that is broken hides no other.

pub(in crate::cli) mod arguments;
pub(in crate::cli) mod document;
pub(in crate::cli) mod files;
pub(in crate::cli) mod lock_file;
pub(in crate::cli) mod object;
pub(in crate::cli) mod problem;
pub(in crate::cli) mod reference;

use crate::api::GROUP;
use document::{Node, Tree};
use files::File;
use problem::{Problem, advice, name_only};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Most documents in all files together.
const MOST_DOCUMENTS: usize = 10_000;

/// The one version of the API.
const VERSION: &str = "v1alpha1";

const KINDS: [&str; 3] = ["ImageRef", "ImageProvider", "ClusterImageProvider"];

/// Kinds of the group that are no input of any command.
const OTHER_KINDS: [&str; 1] = ["ImageCatalog"];

/// An object whose type is known.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Object<'a> {
    pub(in crate::cli) file: &'a Arc<str>,
    pub(in crate::cli) node: &'a Node,
    pub(in crate::cli) api_version: &'a str,
    pub(in crate::cli) kind: &'a str,
}

impl Object<'_> {
    /// Whether it is an object of this type.
    pub(in crate::cli) fn is(&self, api_version: &str, kind: &str) -> bool {
        (self.api_version, self.kind) == (api_version, kind)
    }

    /// Whether the kind is one of the operator's own.
    pub(in crate::cli) fn is_ours(&self) -> bool {
        group(self.api_version) == GROUP && KINDS.contains(&self.kind)
    }

    /// The object as JSON. Items of typed lists may have their type from the list alone.
    pub(in crate::cli) fn to_value(self) -> Value {
        let mut value = self.node.to_value();
        if let Some(object) = value.as_object_mut() {
            object.insert("apiVersion".into(), self.api_version.into());
            object.insert("kind".into(), self.kind.into());
        }
        value
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// An object on its way in, with its name.
pub(in crate::cli) struct Candidate<'a> {
    pub(in crate::cli) object: Object<'a>,
    /// `None` for kinds without namespaces.
    pub(in crate::cli) namespace: Option<String>,
    /// Empty if it has none that can be one.
    pub(in crate::cli) name: String,
}

impl Candidate<'_> {
    /// A problem with the field at `path`.
    pub(in crate::cli) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let name = match (&self.namespace, self.name.as_str()) {
            (_, "") => String::new(),
            (Some(namespace), name) => format!(" {namespace}/{name}"),
            (None, name) => format!(" {name}"),
        };
        Problem {
            file: self.object.file.clone(),
            line: Some(self.object.node.line_of(path)),
            object: format!("{}{name}", name_only(self.object.kind)),
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What a command keeps of the objects.
pub(in crate::cli) trait Taker: Send {
    /// Takes one object, or leaves it.
    fn take(&mut self, object: Object<'_>, reader: &mut Reader<'_>);
}

/// Reads all files. The problems come in the order of the files and lines.
///
/// Returns the name of the first file too, for a problem that is with all of them; `None` if none
/// was read.
///
/// # Errors
/// If the thread that reads cannot be started.
pub(in crate::cli) fn read(
    paths: &[PathBuf],
    recursive: bool,
    namespace: &str,
    taker: &mut impl Taker,
) -> io::Result<(Vec<Problem>, Option<Arc<str>>)> {
    let mut problems = Vec::new();
    let files = files::read(paths, recursive, &mut problems);
    let more = document::with_deep_stack(|| read_files(&files, namespace, taker))?;
    problems.extend(more);
    Ok((problems, files.first().map(|file| file.name.clone())))
}

/// The same for files that are in memory.
pub(in crate::cli) fn read_files(
    files: &[File],
    namespace: &str,
    taker: &mut impl Taker,
) -> Vec<Problem> {
    let mut reader = Reader {
        default_namespace: namespace,
        problems: Vec::new(),
        seen: HashMap::new(),
    };
    reader.read(files, taker);
    reader.problems
}

/// Kind, namespace and name.
type Key = (String, Option<String>, String);

/// The reading of some files.
pub(in crate::cli) struct Reader<'a> {
    default_namespace: &'a str,
    pub(in crate::cli) problems: Vec<Problem>,
    /// Where each object stands that must stand once.
    seen: HashMap<Key, (Arc<str>, u64)>,
}

impl Reader<'_> {
    fn read(&mut self, files: &[File], taker: &mut impl Taker) {
        let mut count = 0;
        for file in files {
            let mut documents = document::cut(&file.text).peekable();
            if file.named && documents.peek().is_none() {
                self.problems
                    .push(Problem::of_file(&file.name, None, "is empty"));
            }
            for (before, text) in documents {
                count += 1;
                if count > MOST_DOCUMENTS {
                    let message =
                        format!("more than {MOST_DOCUMENTS} documents: read them in several runs");
                    self.problems
                        .push(Problem::of_file(&file.name, Some(before + 1), message));
                    return;
                }
                match document::read(text, before) {
                    Ok(node) => self.walk(&file.name, &node, None, taker),
                    Err(error) => self.problems.push(Problem::of_file(
                        &file.name,
                        Some(error.line),
                        error.message,
                    )),
                }
            }
        }
    }

    /// `of_list` is the type that a typed list states for its items.
    fn walk(
        &mut self,
        file: &Arc<str>,
        node: &Node,
        of_list: Option<(&str, &str)>,
        taker: &mut impl Taker,
    ) {
        let mut complain = |path: &str, message: String| {
            self.problems
                .push(Problem::of_file(file, Some(node.line_of(path)), message));
        };
        if node.is_null() {
            return;
        }
        if !node.is_map() {
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
        let of_list = of_list.filter(|_| node.get("kind").is_none());
        let own = field("apiVersion").zip(field("kind"));
        let Some((api_version, kind)) = own.or(of_list) else {
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
        let group = group(api_version);
        let known = KINDS.contains(&kind);
        if let Some(of) = kind.strip_suffix("List")
            && let Some(Tree::List(items)) = node.get("items").map(|items| &items.tree)
            // A resource of somebody's own may be called AllowList, and have texts as items.
            && (matches!(group, "" | GROUP) || items.iter().all(Node::is_map))
        {
            let of_list = (!of.is_empty()).then_some((api_version, of));
            for item in items {
                self.walk(file, item, of_list, taker);
            }
        } else if group == GROUP && api_version != format!("{GROUP}/{VERSION}") {
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
        } else {
            let object = Object {
                file,
                node,
                api_version,
                kind,
            };
            taker.take(object, self);
        }
    }

    /// The object with its name; problems with its `metadata` are noted.
    pub(in crate::cli) fn named<'n>(
        &mut self,
        object: Object<'n>,
        namespaced: bool,
        may_be_generated: bool,
    ) -> Candidate<'n> {
        let mut candidate = Candidate {
            object,
            namespace: namespaced.then(|| self.default_namespace.to_owned()),
            name: String::new(),
        };
        let found = object::identify(&mut candidate, may_be_generated);
        self.problems.extend(found);
        candidate
    }

    /// The same for an object that must stand once and by a name of its own.
    pub(in crate::cli) fn single<'n>(
        &mut self,
        object: Object<'n>,
        namespaced: bool,
    ) -> Candidate<'n> {
        let candidate = self.named(object, namespaced, false);
        if !candidate.name.is_empty() {
            let key = (
                object.kind.to_owned(),
                candidate.namespace.clone(),
                candidate.name.clone(),
            );
            let here = (object.file.clone(), object.node.line_of("metadata.name"));
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
}

/// The labels of a Namespace, as the API server would have them.
pub(in crate::cli) fn labels_of(namespace: &Candidate<'_>) -> BTreeMap<String, String> {
    let metadata = namespace.object.node.get("metadata");
    let labels = metadata.and_then(|metadata| metadata.get("labels"));
    let entries = labels.map(Node::entries).unwrap_or_default();
    let mut labels: BTreeMap<_, _> = entries
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.text()?.to_owned())))
        .collect();
    labels.insert(object::NAME_LABEL.into(), namespace.name.clone());
    labels
}
