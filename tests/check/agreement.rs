//! The binary and the webhook agree on random small worlds.
//!
//! The binary reads YAML; the webhook is asked by reviews, about objects that it may have changed
//! before, in a mode that labels chose. Both ways must lead to one verdict.

use super::{Scene, TORCH};
use crate::mutation::patched;
use imageref::admission::review::{Endpoint, Outcome, Request, Surroundings, judge};
use imageref::admission::{Configuration, Decision, Known, KnownRef, Mode};
use imageref::api::ImageRef;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAMESPACES: [&str; 4] = ["team-a", "team-b", "images", "kube-system"];

fn digest(n: usize) -> String {
    format!("sha256:{}", n.to_string().repeat(64))
}

fn image() -> impl Strategy<Value = String> {
    let names = ["imageref://x", "imageref://images/y", "imageref://Bad"];
    let by_name = select(names.to_vec()).prop_map(str::to_owned);
    prop_oneof![5 => by_text(), 1 => by_name]
}

fn by_text() -> impl Strategy<Value = String> {
    let repository = select(vec![TORCH, "mirror.example/ai/torch", "busybox"]);
    let tag = select(vec!["", ":1", ":2"]);
    let digest = select(vec![
        String::new(),
        format!("@{}", digest(1)),
        format!("@{}", digest(2)),
    ]);
    (repository, tag, digest)
        .prop_map(|(repository, tag, digest)| format!("{repository}{tag}{digest}"))
}

/// An `ImageRef` as a cluster has it, without its name.
fn image_ref() -> impl Strategy<Value = Value> {
    (
        option::weighted(0.9, by_text()),
        option::of(1..3_usize),
        select(vec!["ClusterImageProvider", "ClusterImageProvider", "ImageProvider", "Other"]),
        option::of(select(vec!["amd64", "arm64"])),
        subsequence(vec!["linux/amd64", "linux/arm64"], 0..=2),
        subsequence(vec!["ASCEND", "GPU"], 0..=2),
        (
            select(vec!["True", "True", "False", "Unknown"]),
            select(vec!["Never", "IfNotPresent", "Always"]),
        ),
    )
        .prop_map(|(image, of, provider, arch, platforms, accelerators, (ready, policy))| {
            let mut status = json!({
                "provider": {"kind": provider, "name": "default"},
                "platforms": platforms,
                "accelerators": accelerators,
                "conditions": [{"type": "Ready", "status": ready, "reason": "ImageNotActive",
                    "message": "it is: \"gone\"", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            });
            for (field, value) in [("image", image), ("digest", of.map(digest)), ("arch", arch.map(Into::into))] {
                if let Some(value) = value {
                    status[field] = value.into();
                }
            }
            json!({"apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
                "spec": {"source": {"notebook": {"name": "x"}}, "digestPolicy": policy}, "status": status})
        })
}

fn workload() -> impl Strategy<Value = Value> {
    let container = (
        image(),
        option::of(select(vec!["nvidia.com/gpu", "huawei.com/Ascend910"])),
    )
        .prop_map(|(image, resource)| {
            let mut container = json!({"name": "c", "image": image});
            if let Some(resource) = resource {
                container["resources"] = json!({"limits": {resource: 1}});
            }
            container
        });
    (
        vec(container, 0..3),
        option::of(select(vec!["amd64", "arm64"])),
        select(NAMESPACES.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(containers, arch, namespace, is_pod)| {
            let mut spec = json!({"containers": containers});
            if let Some(arch) = arch {
                spec["nodeSelector"] = json!({"kubernetes.io/arch": arch});
            }
            let metadata = json!({"name": "w", "namespace": namespace});
            if is_pod {
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
            } else {
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
                    "spec": {"template": {"spec": spec}}})
            }
        })
}

#[derive(Debug)]
struct World {
    refs: Vec<Value>,
    labels: BTreeMap<&'static str, BTreeMap<String, String>>,
    workloads: Vec<Value>,
    configuration: &'static str,
}

fn world() -> impl Strategy<Value = World> {
    let label = prop_oneof![
        select(vec!["enforce", "warn", "audit"]).prop_map(|v| ("imageref.dev/admission", v)),
        select(vec!["enforce", "warn"]).prop_map(|v| ("imageref.dev/admission-templates", v)),
        select(vec!["true", "false"]).prop_map(|v| ("imageref.dev/require-digest", v)),
        select(vec!["true", "false"]).prop_map(|v| ("imageref.dev/mutate", v)),
    ];
    let labels = vec(label, 0..4).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    });
    let name = (select(NAMESPACES.to_vec()), select(vec!["x", "y"]));
    let refs = btree_map(name, image_ref(), 0..6).prop_map(|refs| {
        let named = refs.into_iter().map(|((namespace, name), mut object)| {
            object["metadata"] = json!({"namespace": namespace, "name": name});
            object
        });
        named.collect()
    });
    let configuration = select(vec![
        "",
        "trust: any\nsharedNamespaces: [images]\n",
        "mirrors: [{from: mirror.example, to: swr.cn-north-4.myhuaweicloud.com}]\ndefaultArchitectures: [amd64]\nexempt: [docker.io/library/busybox]\n",
    ]);
    (
        refs,
        btree_map(select(NAMESPACES.to_vec()), labels, 0..4),
        vec(workload(), 1..6),
        configuration,
    )
        .prop_map(|(refs, labels, workloads, configuration)| World {
            refs,
            labels,
            workloads,
            configuration,
        })
}

