//! The lock file as text.
//!
//! Owns how it is written and read. The invariant that would break first: what was written is read
//! back as it was, and a file of a newer version is never taken for one of this.

use super::{Entry, Lock, VERSION};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The largest text that is read or written, in bytes.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// The most entries that are read or written.
pub const MOST: usize = 100_000;

/// The longest name or namespace.
const LONGEST_NAME: usize = 253;

const HEADER: &str = "# Written by `imageref lock`: write it anew in place of editing it.\n";

/// How the text is written. Both forms are read alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

impl Form {
    /// JSON for `*.json`, else YAML.
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|end| end == "json") {
            Self::Json
        } else {
            Self::Yaml
        }
    }
}

/// Why a text is no lock file, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    /// The line, counted from one, if it is known.
    pub line: Option<u64>,
    /// One line of text.
    pub message: String,
    /// Whether a newer release wrote it: it is better left as it is.
    pub is_newer: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    images: &'a [Entry],
}

#[derive(Deserialize)]
struct Read {
    version: Option<u64>,
    #[serde(default)]
    images: Vec<Entry>,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
}

impl Lock {
    /// The whole file.
    ///
    /// # Errors
    /// One sentence, if there is more than is read back.
    pub fn to_text(&self, form: Form) -> Result<String, String> {
        if self.entries.len() > MOST {
            return Err(format!(
                "{} ImageRefs, and a lock file has {MOST} at most: write one a namespace",
                self.entries.len()
            ));
        }
        let file = Written {
            version: VERSION,
            images: &self.entries,
        };
        let text = match form {
            Form::Yaml => serde_saphyr::to_string(&file)
                .map(|text| format!("{HEADER}{text}"))
                .map_err(|error| error.to_string()),
            Form::Json => serde_json::to_string_pretty(&file)
                .map(|text| text + "\n")
                .map_err(|error| error.to_string()),
        }?;
        if text.len() > LARGEST {
            return Err("the lock file would be larger than 64 MiB: write one a namespace".into());
        }
        Ok(text)
    }

    /// Reads a file of either form. Fields that are not known are passed over.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let refuse = |line, message: String| Unreadable {
            line,
            message,
            is_newer: false,
        };
        let again = "write it anew with `imageref lock`";
        if text.len() > LARGEST {
            return Err(refuse(None, "larger than 64 MiB: no lock file is".into()));
        }
        let read: Read = match parse(text) {
            Ok(read) => read,
            Err(error) => {
                // A newer version may have another shape: it is told first.
                if let Ok(Head { version }) = parse(text) {
                    check_version(version)?;
                }
                let (line, why) = error;
                let why = why.lines().next().unwrap_or_default();
                return Err(refuse(line, format!("cannot be read ({why}): {again}")));
            }
        };
        check_version(read.version)?;
        if read.images.len() > MOST {
            return Err(refuse(None, format!("more than {MOST} entries: {again}")));
        }
        let mut entries = BTreeMap::new();
        for (n, entry) in read.images.into_iter().enumerate() {
            if !is_name(&entry.namespace) || !is_name(&entry.name) {
                let message = format!("images[{n}]: namespace or name is none: {again}");
                return Err(refuse(None, message));
            }
            let key = (entry.namespace.clone(), entry.name.clone());
            let label = format!("{}/{}", key.0, key.1);
            if entries.insert(key, entry.plain()).is_some() {
                let message = format!("images[{n}]: {label} stands twice: {again}");
                return Err(refuse(None, message));
            }
        }
        Ok(Self {
            entries: entries.into_values().collect(),
        })
    }
}

fn check_version(version: Option<u64>) -> Result<(), Unreadable> {
    let (message, is_newer) = match version {
        Some(VERSION) => return Ok(()),
        Some(newer) if newer > VERSION => {
            let message = format!(
                "version {newer} is newer than {VERSION}, which this release reads: use the release that wrote it, or a later one"
            );
            (message, true)
        }
        Some(other) => (format!("version {other}: there is none such"), false),
        None => ("no lock file: version is missing".into(), false),
    };
    Err(Unreadable {
        line: None,
        message,
        is_newer,
    })
}

/// Names are printed and go into messages: whatever could be none is refused.
fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(plain)
}

/// What the text holds, or the line of a mistake and what it is.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, (Option<u64>, String)> {
    // JSON has characters raw that YAML takes as escapes alone.
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| {
            let line = u64::try_from(error.line()).ok();
            (line.filter(|line| *line > 0), error.to_string())
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 8_000_000,
            max_nodes: 6_000_000,
            max_total_scalar_bytes: LARGEST,
            max_depth: 16,
            max_documents: 1,
            // Nothing that is written here has any.
            max_aliases: 0,
            max_anchors: 0,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error: serde_saphyr::Error| {
        let line = error.location().map(|location| location.line());
        (line, error.without_snippet().to_string())
    })
}
