//! The verdict on random small worlds: against a slow and simple judge, and against itself.

use super::world::{A, B, World, declared};
use imageref::admission::image::PodImage;
use imageref::admission::{
    Configuration, Context, Decision, Known, KnownRef, Reason, Unusable, extract, verdict,
};
use imageref::api::ProviderKind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const CONTROLLER: &str = "system:serviceaccount:kube-system:job-controller";
const CONFIGURATION: &str = "
sharedNamespaces: [shared, team-a]
mirrors: [{from: mirror.example/hub, to: docker.io/library}]
pools:
- {labels: {pool: kunpeng}, architectures: [arm64]}
- {labels: {pool: plain}, architectures: [amd64, arm64]}
- {labels: {rack: r1, zone: z1}, architectures: [arm64]}
";

/// An image in parts, which the simple judge compares without reading any text.
#[derive(Clone, Debug)]
struct Parts {
    repository: usize,
    tag: Option<&'static str>,
    digest: Option<&'static str>,
    spelling: usize,
}

impl Parts {
    fn text(&self) -> String {
        let spellings = [
            [
                "nginx",
                "docker.io/library/nginx",
                "mirror.example/hub/nginx",
            ],
            [
                "r.example/ai/torch",
                "R.EXAMPLE:443/ai/torch",
                "r.example:443/ai/torch",
            ],
            [
                "r.example:5000/ai/torch",
                "R.example:5000/ai/torch",
                "r.example:5000/ai/torch",
            ],
        ];
        let mut text = spellings[self.repository][self.spelling].to_owned();
        for (mark, part) in [(':', self.tag), ('@', self.digest)] {
            if let Some(part) = part {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// The tag that a node would take.
    fn tag(&self) -> Option<&'static str> {
        match (self.tag, self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    (
        0..3_usize,
        select(vec![None, Some("1"), Some("2"), Some("latest")]),
        select(vec![None, None, Some(A), Some(B)]),
        0..3_usize,
    )
        .prop_map(|(repository, tag, digest, spelling)| Parts {
            repository,
            tag,
            digest,
            spelling,
        })
}

#[derive(Clone, Debug)]
struct Declared {
    parts: Parts,
    known: KnownRef,
}

fn reference() -> impl Strategy<Value = Declared> {
    (
        parts(),
        select(vec!["team-a", "shared", "team-b"]),
        select(vec!["x", "y", "z"]),
        select(vec![
            None,
            Some(ProviderKind::Namespaced),
            Some(ProviderKind::Cluster),
            Some(ProviderKind::Cluster),
        ]),
        subsequence(vec!["amd64", "arm64"], 0..=2),
        subsequence(vec!["ASCEND", "CPU", "GPU"], 0..=3),
        option::weighted(
            0.3,
            select(vec![
                "ImageNotFound",
                "StaleTooLong",
                "ProviderNotReady",
                "ImageNotActive",
            ]),
        ),
    )
        .prop_map(
            |(parts, namespace, name, provider, archs, accelerators, unusable)| {
                let known = KnownRef {
                    provider,
                    platforms: archs.iter().map(|arch| format!("linux/{arch}")).collect(),
                    accelerators: accelerators.into_iter().map(Into::into).collect(),
                    unusable: unusable.map(|reason| Unusable {
                        reason: reason.into(),
                        ..Unusable::default()
                    }),
                    ..declared(&format!("{namespace}/{name}"), &parts.text())
                };
                Declared { parts, known }
            },
        )
}

/// References without repeated names: the last one of a name stays.
fn references() -> impl Strategy<Value = Vec<Declared>> {
    vec(reference(), 0..8).prop_map(|list| {
        let mut kept: Vec<Declared> = Vec::new();
        for one in list {
            let key = |r: &KnownRef| (r.namespace.clone(), r.name.clone());
            kept.retain(|other| key(&other.known) != key(&one.known));
            kept.push(one);
        }
        kept
    })
}

#[derive(Clone, Debug)]
struct Requirement {
    key: &'static str,
    operator: &'static str,
    values: Vec<&'static str>,
}

fn requirement(key: &'static str) -> impl Strategy<Value = Requirement> {
    let values = match key {
        "kubernetes.io/arch" => vec!["amd64", "arm64", "riscv64"],
        "pool" => vec!["kunpeng", "plain", "7"],
        "rack" => vec!["r1", "7"],
        _ => vec!["z1", "7"],
    };
    let operators = ["In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
    (select(operators.to_vec()), subsequence(values, 1..=2)).prop_map(move |(operator, values)| {
        let values = match operator {
            "Gt" => vec!["6"],
            "Lt" => vec!["8"],
            "Exists" | "DoesNotExist" => vec![],
            _ => values,
        };
        Requirement {
            key,
            operator,
            values,
        }
    })
}

/// A pod's demands. No label but the architecture is asked for twice in one alternative: two
/// demands on it could contradict each other, and that is no matter of architectures.
#[derive(Clone, Debug)]
struct Demands {
    selector: Vec<(&'static str, &'static str)>,
    terms: Option<Vec<Vec<Requirement>>>,
}

fn demands() -> impl Strategy<Value = Demands> {
    let selector = (
        option::weighted(0.2, select(vec!["amd64", "arm64"])),
        option::weighted(0.2, select(vec!["kunpeng", "plain", "7"])),
        option::weighted(0.2, Just("r1")),
        option::weighted(0.2, Just("z1")),
        option::weighted(0.2, Just("linux")),
    )
        .prop_map(|(arch, pool, rack, zone, os)| {
            let keys = [
                "kubernetes.io/arch",
                "pool",
                "rack",
                "zone",
                "kubernetes.io/os",
            ];
            let values = [arch, pool, rack, zone, os];
            let both = keys.into_iter().zip(values);
            both.filter_map(|(key, value)| Some((key, value?)))
                .collect::<Vec<_>>()
        });
    let term = (
        vec(requirement("kubernetes.io/arch"), 0..=2),
        option::of(requirement("pool")),
        option::of(requirement("rack")),
        option::of(requirement("zone")),
    )
        .prop_map(|(arch, pool, rack, zone)| {
            arch.into_iter()
                .chain(pool)
                .chain(rack)
                .chain(zone)
                .collect::<Vec<_>>()
        });
    (selector, option::of(vec(term, 1..3))).prop_map(|(selector, mut terms)| {
        for term in terms.iter_mut().flatten() {
            term.retain(|one| {
                one.key == "kubernetes.io/arch" || selector.iter().all(|(key, _)| *key != one.key)
            });
        }
        Demands { selector, terms }
    })
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
struct Case {
    refs: Vec<Declared>,
    image: Parts,
    demands: Demands,
    resources: Vec<&'static str>,
    trust_any: bool,
    default_amd64: bool,
    require_digest: bool,
    recreated: bool,
}

fn case() -> impl Strategy<Value = Case> {
    (
        references(),
        parts(),
        demands(),
        subsequence(
            vec![
                "huawei.com/Ascend910",
                "nvidia.com/gpu",
                "example.com/other",
            ],
            0..=2,
        ),
        any::<[bool; 4]>(),
    )
        .prop_map(|(refs, image, demands, resources, flags)| Case {
            refs,
            image,
            demands,
            resources,
            trust_any: flags[0],
            default_amd64: flags[1],
            require_digest: flags[2],
            recreated: flags[3],
        })
}

impl Case {
    fn world(&self) -> World {
        let refs = self.refs.iter().map(|one| one.known.clone());
        let mut file = CONFIGURATION.to_owned();
        if self.trust_any {
            file.push_str("trust: any\n");
        }
        if self.default_amd64 {
            file.push_str("defaultArchitectures: [amd64]\n");
        }
        World::of(refs)
            .configured(&file)
            .labelled(
                "imageref.dev/require-digest",
                &self.require_digest.to_string(),
            )
            .user(if self.recreated { CONTROLLER } else { "alice" })
    }

    fn pod(&self) -> Value {
        let resources: Map<_, _> = self
            .resources
            .iter()
            .map(|name| ((*name).into(), json!(1)))
            .collect();
        let selector: Map<_, _> = self
            .demands
            .selector
            .iter()
            .map(|(key, value)| ((*key).into(), json!(value)))
            .collect();
        let mut spec = json!({
            "containers": [{"name": "c", "image": self.image.text(), "resources": {"requests": resources}}],
            "nodeSelector": selector,
        });
        if let Some(terms) = &self.demands.terms {
            let terms: Vec<_> = terms
                .iter()
                .map(|term| {
                    let all: Vec<_> = term
                        .iter()
                        .map(|one| json!({"key": one.key, "operator": one.operator, "values": one.values}))
                        .collect();
                    json!({"matchExpressions": all})
                })
                .collect();
            spec["affinity"] = json!({"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
        }
        json!({"apiVersion": "v1", "kind": "Pod", "spec": spec})
    }
}

/// The simple judge: looks at every reference, and at every node that there could be.
mod simple {
    use super::{Case, Declared, Demands, Requirement};
    use imageref::admission::{Decision, Reason};
    use imageref::api::ProviderKind;

    type Node = [(&'static str, Option<&'static str>); 4];

    fn cluster(default_amd64: bool, selects: bool) -> Vec<Node> {
        let mut nodes = Vec::new();
        for arch in ["amd64", "arm64", "riscv64"] {
            for pool in [None, Some("kunpeng"), Some("plain"), Some("7")] {
                for rack in [None, Some("r1"), Some("7")] {
                    for zone in [None, Some("z1"), Some("7")] {
                        let arm_only =
                            pool == Some("kunpeng") || (rack == Some("r1") && zone == Some("z1"));
                        let impossible = (arm_only && arch != "arm64")
                            || (pool == Some("plain") && arch == "riscv64")
                            || (default_amd64 && !selects && arch != "amd64");
                        if !impossible {
                            nodes.push([
                                ("kubernetes.io/arch", Some(arch)),
                                ("pool", pool),
                                ("rack", rack),
                                ("zone", zone),
                            ]);
                        }
                    }
                }
            }
        }
        nodes
    }

    fn label(node: &Node, key: &str) -> Option<&'static str> {
        if key == "kubernetes.io/os" {
            return Some("linux");
        }
        node.iter()
            .find(|(k, _)| *k == key)
            .and_then(|(_, value)| *value)
    }

    fn holds(node: &Node, one: &Requirement) -> bool {
        let value = label(node, one.key);
        let number = value.and_then(|value| value.parse::<i64>().ok());
        let bound = one
            .values
            .first()
            .and_then(|value| value.parse::<i64>().ok());
        let above = number.zip(bound).map(|(number, bound)| number.cmp(&bound));
        match one.operator {
            "In" => value.is_some_and(|value| one.values.contains(&value)),
            "NotIn" => value.is_none_or(|value| !one.values.contains(&value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => above.is_some_and(std::cmp::Ordering::is_gt),
            _ => above.is_some_and(std::cmp::Ordering::is_lt),
        }
    }

    fn can_run(architectures: &[String], demands: &Demands, default_amd64: bool) -> bool {
        let alternatives = demands.terms.clone().map_or(vec![vec![]], |terms| {
            terms.into_iter().filter(|term| !term.is_empty()).collect()
        });
        alternatives.iter().any(|term| {
            let selects = !term.is_empty()
                || demands
                    .selector
                    .iter()
                    .any(|(key, _)| *key != "kubernetes.io/os");
            cluster(default_amd64, selects).iter().any(|node| {
                demands
                    .selector
                    .iter()
                    .all(|(key, value)| label(node, key) == Some(value))
                    && term.iter().all(|one| holds(node, one))
                    && architectures.iter().any(|platform| {
                        platform.strip_prefix("linux/") == label(node, "kubernetes.io/arch")
                    })
            })
        })
    }

    /// What becomes of the image because of one reference to exactly it.
    fn outcome(case: &Case, one: &Declared) -> (Decision, Option<Reason>) {
        let known = &one.known;
        let mild = |reason: &str| case.recreated && reason != "ImageNotFound";
        let unusable = known
            .unusable
            .as_ref()
            .map(|unusable| unusable.reason.as_str());
        if unusable.is_some_and(|reason| !mild(reason)) {
            return (Decision::Deny, Some(Reason::NotUsable));
        }
        let runs = known.platforms.is_empty()
            || can_run(&known.platforms, &case.demands, case.default_amd64);
        let fits = |resource: &&str| {
            let kind = match *resource {
                "huawei.com/Ascend910" => "ASCEND",
                "nvidia.com/gpu" => "GPU",
                _ => return true,
            };
            known.accelerators.is_empty() || known.accelerators.iter().any(|a| a == kind)
        };
        let reason = if !runs {
            Reason::WrongArchitecture
        } else if !case.resources.iter().all(fits) {
            Reason::WrongAccelerator
        } else if case.require_digest && case.image.digest.is_none() {
            Reason::DigestRequired
        } else if unusable.is_some() {
            return (Decision::Warn, Some(Reason::NotUsable));
        } else {
            return (Decision::Allow, None);
        };
        (Decision::Deny, Some(reason))
    }

    pub(super) fn judge(case: &Case) -> (Decision, Option<Reason>) {
        let image = &case.image;
        let same = |one: &&Declared| one.parts.repository == image.repository;
        let visible = |one: &&Declared| one.known.namespace != "team-b";
        let counts = |one: &&Declared| match one.known.provider {
            Some(ProviderKind::Cluster) => true,
            Some(ProviderKind::Namespaced) => case.trust_any,
            None => false,
        };
        let tags_fit = |one: &Declared| {
            let (mine, its) = (image.tag(), one.parts.tag());
            match (mine, its) {
                (Some(mine), Some(its)) => mine == its,
                (None, _) => true,
                (Some(_), None) => image.digest.is_some(),
            }
        };
        let exact = |one: &&Declared| {
            tags_fit(one) && (image.digest.is_none() || image.digest == one.parts.digest)
        };
        let near: Vec<_> = case
            .refs
            .iter()
            .filter(same)
            .filter(visible)
            .filter(counts)
            .collect();
        let exact: Vec<_> = near.iter().copied().filter(exact).collect();
        let best = exact
            .iter()
            .map(|one| {
                let (decision, reason) = outcome(case, one);
                let foreign = one.known.namespace != "team-a";
                (
                    decision,
                    foreign,
                    &one.known.name,
                    &one.known.namespace,
                    reason,
                )
            })
            .min();
        match best {
            Some((decision, .., reason)) => (decision, reason),
            None if near.is_empty() => (Decision::Deny, Some(Reason::UnknownImage)),
            None => {
                let misses: Vec<_> = near.iter().map(|one| tags_fit(one)).collect();
                let digest = image.digest.is_some() && misses.contains(&true);
                let reason = if digest {
                    Reason::OtherDigest
                } else {
                    Reason::OtherTag
                };
                (Decision::Deny, Some(reason))
            }
        }
    }
}

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

fn decide(case: &Case) -> (Decision, Option<Reason>) {
    let verdict = case.world().judge(&case.pod());
    (verdict.decision, verdict.findings.first().map(|f| f.reason))
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
        let (before, _) = decide(&case);
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
