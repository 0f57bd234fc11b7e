//! Each reason, with the whole message.

use super::world::{A, B, TORCH, World, declared, pod, pod_asking, pod_with, unusable};
use imageref::admission::{Decision, KnownRef, Reason};
use serde_json::json;

fn image(tail: &str) -> String {
    format!("{TORCH}{tail}")
}

/// `spec.containers[0] "main": image …: `
fn at(tail: &str) -> String {
    format!("Deny\nspec.containers[0] \"main\": image {TORCH}{tail}: ")
}

#[test]
fn a_declared_and_usable_image_passes() {
    let world = World::of([declared("torch", &image(":1"))]);
    assert_eq!(world.says(&pod(&image(":1"))), "Allow");
}

#[test]
fn the_status_image_itself_passes_with_its_digest_or_by_either_half() {
    let world = World::of([declared("torch", &image(&format!(":1@{A}")))]);
    for tail in [":1", &format!("@{A}"), &format!(":1@{A}")] {
        assert_eq!(world.says(&pod(&image(tail))), "Allow", "{tail}");
    }
    let apart = KnownRef {
        digest: Some(A.into()),
        ..declared("torch", &image(":1"))
    };
    assert_eq!(
        World::of([apart]).says(&pod(&image(&format!(":1@{A}")))),
        "Allow"
    );
    let untagged = World::of([declared("torch", &image(&format!("@{A}")))]);
    assert_eq!(untagged.says(&pod(&image(&format!(":7@{A}")))), "Allow");
}

#[test]
fn an_unknown_image_is_refused_with_where_to_look() {
    let world = World::of([declared("team-b/other", &image(":1"))]);
    let expected = at(":1")
        + "no ImageRef in team-a names it (UnknownImage). Use an image that `kubectl -n team-a get imageref -o wide` lists, or declare this one with an ImageRef.";
    assert_eq!(world.says(&pod(&image(":1"))), expected);
    let shared = world.configured("sharedNamespaces: [ai-images, team-a]");
    let expected = expected.replace("in team-a names", "in team-a or in ai-images names");
    assert_eq!(shared.says(&pod(&image(":1"))), expected);
}

#[test]
fn another_tag_is_answered_with_the_right_one() {
    let world = World::of([
        declared("b", &image(":2")),
        declared("a", &image(&format!(":3@{A}"))),
    ]);
    let expected = at(":1")
        + &format!("ImageRef team-a/a stands for the tag 3 (OtherTag). Use {TORCH}:3@{A}.");
    assert_eq!(world.says(&pod(&image(":1"))), expected);
    // The digest alone is what a node pulls, but a person reads the tag.
    let misleading = format!(":2@{A}");
    let only = World::of([declared("a", &image(&format!(":3@{A}")))]);
    assert_eq!(
        only.judge(&pod(&image(&misleading))).findings[0].reason,
        Reason::OtherTag
    );
}

#[test]
fn a_near_miss_names_what_may_be_used_rather_than_what_may_not() {
    let world = World::of([
        unusable(declared("a", &image(":2")), "ImageNotFound", "gone"),
        declared("b", &image(":3")),
    ]);
    let expected =
        at(":1") + &format!("ImageRef team-a/b stands for the tag 3 (OtherTag). Use {TORCH}:3.");
    assert_eq!(world.says(&pod(&image(":1"))), expected);
    let alone = World::of([unusable(
        declared("a", &image(":2")),
        "ImageNotFound",
        "gone",
    )]);
    let expected = at(":1")
        + &format!(
            "ImageRef team-a/a stands for the tag 2 (OtherTag). That would be {TORCH}:2, which is not usable now (ImageNotFound): `kubectl -n team-a describe imageref a` says more."
        );
    assert_eq!(alone.says(&pod(&image(":1"))), expected);
}

