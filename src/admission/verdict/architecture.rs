//! Which architectures the nodes may have that a pod selects.
//!
//! Owns the meaning of nodeSelector, required node affinity and the configured pools. Must not know
//! the nodes. The invariant that would break first: an architecture is ruled out only if the pod's
//! own selection rules it out, whatever nodes there are.

use crate::admission::configuration::Configuration;
use crate::admission::pod::{Expression, Nodes, Operator, Term};
use std::collections::BTreeSet;

/// The most architectures named in a message.
const MOST_NAMED: usize = 8;

fn is_arch(key: &str) -> bool {
    matches!(key, "kubernetes.io/arch" | "beta.kubernetes.io/arch")
}

/// Labels that say nothing of the pool: every Linux pod may carry them.
fn is_neutral(key: &str) -> bool {
    matches!(key, "kubernetes.io/os" | "beta.kubernetes.io/os")
}

/// Whether a node of this architecture may be selected. Labels other than the architecture are
/// taken to be whatever the pod wants, as far as the configured pools allow it.
pub(super) fn allows(nodes: &Nodes<'_>, arch: &str, configuration: &Configuration) -> bool {
    match &nodes.terms {
        None => term_allows(nodes, &Term::default(), arch, configuration),
        Some(terms) => terms.iter().any(|term| {
            // A term without requirements selects no node (Kubernetes, "Node affinity").
            (!term.expressions.is_empty() || term.on_fields)
                && term_allows(nodes, term, arch, configuration)
        }),
    }
}

fn term_allows(
    nodes: &Nodes<'_>,
    term: &Term<'_>,
    arch: &str,
    configuration: &Configuration,
) -> bool {
    let selector = nodes.selector.iter().map(|(key, value)| Expression {
        key,
        operator: Operator::In,
        values: vec![value],
    });
    let all: Vec<_> = selector.chain(term.expressions.iter().cloned()).collect();
    all.iter().all(|e| !is_arch(e.key) || holds(e, arch))
        && all.iter().all(|e| value_left(e, arch, configuration))
        && pools_allow(&all, arch, configuration)
        && (selects(nodes, term, &all) || by_default(arch, configuration))
}

/// Whether the requirement holds for a label of this value.
fn holds(expression: &Expression<'_>, value: &str) -> bool {
    match expression.operator {
        Operator::In => expression.values.contains(&value),
        Operator::NotIn => !expression.values.contains(&value),
        // No architecture is a number.
        Operator::DoesNotExist | Operator::Gt | Operator::Lt => false,
        Operator::Exists | Operator::Other => true,
    }
}

/// Whether one of the values of another label is left: not each belongs to a pool without the
/// architecture.
fn value_left(expression: &Expression<'_>, arch: &str, configuration: &Configuration) -> bool {
    if is_arch(expression.key) || expression.operator != Operator::In {
        return true;
    }
    let free = |value: &str| {
        configuration.pools.iter().all(|pool| {
            let single = pool.labels.len() == 1;
            let this = single && pool.labels.get(expression.key).is_some_and(|v| v == value);
            !this || pool.architectures.iter().any(|a| a == arch)
        })
    };
    expression.values.is_empty() || expression.values.iter().any(|value| free(value))
}

/// Whether no pool that the pod is sure to land in is without the architecture.
fn pools_allow(all: &[Expression<'_>], arch: &str, configuration: &Configuration) -> bool {
    let forced = |key: &str, value: &str| {
        all.iter().any(|e| {
            e.key == key
                && e.operator == Operator::In
                && !e.values.is_empty()
                && e.values.iter().all(|v| *v == value)
        })
    };
    configuration.pools.iter().all(|pool| {
        !pool.labels.iter().all(|(key, value)| forced(key, value))
            || pool.architectures.iter().any(|a| a == arch)
    })
}

/// Whether the pod selects nodes at all, so that the default pools are not meant.
fn selects(nodes: &Nodes<'_>, term: &Term<'_>, all: &[Expression<'_>]) -> bool {
    nodes.bound || term.on_fields || all.iter().any(|e| !is_neutral(e.key))
}

fn by_default(arch: &str, configuration: &Configuration) -> bool {
    let defaults = &configuration.default_architectures;
    defaults.is_empty() || defaults.iter().any(|default| default == arch)
}

/// Why an image's architectures do not fit, and what the pod allows in their place.
pub(super) struct Allowed {
    /// Those of the architectures known here that the pod allows; sorted.
    pub(super) list: Vec<String>,
    /// Whether the pod selects nothing, so that the default pools decide.
    pub(super) by_default: bool,
}

/// For a message: what the pod allows.
pub(super) fn allowed(nodes: &Nodes<'_>, configuration: &Configuration) -> Allowed {
    let terms = nodes.terms.iter().flatten();
    let affinity = terms.flat_map(|term| &term.expressions);
    let named = affinity
        .filter(|e| is_arch(e.key) && e.operator == Operator::In)
        .flat_map(|e| &e.values);
    let selected = nodes.selector.iter().filter(|(key, _)| is_arch(key));
    let pools = configuration
        .pools
        .iter()
        .flat_map(|pool| &pool.architectures);
    let mut list: BTreeSet<&str> = ["amd64", "arm64"].into();
    list.extend(named.copied());
    list.extend(selected.map(|(_, value)| value));
    list.extend(
        pools
            .chain(&configuration.default_architectures)
            .map(String::as_str),
    );
    let fits = |arch: &&str| allows(nodes, arch, configuration);
    let list = list.into_iter().filter(fits).take(MOST_NAMED);
    Allowed {
        list: list.map(str::to_owned).collect(),
        by_default: nodes.terms.is_none()
            && !selects(nodes, &Term::default(), &[])
            && nodes.selector.iter().all(|(key, _)| is_neutral(key)),
    }
}
