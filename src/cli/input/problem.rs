//! What is wrong with the input, in the words and at the place that its author needs.
//!
//! Owns the form `FILE:LINE: OBJECT: PATH: MESSAGE` and the advice about misspellings. Must not know
//! how objects are read. The invariant that would break first: a name that is printed is a name, not
//! whatever stood in its place.

use crate::cli::output::printable;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The most problems that are printed; a file of another kind altogether may have thousands.
const MOST_PROBLEMS: usize = 200;

/// Longest name that advice is given about.
const LONGEST_NAME: usize = 64;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Problem {
    /// File as it was named, or `-`.
    pub(in crate::cli) file: Arc<str>,
    /// Line, counted from one.
    pub(in crate::cli) line: Option<u64>,
    /// Kind, namespace and name.
    pub(in crate::cli) object: String,
    /// Field.
    pub(in crate::cli) path: String,
    /// What is wrong and what to do.
    pub(in crate::cli) message: String,
}

impl Problem {
    /// About a file as a whole, or a document that is no object.
    pub(in crate::cli) fn of_file(
        file: &Arc<str>,
        line: Option<u64>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.clone(),
            line,
            object: String::new(),
            path: String::new(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.file.to_string();
        if let Some(line) = self.line {
            write!(text, ":{line}")?;
        }
        for part in [&self.object, &self.path, &self.message] {
            if !part.is_empty() {
                write!(text, ": {part}")?;
            }
        }
        // A key of the file may hold what moves the cursor or begins a line.
        f.write_str(&printable(&text))
    }
}

/// All problems, a line each, and their number with what did not happen because of them.
pub(in crate::cli) fn report(problems: &[Problem], consequence: &str) -> String {
    let mut text = String::new();
    for problem in problems.iter().take(MOST_PROBLEMS) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{problem}");
    }
    if problems.len() > MOST_PROBLEMS {
        let _ = writeln!(text, "… and {} more", problems.len() - MOST_PROBLEMS);
    }
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    };
    let _ = writeln!(text, "{count} in the input; {consequence}");
    text
}

/// The start of a text that can be a name; `…` stands for the rest. A value that slipped into the
/// place of a key (`key:value`) is not shown.
pub(in crate::cli) fn name_only(text: &str) -> String {
    let name: String = text
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(LONGEST_NAME)
        .collect();
    if name.len() == text.len() {
        name
    } else {
        name + "…"
    }
}

/// Advice about an unknown name: the known one that was probably meant, else a short list of all.
pub(in crate::cli) fn advice<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<_> = known.into_iter().collect();
    if let Some(meant) = nearest(unknown, &known) {
        return format!(": did you mean {meant}?");
    }
    match known.len() {
        0 => String::new(),
        1 => format!(": known here is {}", known[0]),
        2..=12 => format!(": known here are {}", known.join(", ")),
        _ => ": remove it".into(),
    }
}

/// The known name at most two edits away.
pub(in crate::cli) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    if unknown.len() > LONGEST_NAME {
        return None;
    }
    known
        .iter()
        .map(|name| {
            let edits = if name.eq_ignore_ascii_case(unknown) {
                0
            } else {
                distance(unknown, name)
            };
            (edits, *name)
        })
        .filter(|(edits, name)| {
            *edits <= 2 && *edits < name.chars().count().min(unknown.chars().count())
        })
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements that turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (at, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let known = ["notebook", "liteServer", "pai", "id", "name"];
        for (unknown, meant) in [
            ("noteBook", Some("notebook")),
            ("notebok", Some("notebook")),
            ("liteserver", Some("liteServer")),
            ("nmae", Some("name")),
            ("ids", Some("id")),
            ("xy", None),
            ("registry", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, &known), meant, "{unknown}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_value_in_the_place_of_a_key_is_not_shown() {
        assert_eq!(name_only("accessKeySecret:hunter2"), "accessKeySecret…");
        assert_eq!(name_only("id"), "id");
        assert_eq!(name_only("a b"), "a…");
    }

    #[test]
    fn a_problem_is_one_line_with_what_is_known() {
        let file: Arc<str> = "a.yaml".into();
        let mut problem = Problem::of_file(&file, Some(3), "not YAML");
        assert_eq!(problem.to_string(), "a.yaml:3: not YAML");
        problem.object = "ImageRef a/b".into();
        problem.path = "spec.source".into();
        assert_eq!(
            problem.to_string(),
            "a.yaml:3: ImageRef a/b: spec.source: not YAML"
        );
        assert_eq!(
            Problem::of_file(&file, None, "is empty").to_string(),
            "a.yaml: is empty"
        );
        problem.path = "metadata.labels.a\n\u{1b}[31mb".into();
        assert_eq!(
            problem.to_string(),
            "a.yaml:3: ImageRef a/b: metadata.labels.a\u{fffd}\u{fffd}[31mb: not YAML"
        );
    }
}
