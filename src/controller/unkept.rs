//! What the installed CRD does not keep of a status: one that is older than the operator lacks fields, and
//! the API server drops them from whatever is written.
//!
//! Owns which fields those are, and what was dropped of each object. Must not know how a status is planned
//! or written. The invariant that would break first: what was dropped counts as stored, so that it is
//! neither written at each look nor taken for a change.

use super::held::Key;
use crate::api::{ImageRef, ImageRefStatus};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often one object is written without need, to see whether a newer CRD was installed.
const TRY_EVERY: Duration = Duration::from_secs(60);

/// What names of fields begin with.
const STATUS: &str = "status";

#[derive(Default)]
struct Inner {
    /// As people write them: `status.digest`.
    fields: BTreeSet<String>,
    /// What was dropped of the last write onto an object.
    dropped: HashMap<Key, Value>,
    /// When a write last showed something.
    tried: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Unkept(Mutex<Inner>);

impl Unkept {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object's status as it is stored, and what was dropped of it.
    pub(super) fn complete(&self, object: &ImageRef) -> ImageRefStatus {
        let status = object.status.clone().unwrap_or_default();
        let dropped = self
            .inner()
            .dropped
            .get(&Key::of(&object.metadata))
            .cloned();
        let whole = dropped.and_then(|dropped| {
            let mut whole = serde_json::to_value(&status).ok()?;
            fill(&mut whole, dropped);
            serde_json::from_value(whole).ok()
        });
        whole.unwrap_or(status)
    }

    /// Whether to write an object that needs no write.
    pub(super) fn is_due(&self, object: &ImageRef, now: Instant) -> bool {
        let mut inner = self.inner();
        let due = inner.dropped.contains_key(&Key::of(&object.metadata))
            && inner
                .tried
                .is_none_or(|tried| now.saturating_duration_since(tried) >= TRY_EVERY);
        if due {
            inner.tried = Some(now);
        }
        due
    }

    /// Compares what was sent with the object that the API server made of it.
    pub(super) fn learn(&self, sent: &ImageRefStatus, written: &ImageRef, now: Instant) {
        let Some(kept) = &written.status else {
            // It cannot be read back.
            return;
        };
        let mut inner = self.inner();
        if sent == kept && inner.fields.is_empty() {
            return;
        }
        let (Ok(sent), Ok(kept)) = (serde_json::to_value(sent), serde_json::to_value(kept)) else {
            return;
        };
        inner.tried = Some(now);
        let mut fields = BTreeSet::new();
        let dropped = missing(STATUS, &sent, &kept, &mut fields);
        let Inner {
            fields: unkept,
            dropped: all,
            ..
        } = &mut *inner;
        let known = unkept.len();
        unkept.retain(|field| {
            let again = has(&kept, field);
            if again {
                info!(field, "the installed CRD of ImageRef has this field now");
            }
            !again
        });
        if unkept.len() < known {
            // Each object gets them with its next look.
            all.clear();
        }
        let key = Key::of(&written.metadata);
        let Some(dropped) = dropped else {
            all.remove(&key);
            return;
        };
        for field in fields {
            if !unkept.contains(&field) {
                warn!(
                    field,
                    "the installed CRD of ImageRef does not have this field, and the API server drops it: \
                     apply the CRDs of this version"
                );
                unkept.insert(field);
            }
        }
        all.insert(key, dropped);
    }

