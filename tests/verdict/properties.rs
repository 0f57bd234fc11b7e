//! The verdict on random small worlds: against a slow and simple judge, and against itself.

mod cases;
mod simple;

use super::world::World;

use cases::{Case, Declared, case, parts, reference, references};
use imageref::admission::image::PodImage;
use imageref::admission::{Configuration, Context, Known, extract, verdict};
use imageref::api::ProviderKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use simple::Judgement;

/// Any JSON, of the words that a pod is made of.
fn json_of_pods() -> impl Strategy<Value = Value> {
    let words = [
        "spec",
        "template",
        "containers",
        "initContainers",
        "ephemeralContainers",
        "volumes",
        "image",
        "reference",
        "name",
        "resources",
        "limits",
        "requests",
        "nvidia.com/gpu",
        "nodeSelector",
        "affinity",
        "nodeAffinity",
        "nodeName",
        "tasks",
        "jobTemplate",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        "matchExpressions",
        "matchFields",
        "key",
        "operator",
        "values",
        "In",
        "Gt",
        "kubernetes.io/arch",
        "",
    ];
    let word = select(words.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        parts().prop_map(|parts| Value::from(parts.text())),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

/// The same inside the frame of a kind, so that random fields are read at all.
fn object() -> impl Strategy<Value = Value> {
    let kinds = [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "CronJob"),
        ("batch.volcano.sh/v1alpha1", "Job"),
        ("kubeflow.org/v1", "PyTorchJob"),
    ];
    (
        select(kinds.to_vec()),
        json_of_pods(),
        json_of_pods(),
        json_of_pods(),
    )
        .prop_map(|((api, kind), spec, containers, affinity)| {
            let pod = json!({"containers": containers, "affinity": affinity, "volumes": [spec]});
            let template = json!({"spec": pod});
            let spec = match kind {
                "Pod" => pod,
                "CronJob" => json!({"jobTemplate": {"spec": {"template": template}}}),
                "Job" => json!({"tasks": [{"template": template}, spec]}),
                "PyTorchJob" => {
                    json!({"pytorchReplicaSpecs": {"Master": {"template": template}, "W": spec}})
                }
                _ => json!({"template": template}),
            };
            json!({"apiVersion": api, "kind": kind, "spec": spec})
        })
}

fn decide(case: &Case) -> Judgement {
    let verdict = case.world().judge(&case.pod());
    let first = verdict.findings.first();
    let about = first.and_then(|f| f.image_ref.clone());
    (verdict.decision, first.map(|f| f.reason), about)
}

proptest! {
    #[test]
    fn the_verdict_is_that_of_a_judge_who_looks_at_every_reference_and_every_node(case in case()) {
        prop_assert_eq!(decide(&case), simple::judge(&case));
    }

    #[test]
    fn one_more_usable_reference_that_counts_never_takes_an_image_away(
        case in case(), mut more in reference(),
    ) {
        more.known.unusable = None;
        more.known.provider = Some(ProviderKind::Cluster);
        more.known.name = "added".into();
        let (before, ..) = decide(&case);
        let mut with = case.clone();
        with.refs.push(more);
        prop_assert!(decide(&with).0 <= before);
    }

    #[test]
    fn the_index_forgets_the_order_in_which_references_came_changed_and_went(
        case in case(),
        past in vec(reference(), 0..8),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let world = case.world();
        let expected = world.judge(&case.pod());
        let configuration = Configuration::new(world.file.clone()).unwrap();
        let mut known = Known::new(configuration.mirrors());
        for one in &past {
            known.insert(one.known.clone());
        }
        for one in order.iter().filter_map(|n| case.refs.get(*n)) {
            known.insert(one.known.clone());
        }
        for one in &past {
            let (namespace, name) = (&one.known.namespace, &one.known.name);
            let stays = |kept: &&Declared| (&kept.known.namespace, &kept.known.name) == (namespace, name);
            if !case.refs.iter().any(|kept| stays(&kept)) {
                known.remove(namespace, name);
            }
        }
        prop_assert_eq!(known.len(), case.refs.len());
        let context = Context { user: world.user, ..Context::of_namespace(world.namespace, &world.labels) };
        let pod = case.pod();
        let object = extract(&pod, &configuration).unwrap();
        prop_assert_eq!(verdict(&object, None, &context, &known, &configuration), expected);
        for one in &case.refs {
            known.remove(&one.known.namespace, &one.known.name);
        }
        prop_assert!(known.is_empty());
    }

    #[test]
    fn no_object_makes_it_panic_or_write_more_than_one_line_a_finding(
        new in object(), old in object(), bare in json_of_pods(), refs in references(),
    ) {
        let mut world = World::of(refs.into_iter().map(|one| one.known));
        let _ = extract(&bare, &Configuration::default());
        for before in [None, Some(old), Some(new.clone())] {
            world.update_of = before;
            let verdict = world.judge(&new);
            let message = verdict.message(usize::MAX);
            prop_assert_eq!(message.lines().count(), verdict.findings.len());
            if world.update_of.as_ref() == Some(&new) {
                prop_assert_eq!(verdict.findings.len(), 0);
            }
        }
    }

    #[test]
    fn any_text_is_refused_or_read_as_an_image_that_reads_the_same(
        text in "\\PC{0,40}|[a-zA-Z0-9./:@_-]{0,60}|[a-z]{1,3}(/[a-z0-9]{1,4}){0,3}(:[a-z0-9]{1,3})?",
    ) {
        if let Ok(image) = PodImage::as_written(&text) {
            prop_assert_eq!(PodImage::as_written(&image.to_string()), Ok(image));
        }
    }
}
