//! `imageref://NAME` in a pod: the image that it stands for is put in its place.
//!
//! Owns what of a pod is changed, and what is kept of it as it was. Must not know how the change
//! travels. The invariant that would break first: a pod comes out with every name replaced, or it is
//! refused; what was changed once is not changed again.

use super::ORIGINAL_IMAGES;
use super::configuration::Configuration;
use super::known::Known;
use super::pod::{Container, ImageField, Part, PodSpec};
use super::verdict::named::{Asker, SCHEME, resolve};
use super::verdict::problem::too_large;
use super::verdict::{Decision, Finding, Verdict, is_built_in_controller, mutates};
use super::workload::MOST_IMAGES;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One step of a JSON patch (RFC 6902).
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation {
    /// Puts a value at a path that need not be there.
    Add {
        /// A JSON pointer.
        path: String,
        /// What is put there.
        value: Value,
    },
    /// Puts a value in place of one.
    Replace {
        /// A JSON pointer.
        path: String,
        /// What is put there.
        value: Value,
    },
}

/// What is to be changed of a pod that is made in a namespace with these labels; nothing without
/// `imageref.dev/mutate: "true"`, for other objects, and where no image is a name.
///
/// Each name is replaced by the ImageRef's image, pinned by digest; the names go into the annotation
/// [`ORIGINAL_IMAGES`]. `known` must have been made with the mirrors of this configuration.
///
/// # Errors
/// A verdict that denies, if one of the names stands for no image that may be used. A pod of a
/// controller is refused images whose digest may change between two of its pods: it counts as one if
/// its owner reference *or* the user says so, so that leaving one out gains nothing.
pub fn mutate(
    object: &Value,
    namespace: &str,
    labels: &BTreeMap<String, String>,
    user: &str,
    known: &Known,
    configuration: &Configuration,
) -> Result<Vec<PatchOperation>, Verdict> {
    let text = |field| object.get(field).and_then(Value::as_str);
    if !mutates(labels) || (text("apiVersion"), text("kind")) != (Some("v1"), Some("Pod")) {
        return Ok(Vec::new());
    }
    let spec = object.get("spec").map(PodSpec::read).unwrap_or_default();
    let named: Vec<_> = spec.containers.iter().filter_map(name_in).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    if named.len() > MOST_IMAGES {
        return Err(refusal(vec![too_large()]));
    }
    let asker = Asker {
        namespace,
        user,
        of_controller: is_built_in_controller(user) || is_owned(object),
    };
    let (mut patch, mut findings) = (Vec::new(), Vec::new());
    for (container, text) in &named {
        match resolve(text, &asker, known, configuration) {
            Ok(image) => patch.push(PatchOperation::Replace {
                path: container.pointer(),
                value: image.into(),
            }),
            Err(problem) => {
                findings.push(problem.at(container.place("spec"), container.name, text, true));
            }
        }
    }
    if !findings.is_empty() {
        return Err(refusal(findings));
    }
    patch.push(keep(object, &spec.containers, &named));
    Ok(patch)
}

fn refusal(findings: Vec<Finding>) -> Verdict {
    Verdict {
        decision: Decision::Deny,
        findings,
    }
}

fn name_in<'a, 's>(container: &'s Container<'a>) -> Option<(&'s Container<'a>, &'a str)> {
    match container.image {
        ImageField::Text(text) if text.starts_with(SCHEME) => Some((container, text)),
        _ => None,
    }
}

/// Whether a controller says that the pod is its own.
fn is_owned(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences");
    let mut owners = owners.and_then(Value::as_array).into_iter().flatten();
    owners.any(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

/// Keeps the names, beside those that were kept before of containers that are still there.
fn keep(object: &Value, all: &[Container<'_>], named: &[(&Container<'_>, &str)]) -> PatchOperation {
    let annotations = object.pointer("/metadata/annotations");
    let before = annotations.and_then(|annotations| annotations.get(ORIGINAL_IMAGES)?.as_str());
    let before: Option<BTreeMap<String, String>> =
        before.and_then(|text| serde_json::from_str(text).ok());
    let mut kept = before.unwrap_or_default();
    kept.retain(|key, text| {
        text.starts_with(SCHEME) && all.iter().any(|container| *key == key_of(container))
    });
    kept.extend(
        named
            .iter()
            .map(|(container, text)| (key_of(container), (*text).to_owned())),
    );
    let kept = json!(kept).to_string();
    let (path, value) = match (object.get("metadata"), annotations) {
        (Some(Value::Object(_)), Some(Value::Object(_))) => {
            let key = ORIGINAL_IMAGES.replace('/', "~1");
            (format!("/metadata/annotations/{key}"), kept.into())
        }
        (Some(Value::Object(_)), _) => ("/metadata/annotations".to_owned(), annotation(kept)),
        _ => (
            "/metadata".to_owned(),
            json!({"annotations": annotation(kept)}),
        ),
    };
    PatchOperation::Add { path, value }
}

fn annotation(kept: String) -> Value {
    Map::from_iter([(ORIGINAL_IMAGES.to_owned(), kept.into())]).into()
}

/// Volumes have names of their own; no name of a container has a slash.
fn key_of(container: &Container<'_>) -> String {
    match container.part {
        Part::Volumes => format!("volumes/{}", container.name),
        _ => container.name.to_owned(),
    }
}
