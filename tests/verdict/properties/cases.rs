//! Random small worlds: images in parts, references to them, and pods with demands.

use super::super::world::{A, B, World, declared};
use imageref::admission::{KnownRef, Unusable};
use imageref::api::ProviderKind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

pub(super) const CONTROLLER: &str = "system:serviceaccount:kube-system:job-controller";
pub(super) const CONFIGURATION: &str = "
sharedNamespaces: [shared, team-a]
mirrors: [{from: mirror.example/hub, to: docker.io/library}]
pools:
- {labels: {pool: kunpeng}, architectures: [arm64]}
- {labels: {pool: plain}, architectures: [amd64, arm64]}
- {labels: {rack: r1, zone: z1}, architectures: [arm64]}
";

/// An image in parts, which the simple judge compares without reading any text.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) repository: usize,
    pub(super) tag: Option<&'static str>,
    pub(super) digest: Option<&'static str>,
    pub(super) spelling: usize,
}

impl Parts {
    pub(super) fn text(&self) -> String {
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
    pub(super) fn tag(&self) -> Option<&'static str> {
        match (self.tag, self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        }
    }
}

pub(super) fn parts() -> impl Strategy<Value = Parts> {
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
pub(super) struct Declared {
    pub(super) parts: Parts,
    pub(super) known: KnownRef,
}

pub(super) fn reference() -> impl Strategy<Value = Declared> {
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
pub(super) fn references() -> impl Strategy<Value = Vec<Declared>> {
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
pub(super) struct Requirement {
    pub(super) key: &'static str,
    pub(super) operator: &'static str,
    pub(super) values: Vec<&'static str>,
}

pub(super) fn requirement(key: &'static str) -> impl Strategy<Value = Requirement> {
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
pub(super) struct Demands {
    pub(super) selector: Vec<(&'static str, &'static str)>,
    pub(super) terms: Option<Vec<Vec<Requirement>>>,
}

pub(super) fn demands() -> impl Strategy<Value = Demands> {
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
pub(super) struct Case {
    pub(super) refs: Vec<Declared>,
    pub(super) image: Parts,
    pub(super) demands: Demands,
    pub(super) resources: Vec<&'static str>,
    pub(super) trust_any: bool,
    pub(super) default_amd64: bool,
    pub(super) require_digest: bool,
    pub(super) recreated: bool,
}

pub(super) fn case() -> impl Strategy<Value = Case> {
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
    pub(super) fn world(&self) -> World {
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

    pub(super) fn pod(&self) -> Value {
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
