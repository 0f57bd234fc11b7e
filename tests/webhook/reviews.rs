//! Reviews with an answer, and what passes without a look.

use crate::verdict::world::{A, TORCH, World, declared, pod, unusable};
use base64::Engine as _;
use imageref::admission::review::{self, Endpoint, Surroundings};
use imageref::admission::{Configuration, Known, Mode};
use serde_json::{Value, json};

/// A review of the creation of this object in `team-a`.
pub(super) fn review(object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "team-a",
            "operation": "CREATE",
            "userInfo": {"username": "kubernetes-admin"},
            "object": object,
        },
    })
}

/// The same with this field of the request, and so on.
pub(super) fn with(mut review: Value, path: &str, value: Value) -> Value {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = review.pointer_mut(&format!("/request{parent}")).unwrap();
    parent[field] = value;
    review
}

/// Of a namespace that is not known.
pub(super) fn around<'a>(known: &'a Known, configuration: &'a Configuration) -> Surroundings<'a> {
    Surroundings {
        labels: None,
        own_namespace: "imageref-system",
        known,
        configuration,
    }
}

/// The response to a review, in a world whose labels are known or not.
pub(super) fn respond(world: &World, mode: Mode, is_known: bool, review: &Value) -> Value {
    respond_at(world, Endpoint::Validate(mode), is_known, review)
}

fn respond_at(world: &World, endpoint: Endpoint, is_known: bool, review: &Value) -> Value {
    let configuration = Configuration::new(world.file.clone()).unwrap();
    let mut known = Known::new(configuration.mirrors());
    for one in &world.refs {
        known.insert(one.clone());
    }
    let bytes = serde_json::to_vec(review).unwrap();
    let request = review::Request::read(&bytes).unwrap();
    let around = Surroundings {
        labels: is_known.then_some(&world.labels),
        ..around(&known, &configuration)
    };
    let outcome = review::judge(&request, endpoint, &around);
    let answer: Value = serde_json::from_str(&review::judged(&request, &outcome, None)).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
    answer["response"].clone()
}

pub(super) fn enforce(world: &World, review: &Value) -> Value {
    respond(world, Mode::Enforce, true, review)
}

pub(super) fn torch() -> World {
    World::of([declared("torch", &format!("{TORCH}:3"))])
}

const TOLD: &str = "spec.containers[0] \"main\": image swr.cn-north-4.myhuaweicloud.com/ai/torch:1: ImageRef team-a/torch stands for the tag 3 (OtherTag). Use swr.cn-north-4.myhuaweicloud.com/ai/torch:3.";

pub(super) fn good() -> Value {
    pod(&format!("{TORCH}:3"))
}

pub(super) fn bad() -> Value {
    pod(&format!("{TORCH}:1"))
}

fn deployment(pod: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod["spec"]}}})
}

#[test]
fn a_path_is_a_mode_and_others_are_nothing() {
    let mode = |path| Endpoint::from_path(path);
    assert_eq!(
        mode("/validate/enforce"),
        Some(Endpoint::Validate(Mode::Enforce))
    );
    assert_eq!(mode("/mutate"), Some(Endpoint::Mutate));
    assert_eq!(mode("/validate/warn"), Some(Endpoint::Validate(Mode::Warn)));
    assert_eq!(
        mode("/validate/audit"),
        Some(Endpoint::Validate(Mode::Audit))
    );
    for other in [
        "/",
        "/validate",
        "/validate/",
        "/validate/Enforce",
        "/validate/enforce/",
        "//validate/warn",
    ] {
        assert_eq!(mode(other), None, "{other}");
    }
}

#[test]
fn each_mode_answers_in_its_way() {
    let allowed = json!({"mode": "enforce", "decision": "Allow"});
    let answer = enforce(&torch(), &review(&good()));
    assert_eq!(
        answer,
        json!({"uid": answer["uid"], "allowed": true, "auditAnnotations": allowed})
    );

    let answer = enforce(&torch(), &review(&bad()));
    assert_eq!(
        answer,
        json!({
            "uid": answer["uid"],
            "allowed": false,
            "status": {"status": "Failure", "code": 403, "reason": "Forbidden", "message": TOLD},
            "auditAnnotations": {"mode": "enforce", "decision": "Deny", "reasons": "OtherTag"},
        })
    );

    let answer = respond(&torch(), Mode::Warn, true, &review(&bad()));
    assert_eq!(
        answer,
        json!({
            "uid": answer["uid"],
            "allowed": true,
            "warnings": [TOLD],
            "auditAnnotations": {"mode": "warn", "decision": "Warn", "reasons": "OtherTag"},
        })
    );

    let answer = respond(&torch(), Mode::Audit, true, &review(&bad()));
    assert_eq!(
        answer,
        json!({
            "uid": answer["uid"],
            "allowed": true,
            "auditAnnotations": {"mode": "audit", "decision": "Allow", "reasons": "OtherTag", "findings": TOLD},
        })
    );
}

