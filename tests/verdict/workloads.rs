//! The pods of every kind of object, and where a finding says they are.

use super::world::World;
use imageref::admission::workload::{MOST_IMAGES, MOST_PODS};
use imageref::admission::{Configuration, Decision, Reason, Subject, extract};
use serde_json::{Value, json};

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// Each image of an object with its place.
fn places(object: &Value, configuration: &Configuration) -> Vec<String> {
    let workload = extract(object, configuration).expect("a kind that runs something");
    let pods = workload.pods.iter();
    pods.flat_map(|pod| {
        let containers = pod.spec.containers.iter();
        containers.map(|container| container.place(&pod.path))
    })
    .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row a kind")]
fn every_kind_is_read_where_it_holds_its_pods() {
    let t = || template("x");
    for (api, kind, spec, expected) in [
        (
            "v1",
            "Pod",
            json!({"containers": [{"image": "x"}]}),
            vec!["spec.containers[0]"],
        ),
        (
            "v1",
            "ReplicationController",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "apps/v1",
            "ReplicaSet",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "batch/v1",
            "Job",
            json!({"template": t()}),
            vec!["spec.template.spec.containers[0]"],
        ),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": {"template": t()}}}),
            vec!["spec.jobTemplate.spec.template.spec.containers[0]"],
        ),
        (
            "batch.volcano.sh/v1alpha1",
            "Job",
            json!({"tasks": [{"name": "ps", "template": t()}, {"name": "w", "template": t()}]}),
            vec![
                "spec.tasks[0].template.spec.containers[0]",
                "spec.tasks[1].template.spec.containers[0]",
            ],
        ),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            json!({"pytorchReplicaSpecs": {"Master": {"template": t()}, "Worker": {"template": t()}}}),
            vec![
                "spec.pytorchReplicaSpecs.Master.template.spec.containers[0]",
                "spec.pytorchReplicaSpecs.Worker.template.spec.containers[0]",
            ],
        ),
        (
            "kubeflow.org/v1",
            "TFJob",
            json!({"tfReplicaSpecs": {"PS": {"template": t()}}}),
            vec!["spec.tfReplicaSpecs.PS.template.spec.containers[0]"],
        ),
        (
            "trainer.kubeflow.org/v1alpha1",
            "TrainJob",
            json!({"trainer": {"image": "x"}, "podTemplateOverrides": [{"spec": {"initContainers": [{"image": "y"}]}}]}),
            vec![
                "spec.podTemplateOverrides[0].spec.initContainers[0]",
                "spec.trainer.image",
            ],
        ),
        (
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            json!({"replicatedJobs": [{"template": {"spec": {"template": t()}}}]}),
            vec!["spec.replicatedJobs[0].template.spec.template.spec.containers[0]"],
        ),
        (
            "leaderworkerset.x-k8s.io/v1",
            "LeaderWorkerSet",
            json!({"leaderWorkerTemplate": {"leaderTemplate": t(), "workerTemplate": t()}}),
            vec![
                "spec.leaderWorkerTemplate.leaderTemplate.spec.containers[0]",
                "spec.leaderWorkerTemplate.workerTemplate.spec.containers[0]",
            ],
        ),
        (
            "ray.io/v1",
            "RayCluster",
            json!({"headGroupSpec": {"template": t()}, "workerGroupSpecs": [{"template": t()}]}),
            vec![
                "spec.headGroupSpec.template.spec.containers[0]",
                "spec.workerGroupSpecs[0].template.spec.containers[0]",
            ],
        ),
        (
            "ray.io/v1",
            "RayJob",
            json!({"rayClusterSpec": {"headGroupSpec": {"template": t()}, "workerGroupSpecs": [{"template": t()}]}, "submitterPodTemplate": t()}),
            vec![
                "spec.rayClusterSpec.headGroupSpec.template.spec.containers[0]",
                "spec.rayClusterSpec.workerGroupSpecs[0].template.spec.containers[0]",
                "spec.submitterPodTemplate.spec.containers[0]",
            ],
        ),
    ] {
        let object = json!({"apiVersion": api, "kind": kind, "spec": spec});
        let found = places(&object, &Configuration::default());
        assert_eq!(found, expected, "{kind}");
        let subject = if kind == "Pod" {
            Subject::Pod
        } else {
            Subject::Template
        };
        assert_eq!(
            extract(&object, &Configuration::default()).unwrap().subject,
            subject
        );
        assert_eq!(
            World::of([]).judge(&object).findings.len(),
            expected.len(),
            "{kind}"
        );
    }
}

