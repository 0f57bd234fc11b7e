//! What there is at a moment: references, providers, catalogues, lists, and what is left of budgets.
//!
//! Owns the gauges that are filled when somebody asks, and which objects have a name in them. Must not
//! know the objects. The invariant that would break first: whatever there is, [`MOST_PROVIDERS`] and
//! [`MOST_REFS`] bound the names.

use super::families::{Gauges, Register};
use super::number;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Providers with series of their own; of the others, breakers are counted together.
pub const MOST_PROVIDERS: usize = 100;

/// References with series of their own, where series of references are wanted.
pub const MOST_REFS: usize = 10_000;

/// What stands for the name of the other providers.
pub const OTHERS: &str = "_others";

/// The states of a breaker.
const BREAKERS: [&str; 3] = ["Closed", "Open", "HalfOpen"];

/// What may be asked of one account, and what is left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Requests a second.
    pub requests_per_second: u32,
    /// Requests that may be sent at once; below zero, as many as wait for their turn.
    pub requests_left: f64,
    /// Calls that may be under way at once.
    pub calls: usize,
    /// Calls that are.
    pub calls_under_way: usize,
    /// Calls that wait to be.
    pub calls_waiting: usize,
}

/// One provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderStock {
    /// Kind, namespace and name.
    pub provider: [String; 3],
    /// Status and reason of Ready.
    pub ready: (&'static str, &'static str),
    /// The state of its breaker; `None` if it may not ask its platform.
    pub breaker: Option<&'static str>,
    /// Whether its platform asks for a pause.
    pub is_paused: bool,
    /// `None` if it may not ask its platform.
    pub budget: Option<Budget>,
}

impl ProviderStock {
    fn is_fine(&self) -> bool {
        self.ready.0 == "True" && !self.is_paused && self.breaker.is_none_or(|b| b == BREAKERS[0])
    }
}

/// One reference, where series of references are wanted.
#[derive(Clone, Debug, Default)]
pub struct RefStock {
    /// Namespace and name.
    pub reference: [String; 2],
    /// Status and reason of Ready.
    pub ready: (&'static str, &'static str),
    /// The reason of Stale, if it is True.
    pub stale: Option<&'static str>,
}

/// The lists of one API that are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lists {
    /// Seconds since the oldest was read.
    pub oldest: f64,
    /// Lists older than twice what their askers allow.
    pub overdue: usize,
}

/// What there is. Texts that are not constants of the program are names.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// References by the status and reason of Ready.
    pub refs: BTreeMap<(&'static str, &'static str), usize>,
    /// References whose Stale is True, by its reason.
    pub stale: BTreeMap<&'static str, usize>,
    /// Of these, the ones that have been so for more than half of their maxStaleness.
    pub past_half: BTreeMap<&'static str, usize>,
    /// Seconds since the answer that was confirmed longest ago.
    pub oldest_success: Option<f64>,
    /// References, if they are to have series of their own.
    pub each_ref: Vec<RefStock>,
    /// Every provider.
    pub providers: Vec<ProviderStock>,
    /// Catalogues by the status and reason of Ready.
    pub catalogs: BTreeMap<(&'static str, &'static str), usize>,
    /// Gates whose platform asks for a pause.
    pub paused: usize,
    /// Lists in use, by API.
    pub lists: BTreeMap<&'static str, Lists>,
    /// Lists and answers held, each for one proof and scope.
    pub scopes: usize,
    /// Bytes that they hold, about.
    pub scope_bytes: usize,
}

type Source = Box<dyn Fn() -> Option<Stock> + Send + Sync>;

/// The gauges.
pub(super) struct Stocks {
    source: OnceLock<Source>,
    refs: Gauges,
    stale: Gauges,
    past_half: Gauges,
    oldest_success: Gauges,
    ref_ready: Gauges,
    ref_stale: Gauges,
    providers: Gauges,
    provider_ready: Gauges,
    breakers: Gauges,
    provider_paused: Gauges,
    /// Rate, requests left, calls, calls under way, calls that wait.
    budgets: [Gauges; 5],
    catalogs: Gauges,
    paused: Gauges,
    list_age: Gauges,
    lists_overdue: Gauges,
    scopes: Gauges,
    scope_bytes: Gauges,
}

const PROVIDER: &[&str] = &["kind", "namespace", "name"];

