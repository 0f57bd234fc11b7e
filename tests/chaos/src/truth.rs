//! What each image is, and what it was until when.
//!
//! Owns every change of an image, at the platform and in the registry, and the leaps of the processes'
//! clock. Must not know what the operator says. The invariant that would break first: a version begins
//! before anybody could be told of it.

use crate::depot::Depot;
use crate::mix::{PAI_IMAGES, PUSHED, pai_id, pai_image};
use anyhow::{Context as _, Result, ensure};
use fakecloud::{FakeCloud, ImageApi};
use serde_json::Value;
use site::{IMAGES, image_id, notebook};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a platform says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// As statuses name it: `amd64`, `arm64`; a PAI image has none.
    pub(crate) arch: Option<String>,
    /// `ACTIVE` or `INACTIVE`.
    pub(crate) status: String,
    /// Its path with its tag.
    pub(crate) path: String,
}

/// Something that was so from a time on, counted from the beginning of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version<T> {
    pub(crate) since: Duration,
    pub(crate) what: T,
}

/// What was when; times count from the beginning of the world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    images: BTreeMap<String, Vec<Version<Image>>>,
    digests: BTreeMap<String, Vec<Version<String>>>,
    leaps: Vec<Duration>,
}

impl Past {
    /// From now on an image is this.
    pub(crate) fn image(&mut self, id: &str, since: Duration, what: Image) {
        let versions = self.images.entry(id.to_owned()).or_default();
        versions.push(Version { since, what });
    }

    /// From now on a path has this digest.
    pub(crate) fn digest(&mut self, path: &str, since: Duration, what: String) {
        let versions = self.digests.entry(path.to_owned()).or_default();
        versions.push(Version { since, what });
    }

    /// The clock of the processes goes forward by an hour: what they noted before is that much older to them.
    pub(crate) fn leap(&mut self, at: Duration) {
        self.leaps.push(at);
    }

    /// Whether the clock went forward by an hour between two times.
    pub(crate) fn leapt(&self, from: Duration, to: Duration) -> bool {
        self.leaps.iter().any(|at| (from..=to).contains(at))
    }

    /// What an image was at some time between two, oldest first.
    pub(crate) fn images(&self, id: &str, from: Duration, to: Duration) -> Vec<&Image> {
        self.images
            .get(id)
            .map_or_else(Vec::new, |versions| between(versions, from, to))
    }

    /// The digests that a path had at some time between two, oldest first.
    pub(crate) fn digests(&self, path: &str, from: Duration, to: Duration) -> Vec<&String> {
        self.digests
            .get(path)
            .map_or_else(Vec::new, |versions| between(versions, from, to))
    }
}

/// A version that ends when a time span begins does not count.
fn between<T>(versions: &[Version<T>], from: Duration, to: Duration) -> Vec<&T> {
    let ends = versions
        .iter()
        .skip(1)
        .map(|next| Some(next.since))
        .chain([None]);
    let within = versions
        .iter()
        .zip(ends)
        .filter(|(version, end)| version.since <= to && end.is_none_or(|end| end > from));
    within.map(|(version, _)| &version.what).collect()
}

/// One change at the platform.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Another tag, and so another path.
    Tag(String),
    /// The other architecture.
    Arch,
    /// ACTIVE if it was not, else INACTIVE.
    Status,
}

/// The images; all changes go through it.
#[derive(Clone)]
pub(crate) struct Truth {
    begun: Instant,
    cloud: Arc<FakeCloud>,
    depot: Depot,
    past: Arc<Mutex<Past>>,
}

impl Truth {
    /// Puts all images at the platform and the contents of some into the registry.
    pub(crate) async fn begin(cloud: Arc<FakeCloud>, depot: Depot) -> Result<Self> {
        let truth = Self {
            begun: Instant::now(),
            cloud,
            depot,
            past: Arc::default(),
        };
        truth.cloud.clear_images(ImageApi::Notebook);
        truth.cloud.clear_images(ImageApi::Pai);
        for image in 0..IMAGES {
            let value = notebook(image);
            truth
                .past()
                .image(&image_id(image), Duration::ZERO, read(&value)?);
            truth.cloud.put_notebook_image(value);
        }
        for image in 0..PAI_IMAGES {
            let value = pai_image(image);
            truth
                .past()
                .image(&pai_id(image), Duration::ZERO, read(&value)?);
            truth.cloud.put_pai_image(value);
        }
        for image in 0..PUSHED {
            truth.push(image, "first").await?;
        }
        Ok(truth)
    }

