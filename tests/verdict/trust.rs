//! Which references count, who is warned, and what is left alone.

use super::world::{TORCH, World, declared, pod, unusable};
use imageref::admission::verdict::is_built_in_controller;
use imageref::admission::{Decision, Finding, KnownRef, Mode, Reason};
use imageref::api::ProviderKind;
use serde_json::json;

fn image() -> String {
    format!("{TORCH}:1")
}

fn tenants(name: &str) -> KnownRef {
    KnownRef {
        provider: Some(ProviderKind::Namespaced),
        ..declared(name, &image())
    }
}

#[test]
fn a_tenant_cannot_approve_an_image_with_a_provider_of_its_own() {
    let world = World::of([tenants("mine")]);
    assert_eq!(
        world.says(&pod(&image())),
        format!(
            "Deny\nspec.containers[0] \"main\": image {TORCH}:1: ImageRef team-a/mine names it, and does not count, because it was not resolved through a ClusterImageProvider (UnknownImage). Name a ClusterImageProvider in its spec.providerRef."
        )
    );
    assert_eq!(world.configured("trust: any").says(&pod(&image())), "Allow");
}

#[test]
fn a_reference_without_a_provider_never_counts() {
    let nobodys = KnownRef {
        provider: None,
        ..tenants("mine")
    };
    let world = World::of([nobodys]).configured("trust: any");
    assert_eq!(world.judge(&pod(&image())).decision, Decision::Deny);
}

#[test]
fn shared_namespaces_count_and_others_are_not_even_mentioned() {
    let world = World::of([declared("ai-images/torch", &image()), tenants("team-b/x")]);
    let findings = world.judge(&pod(&image())).findings;
    assert_eq!(findings[0].image_ref, None);
    assert_eq!(
        world
            .configured("sharedNamespaces: [ai-images]")
            .says(&pod(&image())),
        "Allow"
    );
}

#[test]
fn one_usable_reference_is_enough_and_failures_are_reported_own_namespace_first_then_by_name() {
    let bad = |name: &str, reason: &str| unusable(declared(name, &image()), reason, "m");
    let mut world = World::of([
        bad("ai-images/a", "ImageNotFound"),
        bad("z", "ImageNotActive"),
        bad("y", "ImageNotFound"),
    ])
    .configured("sharedNamespaces: [ai-images]");
    let named = |world: &World| {
        let finding: Finding = world.judge(&pod(&image())).findings[0].clone();
        finding.image_ref.unwrap()
    };
    assert_eq!(named(&world), ("team-a".into(), "y".into()));
    world.refs.truncate(1);
    assert_eq!(named(&world), ("ai-images".into(), "a".into()));
    world.refs.push(bad("y", "ImageNotFound"));
    world.refs.push(declared("ai-images/usable", &image()));
    assert_eq!(world.says(&pod(&image())), "Allow");
}

