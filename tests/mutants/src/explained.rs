//! The survivors that are no gap in the tests, each with its reason: `tests/mutants/explained.yaml`.
//!
//! Owns how an explanation finds its mutant. Must not know who survives. The invariant that would
//! break first: an explanation is of one line's text, so that it goes when the line changes.

use super::record::Listed;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::path::Path;

/// Why a mutant may survive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Explanation {
    /// The mutant's name without line and column.
    pub(super) mutant: String,
    /// The first line that it changes, without the blanks around it.
    pub(super) line: String,
    /// Why no test can or should tell it from the original.
    pub(super) reason: String,
}

/// All explanations.
#[derive(Default)]
pub(super) struct Explained(Vec<Explanation>);

impl Explained {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let reason = || format!("reading {}", file.display());
        let text = std::fs::read_to_string(file).with_context(reason)?;
        Ok(Self(serde_saphyr::from_str(&text).with_context(reason)?))
    }

    /// The reason why this mutant of that line may survive.
    pub(super) fn of(&self, mutant: &Listed, line: &str) -> Option<&Explanation> {
        let name = without_place(&mutant.name);
        let same = |one: &&Explanation| one.mutant == name && one.line == line;
        self.0.iter().find(same)
    }

    pub(super) fn all(&self) -> &[Explanation] {
        &self.0
    }
}

/// `src/a.rs:12:34: replace …` becomes `src/a.rs: replace …`.
pub(super) fn without_place(name: &str) -> String {
    let Some((place, change)) = name.split_once(": ") else {
        return name.into();
    };
    let file = place.split(':').next().unwrap_or_default();
    format!("{file}: {change}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn explained(mutant: &str, line: &str) -> Explained {
        Explained(vec![Explanation {
            mutant: mutant.into(),
            line: line.into(),
            reason: "It is the same.".into(),
        }])
    }

    const PRODUCT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    #[test]
    fn what_is_explained_is_still_there_and_has_a_reason() {
        let product = Path::new(PRODUCT);
        let explained = Explained::read(&product.join("tests/mutants/explained.yaml")).unwrap();
        for one in explained.all() {
            let (file, _) = one.mutant.split_once(": ").unwrap();
            let text = std::fs::read_to_string(product.join(file)).unwrap();
            let there = text.lines().any(|line| line.trim() == one.line);
            assert!(there, "{file} has no line {}", one.line);
            assert!(one.reason.ends_with('.'), "{}: {}", one.mutant, one.reason);
        }
    }

    #[test]
    fn an_explanation_is_of_one_line() {
        let explained = explained("src/a.rs: replace > with >= in f", "if a > b {");
        let mutant: Listed = serde_json::from_value(serde_json::json!({
            "name": "src/a.rs:12:34: replace > with >= in f",
            "file": "src/a.rs",
            "span": { "start": { "line": 12 } },
        }))
        .unwrap();
        assert!(explained.of(&mutant, "if a > b {").is_some());
        assert!(explained.of(&mutant, "if a > c {").is_none());
    }
}
