//! What changed between two answers about the same target.
//!
//! Owns the history and the Drifted condition's reason. The invariant that would break first: two
//! equal answers are no change, in whatever order their lists came.

use crate::api::{Change, ImageRefStatus, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

/// The facts that users build on, by their names in the status.
fn watched(status: &ImageRefStatus) -> BTreeMap<&'static str, String> {
    let mut facts = BTreeMap::new();
    let mut put = |name, value: Option<&String>| {
        if let Some(value) = value {
            facts.insert(name, value.clone());
        }
    };
    put("arch", status.arch.as_ref());
    put("image", status.image.as_ref());
    put("imageID", status.image_id.as_ref());
    put("status", status.status.as_ref());
    put("swrPath", status.swr_path.as_ref());
    if !status.accelerators.is_empty() {
        facts.insert("accelerators", status.accelerators.join(","));
    }
    facts
}

/// The change from one answer to the next; `None` if nothing that users build on changed.
pub fn change(before: &ImageRefStatus, after: &ImageRefStatus, now: Timestamp) -> Option<Change> {
    let (old, new) = (watched(before), watched(after));
    let changed: Vec<String> = old
        .keys()
        .chain(new.keys())
        .filter(|name| old.get(*name) != new.get(*name))
        .map(ToString::to_string)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let pick = |facts: &BTreeMap<&str, String>| {
        changed
            .iter()
            .filter_map(|n| Some((n.clone(), facts.get(n.as_str())?.clone())))
            .collect()
    };
    (!changed.is_empty()).then(|| Change {
        time: Time(now),
        from: pick(&old),
        to: pick(&new),
        cause: "UpstreamChanged".into(),
        changed: changed.clone(),
    })
}

/// The reason that Drifted gets for a change: the gravest of its parts. `None` for a change that
/// moves no image, such as accelerators alone.
pub fn reason(change: &Change) -> Option<Reason> {
    [
        ("imageID", Reason::ImageReplaced),
        ("image", Reason::PathChanged),
        ("swrPath", Reason::PathChanged),
        ("arch", Reason::ArchChanged),
        ("status", Reason::StatusChanged),
    ]
    .into_iter()
    .find(|(name, _)| change.changed.iter().any(|changed| changed == name))
    .map(|(_, reason)| reason)
}

/// A change in one sentence.
pub fn describe(change: &Change) -> String {
    // For a notebook image both are the same path.
    let twice =
        change.to.contains_key("image") && change.to.get("image") == change.to.get("swrPath");
    let parts: Vec<String> = change
        .changed
        .iter()
        .filter(|name| !(twice && *name == "image"))
        .map(|name| {
            let show = |facts: &BTreeMap<String, String>| {
                facts.get(name).cloned().unwrap_or_else(|| "nothing".into())
            };
            format!("{name} from {} to {}", show(&change.from), show(&change.to))
        })
        .collect();
    format!("the platform changed {}", parts.join(", "))
}