#[test]
fn another_digest_is_answered_with_the_right_one() {
    let world = World::of([
        declared("torch", &image(&format!(":1@{A}"))),
        declared("later", &image(&format!(":2@{A}"))),
    ]);
    for (tail, name, tag) in [
        (format!(":1@{B}"), "torch", 1),
        (format!("@{B}"), "later", 2),
    ] {
        let expected = at(&tail)
            + &format!(
                "ImageRef team-a/{name} stands for the digest {A} (OtherDigest). Use {TORCH}:{tag}@{A}."
            );
        assert_eq!(world.says(&pod(&image(&tail))), expected);
    }
}

#[test]
fn another_tag_is_what_is_wrong_also_where_a_digest_stands_beside_it() {
    let world = World::of([declared("torch", &image(":1"))]);
    let tail = format!(":2@{A}");
    let expected = at(&tail)
        + &format!("ImageRef team-a/torch stands for the tag 1 (OtherTag). Use {TORCH}:1.");
    assert_eq!(world.says(&pod(&image(&tail))), expected);
}

#[test]
fn a_digest_that_nobody_can_confirm_is_refused() {
    let world = World::of([declared("torch", &image(":1"))]);
    let tail = format!(":1@{B}");
    let expected = at(&tail)
        + &format!(
            "ImageRef team-a/torch knows no digest, so that this one cannot be confirmed (OtherDigest). Use {TORCH}:1, or set spec.digestPolicy of the ImageRef to IfNotPresent."
        );
    assert_eq!(world.says(&pod(&image(&tail))), expected);
}

#[test]
fn a_reference_that_may_not_be_used_says_why_in_its_own_words() {
    let mut gone = unusable(
        declared("torch", &image(":1")),
        "StaleTooLong",
        "not confirmed since Monday\nor so",
    );
    gone.unusable.as_mut().unwrap().stale = Some("ProviderUnreachable".into());
    let expected = at(":1")
        + "ImageRef team-a/torch is not usable: StaleTooLong, ProviderUnreachable: not confirmed since Monday or so (NotUsable). Mend the ImageRef or use another image: `kubectl -n team-a describe imageref torch` says more.";
    assert_eq!(World::of([gone]).says(&pod(&image(":1"))), expected);
}

#[test]
fn an_image_of_the_wrong_architecture_is_refused_with_the_selection_that_would_do() {
    let arm = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &image(":1"))
    };
    let world = World::of([arm]);
    let picky = pod_with(
        &image(":1"),
        json!({"nodeSelector": {"kubernetes.io/arch": "amd64"}}),
    );
    let expected = at(":1")
        + "the image of ImageRef team-a/torch runs on arm64, and the pod cannot: the nodes that it selects are amd64 (WrongArchitecture). Select nodes with kubernetes.io/arch: arm64, or use an image for amd64.";
    assert_eq!(world.says(&picky), expected);
    assert_eq!(world.says(&pod(&image(":1"))), "Allow");

    let by_default = world.clone().configured("defaultArchitectures: [amd64]");
    let expected = expected.replace(
        "the nodes that it selects are amd64",
        "it selects no nodes, and the default ones are amd64",
    );
    assert_eq!(by_default.says(&pod(&image(":1"))), expected);

    let nowhere = pod_with(
        &image(":1"),
        json!({"nodeSelector": {"kubernetes.io/arch": "amd64", "beta.kubernetes.io/arch": "arm64"}}),
    );
    let expected = at(":1")
        + "the image of ImageRef team-a/torch runs on arm64, and the pod cannot: its nodeSelector and required node affinity leave no architecture (WrongArchitecture). Mend the node selection, whose requirements contradict each other.";
    assert_eq!(world.says(&nowhere), expected);
}

#[test]
fn the_registrys_platforms_go_before_the_architecture_that_the_platform_states() {
    let both = KnownRef {
        arch: Some("arm64".into()),
        platforms: vec![
            "linux/amd64".into(),
            "linux/arm64/v8".into(),
            "unknown/unknown".into(),
        ],
        ..declared("torch", &image(":1"))
    };
    let world = World::of([both]);
    for (arch, passes) in [("amd64", true), ("arm64", true), ("ppc64le", false)] {
        let pod = pod_with(
            &image(":1"),
            json!({"nodeSelector": {"kubernetes.io/arch": arch}}),
        );
        assert_eq!(world.says(&pod) == "Allow", passes, "{arch}");
    }
}

