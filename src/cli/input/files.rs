//! The files that `-f` names: read whole, within bounds, as text.
//!
//! Owns the walk through folders and standard input. Must not know YAML. The invariant that would
//! break first: whatever cannot be read is a problem with the file's name, and the others are read
//! nevertheless.

use super::problem::Problem;
use crate::admission::Configuration;
use crate::cli::output::printable;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest file.
pub(in crate::cli) const LARGEST_FILE: u64 = 10 * 1024 * 1024;

/// Deepest folder below a named one.
const DEEPEST_FOLDER: usize = 32;

/// A file's text.
pub(in crate::cli) struct File {
    /// The name as given, or as found in a folder.
    pub(in crate::cli) name: Arc<str>,
    pub(in crate::cli) text: String,
    /// Named by itself, so it must hold something.
    pub(in crate::cli) named: bool,
}

/// Reads what `-f` names.
pub(in crate::cli) fn read(
    paths: &[PathBuf],
    recursive: bool,
    problems: &mut Vec<Problem>,
) -> Vec<File> {
    let mut files = Vec::new();
    let mut stdin_read = false;
    for path in paths {
        if path.as_os_str() == "-" {
            if !stdin_read {
                files.extend(text(
                    "-".into(),
                    io::stdin().lock(),
                    LARGEST_FILE,
                    true,
                    problems,
                ));
            }
            stdin_read = true;
        } else if path.is_dir() {
            let mut found = Vec::new();
            walk(path, recursive, DEEPEST_FOLDER, &mut found, problems);
            if found.is_empty() {
                let more = if recursive {
                    ""
                } else {
                    "; -R looks into the folders below as well"
                };
                let message = format!("no *.yaml, *.yml or *.json in this folder{more}");
                problems.push(Problem::of_file(&name(path), None, message));
            }
            for path in found {
                files.extend(open(&path, LARGEST_FILE, false, problems));
            }
        } else {
            files.extend(open(path, LARGEST_FILE, true, problems));
        }
    }
    files
}

fn name(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

/// Collects the manifests of a folder in the order of their names. Hidden entries are left out, and
/// links to folders are not followed: a mounted `ConfigMap` shows each file twice through them.
fn walk(
    folder: &Path,
    recursive: bool,
    depth: usize,
    found: &mut Vec<PathBuf>,
    problems: &mut Vec<Problem>,
) {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("cannot read the folder: {error}");
            return problems.push(Problem::of_file(&name(folder), None, message));
        }
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if recursive && depth > 0 {
                walk(&path, recursive, depth - 1, found, problems);
            }
        } else if is_manifest(&path) && !path.is_dir() {
            found.push(path);
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    let stem = path.file_stem().and_then(|s| s.to_str());
    // Kustomize's own file is about objects and is none.
    matches!(extension, Some("yaml" | "yml" | "json")) && stem != Some("kustomization")
}

/// Reads one file of at most `largest` bytes.
pub(in crate::cli) fn open(
    path: &Path,
    largest: u64,
    named: bool,
    problems: &mut Vec<Problem>,
) -> Option<File> {
    match std::fs::File::open(path) {
        Ok(file) => text(name(path), file, largest, named, problems),
        Err(error) => {
            let message = match error.kind() {
                io::ErrorKind::NotFound => "no such file or folder".into(),
                _ => format!("cannot open the file: {error}"),
            };
            problems.push(Problem::of_file(&name(path), None, message));
            None
        }
    }
}

/// The configuration of admission in a file; the default where there is none, and where it is broken.
pub(in crate::cli) fn configuration(
    path: Option<&Path>,
    problems: &mut Vec<Problem>,
) -> Configuration {
    let file = path.and_then(|path| open(path, LARGEST_FILE, true, problems));
    let Some(file) = file else {
        return Configuration::default();
    };
    Configuration::read(&file.text).unwrap_or_else(|mistake| {
        let message = printable(&mistake.message);
        problems.push(Problem::of_file(&file.name, mistake.line, message));
        Configuration::default()
    })
}

fn text(
    name: Arc<str>,
    reader: impl Read,
    largest: u64,
    named: bool,
    problems: &mut Vec<Problem>,
) -> Option<File> {
    let mut bytes = Vec::new();
    let mut complain = |line, message: String| {
        problems.push(Problem::of_file(&name, line, message));
        None
    };
    if let Err(error) = reader.take(largest + 1).read_to_end(&mut bytes) {
        return complain(None, format!("cannot read the file: {error}"));
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > largest {
        let mib = largest / (1024 * 1024);
        let message = format!("larger than {mib} MiB: cut it into several files");
        return complain(None, message);
    }
    match decode(bytes) {
        Ok(text) => Some(File { name, text, named }),
        Err(line) => complain(Some(line), "not UTF-8 text".into()),
    }
}

/// Bytes as text without a byte order mark; the line of the first byte that is none.
pub(in crate::cli) fn decode(bytes: Vec<u8>) -> Result<String, u64> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        before
            .iter()
            .fold(1, |line, byte| line + u64::from(*byte == b'\n'))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
