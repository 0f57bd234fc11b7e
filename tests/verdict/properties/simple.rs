//! The simple judge: looks at every reference, and at every node that there could be.

use super::cases::{Case, Declared, Demands, Requirement};
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
    let runs =
        known.platforms.is_empty() || can_run(&known.platforms, &case.demands, case.default_amd64);
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

/// What becomes of the image, why, and which reference the finding is about.
pub(super) type Judgement = (Decision, Option<Reason>, Option<(String, String)>);

pub(super) fn judge(case: &Case) -> Judgement {
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
    let called = |one: &Declared| Some((one.known.namespace.clone(), one.known.name.clone()));
    let order = |one: &Declared| {
        let known = &one.known;
        let foreign = known.namespace != "team-a";
        (foreign, known.name.clone(), known.namespace.clone())
    };
    let all = || case.refs.iter().filter(same).filter(visible);
    let best = all()
        .filter(counts)
        .filter(exact)
        .map(|one| {
            let (decision, reason) = outcome(case, one);
            let about = reason.and_then(|_| called(one));
            (decision, order(one), reason, about)
        })
        .min();
    if let Some((decision, _, reason, about)) = best {
        return (decision, reason, about);
    }
    let tags_differ = |one: &Declared| {
        let tags = image.tag().zip(one.parts.tag());
        tags.is_some_and(|(mine, its)| mine != its)
    };
    let nearest = all()
        .filter(counts)
        .min_by_key(|one| (tags_differ(one), one.known.unusable.is_some(), order(one)));
    if let Some(one) = nearest {
        let digest = image.digest.is_some() && all().filter(counts).any(tags_fit);
        let reason = if digest {
            Reason::OtherDigest
        } else {
            Reason::OtherTag
        };
        return (Decision::Deny, Some(reason), called(one));
    }
    let own = |one: &&Declared| one.known.namespace == "team-a";
    let untrusted = all().filter(own).filter(exact).min_by_key(|one| order(one));
    (
        Decision::Deny,
        Some(Reason::UnknownImage),
        untrusted.and_then(called),
    )
}
