//! An `ImageRef` explained: what was asked, of whom, what came back, what decides, and what is next.
//!
//! Owns the order of the lines. Must not know how a look is made. The invariant that would break first:
//! what is printed is what the object says; nothing is asked of a platform.

use super::Explained;
use super::meaning::{meaning, page, reason};
use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{ImageRef, ImageRefStatus};
use crate::cli::cluster::keeper;
use crate::cli::next_look::{Providers, ago, sentence};
use crate::cli::output::printable;
use crate::cloud::provider::Provider;
use crate::plan::Outlook;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Client, ResourceExt as _};
use std::collections::BTreeMap;

pub(super) async fn explain(client: &Client, object: ImageRef, now: Timestamp) -> Explained {
    let providers = Providers::of(client, &object).await;
    Explained {
        text: text(&object, &providers, now),
        good: object.is_ready(),
    }
}

/// Lines of a label and a text.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, text: &str) {
        let line = format!("{label:<11}{}", printable(text));
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

fn text(object: &ImageRef, providers: &Providers, now: Timestamp) -> String {
    let status = object.status.clone().unwrap_or_default();
    let ready = condition::find(&status.conditions, ConditionType::Ready);
    let mut lines = Lines::default();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let usable = if object.is_ready() {
        "its image may be used"
    } else {
        "its image may not be used"
    };
    let head = format!("ImageRef {namespace}/{name}: {usable}");
    lines.0 = format!("{}\n\n", printable(&head));

    lines.add("Asked for", &asked(object));
    lines.add("Provider", &provider(object, &status, providers));
    lines.add("Answer", &answer(&status));
    if object.metadata.generation != status.observed_generation {
        lines.add(
            "Behind",
            "the operator has not seen the spec as it is now: what follows is about an older one",
        );
    }
    match ready {
        Some(ready) => decides(&mut lines, "Decides", ready, now),
        None => lines.add(
            "Decides",
            "nothing yet: the operator has not written a status",
        ),
    }
    for type_ in [
        ConditionType::Stale,
        ConditionType::Compliant,
        ConditionType::Drifted,
        ConditionType::Reconciling,
    ] {
        let told = condition::find(&status.conditions, type_);
        // What Ready repeats word for word is told once.
        if let Some(told) = told.filter(|told| ready.is_none_or(|r| r.reason != told.reason)) {
            decides(&mut lines, "Also", told, now);
        }
    }
    if let Some(checked) = &status.last_checked_time {
        lines.add(
            "Checked",
            &format!(
                "{} ago, {:.0}, as of the last write",
                ago(checked.0, now),
                checked.0
            ),
        );
    } else {
        lines.add("Checked", "never");
    }
    let outlook = providers.next_look(object, now);
    lines.add("Next look", &sentence(outlook, now));
    held_up(&mut lines, object, providers);
    for change in &status.history {
        let from_to = changes(&change.changed, &change.from, &change.to);
        let line = format!("{:.0} {from_to} ({})", change.time.0, change.cause);
        lines.add("Changed", &line);
    }
    let (step, page) = next_step(object, &status, outlook);
    lines.0.push('\n');
    lines.add("Next step", &step);
    if let Some(keeper) = keeper(&object.metadata) {
        lines.add(
            "",
            &format!("{keeper} keeps this object: edit its manifest."),
        );
    }
    lines.add("Read", &page);
    for why in &providers.unread {
        lines.add("Note", &format!("{why}; the next look is told without it"));
    }
    lines.0
}

fn asked(object: &ImageRef) -> String {
    let source = serde_json::to_value(&object.spec.source).unwrap_or_default();
    let api = match (
        &object.spec.source.notebook,
        &object.spec.source.lite_server,
        &object.spec.source.pai,
    ) {
        (Some(_), ..) => "ModelArts notebook image",
        (_, Some(_), _) => "ModelArts Lite Server image",
        (.., Some(_)) => "PAI image",
        _ => return "nothing: spec.source is empty".into(),
    };
    let fields = source.as_object().into_iter().flat_map(|all| all.values());
    let fields = fields.filter_map(serde_json::Value::as_object).flatten();
    let fields = fields.map(|(key, value)| format!("{key} {}", value.as_str().unwrap_or_default()));
    format!("{api}, {}", fields.collect::<Vec<_>>().join(", "))
}