impl World {
    fn yaml(&self) -> String {
        let namespaces = self.labels.iter().map(|(name, labels)| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        });
        let objects: Vec<_> = namespaces
            .chain(self.refs.iter().cloned())
            .chain(self.workloads.iter().cloned())
            .collect();
        let texts = objects
            .iter()
            .map(|object| serde_saphyr::to_string(object).unwrap());
        texts.collect::<Vec<_>>().join("---\n")
    }

    /// The decisions and findings that the webhook comes to, asked as API servers ask it.
    fn expected(&self) -> Vec<Value> {
        let configuration = Configuration::read(self.configuration).unwrap();
        let mut known = Known::new(configuration.mirrors());
        for object in &self.refs {
            let object: ImageRef = serde_json::from_value(object.clone()).unwrap();
            known.insert(KnownRef::from(&object));
        }
        let strictest = ["imageref.dev/admission", "imageref.dev/admission-templates"]
            .map(|key| (key.to_owned(), "enforce".to_owned()));
        let strictest = BTreeMap::from(strictest);
        let of = |object: &Value| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            let labels = self.labels.get(namespace).unwrap_or(&strictest);
            let around = Surroundings {
                labels: Some(labels),
                own_namespace: "imageref-system",
                known: &known,
                configuration: &configuration,
            };
            let (decision, found) = admitted(object, labels, &around);
            let findings = found.iter().flat_map(|outcome| &outcome.verdict.findings);
            let findings = findings.map(|finding| {
                json!([
                    finding.place,
                    finding.image,
                    finding.reason.as_str(),
                    finding.problem,
                    finding.fix
                ])
            });
            json!([format!("{decision:?}"), findings.collect::<Vec<_>>()])
        };
        self.workloads.iter().map(of).collect()
    }
}

/// What an API server does with an object by the rules of `deploy/webhook.yaml`.
fn admitted(
    object: &Value,
    labels: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
) -> (Decision, Option<Outcome>) {
    let ask = |object: &Value, endpoint| {
        let namespace = &object["metadata"]["namespace"];
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "1", "operation": "CREATE", "namespace": namespace,
                "userInfo": {"username": "kubernetes-admin"}, "object": object}});
        let request = Request::read(review.to_string().as_bytes()).unwrap();
        judge(&request, endpoint, around)
    };
    let label = |key| labels.get(key).map(String::as_str);
    let mut object = object.clone();
    if label("imageref.dev/mutate") == Some("true") && object["kind"] == "Pod" {
        let outcome = ask(&object, Endpoint::Mutate);
        if outcome.verdict.decision == Decision::Deny {
            return (Decision::Deny, Some(outcome));
        }
        object = patched(&object, &outcome.patch);
    }
    let mode = match label("imageref.dev/admission") {
        None => return (Decision::Allow, None),
        Some("warn") => Mode::Warn,
        Some("audit") => Mode::Audit,
        Some(_) => Mode::Enforce,
    };
    let outcome = ask(&object, Endpoint::Validate(mode));
    (outcome.verdict.decision, Some(outcome))
}

fn shown(workload: &Value) -> Value {
    let findings = workload["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| {
        json!(["place", "image", "reason", "problem", "fix"].map(|field| &finding[field]))
    });
    json!([workload["decision"], findings.collect::<Vec<_>>()])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_binary_says_what_the_webhook_says(world in world()) {
        let scene = Scene::new().with("config.yaml", world.configuration);
        let config = if world.configuration.is_empty() { "" } else { "--config config.yaml" };
        let run = scene.run_with(&format!("-f - -o json {config}"), &world.yaml());
        prop_assert!(run.code < 2, "{}", run.stderr);
        let read: Value = serde_json::from_str(&run.stdout).unwrap();
        let said: Vec<_> = read["workloads"].as_array().unwrap().iter().map(shown).collect();
        let expected = world.expected();
        let denied = expected.iter().any(|one| one[0] == "Deny");
        prop_assert_eq!(said, expected);
        prop_assert_eq!(run.code, i32::from(denied));
    }
}