    /// Since the beginning of the world.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The beginning of the world.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// What was when, up to now.
    pub(crate) fn past_so_far(&self) -> Past {
        self.past().clone()
    }

    /// Changes an image at its platform.
    pub(crate) fn change(&self, id: &str, change: &Change) -> Result<()> {
        let api = if id.starts_with("image-") {
            ImageApi::Pai
        } else {
            ImageApi::Notebook
        };
        let mut past = self.past();
        let mut value = self.cloud.image(api, id).context("no such image")?;
        apply(&mut value, change);
        past.image(id, self.now(), read(&value)?);
        let there = self.cloud.update(api, id, |image| *image = value);
        ensure!(there, "{id} is gone");
        Ok(())
    }

    /// Pushes other contents under the path of an image. While that is on its way, both digests are true.
    pub(crate) async fn push(&self, image: u32, note: &str) -> Result<()> {
        let value = self.cloud.image(ImageApi::Notebook, &image_id(image));
        let path = read(&value.context("no such image")?)?.path;
        let (host_and_repository, tag) = path.rsplit_once(':').context("a path has a tag")?;
        let (_, repository) = host_and_repository
            .split_once('/')
            .context("a path has a host")?;
        let begun = self.now();
        let digest = self.depot.push(repository, tag, note).await?;
        self.past().digest(&path, begun, digest);
        Ok(())
    }

    /// The clock of the processes is about to go forward by an hour.
    pub(crate) fn leap(&self) {
        self.past().leap(self.now());
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(value: &mut Value, change: &Change) {
    let flip = |member: &mut Value, one: &str, other: &str| {
        *member = if *member == one { other } else { one }.into();
    };
    match change {
        Change::Arch => flip(&mut value["arch"], "aarch64", "x86_64"),
        Change::Status => flip(&mut value["status"], "ACTIVE", "INACTIVE"),
        Change::Tag(tag) => {
            let member = if value["swr_path"].is_string() {
                value["tag"] = tag.as_str().into();
                "swr_path"
            } else {
                "ImageUri"
            };
            let path = value[member].as_str().unwrap_or_default();
            let name = path.rsplit_once(':').map_or(path, |(name, _)| name);
            value[member] = format!("{name}:{tag}").into();
        }
    }
}

/// What a stored image means, by the words that are used here.
fn read(value: &Value) -> Result<Image> {
    let text = |member: &str| value[member].as_str().map(str::to_owned);
    if let Some(path) = text("ImageUri") {
        return Ok(Image {
            arch: None,
            status: "ACTIVE".into(),
            path,
        });
    }
    let arch = match value["arch"].as_str() {
        Some("aarch64") => "arm64",
        _ => "amd64",
    };
    Ok(Image {
        arch: Some(arch.into()),
        status: text("status").context("no status")?,
        path: text("swr_path").context("no path")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_from_its_beginning_until_the_next_one_begins() {
        let seconds = Duration::from_secs;
        let mut past = Past::default();
        for (since, tag) in [(0, "a"), (10, "b"), (20, "c")] {
            past.digest("x", seconds(since), tag.into());
        }
        let between = |from, to| past.digests("x", seconds(from), seconds(to));
        assert_eq!(between(0, 5), ["a"]);
        assert_eq!(between(9, 10), ["a", "b"]);
        assert_eq!(between(10, 15), ["b"]);
        assert_eq!(between(5, 90), ["a", "b", "c"]);
        assert!(past.digests("y", seconds(0), seconds(9)).is_empty());
    }

    #[test]
    fn changes_are_read_back_in_the_words_of_statuses() {
        let mut value = notebook(1);
        let first = read(&value).unwrap();
        apply(&mut value, &Change::Arch);
        apply(&mut value, &Change::Status);
        apply(&mut value, &Change::Tag("v2".into()));
        let second = read(&value).unwrap();
        assert_eq!(
            (first.arch.as_deref(), first.status.as_str()),
            (Some("arm64"), "ACTIVE")
        );
        assert_eq!(
            (second.arch.as_deref(), second.status.as_str()),
            (Some("amd64"), "INACTIVE")
        );
        assert!(
            second.path.ends_with("pytorch-train-0001:v2"),
            "{}",
            second.path
        );
        let mut pai = pai_image(3);
        apply(&mut pai, &Change::Tag("v2".into()));
        assert_eq!(read(&pai).unwrap().path, crate::mix::pai_uri(3, "v2"));
    }
}
