//! What there is, for metrics: references and providers by their conditions, and what gates and
//! snapshots hold.
//!
//! Owns one pass over each store. Must not ask anybody. The invariant that would break first: a text
//! that is not in our vocabulary becomes no label, whoever wrote it into a status.

use super::Context;
use super::held::Told;
use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{ProviderStatus, Reason};
use crate::cloud::gate::Gate;
use crate::cloud::provider::Provider;
use crate::plan::ProviderId;
use crate::telemetry::metrics::{ProviderStock, RefStock, Stock};
use jiff::Timestamp;
use kube::Resource as _;
use std::collections::{HashMap, HashSet};
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
    let now = context.now();
    refs(context, now, &mut stock);
    for held in context.catalogues.state() {
        *stock.catalogs.entry(shown(held.ready())).or_default() += 1;
    }
    for (api, age, is_overdue) in context.snapshots.list_ages() {
        let of = stock.lists.entry(api.as_str()).or_default();
        of.oldest = of.oldest.max(age.as_secs_f64());
        of.overdue += usize::from(is_overdue);
    }
    let gates = Gated {
        all: context.gates.in_use().into_iter().collect(),
        now,
    };
    for object in context.namespaced.state() {
        let id = Provider::Namespaced(object.clone()).id();
        stock.providers.push(gates.of(&id, object.status.as_ref()));
    }
    for object in context.cluster.state() {
        let id = Provider::Cluster(object.clone()).id();
        stock.providers.push(gates.of(&id, object.status.as_ref()));
    }
    // Providers with equal proof share one.
    let paused = gates.all.values().filter(|gate| gate.pause(now).is_some());
    stock.paused = paused.map(Arc::as_ptr).collect::<HashSet<_>>().len();
    stock
}

fn refs(context: &Context, now: Timestamp, stock: &mut Stock) {
    let refs = context.refs.state();
    for held in &refs {
        let ready = shown(held.ready());
        *stock.refs.entry(ready).or_default() += 1;
        let mut stale = None;
        if let ("True", reason) = shown(held.stale()) {
            stale = Some(reason);
            *stock.stale.entry(reason).or_default() += 1;
            if held.is_half_stale(now) {
                *stock.past_half.entry(reason).or_default() += 1;
            }
        }
        if context.config.metrics_per_object {
            let name = held.meta().name.clone().unwrap_or_default();
            stock.each_ref.push(RefStock {
                reference: [held.namespace().to_owned(), name],
                ready,
                stale,
            });
        }
    }
    let asked = refs.iter().filter_map(|held| {
        let checked = held.checked()?;
        Some((held.key(), Some(checked)))
    });
    let oldest = context.memories.oldest_answer(asked);
    // A time in the future counts as now.
    stock.oldest_success = oldest.map(|at| now.duration_since(at.min(now)).as_secs_f64());
}

/// The gates of all providers, at a time.
struct Gated {
    all: HashMap<ProviderId, Arc<Gate>>,
    now: Timestamp,
}

impl Gated {
    fn of(&self, id: &ProviderId, status: Option<&ProviderStatus>) -> ProviderStock {
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        let ready = condition::find(conditions, ConditionType::Ready);
        let gate = self.all.get(id);
        let namespace = id.namespace.clone().unwrap_or_default();
        ProviderStock {
            provider: [id.kind.as_str().to_owned(), namespace, id.name.clone()],
            ready: shown(ready.map(Told::by)),
            breaker: gate.map(|gate| gate.breaker(self.now).as_str()),
            is_paused: gate.is_some_and(|gate| gate.pause(self.now).is_some()),
            budget: gate.map(|gate| gate.budget(self.now)),
        }
    }
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
