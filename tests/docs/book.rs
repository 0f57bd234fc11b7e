//! The documentation as one book: every page has its place, and what pages name is there.
//!
//! Owns what can be checked about names in prose: files, metrics, fields. Must not know
//! which page says what. The invariant that would break first: whatever is renamed in the code is found in
//! every sentence that mentions it.

use super::{ROOT, collect, links, text};
use crate::examples::blocks::{self, lines, pages};
use imageref::api::crd;
use imageref::telemetry::Metrics;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const CONTENTS: &str = "docs/README.md";

/// Folders whose pages are found through a page of the table of contents, not in it.
const LISTED_ELSEWHERE: [&str; 2] = ["docs/reasons", "docs/runbook/alerts"];

/// The pages of the documentation that a page leads to.
fn leads_to(page: &Path) -> BTreeSet<PathBuf> {
    let folder = page.parent().unwrap();
    let links = links(&text(page)).into_iter();
    let files = links.filter_map(|link| {
        let file = link.split('#').next().unwrap_or_default().to_owned();
        let page = Path::new(&file).extension().is_some_and(|end| end == "md");
        (page && !file.contains("://")).then(|| plain(&folder.join(file)))
    });
    files.collect()
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_page_has_its_place_in_the_book() {
    let contents = leads_to(Path::new(CONTENTS));
    let all: BTreeSet<_> = blocks::below("docs", "md").into_iter().collect();
    let elsewhere = |page: &PathBuf| {
        LISTED_ELSEWHERE
            .iter()
            .any(|folder| page.starts_with(folder))
    };
    let missing: Vec<_> = all
        .iter()
        .filter(|page| {
            **page != Path::new(CONTENTS) && !elsewhere(page) && !contents.contains(*page)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "{CONTENTS} does not lead to {missing:?}"
    );

    let mut reached = BTreeSet::new();
    let mut next = vec![PathBuf::from(CONTENTS)];
    while let Some(page) = next.pop() {
        if all.contains(&page) && reached.insert(page.clone()) {
            next.extend(leads_to(&page));
        }
    }
    let lost: Vec<_> = all.difference(&reached).collect();
    assert!(lost.is_empty(), "no way leads to {lost:?}");
    assert!(
        leads_to(Path::new("README.md")).contains(Path::new(CONTENTS)),
        "the README has no way into the book"
    );
}

#[test]
fn every_page_has_one_title_and_no_heading_twice() {
    for (path, page) in pages() {
        let headings = lines(&page).filter(|(prose, line)| *prose && line.starts_with('#'));
        let headings: Vec<_> = headings.map(|(_, line)| line).collect();
        let titles = headings
            .iter()
            .filter(|heading| heading.starts_with("# "))
            .count();
        assert_eq!(titles, 1, "{}: titles", path.display());
        let different: BTreeSet<_> = headings
            .iter()
            .map(|line| line.trim_start_matches('#'))
            .collect();
        assert_eq!(
            different.len(),
            headings.len(),
            "{}: a heading twice",
            path.display()
        );
    }
}

/// What stands between backticks in sentences, with where.
pub(super) fn spans() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, page) in pages() {
        for (number, (prose, line)) in lines(&page).enumerate() {
            let spans = line.split('`').skip(1).step_by(2).filter(|_| prose);
            let place = format!("{}:{}", path.display(), number + 1);
            found.extend(spans.map(|span| (place.clone(), span.to_owned())));
        }
    }
    found
}

#[test]
fn every_file_that_a_sentence_names_is_there() {
    let mut missing = Vec::new();
    for (place, span) in spans() {
        let ours = [
            "src/",
            "tests/",
            "deploy/",
            "examples/",
            "crds/",
            "docs/",
            "charts/",
        ];
        let name = span.split(' ').next().unwrap_or_default();
        let pattern = name.contains(['*', '…', '{', '<']) || name.chars().any(char::is_uppercase);
        if ours.iter().any(|folder| name.starts_with(folder))
            && !pattern
            && !Path::new(ROOT).join(name).exists()
        {
            missing.push(format!("{place}: {name}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_metric_that_a_page_names_is_served() {
    let metrics = Metrics::default();
    let served: BTreeSet<_> = metrics
        .descriptions()
        .iter()
        .map(|metric| metric.name.clone())
        .collect();
    let mut wrong = Vec::new();
    for (path, name) in words("imageref_", |c| c == '_' || c.is_ascii_lowercase()) {
        let plain = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        if !served.contains(&name) && !plain.is_some_and(|name| served.contains(name)) {
            wrong.push(format!("{}: {name}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every word of a page that begins so, fenced blocks included.
pub(super) fn words(start: &str, part: impl Fn(char) -> bool) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (path, page) in pages() {
        for (at, _) in page.match_indices(start) {
            let before = page[..at].chars().next_back();
            let end = page[at..]
                .find(|c| !part(c))
                .map_or(page.len(), |end| at + end);
            let whole = before.is_none_or(|c| !part(c) && !c.is_alphanumeric());
            // One that goes on in another way, as in `imageref_…`, stands for several.
            let pattern = page[at..end].ends_with('_');
            if whole && !pattern {
                found.push((path.clone(), page[at..end].to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_field_of_ours_that_a_sentence_names_is_in_a_crd() {
    let mut known = BTreeSet::new();
    for crd in crd::crds() {
        let kind = crd.spec.names.kind;
        let properties = crd::schema(&kind).unwrap().properties.unwrap();
        for top in ["spec", "status"] {
            let mut fields = Vec::new();
            collect(&properties[top], top, &mut fields);
            known.extend(fields.into_iter().map(|(path, _)| path.replace("[]", "")));
        }
    }
    // Of Kubernetes and of the configuration of admission.
    let others = [
        "spec.template",
        "spec.containers",
        "spec.pools",
        "spec.sidecarImage",
        "status.conditions",
    ];
    let mut wrong = Vec::new();
    for (place, span) in spans() {
        let path: String = span
            .chars()
            .take_while(|c| *c == '.' || c.is_ascii_alphanumeric())
            .collect();
        let path = path.trim_end_matches('.');
        let ours = ["spec.", "status."].iter().any(|top| path.starts_with(top));
        let other = others.iter().any(|other| path.starts_with(other));
        if ours && !other && !known.contains(path) {
            wrong.push(format!("{place}: {span}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
