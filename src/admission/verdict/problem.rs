//! The words of each problem: what is wrong, and what to do about it.
//!
//! Owns the sentences. Must not know how a problem was found out. The invariant that would break
//! first: what is named as the right image is what the reference's own status says.

use super::architecture::Allowed;
use super::finding::{Finding, Reason};
use crate::admission::MUTATE;
use crate::admission::image::PodImage;
use crate::admission::known::Entry;
use crate::facts::text;

/// How much of an image or of a name a message repeats, in bytes.
const SHOWN: usize = 300;

/// A finding before it has a place.
pub(in crate::admission) struct Problem<'a> {
    pub(super) reason: Reason,
    pub(super) entry: Option<&'a Entry>,
    pub(super) what: String,
    pub(super) fix: String,
}

impl<'a> Problem<'a> {
    pub(super) fn malformed(why: &str) -> Self {
        Self {
            reason: Reason::MalformedImage,
            entry: None,
            what: format!("this is no image: {why}"),
            fix: "Write HOST/PATH:TAG or HOST/PATH@sha256:DIGEST.".into(),
        }
    }

    /// `namespaces` are those that were looked at: the pod's, then the shared ones.
    pub(super) fn unknown(namespaces: &[&str]) -> Self {
        let (namespace, shared) = namespaces.split_first().unwrap_or((&"", &[]));
        let shared = match shared {
            [] => String::new(),
            list => format!(" or in {}", list.join(", ")),
        };
        Self {
            reason: Reason::UnknownImage,
            entry: None,
            what: format!("no ImageRef in {namespace}{shared} names it"),
            fix: format!(
                "Use an image that `kubectl -n {namespace} get imageref -o wide` lists, or declare this one with an ImageRef."
            ),
        }
    }

    /// The only reference that names it does not count.
    pub(super) fn untrusted(entry: &'a Entry) -> Self {
        Self {
            reason: Reason::UnknownImage,
            entry: Some(entry),
            what: format!(
                "{} names it, and does not count, because it was not resolved through a ClusterImageProvider",
                called(entry)
            ),
            fix: "Name a ClusterImageProvider in its spec.providerRef.".into(),
        }
    }

    /// An image by name where names are not replaced, or were not.
    pub(super) fn not_replaced(replaces: bool) -> Self {
        let (what, fix) = if replaces {
            (
                "imageref:// was not replaced, because the webhook did not see the pod being made"
                    .to_owned(),
                "Make the pod anew while the webhook runs.".into(),
            )
        } else {
            (
                format!(
                    "imageref:// is replaced only in namespaces with the label {MUTATE}: \"true\""
                ),
                "Have the label set, or use the image that the ImageRef's status.image names."
                    .into(),
            )
        };
        Self {
            reason: Reason::MalformedImage,
            entry: None,
            what,
            fix,
        }
    }

    pub(super) fn misnamed() -> Self {
        Self {
            reason: Reason::MalformedImage,
            entry: None,
            what: "this is no name of an ImageRef".into(),
            fix:
                "Write imageref://NAME, or imageref://NAMESPACE/NAME for one of a shared namespace."
                    .into(),
        }
    }

    pub(super) fn not_shared(namespace: &str, own: &str) -> Self {
        Self {
            reason: Reason::UnknownImage,
            entry: None,
            what: format!("{namespace} is no namespace whose ImageRefs are shared"),
            fix: format!("Name an ImageRef of {own}, or of a namespace that the operator shares."),
        }
    }

    pub(super) fn absent(namespace: &str, name: &str) -> Self {
        Self {
            reason: Reason::UnknownImage,
            entry: None,
            what: format!("no ImageRef {namespace}/{name} names an image"),
            fix: format!(
                "Use one that `kubectl -n {namespace} get imageref -o wide` lists with a path; a new one has an answer first."
            ),
        }
    }

    pub(super) fn no_digest(entry: &'a Entry) -> Self {
        Self {
            reason: Reason::DigestRequired,
            entry: Some(entry),
            what: format!(
                "{} knows no digest, and imageref:// stands for an image with one",
                called(entry)
            ),
            fix: "Set its spec.digestPolicy to IfNotPresent.".into(),
        }
    }

    /// The pods of one controller could get different images.
    pub(super) fn moving(entry: &'a Entry, image: &str) -> Self {
        Self {
            reason: Reason::MovingDigest,
            entry: Some(entry),
            what: format!(
                "{} follows its tag (digestPolicy Always), and pods of one controller could get different images",
                called(entry)
            ),
            fix: format!("Set its spec.digestPolicy to IfNotPresent, or use {image}."),
        }
    }

