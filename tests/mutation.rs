//! Names of ImageRefs in pods, and the images that are put in their place.

mod properties;

use crate::verdict::world::{A, TORCH, World, declared, pod, pod_with, unusable};
use imageref::admission::{
    Configuration, Decision, Known, KnownRef, PatchOperation, Verdict, mutate,
};
use imageref::api::ProviderKind;
use serde_json::{Value, json};

const CONTROLLER: &str = "system:serviceaccount:kube-system:replicaset-controller";
const ORIGINALS: &str = "imageref.dev/original-images";

fn image(rest: &str) -> String {
    format!("{TORCH}{rest}")
}

/// A usable reference with a digest.
fn pinned(name: &str) -> KnownRef {
    KnownRef {
        digest: Some(A.into()),
        ..declared(name, &image(":1"))
    }
}

fn world(refs: impl IntoIterator<Item = KnownRef>) -> World {
    World::of(refs)
        .labelled("imageref.dev/mutate", "true")
        .configured("sharedNamespaces: [ai-images]")
}

fn ask(world: &World, object: &Value) -> Result<Vec<PatchOperation>, Verdict> {
    let configuration = Configuration::new(world.file.clone()).unwrap();
    let mut known = Known::new(configuration.mirrors());
    for one in &world.refs {
        known.insert(one.clone());
    }
    let (namespace, labels, user) = (world.namespace, &world.labels, world.user);
    mutate(object, namespace, labels, user, &known, &configuration)
}

/// The object as an API server makes it from the answer.
pub(crate) fn patched(object: &Value, patch: &[PatchOperation]) -> Value {
    let mut object = object.clone();
    for operation in serde_json::to_value(patch).unwrap().as_array().unwrap() {
        let pointer = operation["path"].as_str().unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        let holder = object.pointer_mut(parent).expect("a parent that is there");
        if operation["op"] == "replace" {
            let index = key.parse::<usize>().ok();
            let place = match index {
                Some(index) => holder.get_mut(index),
                None => holder.get_mut(&key),
            };
            *place.expect("a value that is there") = operation["value"].clone();
        } else {
            holder
                .as_object_mut()
                .unwrap()
                .insert(key, operation["value"].clone());
        }
    }
    object
}

fn replaced(world: &World, object: &Value) -> Value {
    patched(object, &ask(world, object).unwrap())
}

/// The words of a refusal.
fn refused(world: &World, object: &Value) -> String {
    let verdict = ask(world, object).unwrap_err();
    assert_eq!(verdict.decision, Decision::Deny);
    verdict.message(10)
}

fn originals(object: &Value) -> Value {
    let text = object["metadata"]["annotations"][ORIGINALS].as_str();
    serde_json::from_str(text.expect("an annotation")).unwrap()
}

#[test]
fn a_name_becomes_the_image_with_its_digest_and_is_kept_in_an_annotation() {
    let world = world([pinned("torch")]);
    let before = pod("imageref://torch");
    let after = replaced(&world, &before);
    let expected = image(&format!(":1@{A}"));
    assert_eq!(after["spec"]["containers"][0]["image"], json!(expected));
    assert_eq!(originals(&after), json!({"main": "imageref://torch"}));
    assert_eq!(world.says(&after), "Allow");
    assert_eq!(
        ask(&world, &after).unwrap(),
        [],
        "there is nothing left to do"
    );
}

#[test]
fn every_part_of_a_pod_is_read_and_other_images_stay() {
    let world = world([pinned("torch"), pinned("ai-images/base")]);
    let object = pod_with(
        "imageref://torch",
        json!({
            "initContainers": [{"name": "get", "image": "busybox:1"}, {"name": "init", "image": "imageref://ai-images/base"}],
            "ephemeralContainers": [{"name": "debug", "image": "imageref://team-a/torch"}],
            "volumes": [{"name": "main", "emptyDir": {}}, {"name": "main", "image": {"reference": "imageref://torch"}}],
        }),
    );
    let after = replaced(&world, &object);
    let spec = &after["spec"];
    let expected = json!(image(&format!(":1@{A}")));
    assert_eq!(spec["initContainers"][0]["image"], json!("busybox:1"));
    for place in [
        "/initContainers/1/image",
        "/containers/0/image",
        "/ephemeralContainers/0/image",
        "/volumes/1/image/reference",
    ] {
        assert_eq!(spec.pointer(place), Some(&expected), "{place}");
    }
    let kept = json!({"init": "imageref://ai-images/base", "main": "imageref://torch",
        "debug": "imageref://team-a/torch", "volumes/main": "imageref://torch"});
    assert_eq!(originals(&after), kept);
}

