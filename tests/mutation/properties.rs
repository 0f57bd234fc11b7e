//! Random references and names: what is put in, and what is refused.

use super::{CONTROLLER, ask, image, originals, patched, pinned, replaced, world};
use crate::verdict::world::{A, B, declared, pod, pod_with, unusable};
use imageref::admission::{Decision, KnownRef, PatchOperation, Reason};
use imageref::api::ProviderKind;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

/// A reference of any kind, and the names by which pods ask for it.
fn reference() -> impl Strategy<Value = KnownRef> {
    (
        select(vec!["team-a/x", "team-a/y", "ai-images/x", "team-b/x"]),
        select(vec![":1", ":2", "", "@sha256:1", ":1@B", "@A", ":1@A"]),
        select(vec![None, Some(A), Some(B), Some("odd")]),
        select(vec![
            None,
            Some(ProviderKind::Namespaced),
            Some(ProviderKind::Cluster),
            Some(ProviderKind::Cluster),
        ]),
        option::weighted(
            0.3,
            select(vec!["ImageNotFound", "StaleTooLong", "ProviderNotReady"]),
        ),
        any::<bool>(),
    )
        .prop_map(|(name, rest, digest, provider, reason, follows_tag)| {
            let rest = rest
                .replace("@A", &format!("@{A}"))
                .replace("@B", &format!("@{B}"));
            let known = KnownRef {
                digest: digest.map(Into::into),
                provider,
                follows_tag,
                ..declared(name, &image(&rest))
            };
            match reason {
                Some(reason) => unusable(known, reason, ""),
                None => known,
            }
        })
}

proptest! {
    #[test]
    fn what_is_put_in_place_of_a_name_is_never_refused_for_being_unknown_wrong_or_unusable(
        refs in prop::collection::vec(reference(), 0..5),
        names in prop::collection::vec(select(vec!["x", "y", "ai-images/x", "team-b/x", "A", "busybox"]), 1..4),
        recreated in any::<bool>(), digest in any::<bool>(), any_trust in any::<bool>(),
    ) {
        let mut world = world(refs)
            .labelled("imageref.dev/require-digest", &digest.to_string())
            .user(if recreated { CONTROLLER } else { "alice" });
        if any_trust {
            world = world.configured("{trust: any, sharedNamespaces: [ai-images]}");
        }
        let text = |name: &str| if name == "busybox" { name.to_owned() } else { format!("imageref://{name}") };
        let list: Vec<_> = names.iter().enumerate()
            .map(|(n, name)| json!({"name": format!("c{n}"), "image": text(name)}))
            .collect();
        let object = pod_with("", json!({"containers": list}));
        match ask(&world, &object) {
            Ok(patch) => {
                let after = patched(&object, &patch);
                let none: &[PatchOperation] = &[];
                prop_assert_eq!(ask(&world, &after).unwrap(), none);
                for finding in world.judge(&after).findings {
                    let at: usize = finding.name[1..].parse().unwrap();
                    if names[at] == "busybox" {
                        prop_assert_eq!(finding.reason, Reason::UnknownImage);
                    } else {
                        prop_assert!(finding.reason == Reason::NotUsable && !finding.denies, "{}", finding);
                    }
                }
            }
            Err(verdict) => {
                prop_assert_eq!(verdict.decision, Decision::Deny);
                prop_assert!(!verdict.findings.is_empty());
                prop_assert!(verdict.findings.iter().all(|f| f.denies && !f.fix.is_empty()));
            }
        }
    }

    #[test]
    fn no_metadata_makes_it_panic_or_write_what_cannot_be_applied(
        metadata in select(vec![json!(null), json!(1), json!({}), json!({"annotations": null}),
            json!({"annotations": []}), json!({"annotations": {"a": "b"}}), json!({"ownerReferences": 1})]),
    ) {
        let world = world([pinned("torch")]);
        let mut object = pod("imageref://torch");
        object["metadata"] = metadata;
        let after = replaced(&world, &object);
        prop_assert_eq!(originals(&after), json!({"main": "imageref://torch"}));
    }
}
