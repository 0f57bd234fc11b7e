//! The label by which a namespace opts in, as it is read and set.
//!
//! Owns which namespaces enforce, and the guard of a change. Must not know why it is changed. The
//! invariant that would break first: a label that somebody changed meanwhile is not written over.

use super::super::cluster::{FIELD_MANAGER, Pages, Wanted, asked, keeper};
use crate::admission::{ADMISSION, MUTATE, Mode};
use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;

/// How often a change is tried while others write the namespace too.
const ATTEMPTS: u32 = 5;

/// A label that was set.
pub(super) struct Changed {
    /// Its value before.
    pub(super) before: String,
    /// The tool that may set it back.
    pub(super) keeper: Option<String>,
}

/// The label's value.
pub(super) fn value(namespace: &Namespace) -> Option<&str> {
    let labels = namespace.metadata.labels.as_ref()?;
    labels.get(ADMISSION).map(String::as_str)
}

/// Whether pods are refused there.
pub(super) fn enforces(namespace: &Namespace) -> bool {
    value(namespace).is_some_and(|value| Mode::from_label(value) == Mode::Enforce)
}

/// Why a namespace need not be opened.
pub(super) fn open_already(namespace: &Namespace) -> String {
    value(namespace).map_or_else(
        || format!("has no {ADMISSION}: nothing is judged there"),
        |value| format!("has {ADMISSION}: {value} already"),
    )
}

/// All namespaces that enforce.
pub(super) async fn enforcing(client: &Client) -> Result<Vec<Namespace>> {
    let open = [Mode::Warn.as_str(), Mode::Audit.as_str()].join(",");
    list(client, format!("{ADMISSION},{ADMISSION} notin ({open})")).await
}

/// The namespaces, all of them if none is named, that have names of ImageRefs replaced. Whoever may
/// not read them hears nothing.
pub(super) async fn with_names(client: &Client, only: &[String]) -> Vec<String> {
    if only.is_empty() {
        let found = list(client, format!("{MUTATE}=true")).await;
        let found = found.unwrap_or_default().into_iter();
        return found.filter_map(|n| n.metadata.name).collect();
    }
    let mut found = Vec::new();
    for name in only {
        if let Ok(Some(namespace)) = get(client, name).await
            && let Some(labels) = &namespace.metadata.labels
            && labels.get(MUTATE).is_some_and(|value| value == "true")
        {
            found.push(name.clone());
        }
    }
    found
}

async fn list(client: &Client, selector: String) -> Result<Vec<Namespace>> {
    let wanted = Wanted {
        resource: ApiResource::erase::<Namespace>(&()),
        namespace: None,
        fields: None,
        labels: Some(selector),
    };
    let mut pages = Pages::new(client, &wanted);
    let mut found = Vec::new();
    while let Some(page) = pages.next().await? {
        found.extend(page.into_iter().map(|object| Namespace {
            metadata: object.metadata,
            ..Namespace::default()
        }));
    }
    Ok(found)
}

/// One namespace, if it exists.
pub(super) async fn get(client: &Client, name: &str) -> Result<Option<Namespace>> {
    let api: Api<Namespace> = Api::all(client.clone());
    asked(&format!("get namespace {name}"), api.get_opt(name)).await
}

/// Sets the label of the namespace as it was read.
///
/// # Errors
/// With the right that is missing; or if the label is another one meanwhile.
pub(super) async fn set(
    client: &Client,
    namespace: &Namespace,
    to: &str,
    dry_run: bool,
) -> Result<Changed> {
    let name = namespace.metadata.name.clone().unwrap_or_default();
    let api: Api<Namespace> = Api::all(client.clone());
    let right = format!("patch namespace {name}");
    let parameters = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        dry_run,
        ..PatchParams::default()
    };
    let (mut seen, mut attempt) = (namespace.clone(), 1);
    loop {
        let patch = json!({"metadata": {
            "uid": seen.metadata.uid,
            "resourceVersion": seen.metadata.resource_version,
            "labels": {ADMISSION: to},
        }});
        let patch = Patch::Merge(patch);
        let call = async {
            match api.patch(&name, &parameters, &patch).await {
                Ok(_) => Ok(true),
                Err(Error::Api(status)) if status.is_conflict() && attempt < ATTEMPTS => Ok(false),
                Err(error) => Err(error),
            }
        };
        if asked(&right, call).await? {
            return Ok(Changed {
                before: value(&seen).unwrap_or_default().to_owned(),
                keeper: keeper(&seen.metadata),
            });
        }
        attempt += 1;
        let newer = get(client, &name).await?;
        match newer.filter(|newer| newer.metadata.uid == namespace.metadata.uid) {
            None => bail!("namespace {name} was deleted meanwhile"),
            Some(newer) if value(&newer) != value(namespace) => {
                bail!("namespace {name}: {ADMISSION} was changed meanwhile: run the command again")
            }
            Some(newer) => seen = newer,
        }
    }
}
