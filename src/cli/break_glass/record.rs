//! The file that says which labels namespaces had.
//!
//! Owns its form, and that it is there whole or as it was. Must not know how labels are changed. The
//! invariant that would break first: what is not closed again is never dropped from it.

use super::check_kind;
use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

pub(super) const KIND: &str = "BreakGlass";
pub(super) const VERSION: u32 = 1;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What was opened, and not closed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    kind: String,
    version: u32,
    /// When something was opened last.
    time: String,
    pub(super) namespaces: Vec<Opened>,
}

/// A namespace that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened {
    pub(super) name: String,
    /// Of the namespace: one that was made anew, or that is in another cluster, has another.
    pub(super) uid: String,
    /// The label's value before.
    pub(super) label: String,
}

impl Record {
    fn empty() -> Self {
        Self {
            kind: KIND.into(),
            version: VERSION,
            time: String::new(),
            namespaces: Vec::new(),
        }
    }

    /// # Errors
    /// If it is not there, or is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let reading = || format!("reading {}", path.display());
        let length = std::fs::metadata(path).with_context(reading)?.len();
        anyhow::ensure!(length <= LONGEST, "{} is too long", path.display());
        let text = std::fs::read_to_string(path).with_context(reading)?;
        let record: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} cannot be read: name another file", path.display()))?;
        check_kind(&record.kind, record.version, path)?;
        Ok(record)
    }

    /// The same, empty if it is not there.
    ///
    /// # Errors
    /// If it is another file, which must not be written over.
    pub(super) fn read_if_there(path: &Path) -> Result<Self> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::empty()),
            _ => Self::read(path),
        }
    }

    /// Adds what is about to be opened. Of a namespace that is in it already the label of now counts:
    /// it enforces again, so somebody closed it.
    pub(super) fn add(&mut self, opened: impl Iterator<Item = Opened>, now: Timestamp) {
        for one in opened {
            self.namespaces.retain(|before| before.uid != one.uid);
            self.namespaces.push(one);
        }
        self.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        self.time = format!("{now:.0}");
    }

    /// Takes out what was closed: names with UIDs.
    pub(super) fn closed(&mut self, closed: &BTreeMap<String, String>) {
        self.namespaces
            .retain(|one| closed.get(&one.name) != Some(&one.uid));
    }

    /// Writes it beside itself and renames it into place.
    ///
    /// # Errors
    /// If there is no way to write there.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let written = self.replace(path);
        written.with_context(|| format!("writing {}", path.display()))
    }

    fn replace(&self, path: &Path) -> Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        // Namespaces are changed after this: a machine that stops must not forget it.
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, uid: &str, label: &str) -> Opened {
        Opened {
            name: name.into(),
            uid: uid.into(),
            label: label.into(),
        }
    }

    #[test]
    fn a_second_opening_adds_to_the_file_and_what_is_closed_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let now = Timestamp::UNIX_EPOCH;
        let mut first = Record::read_if_there(&path).unwrap();
        first.add(
            [one("b", "2", "enforce"), one("a", "1", "strict")].into_iter(),
            now,
        );
        first.write(&path).unwrap();
        let mut second = Record::read_if_there(&path).unwrap();
        assert_eq!(second, first);
        // Nothing new: what was opened before the crash is still there.
        second.add(std::iter::empty(), now);
        second.add([one("b", "2", "on")].into_iter(), now);
        let labels = |record: &Record| -> Vec<_> {
            let all = record.namespaces.iter();
            all.map(|one| (one.name.clone(), one.label.clone()))
                .collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(labels(&second), [pair("a", "strict"), pair("b", "on")]);
        second.closed(&[pair("a", "1"), pair("b", "other")].into());
        assert_eq!(labels(&second), [pair("b", "on")]);
    }

    #[test]
    fn another_file_is_neither_read_nor_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("package.json");
        for text in [
            "{}",
            "[]",
            "{\"kind\":\"Other\",\"version\":1,\"time\":\"\",\"namespaces\":[]}",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Record::read_if_there(&path).unwrap_err();
            assert!(error.to_string().contains("name another file"), "{error:#}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