#[test]
fn the_path_goes_before_the_label_in_memory() {
    // The label was changed a moment ago, and the watch is behind.
    let lagging = torch().labelled("imageref.dev/admission", "warn");
    assert_eq!(enforce(&lagging, &review(&bad()))["allowed"], false);
    let mut lagging = torch();
    lagging.labels.clear();
    assert_eq!(enforce(&lagging, &review(&bad()))["allowed"], false);
    let lagging = torch();
    let answer = respond(&lagging, Mode::Warn, true, &review(&bad()));
    assert_eq!(answer["allowed"], true);
}

#[test]
fn templates_are_warned_about_unless_their_label_enforces() {
    let of = |world: &World| enforce(world, &review(&deployment(&bad())));
    let answer = of(&torch());
    assert_eq!(answer["allowed"], true);
    let told = answer["warnings"][0].as_str().unwrap();
    assert!(
        told.starts_with("spec.template.spec.containers[0]"),
        "{told}"
    );
    assert_eq!(answer["auditAnnotations"]["mode"], "warn");

    let label = "imageref.dev/admission-templates";
    assert_eq!(of(&torch().labelled(label, "enforce"))["allowed"], false);
    assert_eq!(of(&torch().labelled(label, "bogus"))["allowed"], false);
    let audited = of(&torch().labelled(label, "audit"));
    assert_eq!(audited["warnings"], Value::Null);
    // In a namespace that warns, nothing refuses.
    let world = torch().labelled(label, "enforce");
    let answer = respond(&world, Mode::Warn, true, &review(&deployment(&bad())));
    assert_eq!(answer["allowed"], true);
}

#[test]
fn names_are_replaced_where_the_path_says_so_or_the_pod_is_refused() {
    let pinned = format!("{TORCH}:3@{A}");
    let world = World::of([
        declared("torch", &pinned),
        declared("moving", &format!("{TORCH}:1")),
    ]);
    let mutate = |review: &Value| respond_at(&world, Endpoint::Mutate, true, review);
    let named = review(&pod("imageref://torch"));
    let answer = mutate(&named);
    assert_eq!(answer["allowed"], true);
    assert_eq!(answer["patchType"], "JSONPatch");
    let patch = answer["patch"].as_str().unwrap();
    let patch = base64::engine::general_purpose::STANDARD
        .decode(patch)
        .unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    assert_eq!(
        patch[0],
        json!({"op": "replace", "path": "/spec/containers/0/image", "value": pinned})
    );
    assert_eq!(
        answer["auditAnnotations"],
        json!({"mode": "mutate", "decision": "Allow"})
    );

    let answer = mutate(&review(&pod("imageref://moving")));
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["auditAnnotations"]["reasons"], "DigestRequired");
    let nothing = mutate(&review(&bad()));
    assert_eq!(nothing["allowed"], true);
    assert!(nothing.get("patch").is_none());
    let passing = [
        with(named.clone(), "/namespace", "kube-system".into()),
        with(named.clone(), "/namespace", "imageref-system".into()),
        // A pod keeps what it was made with.
        with(named, "/operation", "UPDATE".into()),
    ];
    for review in passing {
        let answer = mutate(&review);
        assert_eq!(
            answer,
            json!({"uid": answer["uid"], "allowed": true}),
            "{review}"
        );
    }
}

#[test]
fn a_namespace_that_is_not_known_must_name_digests() {
    let pinned = format!("{TORCH}:3@{A}");
    let world = World::of([declared("torch", &pinned)]);
    let tagged = review(&good());
    assert_eq!(
        respond(&world, Mode::Enforce, true, &tagged)["allowed"],
        true
    );
    let answer = respond(&world, Mode::Enforce, false, &tagged);
    assert_eq!(answer["auditAnnotations"]["reasons"], "DigestRequired");
    let pinned = review(&pod(&pinned));
    assert_eq!(
        respond(&world, Mode::Enforce, false, &pinned)["allowed"],
        true
    );
}

