//! Waiting until requested looks were made and their answers are settled.
//!
//! Owns when that is so, and what is told meanwhile. Must not write anything. The invariant that would
//! break first: an answer from before the request is never taken for its outcome.

use super::{Meant, tell};
use crate::api::condition::{self, ConditionType};
use crate::api::{ImageRef, ImageRefStatus};
use crate::cli::cluster::{self, Kind, Pages, Wanted, image_ref};
use crate::cli::output::say;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use kube::{Client, ResourceExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

/// How often the objects are read.
const EVERY: Duration = Duration::from_millis(500);

/// Up to this many are read one by one; more, by a list of their namespace.
const BY_NAME: usize = 5;

/// Waits. Returns how many are not Ready in the end; each is told as it settles.
pub(super) async fn settled(
    client: &Client,
    waiting: &[Meant],
    value: &str,
    timeout: Duration,
) -> Result<usize> {
    let key = |meant: &Meant| (meant.namespace(), meant.object.name_any());
    let mut open: BTreeSet<_> = waiting.iter().map(key).collect();
    let end = Instant::now() + timeout;
    let bar = progress(open.len());
    let mut not_ready = 0;
    loop {
        let found = match read(client, &open).await {
            Ok(found) => found,
            Err(error) => {
                bar.finish_and_clear();
                return Err(error);
            }
        };
        for (key, object) in found {
            let Some(said) = outcome(object.as_ref(), value) else {
                continue;
            };
            open.remove(&key);
            bar.inc(1);
            not_ready += usize::from(!said.1);
            let (namespace, name) = key;
            bar.suspend(|| tell(&format!("imageref {namespace}/{name}: {}", said.0)))?;
        }
        if open.is_empty() || Instant::now() >= end {
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
    bar.finish_and_clear();
    for (namespace, name) in &open {
        say(&format!(
            "error: imageref {namespace}/{name}: not settled within {} s: is the operator running?\n",
            timeout.as_secs()
        ));
    }
    Ok(not_ready + open.len())
}

type Key = (String, String);

/// Those of them that could be read; `None` for what is gone.
async fn read(client: &Client, open: &BTreeSet<Key>) -> Result<Vec<(Key, Option<ImageRef>)>> {
    let mut found = Vec::new();
    if open.len() <= BY_NAME {
        for key in open {
            let object = cluster::find(client, Kind::ImageRef, &key.0, &key.1).await?;
            found.push((key.clone(), object.map(image_ref)));
        }
        return Ok(found);
    }
    let namespaces: BTreeSet<_> = open
        .iter()
        .map(|(namespace, _)| namespace.clone())
        .collect();
    let mut listed = BTreeMap::new();
    for namespace in namespaces {
        let wanted = Wanted {
            resource: Kind::ImageRef.resource(),
            namespace: Some(namespace.clone()),
            fields: None,
            labels: None,
        };
        let mut pages = Pages::new(client, &wanted);
        while let Some(page) = pages.next().await? {
            let page = page.into_iter().map(image_ref);
            listed.extend(page.map(|object| ((namespace.clone(), object.name_any()), object)));
        }
    }
    let all = open.iter().map(|key| (key.clone(), listed.remove(key)));
    found.extend(all);
    Ok(found)
}

/// What came of it, and whether the answer may be used; `None` while it is under way.
fn outcome(object: Option<&ImageRef>, value: &str) -> Option<(String, bool)> {
    let Some(object) = object else {
        return Some(("is gone".into(), false));
    };
    let none = ImageRefStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let ready = condition::find(&status.conditions, ConditionType::Ready);
    if object.spec.suspend {
        return Some(("was suspended meanwhile".into(), false));
    }
    let handled = status.last_handled_reconcile_at.as_deref() == Some(value)
        && status.observed_generation == object.metadata.generation
        && !condition::is_true(&status.conditions, ConditionType::Reconciling);
    let ready = ready.filter(|_| handled)?;
    let stale = condition::find(&status.conditions, ConditionType::Stale);
    let stale = stale.map_or_else(String::new, |stale| format!(" (Stale: {})", stale.reason));
    let said = format!(
        "Ready={} {}{stale}: {}",
        ready.status, ready.reason, ready.message
    );
    Some((said, object.is_ready()))
}

/// A count on a terminal; else one that is never drawn.
fn progress(count: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or_default());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len} looked at {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(generation: i64, status: &Value) -> ImageRef {
        serde_json::from_value(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": "a", "generation": generation},
            "spec": {"source": {"pai": {"id": "image-1"}}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn an_answer_counts_only_if_it_is_of_this_request_and_settled() {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status = |handled: &str, conditions: Vec<Value>| json!({"observedGeneration": 1, "lastHandledReconcileAt": handled, "conditions": conditions});
        let ready = || condition("Ready", "True");
        let outcome = |object: &ImageRef| outcome(Some(object), "new");
        assert_eq!(outcome(&object(1, &status("old", vec![ready()]))), None);
        assert_eq!(outcome(&object(2, &status("new", vec![ready()]))), None);
        let working = vec![ready(), condition("Reconciling", "True")];
        assert_eq!(outcome(&object(1, &status("new", working))), None);
        assert_eq!(outcome(&object(1, &status("new", vec![]))), None);
        let good = outcome(&object(1, &status("new", vec![ready()])));
        assert_eq!(good, Some(("Ready=True R: m".into(), true)));
        let stale = vec![condition("Ready", "False"), condition("Stale", "True")];
        let bad = outcome(&object(1, &status("new", stale)));
        assert_eq!(bad, Some(("Ready=False R (Stale: R): m".into(), false)));
    }
}
