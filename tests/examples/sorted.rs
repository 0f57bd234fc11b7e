//! What a block of YAML or JSON is for, by the words after its fence, and what is checked at once.
//!
//! Owns the words. Must not ask a cluster. The invariant that would break first: a block of YAML whose
//! purpose is not said holds whole objects and nothing else.

use super::blocks::{self, Block};
use imageref::admission::Configuration;
use serde_json::Value;
use std::path::Path;

/// The purpose of a block of YAML, which follows the word `yaml` after the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing: whole objects, for the API server or for kustomize.
    Objects,
    /// `configuration`: of admission, as `--config` reads it.
    Configuration,
    /// `values`: of our chart.
    Values,
    /// `pipeline`: a workflow of GitHub Actions, or a file of GitLab.
    Pipeline,
    /// `fragment`: part of an object that is described in words.
    Fragment,
}

impl Purpose {
    /// The purpose of a block; `None` for one of another language.
    pub(crate) fn of(block: &Block) -> Option<Self> {
        let words: Vec<_> = block.info.split_whitespace().collect();
        match words[..] {
            ["yaml"] => Some(Self::Objects),
            ["yaml", "configuration"] => Some(Self::Configuration),
            ["yaml", "values"] => Some(Self::Values),
            ["yaml", "pipeline"] => Some(Self::Pipeline),
            ["yaml", "fragment"] => Some(Self::Fragment),
            ["yaml" | "yml", ..] => panic!("{}: not known: {}", block.place, block.info),
            _ => None,
        }
    }
}

/// The documents of a stream of YAML, as text.
pub(crate) fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let says = |document: &String| {
        let mut lines = document.lines().map(str::trim);
        lines.any(|line| !line.is_empty() && !line.starts_with('#'))
    };
    documents.retain(says);
    documents
}

/// A document of YAML or JSON.
pub(crate) fn read(place: &str, document: &str) -> Value {
    serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{place}: {error}\n{document}"))
}

/// Whether this is a whole object, as opposed to a part of one or another file.
pub(crate) fn is_object(value: &Value) -> bool {
    value["apiVersion"].is_string() && value["kind"].is_string()
}

#[test]
fn every_block_of_yaml_is_what_its_fence_says() {
    let mut count = 0;
    for block in blocks::all() {
        let Some(purpose) = Purpose::of(&block) else {
            continue;
        };
        count += 1;
        let place = &block.place;
        let values: Vec<_> = documents(&block.text)
            .iter()
            .map(|document| read(place, document))
            .collect();
        assert!(!values.is_empty(), "{place}: empty");
        match purpose {
            Purpose::Objects => assert!(
                values.iter().all(is_object),
                "{place}: no whole object; say after the fence what it is: ```yaml fragment"
            ),
            Purpose::Configuration => {
                Configuration::read(&block.text)
                    .unwrap_or_else(|mistake| panic!("{place}: {mistake}"));
            }
            Purpose::Values => {
                for value in &values {
                    known_values(place, value);
                }
            }
            Purpose::Pipeline | Purpose::Fragment => assert!(
                !values.iter().any(is_object),
                "{place}: a whole object: let the API server read it, write ```yaml alone"
            ),
        }
    }
    assert!(count > 20, "the pages lost their examples");
}

/// The chart has a value for each key of these.
fn known_values(place: &str, value: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/imageref-operator/values.yaml");
    let known = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(value.is_object(), "{place}: no map");
    let known = read(&file.display().to_string(), &known);
    let mut unknown = Vec::new();
    compare(value, &known, "", &mut unknown);
    assert!(unknown.is_empty(), "{place}: the chart has no {unknown:?}");
}

/// Collects what a map has and the other lacks. What the chart has as an empty map may have any key.
fn compare(value: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    let (Some(value), Some(known)) = (value.as_object(), known.as_object()) else {
        return;
    };
    for (key, value) in value.iter().filter(|_| !known.is_empty()) {
        let path = format!("{path}.{key}");
        match known.get(key) {
            Some(known) => compare(value, known, &path, unknown),
            None => unknown.push(path),
        }
    }
}

#[test]
fn a_value_that_the_chart_lacks_is_found_at_any_depth() {
    let known = read("chart", "{image: {tag: '', more: {}}, nothing: null}");
    let good = read("page", "{image: {tag: 1, more: {a: b}}, nothing: {a: b}}");
    let bad = read("page", "{image: {tags: 1}, other: 1}");
    let unknown = |value| {
        let mut unknown = Vec::new();
        compare(value, &known, "", &mut unknown);
        unknown
    };
    assert_eq!(unknown(&good), [""; 0]);
    assert_eq!(unknown(&bad), [".image.tags", ".other"]);
}

#[test]
fn no_block_of_another_language_hides_an_object() {
    for block in blocks::all() {
        let known = [
            "",
            "console",
            "dockerfile",
            "go",
            "hcl",
            "ini",
            "jq",
            "json",
            "lua",
            "promql",
            "sh",
            "text",
            "toml",
            "yaml",
        ];
        let (place, language) = (&block.place, block.language());
        assert!(known.contains(&language), "{place}: what is {language}?");
        if language == "json" {
            let value: Value = serde_json::from_str(&block.text)
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(!is_object(&value), "{place}: an object: write it in YAML");
        } else if !["yaml", "sh", "console"].contains(&language) {
            let hides = block
                .text
                .lines()
                .any(|line| line.starts_with("apiVersion: "));
            assert!(!hides, "{place}: an object under ```{language}");
        }
    }
}