    /// Forgets objects that are gone.
    pub(super) fn retain(&self, held: &HashSet<Key>) {
        self.inner().dropped.retain(|key, _| held.contains(key));
    }
}

/// The fields of one object that another lacks, and their names. Lists are not looked into.
fn missing(
    before: &str,
    sent: &Value,
    kept: &Value,
    names: &mut BTreeSet<String>,
) -> Option<Value> {
    let (Value::Object(sent), Value::Object(kept)) = (sent, kept) else {
        return None;
    };
    let mut lacks = Map::new();
    for (field, value) in sent {
        let name = format!("{before}.{field}");
        let lack = if let Some(kept) = kept.get(field) {
            missing(&name, value, kept, names)
        } else {
            names.insert(name);
            Some(value.clone())
        };
        lacks.extend(lack.map(|lack| (field.clone(), lack)));
    }
    (!lacks.is_empty()).then_some(Value::Object(lacks))
}

/// Whether a status has a field.
fn has(status: &Value, field: &str) -> bool {
    let path = field.trim_start_matches(STATUS).replace('.', "/");
    status.pointer(&path).is_some()
}

/// Puts in what is lacking.
fn fill(whole: &mut Value, lacking: Value) {
    let (Value::Object(whole), Value::Object(lacking)) = (whole, lacking) else {
        return;
    };
    for (name, value) in lacking {
        match whole.get_mut(&name) {
            Some(there) => fill(there, value),
            None => {
                whole.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(value: Value) -> ImageRefStatus {
        serde_json::from_value(value).unwrap()
    }

    fn object(uid: &str, stored: &Value) -> ImageRef {
        serde_json::from_value(json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": uid, "namespace": "team", "uid": uid},
            "spec": {"source": {"notebook": {"name": "x"}}},
            "status": stored,
        }))
        .unwrap()
    }

    fn whole() -> Value {
        json!({
            "arch": "arm64",
            "accelerators": ["ASCEND"],
            "upstream": {"api": "notebook", "name": "x", "labels": {"a": "b"}},
        })
    }

    /// As an API server leaves it whose CRD lacks a field, and a field of a field.
    fn pruned() -> Value {
        json!({"arch": "arm64", "upstream": {"api": "notebook", "labels": {"a": "b"}}})
    }

    #[test]
    fn what_was_dropped_counts_as_stored_for_its_object_alone() {
        let unkept = Unkept::default();
        let now = Instant::now();
        let (written, other) = (object("one", &pruned()), object("other", &pruned()));
        assert_eq!(unkept.complete(&written), status(pruned()));
        unkept.learn(&status(whole()), &written, now);
        assert_eq!(unkept.complete(&written), status(whole()));
        assert_eq!(unkept.complete(&other), status(pruned()));
        let fields: Vec<_> = unkept.inner().fields.iter().cloned().collect();
        assert_eq!(fields, ["status.accelerators", "status.upstream.name"]);
        // What somebody else stored meanwhile stays.
        let changed = object("one", &json!({"arch": "amd64", "accelerators": ["GPU"]}));
        let complete = unkept.complete(&changed);
        assert_eq!(complete.arch.as_deref(), Some("amd64"));
        assert_eq!(complete.accelerators, ["GPU"]);
        unkept.retain(&HashSet::new());
        assert_eq!(unkept.complete(&written), status(pruned()));
    }

    #[test]
    fn one_object_is_tried_a_minute_and_all_are_written_once_the_field_is_kept() {
        let unkept = Unkept::default();
        let now = Instant::now();
        let (one, two) = (object("one", &pruned()), object("two", &pruned()));
        assert!(!unkept.is_due(&one, now));
        unkept.learn(&status(whole()), &one, now);
        unkept.learn(&status(whole()), &two, now);
        let later = now + TRY_EVERY;
        assert!(!unkept.is_due(&one, now + TRY_EVERY / 2));
        assert!(unkept.is_due(&one, later));
        assert!(!unkept.is_due(&two, later), "one is enough");
        // One of the fields is kept again.
        let mut kept = pruned();
        kept["accelerators"] = json!(["ASCEND"]);
        let one = object("one", &kept.clone());
        unkept.learn(&status(whole()), &one, later);
        assert_eq!(
            unkept.complete(&two),
            status(pruned()),
            "it is to be written"
        );
        assert_eq!(unkept.complete(&one), status(whole()));
        // And the other.
        let one = object("one", &whole());
        unkept.learn(&status(whole()), &one, later);
        assert!(unkept.inner().fields.is_empty() && unkept.inner().dropped.is_empty());
    }

    #[test]
    fn a_crd_that_keeps_all_leaves_nothing_behind() {
        let unkept = Unkept::default();
        let now = Instant::now();
        let one = object("one", &whole());
        unkept.learn(&status(whole()), &one, now);
        assert!(unkept.inner().fields.is_empty() && unkept.inner().dropped.is_empty());
        assert!(!unkept.is_due(&one, now + TRY_EVERY));
        // A status that could not be read back says nothing.
        let mut unread = object("one", &whole());
        unread.status = None;
        unkept.learn(&status(whole()), &unread, now);
        assert!(unkept.inner().fields.is_empty());
    }
}