fn provider(object: &ImageRef, status: &ImageRefStatus, providers: &Providers) -> String {
    let Some(chosen) = providers.chosen(object) else {
        return match (&status.provider, &object.spec.provider_ref) {
            (Some(one), _) | (None, Some(one)) => format!("{} {}", one.kind, one.name),
            (None, None) => "none: spec.providerRef names none, and none is called default".into(),
        };
    };
    let (place, conditions) = match &chosen {
        Provider::Namespaced(p) => (&p.spec.model_arts, p.status.as_ref()),
        Provider::Cluster(p) => (&p.spec.model_arts, p.status.as_ref()),
    };
    let platform = if place.is_some() { "ModelArts" } else { "PAI" };
    let region = chosen.cloud().map(|(_, region)| format!(" in {region}"));
    let conditions = conditions.map(|status| status.conditions.as_slice());
    let ready = condition::find(conditions.unwrap_or_default(), ConditionType::Ready);
    let state = match ready {
        None => "not looked at yet".to_owned(),
        Some(ready) if ready.status == Truth::True.as_str() => "ready".into(),
        Some(ready) => format!("not ready: {}: {}", ready.reason, ready.message),
    };
    format!(
        "{} ({platform}{}), {state}",
        chosen.id(),
        region.unwrap_or_default()
    )
}

fn answer(status: &ImageRefStatus) -> String {
    let parts = [
        status.image.as_deref().or(status.image_id.as_deref()),
        status.status.as_deref(),
        status.arch.as_deref(),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return "none".into();
    }
    let mut text = parts.join(", ");
    for (label, list) in [
        ("platforms", &status.platforms),
        ("accelerators", &status.accelerators),
    ] {
        if !list.is_empty() {
            text = format!("{text}, {label} {}", list.join(" "));
        }
    }
    text
}

fn decides(lines: &mut Lines, label: &str, condition: &Condition, now: Timestamp) {
    let since = condition.last_transition_time.0;
    lines.add(
        label,
        &format!(
            "{}={}, {}, for {}: {}",
            condition.type_,
            condition.status,
            condition.reason,
            ago(since, now),
            condition.message
        ),
    );
    match reason(&condition.reason) {
        Some(known) => lines.add("", meaning(known).sentence),
        None => lines.add("", "This reason is of another version of the operator."),
    }
}

/// What keeps the provider from being asked, whatever the schedule says.
fn held_up(lines: &mut Lines, object: &ImageRef, providers: &Providers) {
    let Some(chosen) = providers.chosen(object) else {
        return;
    };
    let status = match &chosen {
        Provider::Namespaced(p) => p.status.as_ref(),
        Provider::Cluster(p) => p.status.as_ref(),
    };
    let Some(status) = status else { return };
    if chosen.suspended() {
        lines.add("", "The provider is suspended: nobody asks its platform.");
    }
    if condition::is_true(&status.conditions, ConditionType::Throttled) {
        lines.add("", "The platform asked for a pause: it may be later.");
    }
    if status.breaker.as_deref() == Some("Open") {
        lines.add(
            "",
            "The platform failed three times in a row: one look at a time tries it, and this one may be later.",
        );
    }
}

fn changes(
    changed: &[String],
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
) -> String {
    let none = "nothing".to_owned();
    let one = |fact: &String| {
        let (from, to) = (from.get(fact), to.get(fact));
        format!(
            "{fact} {} -> {}",
            from.unwrap_or(&none),
            to.unwrap_or(&none)
        )
    };
    changed.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What to do, and where to read about it: about what keeps it from being used, else about what may
/// before long.
fn next_step(object: &ImageRef, status: &ImageRefStatus, outlook: Outlook) -> (String, String) {
    let find = |type_| condition::find(&status.conditions, type_);
    let ready = find(ConditionType::Ready);
    let order = [
        // What time or a wait is about has its cause in another condition.
        find(ConditionType::Stale).filter(|_| {
            ready.is_some_and(|r| r.status == Truth::True.as_str() || r.reason == "StaleTooLong")
        }),
        find(ConditionType::Compliant).filter(|c| {
            c.status != Truth::True.as_str()
                && ready.is_some_and(|r| r.reason == "ExpectationFailed")
        }),
        ready,
        find(ConditionType::Drifted),
        find(ConditionType::Compliant),
    ];
    let mut known = order
        .into_iter()
        .flatten()
        .filter_map(|condition| reason(&condition.reason));
    let told = known.clone().find_map(|reason| {
        meaning(reason)
            .step
            .map(|step| (step.to_owned(), page(reason)))
    });
    if let Some(told) = told {
        return told;
    }
    match known.next() {
        Some(reason) if object.is_ready() => ("None: use the image.".into(), page(reason)),
        Some(reason) => ("Wait for the next look.".into(), page(reason)),
        None => (
            match outlook {
                Outlook::Now => {
                    "Wait some seconds; if nothing comes, see whether the operator runs."
                }
                _ => "See whether the operator runs, and serves this namespace.",
            }
            .into(),
            "docs/runbook/status-does-not-change.md".into(),
        ),
    }
}
