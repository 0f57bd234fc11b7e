//! `KIND/NAME` as kubectl takes it: which object of a cluster is meant.
//!
//! Owns the kinds that commands take, with their short names. Must not know what is done with the
//! object. The invariant that would break first: a name is never taken for another object's than the
//! one that was written.

use super::pages::asked;
use crate::api::{ClusterImageProvider, ImageProvider, ImageRef};
use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    ImageRef,
    ImageProvider,
    ClusterImageProvider,
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
}

/// Names of kinds as they are written, the plural last.
const NAMES: [(Kind, &[&str]); 10] = [
    (Kind::ImageRef, &["imageref", "ir", "imgref", "imagerefs"]),
    (Kind::ImageProvider, &["imageprovider", "imageproviders"]),
    (
        Kind::ClusterImageProvider,
        &["clusterimageprovider", "clusterimageproviders"],
    ),
    (Kind::Pod, &["pod", "po", "pods"]),
    (Kind::Deployment, &["deployment", "deploy", "deployments"]),
    (Kind::StatefulSet, &["statefulset", "sts", "statefulsets"]),
    (Kind::DaemonSet, &["daemonset", "ds", "daemonsets"]),
    (Kind::ReplicaSet, &["replicaset", "rs", "replicasets"]),
    (Kind::Job, &["job", "jobs"]),
    (Kind::CronJob, &["cronjob", "cj", "cronjobs"]),
];

impl Kind {
    pub(in crate::cli) fn resource(self) -> ApiResource {
        match self {
            Self::ImageRef => ApiResource::erase::<ImageRef>(&()),
            Self::ImageProvider => ApiResource::erase::<ImageProvider>(&()),
            Self::ClusterImageProvider => ApiResource::erase::<ClusterImageProvider>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
            Self::ReplicaSet => ApiResource::erase::<ReplicaSet>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
            Self::CronJob => ApiResource::erase::<CronJob>(&()),
        }
    }

    /// The name in the singular, in lower case.
    pub(in crate::cli) fn word(self) -> &'static str {
        let names = NAMES.iter().find(|(kind, _)| *kind == self);
        names.and_then(|(_, names)| names.first()).unwrap_or(&"")
    }

    fn of(word: &str) -> Option<Self> {
        // With its group too, as kubectl prints it: deployment.apps.
        let word = word.split('.').next().unwrap_or(word).to_lowercase();
        let mut all = NAMES.iter();
        all.find(|(_, names)| names.contains(&word.as_str()))
            .map(|(kind, _)| *kind)
    }
}

/// An object that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Target {
    /// `None`: a name alone was written.
    pub(in crate::cli) kind: Option<Kind>,
    pub(in crate::cli) name: String,
}

impl Target {
    /// Reads `NAME` or `KIND/NAME`, of these kinds.
    ///
    /// # Errors
    /// One sentence that says what may be written.
    pub(in crate::cli) fn read(text: &str, kinds: &[Kind]) -> Result<Self> {
        let (word, name) = match text.split_once('/') {
            Some((word, name)) => (Some(word), name),
            None => (None, text),
        };
        let kind = word.and_then(Kind::of).filter(|kind| kinds.contains(kind));
        if word.is_some() && kind.is_none() {
            let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
            bail!(
                "{text:?}: write a name, or KIND/NAME where KIND is one of {}",
                words.join(", ")
            );
        }
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        // It becomes a part of a path.
        let ends = name.starts_with('.') || name.ends_with('.');
        if name.is_empty() || name.len() > 253 || ends || !name.bytes().all(plain) {
            bail!("{text:?}: {name:?} is not the name of an object");
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }
}

/// Reads an object; `None` if it does not exist.
///
/// # Errors
/// One sentence that names the right, if that is what is missing.
pub(in crate::cli) async fn find(
    client: &Client,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Result<Option<DynamicObject>> {
    let resource = kind.resource();
    let (api, place) = objects(client, kind, namespace);
    let group = match resource.group.as_str() {
        "" => String::new(),
        group => format!(".{group}"),
    };
    let right = format!("get {}{group} {name}{place}", resource.plural);
    asked(&right, api.get_opt(name)).await
}

/// The objects of a kind, and where they are, for a message.
pub(in crate::cli) fn objects(
    client: &Client,
    kind: Kind,
    namespace: &str,
) -> (Api<DynamicObject>, String) {
    let resource = kind.resource();
    if kind == Kind::ClusterImageProvider {
        (Api::all_with(client.clone(), &resource), String::new())
    } else {
        (
            Api::namespaced_with(client.clone(), namespace, &resource),
            format!(" in namespace {namespace}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_kubectl_takes_them_and_nothing_else_is() {
        let all = NAMES.map(|(kind, _)| kind);
        let read = |text: &str| Target::read(text, &all).map(|t| (t.kind, t.name));
        let some = |kind, name: &str| (Some(kind), name.to_owned());
        assert_eq!(read("ir/torch").unwrap(), some(Kind::ImageRef, "torch"));
        assert_eq!(
            read("Deployment.apps/web").unwrap(),
            some(Kind::Deployment, "web")
        );
        assert_eq!(read("torch-1.2").unwrap(), (None, "torch-1.2".to_owned()));
        for bad in ["", "pod/", "pod/a/b", "pod/..", "secret/a", "a b", "pod/A"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let only = Target::read("pod/a", &[Kind::ImageRef]).unwrap_err();
        assert_eq!(
            only.to_string(),
            "\"pod/a\": write a name, or KIND/NAME where KIND is one of imageref"
        );
    }
}
