//! What there is, for metrics: references and providers by their conditions, and what gates and
//! snapshots hold.
//!
//! Owns one pass over each store. Must not ask anybody. The invariant that would break first: a text
//! that is not in our vocabulary becomes no label, whoever wrote it into a status.

use super::Context;
use super::held::Told;
use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{ProviderKind, ProviderStatus, Reason};
use crate::telemetry::metrics::Stock;
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// For a condition that is not there.
const NONE: &str = "None";
/// For a text that this operator does not write.
const OTHER: &str = "Other";

/// Has the context counted when somebody asks for metrics, for as long as it is there.
pub(super) fn count(context: &Arc<Context>) {
    // Metrics are kept by what they are counted from.
    let weak = Arc::downgrade(context);
    let counted = move || weak.upgrade().map(|context| stock(&context));
    context.metrics.count_with(counted);
}

fn stock(context: &Context) -> Stock {
    let mut stock = Stock {
        scopes: context.snapshots.len(),
        scope_bytes: context.snapshots.bytes(),
        ..Stock::default()
    };
    for held in context.refs.state() {
        *stock.refs.entry(shown(held.ready())).or_default() += 1;
        if let ("True", reason) = shown(held.stale()) {
            *stock.stale.entry(reason).or_default() += 1;
        }
    }
    for object in context.namespaced.state() {
        provider(&mut stock, ProviderKind::Namespaced, object.status.as_ref());
    }
    for object in context.cluster.state() {
        provider(&mut stock, ProviderKind::Cluster, object.status.as_ref());
    }
    let now = Timestamp::now();
    let mut seen = HashSet::new();
    for (id, gate) in context.gates.in_use() {
        let state = gate.breaker(now).as_str();
        let namespace = id.namespace.unwrap_or_default();
        let name = [id.kind.as_str().to_owned(), namespace, id.name];
        stock.breakers.push((name, state));
        // Providers with equal proof share one.
        let first = seen.insert(Arc::as_ptr(&gate));
        stock.paused += usize::from(first && gate.pause(now).is_some());
    }
    stock
}

fn provider(stock: &mut Stock, kind: ProviderKind, status: Option<&ProviderStatus>) {
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    let ready = condition::find(conditions, ConditionType::Ready);
    let (truth, reason) = shown(ready.map(Told::by));
    let key = (kind.as_str(), truth, reason);
    *stock.providers.entry(key).or_default() += 1;
}

/// Status and reason of a condition, as labels.
fn shown(told: Option<Told>) -> (&'static str, &'static str) {
    told.map_or((NONE, NONE), |Told { truth, reason }| {
        (
            truth.map_or(OTHER, Truth::as_str),
            reason.map_or(OTHER, Reason::as_str),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_into_a_status_is_no_label() {
        let mut conditions = Vec::new();
        let ready = ConditionType::Ready;
        let now = Timestamp::UNIX_EPOCH;
        condition::set(
            &mut conditions,
            ready,
            Truth::True,
            Reason::Resolved,
            "",
            1,
            now,
        );
        assert_eq!(
            shown(conditions.first().map(Told::by)),
            ("True", "Resolved")
        );
        conditions[0].reason = "Tenant\"s".into();
        assert_eq!(shown(conditions.first().map(Told::by)), ("True", OTHER));
        conditions[0].status = "Perhaps".into();
        assert_eq!(shown(conditions.first().map(Told::by)), (OTHER, OTHER));
        assert_eq!(shown(None), (NONE, NONE));
    }
}
