//! What changed between two answers about the same target.
//!
//! Owns the history and the Drifted condition's reason. The invariant that would break first: two
//! equal answers are no change, in whatever order their lists came.

use super::contents::{digest_in, path_of, states_no_arch};
use crate::api::{Change, ImageRefStatus, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

/// The facts that users build on, by their names in the status.
fn watched(status: &ImageRefStatus) -> BTreeMap<&'static str, String> {
    let mut facts = BTreeMap::new();
    let mut put = |name, value: Option<&str>| {
        if let Some(value) = value {
            facts.insert(name, value.to_owned());
        }
    };
    let image = status.image.as_deref();
    put("arch", status.arch.as_deref());
    put(
        "digest",
        status.digest.as_deref().or(image.and_then(digest_in)),
    );
    put("image", image.map(path_of));
    put("imageID", status.image_id.as_deref());
    put("status", status.status.as_deref());
    put("swrPath", status.swr_path.as_deref());
    if !status.platforms.is_empty() {
        facts.insert("platforms", status.platforms.join(","));
    }
    if !status.accelerators.is_empty() {
        facts.insert("accelerators", status.accelerators.join(","));
    }
    facts
}

/// The change from one answer to the next; `None` if nothing that users build on changed.
pub fn change(before: &ImageRefStatus, after: &ImageRefStatus, now: Timestamp) -> Option<Change> {
    let (mut old, mut new) = (watched(before), watched(after));
    let both = |name| old.contains_key(name) && new.contains_key(name);
    let is_read = |status: &ImageRefStatus| status.arch.is_some() && states_no_arch(status);
    // A registry that is read for the first time, or not any more, changes nothing.
    let digest = both("digest");
    let platforms = digest && old.get("digest") != new.get("digest");
    let arch = both("arch") || !(is_read(before) || is_read(after));
    for (name, counts) in [("digest", digest), ("platforms", platforms), ("arch", arch)] {
        if !counts {
            old.remove(name);
            new.remove(name);
        }
    }
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
        ("digest", Reason::DigestChanged),
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
    let of_a_registry = |name: &String| matches!(name.as_str(), "arch" | "digest" | "platforms");
    let moved = change.changed.iter().any(|name| name == "digest");
    let who = if moved && change.changed.iter().all(of_a_registry) {
        "registry"
    } else {
        "platform"
    };
    format!("the {who} changed {}", parts.join(", "))
}