    pub(super) fn other(entry: &'a Entry, image: &PodImage) -> Self {
        let called = called(entry);
        let same_tag =
            entry.tag.is_none() || image.tag().is_none() || image.tag() == entry.tag.as_deref();
        let (reason, problem) = match (image.digest(), &entry.digest) {
            (Some(_), None) if same_tag => (
                Reason::OtherDigest,
                format!("{called} knows no digest, so that this one cannot be confirmed"),
            ),
            (Some(_), Some(digest)) if same_tag => (
                Reason::OtherDigest,
                format!("{called} stands for the digest {digest}"),
            ),
            _ => (
                Reason::OtherTag,
                format!(
                    "{called} stands for {}",
                    match (&entry.tag, &entry.digest) {
                        (Some(tag), _) => format!("the tag {tag}"),
                        (None, Some(digest)) => format!("the digest {digest}"),
                        (None, None) => "another image".into(),
                    }
                ),
            ),
        };
        let right = right(entry);
        let fix = match (&entry.unusable, reason, &entry.digest) {
            (Some(unusable), ..) => format!(
                "That would be {right}, which is not usable now ({}): {}",
                unusable.reason,
                describe(entry)
            ),
            (None, Reason::OtherDigest, None) => {
                format!("Use {right}, or set spec.digestPolicy of the ImageRef to IfNotPresent.")
            }
            _ => format!("Use {right}."),
        };
        Self {
            reason,
            entry: Some(entry),
            what: problem,
            fix,
        }
    }

    pub(super) fn not_usable(entry: &'a Entry) -> Self {
        let unusable = entry.unusable.as_deref().cloned().unwrap_or_default();
        let stale = unusable.stale.map(|reason| format!(", {reason}"));
        Self {
            reason: Reason::NotUsable,
            entry: Some(entry),
            what: format!(
                "{} is not usable: {}{}: {}",
                called(entry),
                unusable.reason,
                stale.unwrap_or_default(),
                shown(&unusable.message)
            ),
            fix: format!(
                "Mend the ImageRef or use another image: {}",
                describe(entry)
            ),
        }
    }

    pub(super) fn architecture(entry: &'a Entry, allowed: &Allowed) -> Self {
        let runs_on = entry.architectures.join(", ");
        let may = allowed.list.join(", ");
        let (why, fix) = if allowed.list.is_empty() {
            (
                "its nodeSelector and required node affinity leave no architecture".to_owned(),
                "Mend the node selection, whose requirements contradict each other.".to_owned(),
            )
        } else {
            let why = if allowed.by_default {
                format!("it selects no nodes, and the default ones are {may}")
            } else {
                format!("the nodes that it selects are {may}")
            };
            let first = entry.architectures.first().map_or("", String::as_str);
            (
                why,
                format!(
                    "Select nodes with kubernetes.io/arch: {first}, or use an image for {may}."
                ),
            )
        };
        Self {
            reason: Reason::WrongArchitecture,
            entry: Some(entry),
            what: format!(
                "the image of {} runs on {runs_on}, and the pod cannot: {why}",
                called(entry)
            ),
            fix,
        }
    }

    pub(super) fn accelerator(entry: &'a Entry, resource: &str, kind: &str) -> Self {
        let made_for = entry.accelerators.join(", ");
        Self {
            reason: Reason::WrongAccelerator,
            entry: Some(entry),
            what: format!(
                "the container asks for {}, which is for images of {kind}, and the image of {} is for {made_for}",
                shown(resource),
                called(entry)
            ),
            fix: format!("Use an image for {kind}, or ask for a resource for {made_for}."),
        }
    }

    pub(super) fn digest_required(entry: &'a Entry) -> Self {
        let fix = if entry.digest.is_some() {
            format!("Use {}.", right(entry))
        } else {
            format!(
                "{} knows no digest: set its spec.digestPolicy to IfNotPresent, and use its status.image then.",
                called(entry)
            )
        };
        Self {
            reason: Reason::DigestRequired,
            entry: Some(entry),
            what: "the namespace requires images to be named by digest".into(),
            fix,
        }
    }

    pub(in crate::admission) fn at(
        self,
        place: String,
        name: &str,
        image: &str,
        denies: bool,
    ) -> Finding {
        Finding {
            place,
            name: shown(name),
            image: shown(image),
            reason: self.reason,
            image_ref: self
                .entry
                .map(|entry| (entry.namespace.to_string(), entry.name.to_string())),
            problem: self.what,
            fix: self.fix,
            denies,
        }
    }
}

pub(in crate::admission) fn too_large() -> Finding {
    Finding {
        place: String::new(),
        name: String::new(),
        image: String::new(),
        reason: Reason::TooManyImages,
        image_ref: None,
        problem: "the object has more pod templates or images than are judged".into(),
        fix: "Split it.".into(),
        denies: true,
    }
}

fn called(entry: &Entry) -> String {
    format!("ImageRef {}/{}", entry.namespace, entry.name)
}

fn describe(entry: &Entry) -> String {
    let (namespace, name) = (&entry.namespace, &entry.name);
    format!("`kubectl -n {namespace} describe imageref {name}` says more.")
}

/// What to write in place of a wrong image: with the digest where one is known.
pub(super) fn right(entry: &Entry) -> String {
    match &entry.digest {
        Some(digest) if !entry.image.contains('@') => format!("{}@{digest}", entry.image),
        _ => entry.image.to_string(),
    }
}

/// Text of an object as it may stand in a message: on one line, which nothing in it can end.
fn shown(raw: &str) -> String {
    let kept = text::clean(raw, SHOWN).unwrap_or_default();
    kept.replace(['\n', '\t'], " ")
}