#[test]
fn an_accelerator_that_the_image_is_not_made_for_is_refused() {
    let ascend = KnownRef {
        accelerators: vec!["CPU".into(), "ASCEND".into()],
        ..declared("torch", &image(":1"))
    };
    let world = World::of([ascend]);
    let expected = at(":1")
        + "the container asks for nvidia.com/gpu, which is for images of GPU, and the image of ImageRef team-a/torch is for ASCEND, CPU (WrongAccelerator). Use an image for GPU, or ask for a resource for ASCEND, CPU.";
    let says = |resources| world.says(&pod_asking(&image(":1"), &resources));
    assert_eq!(says(json!({"nvidia.com/gpu": 1})), expected);
    for good in [
        json!({"huawei.com/Ascend910": "8"}),
        json!({"huawei.com/Ascend310P": 1, "nvidia.com/gpu": "0"}),
        json!({"huawei.com/ascend-1980": 16}),
        json!({"rdma/hca": 1, "cpu": 4}),
        json!({}),
    ] {
        assert_eq!(says(good.clone()), "Allow", "{good}");
    }
    for bad in [
        "nvidia.com/mig-1g.5gb",
        "aliyun.com/gpu-mem",
        "alibabacloud.com/ppu-2u.4g48gb",
    ] {
        assert!(says(json!({bad: 1})).starts_with("Deny"), "{bad}");
    }
    let silent = World::of([declared("torch", &image(":1"))]);
    assert_eq!(
        silent.says(&pod_asking(&image(":1"), &json!({"nvidia.com/gpu": 1}))),
        "Allow"
    );
}

#[test]
fn accelerators_are_what_the_configuration_says() {
    let cpu = KnownRef {
        accelerators: vec!["CPU".into()],
        ..declared("torch", &image(":1"))
    };
    let world = World::of([cpu])
        .configured("accelerators: {vendor.example/npu-*: npu, nvidia.com/gpu: ''}");
    let ask = |resource: &str| world.judge(&pod_asking(&image(":1"), &json!({resource: 1})));
    assert_eq!(
        ask("vendor.example/npu-2").findings[0].reason,
        Reason::WrongAccelerator
    );
    assert_eq!(ask("nvidia.com/gpu").decision, Decision::Allow);
    assert_eq!(ask("huawei.com/Ascend910").decision, Decision::Deny);
}

#[test]
fn a_namespace_may_require_digests() {
    let pinned = declared("torch", &image(&format!(":1@{A}")));
    let world = World::of([pinned]).labelled("imageref.dev/require-digest", "true");
    let expected = at(":1")
        + &format!(
            "the namespace requires images to be named by digest (DigestRequired). Use {TORCH}:1@{A}."
        );
    assert_eq!(world.says(&pod(&image(":1"))), expected);
    assert_eq!(world.says(&pod(&image(&format!("@{A}")))), "Allow");

    let bare = World {
        refs: vec![declared("torch", &image(":1"))],
        ..world.clone()
    };
    let expected = at(":1")
        + "the namespace requires images to be named by digest (DigestRequired). ImageRef team-a/torch knows no digest: set its spec.digestPolicy to IfNotPresent, and use its status.image then.";
    assert_eq!(bare.says(&pod(&image(":1"))), expected);

    for (value, passes) in [("false", true), ("", false), ("yes", false)] {
        let world = world.clone().labelled("imageref.dev/require-digest", value);
        assert_eq!(world.says(&pod(&image(":1"))) == "Allow", passes, "{value}");
    }
}

