//! The pages of the documentation, and the fenced blocks in them.
//!
//! Owns which files are documentation. Must not know what a block means. The invariant that would
//! break first: a page that is added anywhere below `docs/` is found without being listed.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A fenced block of a page.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `docs/policy.md:12`, with the line of the fence.
    pub(crate) place: String,
    /// What follows the fence: the language, and what the block is for.
    pub(crate) info: String,
    /// Without the indent of the fence.
    pub(crate) text: String,
}

impl Block {
    /// The first word after the fence.
    pub(crate) fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }
}

/// The README, every page below `docs/`, and the README of a chart: path from the root, and text.
pub(crate) fn pages() -> Vec<(PathBuf, String)> {
    let mut files = vec![PathBuf::from("README.md")];
    files.extend(below("docs", "md"));
    files.extend(below("charts", "md"));
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(Path::new(ROOT).join(&file));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, text)
    };
    files.into_iter().map(read).collect()
}

/// Every file with this ending below a folder of the repository; none if there is no such folder.
pub(crate) fn below(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(Path::new(ROOT).join(&folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a text, in order.
pub(crate) fn of(place: &Path, page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some((indent, info)) = line.split_once("```") else {
            continue;
        };
        if !indent.trim().is_empty() {
            continue;
        }
        let place = format!("{}:{}", place.display(), number + 1);
        let mut text = String::new();
        loop {
            let Some((_, line)) = lines.next() else {
                panic!("{place}: the block has no end");
            };
            if line.trim() == "```" {
                break;
            }
            text.push_str(line.strip_prefix(indent).unwrap_or(line));
            text.push('\n');
        }
        let info = info.trim().to_owned();
        blocks.push(Block { place, info, text });
    }
    blocks
}

/// The blocks of all pages.
pub(crate) fn all() -> Vec<Block> {
    let pages = pages();
    pages
        .iter()
        .flat_map(|(path, page)| of(path, page))
        .collect()
}

/// The page's lines, each with whether it is prose, as opposed to part of a fenced block.
pub(crate) fn lines(page: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut fenced = false;
    page.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence, line)
    })
}
