//! Every committed input through its target: what was found once is not found again.

use fuzz::TARGETS;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most inputs of a target, and the longest one in bytes: corpora are committed small.
const MOST: usize = 40;
const LONGEST: u64 = 8 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[cfg(test)]
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_target_has_a_small_corpus_and_every_corpus_a_target() {
    let folders = entries(&corpus());
    let folders: BTreeSet<_> = folders
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(folders, targets);
    assert_eq!(targets.len(), TARGETS.len());
    for name in targets {
        let files = entries(&corpus().join(name));
        assert!((1..=MOST).contains(&files.len()), "{name}: {}", files.len());
        for file in files {
            let length = file.metadata().unwrap().len();
            assert!(length <= LONGEST, "{}: {length}", file.display());
        }
    }
}

#[test]
fn every_committed_input_is_read_as_its_target_says() {
    for target in TARGETS {
        for file in entries(&corpus().join(target.name)) {
            // Shown if the next line panics.
            eprintln!("{}", file.display());
            (target.run)(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_input_that_is_cut_short_is_read_too() {
    for target in TARGETS {
        for file in entries(&corpus().join(target.name)) {
            let bytes = std::fs::read(&file).unwrap();
            for at in 0..8 {
                let kept = bytes.len() * at / 8;
                eprintln!("{}, the first {kept} bytes", file.display());
                (target.run)(&bytes[..kept]);
            }
        }
    }
}

#[test]
fn the_table_in_the_documents_is_that_of_the_targets() {
    let page = include_str!("../../../docs/reliability.md");
    for target in TARGETS {
        let row = format!("| `{}` | {} |", target.name, target.shows);
        assert!(page.contains(&row), "{row}");
    }
}
