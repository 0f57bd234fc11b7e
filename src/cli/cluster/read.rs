//! The facts that verdicts need of a cluster: `ImageRefs` and labels of namespaces.
//!
//! Owns which rights are enough: `list` on both. Must not judge. The invariant that would break
//! first: what is read is what the webhook's watches would read, and nothing more is kept of it.

use super::pages::{Pages, Wanted, refusal};
use crate::api::ImageRef;
use crate::cli::input::reference::Reference;
use crate::cli::output::{printable, say};
use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::{Client, ResourceExt as _};
use std::collections::BTreeMap;

/// Labels of a namespace.
pub(in crate::cli) type Labels = BTreeMap<String, String>;

/// All `ImageRefs` of these namespaces, or of all.
pub(in crate::cli) async fn references(
    client: &Client,
    namespaces: Option<&[String]>,
) -> Result<Vec<Reference>> {
    let scopes: Vec<Option<String>> = match namespaces {
        Some(names) => names.iter().cloned().map(Some).collect(),
        None => vec![None],
    };
    let mut found = Vec::new();
    for namespace in scopes {
        let wanted = Wanted {
            resource: ApiResource::erase::<ImageRef>(&()),
            namespace,
            fields: None,
            labels: None,
        };
        let mut pages = Pages::new(client, &wanted);
        while let Some(page) = pages.next().await? {
            found.extend(page.into_iter().map(reference));
        }
    }
    Ok(found)
}

/// One whose status cannot be read has none: it approves nothing.
fn reference(mut object: DynamicObject) -> Reference {
    let status = object
        .data
        .get_mut("status")
        .map(serde_json::Value::take)
        .filter(|status| !status.is_null());
    let status = status.map(serde_json::from_value).transpose();
    let status = status.unwrap_or_else(|error| {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let line = format!("ImageRef {namespace}/{name}: its status cannot be read: {error}");
        say(&format!("{}\n", printable(&line)));
        None
    });
    let policy = object.data.pointer("/spec/digestPolicy");
    Reference {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        follows_tag: policy.is_some_and(|policy| policy == "Always"),
        status: status.unwrap_or_default(),
    }
}

/// An object as an `ImageRef`. One that does not fit the kind says so in its spec, as for the operator.
pub(in crate::cli) fn image_ref(object: DynamicObject) -> ImageRef {
    let metadata = object.metadata.clone();
    let status = object.data.get("status").cloned();
    object.try_parse().unwrap_or_else(|error| {
        let mut unread = ImageRef::new("", crate::api::ImageRefSpec::default());
        unread.metadata = metadata;
        unread.status = status.and_then(|status| serde_json::from_value(status).ok());
        unread.spec.unreadable = Some(printable(&error.to_string()));
        unread
    })
}

/// The labels of all namespaces.
pub(in crate::cli) async fn namespaces(client: &Client) -> Result<BTreeMap<String, Labels>> {
    let wanted = Wanted {
        resource: ApiResource::erase::<Namespace>(&()),
        namespace: None,
        fields: None,
        labels: None,
    };
    let mut pages = Pages::new(client, &wanted);
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await? {
        let labels = |object: DynamicObject| {
            let labels = object.metadata.labels.unwrap_or_default();
            (object.metadata.name.unwrap_or_default(), labels)
        };
        found.extend(page.into_iter().map(labels));
    }
    Ok(found)
}

/// The labels of one namespace, by the right to get it alone.
pub(in crate::cli) async fn labels_of(client: &Client, namespace: &str) -> Result<Labels> {
    let api: Api<Namespace> = Api::all(client.clone());
    let right = format!("get namespace {namespace}");
    let object = api.get(namespace).await;
    let object = object.map_err(|error| refusal(&right, &error))?;
    Ok(object.metadata.labels.unwrap_or_default())
}