#[test]
fn what_runs_nothing_is_not_judged_and_a_kind_of_another_group_is_another_kind() {
    for object in [
        json!({"apiVersion": "v1", "kind": "ConfigMap"}),
        json!({"apiVersion": "example.com/v1", "kind": "Pod", "spec": {}}),
        json!({"apiVersion": "example.com/v1", "kind": "Deployment"}),
        json!({"kind": 7}),
        json!([]),
        json!(null),
    ] {
        assert!(
            extract(&object, &Configuration::default()).is_none(),
            "{object}"
        );
    }
}

#[test]
fn further_kinds_come_from_the_configuration_and_replace_a_known_one() {
    let configuration = Configuration::read(
        "workloads:
- {group: example.com, kind: Farm, templates: ['spec.pools[*].pod'], images: [spec.sidecar]}
- {group: apps, kind: Deployment}",
    )
    .unwrap();
    let farm = json!({"apiVersion": "example.com/v2", "kind": "Farm",
        "spec": {"pools": {"a": {"pod": template("x")}}, "sidecar": "y"}});
    assert_eq!(
        places(&farm, &configuration),
        ["spec.pools.a.pod.spec.containers[0]", "spec.sidecar"]
    );
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template("x")}});
    assert!(places(&deployment, &configuration).is_empty());
}

#[test]
fn a_lone_image_is_judged_by_its_name_only() {
    let object = json!({"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "spec": {"trainer": {"image": "busybox"}}});
    assert_eq!(
        World::of([]).says(&object),
        "Warn\nspec.trainer.image: image busybox: no ImageRef in team-a names it (UnknownImage). Use an image that `kubectl -n team-a get imageref -o wide` lists, or declare this one with an ImageRef."
    );
}

#[test]
fn a_template_may_leave_an_image_to_whoever_makes_the_pod_and_a_pod_may_not() {
    let spec = json!({"containers": [{"name": "c"}]});
    let job =
        json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": spec}}});
    assert_eq!(World::of([]).says(&job), "Allow");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec});
    assert_eq!(
        World::of([]).judge(&pod).findings[0].reason,
        Reason::MalformedImage
    );
}

#[test]
fn an_object_that_is_too_large_is_refused_whatever_its_images() {
    let exempt = |object: &Value| {
        World::of([])
            .labelled("imageref.dev/admission-templates", "enforce")
            .configured("exempt: [docker.io/]")
            .judge(object)
    };
    let many: Vec<_> = (0..=MOST_IMAGES).map(|_| json!({"image": "x"})).collect();
    let pod = |containers: &[Value]| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
    assert_eq!(exempt(&pod(&many[1..])).decision, Decision::Allow);
    let refused = exempt(&pod(&many));
    assert_eq!(refused.decision, Decision::Deny);
    assert_eq!(
        refused.message(1),
        "the object has more pod templates or images than are judged (TooManyImages). Split it."
    );
    let tasks = |n: usize| {
        let tasks: Vec<_> = (0..n).map(|_| json!({"template": template("x")})).collect();
        json!({"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": {"tasks": tasks}})
    };
    let two = |n: usize| {
        let template = json!({"template": {"spec": {"containers": many[..n]}}});
        json!({"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job",
            "spec": {"tasks": [template, template]}})
    };
    assert_eq!(exempt(&two(MOST_IMAGES / 2)).decision, Decision::Allow);
    assert_eq!(exempt(&two(MOST_IMAGES / 2 + 1)).decision, Decision::Deny);
    assert_eq!(exempt(&tasks(MOST_PODS)).decision, Decision::Allow);
    assert_eq!(exempt(&tasks(MOST_PODS + 1)).decision, Decision::Deny);
}
