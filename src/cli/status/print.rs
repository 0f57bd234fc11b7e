//! The forms of `imageref status`.
//!
//! Owns the columns and the fields. Must not read anything. The invariant that would break first: both
//! forms tell the same.

use crate::api::condition::{self, ConditionType, Truth};
use crate::api::{ImageRef, ProviderStatus};
use crate::cli::next_look::{Providers, ago, brief};
use crate::cli::output::{columns, printable};
use crate::cli::program;
use crate::cli::verdicts::plural;
use crate::cloud::provider::Provider;
use crate::plan::Outlook;
use anyhow::{Context as _, Result};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a cell has that says nothing.
const NONE: &str = "-";

/// One `ImageRef`.
pub(super) struct Row {
    namespace: String,
    name: String,
    provider: Option<String>,
    arch: Option<String>,
    status: Option<String>,
    image: Option<String>,
    ready: String,
    reason: Option<String>,
    message: Option<String>,
    /// When the platform was asked, as of the last write.
    checked: Option<Timestamp>,
    next: Outlook,
}

impl Row {
    pub(super) fn new(object: &ImageRef, providers: &Providers, now: Timestamp) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let ready = condition::find(&status.conditions, ConditionType::Ready);
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            ready: ready.map_or(Truth::Unknown.as_str().into(), |c| c.status.clone()),
            reason: ready.map(|c| c.reason.clone()),
            message: ready.map(|c| c.message.clone()),
            provider: status.provider.map(|p| p.name),
            arch: status.arch,
            status: status.status,
            image: status.image,
            checked: status.last_checked_time.map(|time| time.0),
            next: providers.next_look(object, now),
        }
    }

    fn is_ready(&self) -> bool {
        self.ready == Truth::True.as_str()
    }

    fn cells(&self, now: Timestamp) -> [String; 9] {
        let or_none = |text: &Option<String>| text.clone().unwrap_or(NONE.into());
        [
            self.namespace.clone(),
            self.name.clone(),
            or_none(&self.provider),
            or_none(&self.arch),
            or_none(&self.status),
            self.ready.clone(),
            or_none(&self.reason),
            self.checked.map_or(NONE.into(), |at| ago(at, now)),
            brief(self.next, now),
        ]
        .map(|cell| printable(&cell))
    }

    fn json(&self) -> Value {
        let (when, at) = match self.next {
            Outlook::Never => ("Never", None),
            Outlook::Now => ("Now", None),
            Outlook::About(at) => ("About", Some(at)),
            Outlook::By(at) => ("By", Some(at)),
        };
        let time = |at: Timestamp| format!("{at:.0}");
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "provider": self.provider,
            "arch": self.arch,
            "status": self.status,
            "image": self.image,
            "ready": self.ready,
            "reason": self.reason,
            "message": self.message,
            "lastCheckedTime": self.checked.map(time),
            "nextLook": {"when": when, "time": at.map(time)},
        })
    }
}

/// One provider.
pub(super) struct ProviderRow {
    kind: &'static str,
    namespace: Option<String>,
    name: String,
    ready: String,
    reason: Option<String>,
    suspended: bool,
    throttled: bool,
    breaker: Option<String>,
}

/// Rows for the providers that were read.
pub(super) fn providers(providers: &Providers) -> Vec<ProviderRow> {
    let row = |provider: &Provider| {
        let id = provider.id();
        let status = match provider {
            Provider::Namespaced(p) => p.status.clone(),
            Provider::Cluster(p) => p.status.clone(),
        };
        let ProviderStatus {
            conditions,
            breaker,
            ..
        } = status.unwrap_or_default();
        let ready = condition::find(&conditions, ConditionType::Ready);
        ProviderRow {
            kind: id.kind.as_str(),
            namespace: id.namespace,
            name: id.name,
            ready: ready.map_or(Truth::Unknown.as_str().into(), |c| c.status.clone()),
            reason: ready.map(|c| c.reason.clone()),
            suspended: provider.suspended(),
            throttled: condition::is_true(&conditions, ConditionType::Throttled),
            breaker,
        }
    };
    providers.all().map(row).collect()
}

impl ProviderRow {
    /// What keeps it from being asked now.
    fn held_up(&self) -> String {
        let mut why = Vec::new();
        if self.suspended {
            why.push("suspended");
        }
        if self.throttled {
            why.push("throttled");
        }
        if self
            .breaker
            .as_deref()
            .is_some_and(|state| state != "Closed")
        {
            why.push("breaker open");
        }
        if why.is_empty() {
            return NONE.into();
        }
        why.join(", ")
    }
}

/// Everything that is printed.
pub(super) struct Shown {
    pub(super) rows: Vec<Row>,
    pub(super) providers: Vec<ProviderRow>,
    pub(super) unread: Vec<String>,
    pub(super) now: Timestamp,
}

impl Shown {
    pub(super) fn all_ready(&self) -> bool {
        self.rows.iter().all(Row::is_ready)
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        if !self.rows.is_empty() {
            let head = [
                "NAMESPACE",
                "NAME",
                "PROVIDER",
                "ARCH",
                "STATUS",
                "READY",
                "REASON",
                "CHECKED",
                "NEXT LOOK",
            ];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(self.rows.iter().map(|row| row.cells(self.now)));
            text.push_str(&columns(&rows));
            text.push('\n');
        }
        if !self.providers.is_empty() {
            let head = ["PROVIDER", "READY", "REASON", "HELD UP"];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(self.providers.iter().map(|one| {
                let place = one.namespace.as_ref().map(|n| format!("{n}/"));
                let name = format!("{} {}{}", one.kind, place.unwrap_or_default(), one.name);
                let reason = one.reason.clone().unwrap_or(NONE.into());
                [name, one.ready.clone(), reason, one.held_up()].map(|cell| printable(&cell))
            }));
            text.push_str(&columns(&rows));
            text.push('\n');
        }
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let ready = self.rows.iter().filter(|row| row.is_ready()).count();
        let mut text = plural(self.rows.len(), "ImageRef");
        if !self.rows.is_empty() {
            let _ = write!(text, ": {ready} ready, {} not", self.rows.len() - ready);
        }
        text
    }

    /// What could not be read, and what to do about refs that are not ready.
    pub(super) fn notes(&self) -> String {
        let mut text = String::new();
        for why in &self.unread {
            let _ = writeln!(text, "note: {}", printable(why));
        }
        if let Some(first) = self.rows.iter().find(|row| !row.is_ready()) {
            let line = format!(
                "{} why imageref/{} -n {} explains the first that is not ready",
                program(),
                first.name,
                first.namespace
            );
            let _ = writeln!(text, "{}", printable(&line));
        }
        text
    }

    pub(super) fn json(&self) -> Result<String> {
        let providers = self.providers.iter().map(|one| {
            json!({
                "kind": one.kind, "namespace": one.namespace, "name": one.name,
                "ready": one.ready, "reason": one.reason, "suspended": one.suspended,
                "throttled": one.throttled, "breaker": one.breaker,
            })
        });
        let ready = self.rows.iter().filter(|row| row.is_ready()).count();
        let object = json!({
            "imageRefs": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "providers": providers.collect::<Vec<_>>(),
            "ready": ready,
            "notReady": self.rows.len() - ready,
        });
        let text = serde_json::to_string_pretty(&object).context("writing JSON")?;
        Ok(text + "\n")
    }
}