impl Stocks {
    #[expect(clippy::too_many_lines, reason = "one table of names")]
    pub(super) fn new(to: &mut Register) -> Self {
        Self {
            source: OnceLock::new(),
            refs: to.gauges(
                "imageref_refs",
                &["ready", "reason"],
                "ImageRefs by their condition Ready",
            ),
            stale: to.gauges(
                "imageref_refs_stale",
                &["reason"],
                "ImageRefs whose condition Stale is True",
            ),
            past_half: to.gauges(
                "imageref_refs_past_half_of_max_staleness",
                &["reason"],
                "ImageRefs that no platform has confirmed for more than half of maxStaleness",
            ),
            oldest_success: to.gauges(
                "imageref_oldest_success_age_seconds",
                &[],
                "Since when the answer stands that was confirmed longest ago",
            ),
            ref_ready: to.gauges(
                "imageref_ref_ready",
                &["namespace", "name", "reason"],
                "1 if the ImageRef's Ready is True, else 0",
            ),
            ref_stale: to.gauges(
                "imageref_ref_stale",
                &["namespace", "name", "reason"],
                "1 for an ImageRef whose Stale is True",
            ),
            providers: to.gauges(
                "imageref_providers",
                &["kind", "ready", "reason"],
                "Providers by their condition Ready",
            ),
            provider_ready: to.gauges(
                "imageref_provider_ready",
                &["kind", "namespace", "name", "reason"],
                "1 if the provider's Ready is True, else 0",
            ),
            breakers: to.gauges(
                "imageref_provider_breaker_state",
                &["kind", "namespace", "name", "state"],
                "1 for the state of a provider's breaker, 0 for the others",
            ),
            provider_paused: to.gauges(
                "imageref_provider_paused",
                PROVIDER,
                "1 while the provider's platform asks for a pause",
            ),
            budgets: [
                (
                    "imageref_provider_budget_requests_per_second",
                    "Requests a second that the provider may send",
                ),
                (
                    "imageref_provider_budget_requests_left",
                    "Requests that may be sent at once; below zero, how many wait for their turn",
                ),
                (
                    "imageref_provider_budget_calls",
                    "Calls of the provider that may be under way at once",
                ),
                (
                    "imageref_provider_budget_calls_under_way",
                    "Calls of the provider that are under way",
                ),
                (
                    "imageref_provider_budget_calls_waiting",
                    "Calls of the provider that wait for a place among these",
                ),
            ]
            .map(|(name, help)| to.gauges(name, PROVIDER, help)),
            catalogs: to.gauges(
                "imageref_catalogs",
                &["ready", "reason"],
                "ImageCatalogs by their condition Ready",
            ),
            paused: to.gauges(
                "imageref_gates_paused",
                &[],
                "Accounts whose platform asks for a pause",
            ),
            list_age: to.gauges(
                "imageref_list_age_seconds",
                &["api"],
                "Since when the oldest list stands that is in use",
            ),
            lists_overdue: to.gauges(
                "imageref_lists_overdue",
                &["api"],
                "Lists in use that are older than twice what their askers allow",
            ),
            scopes: to.gauges(
                "imageref_snapshot_scopes",
                &[],
                "Scopes of which answers are held, each for one proof",
            ),
            scope_bytes: to.gauges(
                "imageref_snapshot_bytes",
                &[],
                "Memory that these answers hold, about",
            ),
        }
    }

    /// A second source is left out.
    pub(super) fn ask(&self, source: impl Fn() -> Option<Stock> + Send + Sync + 'static) {
        let _ = self.source.set(Box::new(source));
    }

    /// Counts anew; false if there is nothing to count.
    pub(super) fn count(&self) -> bool {
        let stock = self.source.get().and_then(|source| source());
        stock.map(|stock| self.fill(stock)).is_some()
    }