#[test]
fn what_another_webhook_adds_later_is_replaced_too_and_the_first_name_stays() {
    let world = world([pinned("torch")]);
    let mut object = replaced(&world, &pod("imageref://torch"));
    object["metadata"]["annotations"]["team"] = json!("a");
    let sidecar = json!({"name": "sidecar", "image": "imageref://torch"});
    object["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(sidecar);
    let after = replaced(&world, &object);
    let kept = json!({"main": "imageref://torch", "sidecar": "imageref://torch"});
    assert_eq!(originals(&after), kept);
    assert_eq!(after["metadata"]["annotations"]["team"], json!("a"));
}

#[test]
fn an_annotation_that_was_there_keeps_names_of_containers_that_are_there_and_nothing_else() {
    let world = world([pinned("torch")]);
    let texts = [
        json!("no JSON"),
        json!("[1]"),
        json!(r#"{"gone": "imageref://x", "main": "forged", "other": "forged"}"#),
        json!(7),
    ];
    for text in texts {
        let mut object = pod("imageref://torch");
        let other = json!({"name": "other", "image": "busybox:1"});
        object["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .push(other);
        object["metadata"]["annotations"] = json!({ORIGINALS: text});
        let after = replaced(&world, &object);
        assert_eq!(
            originals(&after),
            json!({"main": "imageref://torch"}),
            "{text}"
        );
    }
}

#[test]
fn without_the_label_nothing_is_replaced_and_the_verdict_says_which_label_does_it() {
    let object = pod("imageref://torch");
    for value in [None, Some("false"), Some(""), Some("True")] {
        let mut world = World::of([pinned("torch")]);
        if let Some(value) = value {
            world = world.labelled("imageref.dev/mutate", value);
        }
        assert_eq!(ask(&world, &object).unwrap(), []);
        let says = world.says(&object);
        assert!(
            says.starts_with("Deny") && says.contains("(MalformedImage)"),
            "{says}"
        );
        assert!(
            says.contains("the label imageref.dev/mutate: \"true\""),
            "{says}"
        );
    }
    let says = world([pinned("torch")]).says(&object);
    assert!(says.contains("imageref:// was not replaced"), "{says}");
}

#[test]
fn only_pods_are_changed_and_their_templates_are_judged_by_what_their_pods_will_get() {
    let template = |name: &str| {
        let spec = json!({"containers": [{"name": "main", "image": name}]});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
            "spec": {"template": {"spec": spec}}})
    };
    let arm = KnownRef {
        arch: Some("arm64".into()),
        digest: Some(A.into()),
        ..declared("arm", &image(":arm"))
    };
    let world = world([pinned("torch"), arm]).configured("defaultArchitectures: [amd64]");
    let good = template("imageref://torch");
    assert_eq!(ask(&world, &good).unwrap(), []);
    assert_eq!(world.says(&good), "Allow");
    let says = world.says(&template("imageref://arm"));
    assert!(
        says.starts_with("Warn") && says.contains("(WrongArchitecture)"),
        "{says}"
    );
    let says = world.says(&template("imageref://other"));
    assert!(
        says.starts_with("Warn") && says.contains("no ImageRef team-a/other names an image"),
        "{says}"
    );
}

#[test]
fn a_name_that_stands_for_no_image_that_may_be_used_refuses_the_pod_and_says_what_to_do() {
    let untrusted = KnownRef {
        provider: Some(ProviderKind::Namespaced),
        ..pinned("own")
    };
    let odd = KnownRef {
        digest: Some("odd".into()),
        ..pinned("odd")
    };
    let world = world([
        untrusted,
        odd,
        declared("loose", &image(":1")),
        unusable(pinned("retired"), "ImageNotActive", "it is INACTIVE"),
        pinned("team-b/theirs"),
    ]);
    let cases = [
        (
            "other",
            "no ImageRef team-a/other names an image (UnknownImage)",
        ),
        (
            "own",
            "does not count, because it was not resolved through a ClusterImageProvider (UnknownImage)",
        ),
        (
            "loose",
            "ImageRef team-a/loose knows no digest, and imageref:// stands for an image with one (DigestRequired). Set its spec.digestPolicy to IfNotPresent.",
        ),
        ("odd", "ImageRef team-a/odd knows no digest"),
        (
            "retired",
            "ImageRef team-a/retired is not usable: ImageNotActive: it is INACTIVE (NotUsable)",
        ),
        (
            "team-b/theirs",
            "team-b is no namespace whose ImageRefs are shared (UnknownImage)",
        ),
    ];
    for (name, expected) in cases {
        let says = refused(&world, &pod(&format!("imageref://{name}")));
        assert!(
            says.starts_with("spec.containers[0] \"main\": image imageref://"),
            "{says}"
        );
        assert!(says.contains(expected), "{says}");
    }
    for name in [
        "",
        "/",
        "a/b/c",
        "A",
        "a b",
        "-a",
        "a.",
        "torch:1",
        "torch@sha256:1",
        "a_b/torch",
        "a.b/torch",
    ] {
        let says = refused(&world, &pod(&format!("imageref://{name}")));
        assert!(
            says.contains("this is no name of an ImageRef (MalformedImage)"),
            "{name}: {says}"
        );
    }
    let long = "a".repeat(254);
    assert!(refused(&world, &pod(&format!("imageref://{long}"))).contains("(MalformedImage)"));
}

#[test]
fn one_name_that_is_refused_refuses_the_pod_whole() {
    let world = world([pinned("torch")]);
    let init = json!({"initContainers": [{"name": "init", "image": "imageref://other"}]});
    let verdict = ask(&world, &pod_with("imageref://torch", init)).unwrap_err();
    assert_eq!(verdict.findings.len(), 1);
    assert_eq!(verdict.findings[0].place, "spec.initContainers[0]");
    assert!(verdict.may_be_early(), "the reference may be under way");
}

#[test]
fn pods_of_a_controller_get_no_digest_that_follows_its_tag_whoever_says_that_they_are() {
    let moving = KnownRef {
        follows_tag: true,
        ..pinned("torch")
    };
    let world = world([moving]);
    let bare = pod("imageref://torch");
    let owned = |controller: Value| {
        let mut object = pod("imageref://torch");
        object["metadata"]["ownerReferences"] =
            json!([{"kind": "Node"}, {"kind": "ReplicaSet", "controller": controller}]);
        object
    };
    assert!(ask(&world, &bare).is_ok());
    assert!(ask(&world, &owned(json!(false))).is_ok());
    let says = refused(&world, &owned(json!(true)));
    let fix = format!(
        "Set its spec.digestPolicy to IfNotPresent, or use {}",
        image(&format!(":1@{A}."))
    );
    assert!(
        says.contains("(MovingDigest)") && says.ends_with(&fix),
        "{says}"
    );
    let by_user = refused(&world.clone().user(CONTROLLER), &bare);
    assert!(by_user.contains("(MovingDigest)"), "{by_user}");
    let still = World {
        refs: vec![pinned("torch")],
        ..world.user(CONTROLLER)
    };
    assert!(ask(&still, &owned(json!(true))).is_ok());
}

#[test]
fn a_pod_made_anew_heals_with_the_last_image_while_the_cloud_account_is_out_of_order() {
    for (reason, heals) in [
        ("StaleTooLong", true),
        ("ProviderNotReady", true),
        ("ImageNotFound", false),
    ] {
        let world = world([unusable(pinned("torch"), reason, "")]);
        let object = pod("imageref://torch");
        assert!(ask(&world, &object).is_err(), "{reason}");
        let world = world.user(CONTROLLER);
        assert_eq!(ask(&world, &object).is_ok(), heals, "{reason}");
        if heals {
            let says = world.says(&replaced(&world, &object));
            assert!(says.starts_with("Warn"), "{says}");
        }
    }
}

#[test]
fn a_pod_with_more_names_than_are_replaced_is_refused() {
    let world = world([pinned("torch")]);
    let many = |n: usize| {
        let list: Vec<_> = (0..n)
            .map(|n| json!({"name": format!("c{n}"), "image": "imageref://torch"}))
            .collect();
        pod_with("x", json!({"containers": list}))
    };
    assert_eq!(ask(&world, &many(1_000)).unwrap().len(), 1_001);
    let says = refused(&world, &many(1_001));
    assert!(says.contains("(TooManyImages)"), "{says}");
}