#[test]
fn what_is_none_of_admissions_business_passes() {
    let bad = review(&bad());
    let gone = |review| with(review, "/object", Value::Null);
    let going = |review| {
        with(
            review,
            "/object/metadata/deletionTimestamp",
            "2026-01-01T00:00:00Z".into(),
        )
    };
    let update = |review| with(review, "/operation", "UPDATE".into());
    let passing = [
        (
            "a deletion",
            gone(with(bad.clone(), "/operation", "DELETE".into())),
        ),
        (
            "a connection",
            with(bad.clone(), "/operation", "CONNECT".into()),
        ),
        (
            "a scale",
            with(update(bad.clone()), "/subResource", "scale".into()),
        ),
        (
            "a status",
            with(update(bad.clone()), "/subResource", "status".into()),
        ),
        (
            "a binding",
            with(bad.clone(), "/subResource", "binding".into()),
        ),
        ("one on its way out", going(update(bad.clone()))),
        (
            "kube-system",
            with(bad.clone(), "/namespace", "kube-system".into()),
        ),
        (
            "the operator's",
            with(bad.clone(), "/namespace", "imageref-system".into()),
        ),
        ("no namespace", with(bad.clone(), "/namespace", "".into())),
        (
            "another kind",
            with(bad.clone(), "/object/kind", "ConfigMap".into()),
        ),
    ];
    for (what, review) in passing {
        let answer = enforce(&torch(), &review);
        assert_eq!(
            answer,
            json!({"uid": answer["uid"], "allowed": true}),
            "{what}"
        );
    }
    // A pod is not made on its way out, whatever it says.
    for judged in [going(bad.clone()), with(bad, "/dryRun", true.into())] {
        assert_eq!(enforce(&torch(), &judged)["allowed"], false, "{judged}");
    }
}

#[test]
fn an_update_is_judged_by_what_it_changes() {
    let update = |old: &Value, new: &Value| {
        let review = with(review(new), "/operation", "UPDATE".into());
        enforce(&torch(), &with(review, "/oldObject", old.clone()))["allowed"].clone()
    };
    assert_eq!(update(&bad(), &bad()), true, "it was there before");
    assert_eq!(update(&good(), &bad()), false);
    assert_eq!(update(&bad(), &good()), true);
    let mut gated = bad();
    gated["spec"]["nodeSelector"] = json!({"pool": "kunpeng"});
    assert_eq!(update(&bad(), &gated), false, "other nodes");
}

#[test]
fn an_ephemeral_container_is_judged_and_those_beside_it_are_not_again() {
    let debug = |image: &str| {
        let mut new = bad();
        new["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": image}]);
        let review = with(review(&new), "/operation", "UPDATE".into());
        let review = with(review, "/subResource", "ephemeralcontainers".into());
        enforce(&torch(), &with(review, "/oldObject", bad()))
    };
    let answer = debug("busybox");
    assert_eq!(answer["allowed"], false);
    let told = answer["status"]["message"].as_str().unwrap();
    assert!(
        told.starts_with("spec.ephemeralContainers[0] \"debug\": image busybox"),
        "{told}"
    );
    assert_eq!(debug(&format!("{TORCH}:3"))["allowed"], true);
}

#[test]
fn an_object_that_does_not_say_its_kind_is_what_the_request_says() {
    let mut pod = bad();
    pod.as_object_mut().unwrap().remove("kind");
    pod.as_object_mut().unwrap().remove("apiVersion");
    assert_eq!(enforce(&torch(), &review(&pod))["allowed"], false);
    let mut template = deployment(&bad());
    template.as_object_mut().unwrap().remove("kind");
    let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    let answer = enforce(&torch(), &with(review(&template), "/kind", kind));
    assert_eq!(answer["auditAnnotations"]["decision"], "Warn");
}

#[test]
fn who_asks_decides_whether_a_pod_is_made_anew() {
    let retired = unusable(
        declared("torch", &format!("{TORCH}:3")),
        "ImageNotActive",
        "it is retired",
    );
    let world = World::of([retired]);
    assert_eq!(enforce(&world, &review(&good()))["allowed"], false);
    let by = "system:serviceaccount:kube-system:replicaset-controller";
    let answer = enforce(
        &world,
        &with(review(&good()), "/userInfo/username", by.into()),
    );
    assert_eq!(answer["allowed"], true);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_request_without_a_name_is_called_by_what_it_will_begin_with() {
    let named = |metadata| {
        let mut pod = good();
        pod["metadata"] = metadata;
        let bytes = serde_json::to_vec(&review(&pod)).unwrap();
        review::Request::read(&bytes).unwrap().name
    };
    assert_eq!(named(json!({"name": "a"})), "a");
    assert_eq!(named(json!({"generateName": "train-"})), "train-*");
    assert_eq!(named(json!({})), "");
}