    fn fill(&self, stock: Stock) {
        let pair = |((ready, reason), n): ((&str, &str), usize)| {
            (vec![ready.to_owned(), reason.to_owned()], number(n))
        };
        let single = |(label, n): (&str, usize)| (vec![label.to_owned()], number(n));
        let plain = |value: f64| [(Vec::new(), value)];
        self.refs.set(stock.refs.into_iter().map(pair));
        self.stale.set(stock.stale.into_iter().map(single));
        self.past_half.set(stock.past_half.into_iter().map(single));
        let oldest = stock.oldest_success.map(|age| (Vec::new(), age));
        self.oldest_success.set(oldest);
        self.fill_refs(stock.each_ref);
        self.catalogs.set(stock.catalogs.into_iter().map(pair));
        self.fill_providers(stock.providers);
        self.paused.set(plain(number(stock.paused)));
        let lists = stock.lists.iter();
        self.list_age.set(
            lists
                .clone()
                .map(|(api, of)| (vec![(*api).to_owned()], of.oldest)),
        );
        self.lists_overdue
            .set(lists.map(|(api, of)| single((api, of.overdue))));
        self.scopes.set(plain(number(stock.scopes)));
        self.scope_bytes.set(plain(number(stock.scope_bytes)));
    }

    /// Those in trouble first, so that they are among the ones that are named.
    fn fill_refs(&self, mut refs: Vec<RefStock>) {
        let fine = |one: &RefStock| one.ready.0 == "True" && one.stale.is_none();
        refs.sort_by(|a, b| (fine(a), &a.reference).cmp(&(fine(b), &b.reference)));
        refs.truncate(MOST_REFS);
        let labels = |one: &RefStock, reason: &str| {
            let mut labels = Vec::from(one.reference.clone());
            labels.push(reason.to_owned());
            labels
        };
        let ready = |one: &RefStock| (labels(one, one.ready.1), truth(one.ready.0));
        self.ref_ready.set(refs.iter().map(ready));
        let stale = |one: &RefStock| Some((labels(one, one.stale?), 1.0));
        self.ref_stale.set(refs.iter().filter_map(stale));
    }

    /// The same.
    fn fill_providers(&self, mut providers: Vec<ProviderStock>) {
        let mut counts = BTreeMap::<_, usize>::new();
        for one in &providers {
            let (ready, reason) = one.ready;
            let labels = [one.provider[0].clone(), ready.to_owned(), reason.to_owned()];
            *counts.entry(labels).or_default() += 1;
        }
        let counts = counts.into_iter();
        self.providers
            .set(counts.map(|(labels, n)| (labels.into(), number(n))));
        providers.sort_by(|a, b| (a.is_fine(), &a.provider).cmp(&(b.is_fine(), &b.provider)));
        let others = providers.split_off(providers.len().min(MOST_PROVIDERS));
        self.breakers.set(breakers(&providers, &others));
        self.provider_ready.set(providers.iter().map(|one| {
            let mut labels = Vec::from(one.provider.clone());
            labels.push(one.ready.1.to_owned());
            (labels, truth(one.ready.0))
        }));
        let asking = || providers.iter().filter(|one| one.breaker.is_some());
        let paused = |one: &ProviderStock| {
            let paused = f64::from(u8::from(one.is_paused));
            (one.provider.clone().into(), paused)
        };
        self.provider_paused.set(asking().map(paused));
        let values: [fn(&Budget) -> f64; 5] = [
            |budget| f64::from(budget.requests_per_second),
            |budget| budget.requests_left,
            |budget| number(budget.calls),
            |budget| number(budget.calls_under_way),
            |budget| number(budget.calls_waiting),
        ];
        for (gauges, value) in self.budgets.iter().zip(values) {
            let series = |one: &ProviderStock| {
                let budget = one.budget.as_ref()?;
                Some((one.provider.clone().into(), value(budget)))
            };
            gauges.set(providers.iter().filter_map(series));
        }
    }
}

fn truth(word: &str) -> f64 {
    f64::from(u8::from(word == "True"))
}

/// The series of breakers: of some providers each, and of all others together.
fn breakers(named: &[ProviderStock], others: &[ProviderStock]) -> Vec<(Vec<String>, f64)> {
    let mut series = Vec::new();
    for one in named {
        for state in BREAKERS.into_iter().filter(|_| one.breaker.is_some()) {
            let mut labels = Vec::from(one.provider.clone());
            labels.push(state.to_owned());
            series.push((labels, f64::from(u8::from(one.breaker == Some(state)))));
        }
    }
    let asking = others.iter().any(|one| one.breaker.is_some());
    for state in BREAKERS.into_iter().filter(|_| asking) {
        let in_it = others.iter().filter(|one| one.breaker == Some(state));
        let labels = ["", "", OTHERS, state].map(str::to_owned).to_vec();
        series.push((labels, number(in_it.count())));
    }
    series
}
