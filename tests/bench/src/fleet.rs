//! A fleet: so many `ImageRef`s, spread over namespaces of their own.
//!
//! Owns names and specs. Must not know who serves them. The invariant that would break first: two
//! fleets of one size are alike but for their namespaces, so that one can be the other's control.

use anyhow::Result;
use kube::Client;
use kube::api::{Patch, PatchParams, Request};
use serde_json::{Value, json};
use site::{IMAGES, Progress, create, image_id, image_name, notebook, prepare};

/// Namespaces of a fleet.
const NAMESPACES: u32 = 10;

/// One reference in so many is broken, in a fleet that has broken ones.
const BROKEN_EVERY: u32 = 100;

/// So many `ImageRef`s.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    label: String,
    /// How many.
    pub(crate) size: u32,
    has_broken: bool,
    /// The interval, if each look asks for the digest.
    digests: Option<&'static str>,
}

impl Fleet {
    /// A fleet whose images all exist. Labels are unique within a control plane.
    pub(crate) fn new(label: &str, size: u32) -> Self {
        Self {
            label: label.to_owned(),
            size,
            has_broken: false,
            digests: None,
        }
    }

    /// The same with 1 % of the references at ids that no image has.
    pub(crate) fn with_broken(mut self) -> Self {
        self.has_broken = true;
        self
    }

    /// The same, looked at so often and each time with its digest.
    pub(crate) fn with_digests(mut self, interval: &'static str) -> Self {
        self.digests = Some(interval);
        self
    }

    /// Whether the image of a reference does not exist.
    pub(crate) fn is_broken(&self, number: u32) -> bool {
        self.has_broken && number % BROKEN_EVERY == BROKEN_EVERY / 2
    }

    /// Its namespaces.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        (0..NAMESPACES)
            .map(|number| format!("{}-{number}", self.label))
            .collect()
    }

    /// The name of a reference.
    pub(crate) fn name(number: u32) -> String {
        format!("ref-{number:06}")
    }

    /// The number of a reference of this name.
    pub(crate) fn number(name: &str) -> Option<u32> {
        name.strip_prefix("ref-")?.parse().ok()
    }

    /// The path of the collection that a reference is in.
    pub(crate) fn path(&self, number: u32) -> String {
        let namespace = number % NAMESPACES;
        format!(
            "/apis/imageref.dev/v1alpha1/namespaces/{}-{namespace}/imagerefs",
            self.label
        )
    }

    /// Four of five mean their image by id, one by name.
    fn source(&self, number: u32) -> Value {
        let image = number % IMAGES;
        if self.is_broken(number) {
            json!({"notebook": {"id": format!("dead0000-0000-4000-8000-{number:012x}")}})
        } else if (number + number / IMAGES) % 5 == 4 {
            json!({"notebook": {"name": image_name(image)}})
        } else {
            json!({"notebook": {"id": image_id(image)}})
        }
    }

    fn manifest(&self, number: u32) -> Value {
        let mut spec = json!({"source": self.source(number)});
        if let Some(interval) = self.digests {
            spec["interval"] = interval.into();
            spec["digestPolicy"] = "Always".into();
        }
        json!({
            "apiVersion": "imageref.dev/v1alpha1",
            "kind": "ImageRef",
            "metadata": {"name": Self::name(number)},
            "spec": spec,
        })
    }

    /// Creates namespaces and references.
    pub(crate) async fn create(&self, client: &Client, progress: &Progress) -> Result<()> {
        progress.step(
            &format!("{} ImageRefs in {}-*", self.size, self.label),
            self.size,
        );
        let namespaces = self.namespaces();
        let namespaces = namespaces
            .iter()
            .map(|name| create("/api/v1/namespaces", &json!({"metadata": {"name": name}})));
        prepare(client, progress, namespaces).await?;
        let refs = (0..self.size).map(|number| create(&self.path(number), &self.manifest(number)));
        prepare(client, progress, refs).await
    }

    /// Sets the interval of every reference.
    pub(crate) async fn set_interval(
        &self,
        client: &Client,
        progress: &Progress,
        interval: &str,
    ) -> Result<()> {
        progress.step(&format!("spec.interval becomes {interval}"), self.size);
        let patch = Patch::Merge(json!({"spec": {"interval": interval}}));
        let params = PatchParams::default();
        let patches = (0..self.size).map(|number| {
            let request = Request::new(self.path(number));
            Ok(request.patch(&Self::name(number), &params, &patch)?)
        });
        prepare(client, progress, patches).await
    }
}

/// The images of the project.
pub(crate) fn images() -> impl Iterator<Item = Value> {
    (0..IMAGES).map(notebook)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn one_in_a_hundred_is_broken_and_one_in_five_means_a_name() {
        let fleet = Fleet::new("x", 10_000).with_broken();
        let sources: Vec<_> = (0..fleet.size).map(|number| fleet.source(number)).collect();
        let named = sources.iter().filter(|s| s["notebook"]["name"].is_string());
        assert_eq!(named.count(), 1_980, "a fifth of those that are not broken");
        let broken: BTreeSet<_> = (0..fleet.size).filter(|n| fleet.is_broken(*n)).collect();
        assert_eq!(broken.len(), 100);
        let ids: Vec<_> = images().map(|image| image["id"].clone()).collect();
        for (number, source) in (0..).zip(&sources) {
            let id = &source["notebook"]["id"];
            assert_eq!(id.is_string() && !ids.contains(id), fleet.is_broken(number));
        }
    }

    #[test]
    fn twenty_of_ten_thousand_share_an_image_by_id_and_by_name() {
        let fleet = Fleet::new("x", 10_000);
        let mut uses = BTreeMap::<u32, (u32, u32)>::new();
        for number in 0..fleet.size {
            let by_name = fleet.source(number)["notebook"]["name"].is_string();
            let of = uses.entry(number % IMAGES).or_default();
            if by_name { of.1 += 1 } else { of.0 += 1 }
        }
        assert_eq!(uses.len(), 500);
        assert!(uses.values().all(|count| *count == (16, 4)));
    }

    #[test]
    fn names_have_numbers() {
        assert_eq!(Fleet::number(&Fleet::name(99_999)), Some(99_999));
        assert_eq!(Fleet::number("other"), None);
    }
}
