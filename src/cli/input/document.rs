//! YAML and JSON text as trees that remember their lines.
//!
//! Owns the cutting of a stream into documents and the reading of each, so that one broken document
//! hides no other. Must not know kinds. The invariant that would break first: no text of a document
//! comes back in a message, since the document may be a Secret.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Error, Spanned};
use std::fmt;
use std::io;

/// A value and the line it stands on; for a value of a map, the line of its key.
#[derive(Clone)]
pub(in crate::cli) struct Node {
    pub(in crate::cli) line: u64,
    pub(in crate::cli) tree: Tree,
}

/// What a node holds. It has no `Debug`: it may be a Secret.
#[derive(Clone)]
pub(in crate::cli) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Why a document could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Unreadable {
    pub(in crate::cli) line: u64,
    pub(in crate::cli) message: String,
}

impl Node {
    /// The value of a key.
    pub(in crate::cli) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find_map(|(name, node)| (name == key).then_some(node))
    }

    pub(in crate::cli) fn entries(&self) -> &[(String, Node)] {
        match &self.tree {
            Tree::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(in crate::cli) fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(in crate::cli) fn is_map(&self) -> bool {
        matches!(self.tree, Tree::Map(_))
    }

    pub(in crate::cli) fn is_null(&self) -> bool {
        matches!(self.tree, Tree::Null)
    }

    /// The line of what `path` (`spec.expect.arch[0]`) names, or of the nearest that is there.
    pub(in crate::cli) fn line_of(&self, path: &str) -> u64 {
        let path = path.trim_start_matches('.');
        let next = match &self.tree {
            Tree::List(items) => path
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .and_then(|(index, rest)| Some((items.get(index.parse::<usize>().ok()?)?, rest))),
            // Keys may hold dots, as those of labels do: the longest that fits is meant.
            Tree::Map(entries) => entries
                .iter()
                .filter_map(|(key, node)| Some((key.len(), node, path.strip_prefix(key.as_str())?)))
                .filter(|(.., rest)| rest.is_empty() || rest.starts_with(['.', '[']))
                .max_by_key(|(length, ..)| *length)
                .map(|(_, node, rest)| (node, rest)),
            _ => None,
        };
        match next {
            Some((node, rest)) if !path.is_empty() => node.line_of(rest),
            _ => self.line,
        }
    }

    pub(in crate::cli) fn to_value(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(value) => Value::Number(value.clone()),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Node::to_value).collect(),
            Tree::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn move_down(&mut self, lines: u64) {
        self.line += lines;
        match &mut self.tree {
            Tree::List(items) => items.iter_mut().for_each(|item| item.move_down(lines)),
            Tree::Map(entries) => entries
                .iter_mut()
                .for_each(|(_, node)| node.move_down(lines)),
            _ => {}
        }
    }
}

/// Stack for reading: the parser needs some 40 kB a level of nesting, and takes 64 levels.
const STACK: usize = 32 * 1024 * 1024;

/// Does work that nests as deeply as a document may.
pub(in crate::cli) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Cuts a stream into documents, each with the number of lines before it. `---` at the beginning of
/// a line separates documents wherever it stands, in block texts too.
pub(in crate::cli) fn cut(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let mut found = Vec::new();
    // Where the document at hand begins, and whether it holds anything but directives.
    let (mut start, mut line_of_start, mut holds, mut directives) = (0, 0, false, false);
    let mut at = 0;
    for (number, line) in (0_u64..).zip(text.split_inclusive('\n')) {
        let after = line.strip_prefix("---");
        if after.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])) {
            if holds {
                found.push((line_of_start, &text[start..at]));
            }
            if holds || !directives {
                (start, line_of_start) = (at, number);
            }
            (holds, directives) = (false, false);
            let rest = after.unwrap_or_default().trim();
            holds |= !rest.is_empty() && !rest.starts_with('#');
        } else if !holds && line.starts_with('%') {
            directives = true;
        } else {
            let content = line.trim();
            holds |= !content.is_empty() && !content.starts_with('#') && content != "...";
        }
        at += line.len();
    }
    if holds {
        found.push((line_of_start, &text[start..]));
    }
    found.into_iter()
}

/// Reads one document; `before` is the number of lines before it.
pub(in crate::cli) fn read(text: &str, before: u64) -> Result<Node, Unreadable> {
    let parsed = parse(text).or_else(|error| {
        // JSON may be indented by tabs, YAML may not. Inside JSON's texts there are none.
        let is_json = text.trim_start().starts_with(['{', '['])
            && text.contains('\t')
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if is_json {
            parse(&text.replace('\t', " "))
        } else {
            Err(error)
        }
    });
    match parsed {
        Ok(mut node) => {
            node.move_down(before);
            Ok(node)
        }
        Err(error) => Err(Unreadable {
            line: before + error.location().map_or(1, |l| l.line()).max(1),
            message: explain(&error),
        }),
    }
}

fn parse(text: &str) -> Result<Node, Error> {
    // The limits are for one document: far above what people write, far below what hurts.
    let mut alias_limits = serde_saphyr::options::AliasLimits::default();
    alias_limits.max_total_replayed_events = 100_000;
    alias_limits.max_replay_stack_depth = 16;
    alias_limits.max_alias_expansions_per_anchor = 1_000;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: alias_limits,
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// The error in words of its own: the parser's may quote the document.
fn explain(error: &Error) -> String {
    let text = match error.without_snippet() {
        Error::DuplicateMappingKey { .. } => "a key stands twice in the same map: keep one".into(),
        Error::MultipleDocuments { .. } => {
            "more than one document: separate them by a line with ---".into()
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            "too large, too deep or too many aliases: write it out, or cut it into files".into()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias refers to itself".into(),
        Error::UnknownAnchor { .. } => "an alias names an anchor that is not there".into(),
        Error::UnsupportedTag { .. } | Error::TaggedStructFieldName { .. } => {
            "a tag (!…) that is not supported: remove it".into()
        }
        Error::AliasError { error, .. } => return explain(error),
        Error::Eof { .. } => "not YAML: it ends too early".into(),
        // The scanner's own sentences are fixed, but nothing says that they will stay so.
        Error::ExternalMessage { msg, .. } | Error::Message { msg, .. } => {
            format!("not YAML: {}", plain(msg))
        }
        _ => "not YAML that stands for Kubernetes objects".into(),
    };
    // A tab is the usual reason, and the parser's words for it are hard to read.
    if text.contains("tab") {
        return format!("{text}; indent by spaces");
    }
    text
}

/// What is left of a message when everything that may be a quotation is taken out.
fn plain(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut kept = String::new();
    let mut quote = None;
    for character in line.chars().take(200) {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '"' | '`') => {
                kept.push('…');
                quote = Some(character);
            }
            None if character.is_control() => {}
            None => kept.push(character),
        }
    }
    kept
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned {
            value, referenced, ..
        } = Spanned::<Tree>::deserialize(deserializer)?;
        Ok(Self {
            line: referenced.line(),
            tree: value,
        })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Tree, E> {
        #[expect(clippy::cast_precision_loss, reason = "JSON has no better number")]
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Tree, E> {
        #[expect(clippy::cast_precision_loss, reason = "JSON has no better number")]
        self.visit_f64(value as f64)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let mut node: Node = access.next_value()?;
            // A key that was merged or aliased stands elsewhere; its value knows where it is used.
            if key.defined.line() > 0 && key.defined == key.referenced {
                node.line = key.defined.line();
            }
            entries.push((key.value, node));
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests;