#[test]
fn what_is_no_image_is_refused_and_says_why() {
    let world = World::of([]);
    let says = |image| {
        world.says(&pod_with(
            "",
            json!({"containers": [{"name": "main", "image": image}]}),
        ))
    };
    let fix = "(MalformedImage). Write HOST/PATH:TAG or HOST/PATH@sha256:DIGEST.";
    assert_eq!(
        says(json!("swr.example.com/ai/torch:")),
        format!(
            "Deny\nspec.containers[0] \"main\": image swr.example.com/ai/torch:: this is no image: the tag must be of letters, digits, . _ and -, begin with none of . and -, and have at most 128 characters {fix}"
        )
    );
    assert_eq!(
        says(json!(7)),
        format!("Deny\nspec.containers[0] \"main\": this is no image: it is no text {fix}")
    );
    assert_eq!(
        says(json!("")),
        format!("Deny\nspec.containers[0] \"main\": this is no image: it is empty {fix}")
    );
}

#[test]
fn no_text_of_an_object_can_write_lines_of_its_own_into_a_message() {
    let world = World::of([]);
    let object = pod_with(
        "",
        json!({"containers": [{"name": "a\nb\u{1b}[2J", "image": "x\ny\u{7}"}]}),
    );
    let says = world.judge(&object).message(10);
    assert_eq!(says.lines().count(), 1);
    assert!(!says.chars().any(char::is_control), "{says:?}");
}

#[test]
fn every_part_of_a_pod_is_judged_and_named() {
    let world = World::of([declared("torch", &image(":1"))]);
    let object = pod_with(
        &image(":1"),
        json!({
            "initContainers": [{"name": "good", "image": image(":1")}, {"name": "prepare", "image": "busybox"}],
            "ephemeralContainers": [{"name": "debug", "image": "docker.io/library/busybox:latest"}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "model", "image": {"reference": "models/llama"}}],
        }),
    );
    let findings = world.judge(&object).findings;
    let named: Vec<_> = findings
        .iter()
        .map(|f| {
            (
                f.place.as_str(),
                f.name.as_str(),
                f.image.as_str(),
                f.reason,
            )
        })
        .collect();
    let unknown = Reason::UnknownImage;
    assert_eq!(
        named,
        [
            ("spec.initContainers[1]", "prepare", "busybox", unknown),
            (
                "spec.ephemeralContainers[0]",
                "debug",
                "docker.io/library/busybox:latest",
                unknown
            ),
            ("spec.volumes[1]", "model", "models/llama", unknown),
        ]
    );
}

#[test]
fn a_volume_is_not_judged_by_where_the_pod_runs() {
    let arm = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &image(":1"))
    };
    let fields = json!({
        "containers": [],
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "volumes": [{"name": "model", "image": {"reference": image(":1")}}],
    });
    assert_eq!(World::of([arm]).says(&pod_with("", fields)), "Allow");
}

#[test]
fn a_long_list_of_findings_is_cut_and_counted() {
    let containers: Vec<_> = (0..5)
        .map(|n| json!({"name": format!("c{n}"), "image": "busybox"}))
        .collect();
    let verdict = World::of([]).judge(&pod_with("", json!({"containers": containers})));
    assert_eq!(verdict.message(2).lines().last(), Some("and 3 more"));
    assert_eq!(verdict.message(5).lines().count(), 5);
}

#[test]
fn only_what_a_reference_under_way_could_change_is_worth_a_wait() {
    let arm = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &image(":1"))
    };
    let world = World::of([arm]);
    assert!(world.judge(&pod("busybox")).may_be_early());
    assert!(world.judge(&pod(&image(":2"))).may_be_early());
    let picky = json!({"nodeSelector": {"kubernetes.io/arch": "amd64"}});
    assert!(!world.judge(&pod_with(&image(":1"), picky)).may_be_early());
    assert!(!world.judge(&pod("")).may_be_early());
}

#[test]
fn every_reason_has_its_section() {
    let page = include_str!("../../docs/admission.md");
    for reason in Reason::ALL {
        let heading = format!("\n### {}\n", reason.as_str());
        assert!(page.contains(&heading), "docs/admission.md lacks{heading}");
    }
}