#[test]
fn pods_made_anew_by_built_in_controllers_are_warned_about_where_a_cloud_may_be_at_fault() {
    let controller = "system:serviceaccount:kube-system:replicaset-controller";
    for (reason, user, decision) in [
        ("StaleTooLong", controller, Decision::Warn),
        ("ImageNotActive", controller, Decision::Warn),
        ("ProviderNotFound", controller, Decision::Warn),
        ("ProviderNotReady", controller, Decision::Warn),
        ("ProviderNotAllowed", controller, Decision::Warn),
        ("ImageNotFound", controller, Decision::Deny),
        ("ExpectationFailed", controller, Decision::Deny),
        (
            "StaleTooLong",
            "system:serviceaccount:team-a:replicaset-controller",
            Decision::Deny,
        ),
        ("StaleTooLong", "alice", Decision::Deny),
    ] {
        let world = World::of([unusable(declared("torch", &image()), reason, "m")]).user(user);
        assert_eq!(
            world.judge(&pod(&image())).decision,
            decision,
            "{reason} {user}"
        );
    }
    // Of two failures the one that only warns decides.
    let world = World::of([
        unusable(declared("a", &image()), "ImageNotFound", "m"),
        unusable(declared("b", &image()), "StaleTooLong", "m"),
    ])
    .user(controller);
    assert_eq!(world.judge(&pod(&image())).decision, Decision::Warn);
    // An owner reference is anybody's to write.
    let mut owned = pod(&image());
    owned["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "controller": true}]);
    assert_eq!(world.user("alice").judge(&owned).decision, Decision::Deny);
}

#[test]
fn only_the_controllers_of_the_control_plane_are_built_in() {
    for user in [
        "system:kube-controller-manager",
        "system:serviceaccount:kube-system:statefulset-controller",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "system:serviceaccount:kube-system:job-controller",
        "system:serviceaccount:kube-system:cronjob-controller",
        "system:serviceaccount:kube-system:replication-controller",
    ] {
        assert!(is_built_in_controller(user), "{user}");
    }
    for user in [
        "",
        "replicaset-controller",
        "system:serviceaccount:kube-system:default",
        "system:serviceaccount:kube-systemx:job-controller",
        "system:serviceaccount:kube-system:job-controllers",
    ] {
        assert!(!is_built_in_controller(user), "{user}");
    }
}

#[test]
fn modes_enforce_warn_and_audit_and_an_unknown_one_enforces() {
    for (label, decision, findings) in [
        ("enforce", Decision::Deny, 1),
        ("warn", Decision::Warn, 1),
        ("audit", Decision::Allow, 1),
        ("Audit", Decision::Deny, 1),
        ("", Decision::Deny, 1),
    ] {
        let world = World::of([]).labelled("imageref.dev/admission", label);
        let verdict = world.judge(&pod("busybox"));
        assert_eq!(
            (verdict.decision, verdict.findings.len()),
            (decision, findings),
            "{label}"
        );
    }
    let mut world = World::of([]);
    world.labels.clear();
    assert_eq!(world.says(&pod("busybox")), "Allow");
    assert_eq!(Mode::from_label("off"), Mode::Enforce);
}

#[test]
fn templates_are_warned_about_until_their_own_label_enforces_and_never_more_than_pods() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "busybox"}]}}}});
    for (pods, templates, decision) in [
        ("enforce", None, Decision::Warn),
        ("enforce", Some("enforce"), Decision::Deny),
        ("enforce", Some("yes"), Decision::Deny),
        ("enforce", Some("warn"), Decision::Warn),
        ("enforce", Some("audit"), Decision::Allow),
        ("warn", Some("enforce"), Decision::Warn),
        ("audit", Some("enforce"), Decision::Allow),
        ("audit", None, Decision::Allow),
    ] {
        let mut world = World::of([]).labelled("imageref.dev/admission", pods);
        if let Some(value) = templates {
            world = world.labelled("imageref.dev/admission-templates", value);
        }
        assert_eq!(world.judge(&job).decision, decision, "{pods} {templates:?}");
    }
}

#[test]
fn the_operators_namespace_and_kube_system_are_never_judged() {
    for (namespace, passes) in [
        ("imageref-system", true),
        ("kube-system", true),
        ("kube-public", false),
        ("", false),
    ] {
        let world = World {
            namespace,
            ..World::of([])
        };
        assert_eq!(
            world.says(&pod("busybox")) == "Allow",
            passes,
            "{namespace}"
        );
    }
}

#[test]
fn exemptions_are_the_operators_and_end_at_the_border_of_a_segment() {
    let world = World::of([]).configured(
        "exempt: [registry.k8s.io/, ghcr.io/tools/, docker.io/library/busybox, 'quay.io/a/b:1']",
    );
    for (image, passes) in [
        ("registry.k8s.io/pause:3.9", true),
        (
            "REGISTRY.k8s.io:443/a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            true,
        ),
        ("registry.k8s.io.evil.example/pause:3.9", false),
        ("ghcr.io/tools/x", true),
        ("ghcr.io/toolsx/x", false),
        ("busybox", true),
        ("busybox:1.36", true),
        ("busyboxes", false),
        ("quay.io/a/b:1", true),
        ("quay.io/a/b:2", false),
        ("quay.io/a/b", false),
    ] {
        assert_eq!(world.says(&pod(image)) == "Allow", passes, "{image}");
    }
    assert_eq!(
        world.judge(&pod("quay.io/a/b:2")).findings[0].reason,
        Reason::UnknownImage
    );
}

#[test]
fn what_only_warns_hides_nothing_that_refuses() {
    let stale = KnownRef {
        arch: Some("arm64".into()),
        ..unusable(declared("torch", &image()), "StaleTooLong", "m")
    };
    let world = World::of([stale]).user("system:kube-controller-manager");
    assert_eq!(world.judge(&pod(&image())).decision, Decision::Warn);
    let mut elsewhere = pod(&image());
    elsewhere["spec"]["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"});
    let found = world.judge(&elsewhere);
    assert_eq!(found.decision, Decision::Deny);
    assert_eq!(found.findings[0].reason, Reason::WrongArchitecture);
}
