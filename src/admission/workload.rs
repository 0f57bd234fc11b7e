//! The pods that an object would run: its own, or those of its templates.
//!
//! Owns where each kind holds them. Must not know what is judged about them. The invariant that
//! would break first: an object with more pods or images than are read says so, rather than having
//! the rest pass.

use super::configuration::{Configuration, WorkloadPaths};
use super::path::FieldPath;
use super::pod::PodSpec;
use serde_json::Value;
use std::collections::BTreeMap;

/// The most pod templates and lone images read of one object.
pub const MOST_PODS: usize = 256;
/// The most images judged of one object.
pub const MOST_IMAGES: usize = 1000;

/// What an object is to admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A pod.
    Pod,
    /// Something that makes pods.
    Template,
}

/// One pod, or one template of pods.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The path of its spec, or of the image that stands alone.
    pub path: String,
    /// What is read of it.
    pub spec: PodSpec<'a>,
}

/// Everything that an object would run.
#[derive(Clone, Debug)]
pub struct Workload<'a> {
    /// Pod or template.
    pub subject: Subject,
    /// The pods, in the order of the object.
    pub pods: Vec<Found<'a>>,
    /// Whether there is more than is read.
    pub too_large: bool,
}

/// Reads an object by its `apiVersion` and `kind`; `None` for kinds that run nothing.
pub fn extract<'a>(object: &'a Value, configuration: &Configuration) -> Option<Workload<'a>> {
    let text = |field| {
        object
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let group = text("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kind = text("kind");
    if (group, kind) == ("", "Pod") {
        let spec = object.get("spec").map(PodSpec::read).unwrap_or_default();
        let pods = vec![Found {
            path: "spec".into(),
            spec,
        }];
        return Some(bounded(Subject::Pod, pods));
    }
    let paths = configuration
        .workloads
        .get(&(group.to_owned(), kind.to_owned()))?;
    let mut pods = Vec::new();
    // One more than are judged, so that it shows that there are more.
    let find = |path: &FieldPath| path.find(object, MOST_PODS + 1);
    for path in &paths.templates {
        for (place, template) in find(path) {
            let mut spec = template.get("spec").map(PodSpec::read).unwrap_or_default();
            // Its pods are made for one node each, whatever the default pools are.
            spec.nodes.bound |= (group, kind) == ("apps", "DaemonSet");
            pods.push(Found {
                path: format!("{place}.spec"),
                spec,
            });
        }
    }
    for path in &paths.images {
        for (path, image) in find(path) {
            pods.push(Found {
                path,
                spec: PodSpec::of_image(image),
            });
        }
    }
    Some(bounded(Subject::Template, pods))
}

fn bounded(subject: Subject, mut pods: Vec<Found<'_>>) -> Workload<'_> {
    let mut too_large = pods.len() > MOST_PODS;
    pods.truncate(MOST_PODS);
    let mut left = MOST_IMAGES;
    for pod in &mut pods {
        let containers = &mut pod.spec.containers;
        too_large |= containers.len() > left;
        containers.truncate(left);
        left -= containers.len();
    }
    Workload {
        subject,
        pods,
        too_large,
    }
}

/// A group, a kind, its templates, its lone images.
type Known = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// The kinds that hold pod templates, as their CRDs have them.
const KNOWN: &[Known] = &[
    ("", "ReplicationController", &["spec.template"], &[]),
    ("apps", "Deployment", &["spec.template"], &[]),
    ("apps", "StatefulSet", &["spec.template"], &[]),
    ("apps", "DaemonSet", &["spec.template"], &[]),
    ("apps", "ReplicaSet", &["spec.template"], &[]),
    ("batch", "Job", &["spec.template"], &[]),
    ("batch", "CronJob", &["spec.jobTemplate.spec.template"], &[]),
    // Volcano
    ("batch.volcano.sh", "Job", &["spec.tasks[*].template"], &[]),
    // Kubeflow training operator
    (
        "kubeflow.org",
        "PyTorchJob",
        &["spec.pytorchReplicaSpecs[*].template"],
        &[],
    ),
    (
        "kubeflow.org",
        "TFJob",
        &["spec.tfReplicaSpecs[*].template"],
        &[],
    ),
    (
        "kubeflow.org",
        "MPIJob",
        &["spec.mpiReplicaSpecs[*].template"],
        &[],
    ),
    (
        "kubeflow.org",
        "XGBoostJob",
        &["spec.xgbReplicaSpecs[*].template"],
        &[],
    ),
    (
        "kubeflow.org",
        "PaddleJob",
        &["spec.paddleReplicaSpecs[*].template"],
        &[],
    ),
    (
        "kubeflow.org",
        "JAXJob",
        &["spec.jaxReplicaSpecs[*].template"],
        &[],
    ),
    // Kubeflow trainer: most of a job's pods are in its runtime.
    (
        "trainer.kubeflow.org",
        "TrainJob",
        &["spec.podTemplateOverrides[*]"],
        &["spec.trainer.image"],
    ),
    (
        "trainer.kubeflow.org",
        "TrainingRuntime",
        &["spec.template.spec.replicatedJobs[*].template.spec.template"],
        &[],
    ),
    // JobSet and LeaderWorkerSet
    (
        "jobset.x-k8s.io",
        "JobSet",
        &["spec.replicatedJobs[*].template.spec.template"],
        &[],
    ),
    (
        "leaderworkerset.x-k8s.io",
        "LeaderWorkerSet",
        &[
            "spec.leaderWorkerTemplate.leaderTemplate",
            "spec.leaderWorkerTemplate.workerTemplate",
        ],
        &[],
    ),
    // KubeRay
    (
        "ray.io",
        "RayCluster",
        &[
            "spec.headGroupSpec.template",
            "spec.workerGroupSpecs[*].template",
        ],
        &["spec.autoscalerOptions.image"],
    ),
    (
        "ray.io",
        "RayJob",
        &[
            "spec.rayClusterSpec.headGroupSpec.template",
            "spec.rayClusterSpec.workerGroupSpecs[*].template",
            "spec.submitterPodTemplate",
        ],
        &["spec.rayClusterSpec.autoscalerOptions.image"],
    ),
    (
        "ray.io",
        "RayService",
        &[
            "spec.rayClusterConfig.headGroupSpec.template",
            "spec.rayClusterConfig.workerGroupSpecs[*].template",
        ],
        &["spec.rayClusterConfig.autoscalerOptions.image"],
    ),
];

/// The kinds that are read without configuration.
pub(super) fn known_kinds() -> BTreeMap<(String, String), WorkloadPaths> {
    // Each is read: a test walks the table.
    let read = |list: &[&str]| {
        list.iter()
            .filter_map(|text| FieldPath::parse(text).ok())
            .collect()
    };
    let known = KNOWN.iter().map(|(group, kind, templates, images)| {
        let paths = WorkloadPaths {
            templates: read(templates),
            images: read(images),
        };
        (((*group).to_owned(), (*kind).to_owned()), paths)
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_table_is_read() {
        let all = known_kinds();
        for (group, kind, templates, images) in KNOWN {
            let paths = &all[&((*group).to_owned(), (*kind).to_owned())];
            assert_eq!(paths.templates.len(), templates.len(), "{kind}");
            assert_eq!(paths.images.len(), images.len(), "{kind}");
        }
        assert_eq!(all.len(), KNOWN.len());
    }
}
