//! The objects of the simulated API server.
//!
//! Owns versions, generations, conflicts and the log that watches read. Must not know who asks, nor any
//! fault. The invariant that would break first: a write with an old resource version changes nothing.

use super::super::act::merge_patch;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Plural, namespace (empty for none) and name.
pub(super) type Key = (String, String, String);

/// Changes that watches can be resumed over; older ones are compacted.
const LOG: usize = 300;

/// A change as a watch sees it.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static str,
    pub(super) key: Key,
    pub(super) object: Value,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) objects: BTreeMap<Key, Value>,
    pub(super) version: u64,
    log: VecDeque<Change>,
    made: u64,
}

/// Status code and body.
pub(super) type Answer = (u16, Value);

pub(super) fn refusal(code: u16, reason: &str) -> Answer {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "metadata": {},
        "message": format!("simulated: {reason}"), "reason": reason, "code": code,
    });
    (code, status)
}

impl Store {
    fn put(&mut self, kind: &'static str, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if kind == "DELETED" {
            self.objects.remove(key);
        } else {
            self.objects.insert(key.clone(), object.clone());
        }
        if matches!(key.0.as_str(), "leases" | "secrets") {
            return object;
        }
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Change {
            version: self.version,
            kind,
            key: key.clone(),
            object: object.clone(),
        });
        object
    }

    pub(super) fn create(&mut self, key: &Key, mut object: Value) -> Answer {
        if self.objects.contains_key(key) {
            return refusal(409, "AlreadyExists");
        }
        self.made += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = format!("uid-{}", self.made).into();
        metadata["generation"] = 1.into();
        metadata["name"] = key.2.clone().into();
        if !key.1.is_empty() {
            metadata["namespace"] = key.1.clone().into();
        }
        if key.0 == "imagerefs" || key.0 == "imagecatalogs" {
            object["status"] = json!({"observedGeneration": -1});
        }
        (201, self.put("ADDED", key, object))
    }

    pub(super) fn delete(&mut self, key: &Key) -> bool {
        let object = self.objects.get(key).cloned();
        object.is_some_and(|object| {
            self.put("DELETED", key, object);
            true
        })
    }

    /// Changes an object as a user does: a changed spec is another generation.
    pub(super) fn edit(&mut self, key: &Key, edit: impl FnOnce(&mut Value)) -> bool {
        let Some(before) = self.objects.get(key) else {
            return false;
        };
        let mut after = before.clone();
        edit(&mut after);
        if after == *before {
            return false;
        }
        if after["spec"] != before["spec"] {
            let generation = before["metadata"]["generation"].as_u64().unwrap();
            after["metadata"]["generation"] = (generation + 1).into();
        }
        self.put("MODIFIED", key, after);
        true
    }

    pub(super) fn get(&self, key: &Key) -> Answer {
        let object = self.objects.get(key);
        object.map_or_else(|| refusal(404, "NotFound"), |object| (200, object.clone()))
    }

    /// A merge patch of the status, guarded by what it names of the metadata.
    pub(super) fn patch_status(&mut self, key: &Key, patch: &Value) -> Answer {
        let Some(before) = self.objects.get(key) else {
            return refusal(404, "NotFound");
        };
        let named = &patch["metadata"];
        let differs =
            |name: &str| !named[name].is_null() && named[name] != before["metadata"][name];
        if differs("resourceVersion") || differs("uid") {
            return refusal(409, "Conflict");
        }
        let mut after = before.clone();
        apply(&mut after["status"], &patch["status"]);
        if after == *before {
            return (200, after);
        }
        (200, self.put("MODIFIED", key, after))
    }

    pub(super) fn replace(&mut self, key: &Key, object: Value) -> Answer {
        let Some(before) = self.objects.get(key) else {
            return refusal(404, "NotFound");
        };
        if object["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"] {
            return refusal(409, "Conflict");
        }
        (200, self.put("MODIFIED", key, object))
    }

    pub(super) fn list(&self, plural: &str, kind: &str) -> Answer {
        let of_kind = self.objects.iter().filter(|(key, _)| key.0 == plural);
        let items: Vec<_> = of_kind.map(|(_, object)| object.clone()).collect();
        let version = self.version.to_string();
        let list = json!({"kind": format!("{kind}List"), "apiVersion": "imageref.dev/v1alpha1",
            "metadata": {"resourceVersion": version}, "items": items});
        (200, list)
    }

    /// The first change after a version; `Err` if it may have been compacted.
    pub(super) fn after(&self, version: u64, plural: &str) -> Result<Option<Change>, ()> {
        let oldest = self.log.front().map_or(0, |change| change.version);
        if self.log.len() == LOG && version + 1 < oldest {
            return Err(());
        }
        let mut later = self.log.iter();
        let first = later.find(|change| change.version > version && change.key.0 == plural);
        Ok(first.cloned())
    }
}

/// RFC 7396.
fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            apply(&mut target[name], value);
        }
    }
}

#[test]
fn a_patch_that_was_made_is_applied_to_what_it_was_made_for() {
    let before = json!({"a": {"b": 1, "c": [1]}, "d": 2});
    let after = json!({"a": {"c": [2], "e": {"f": 1}}, "g": "x"});
    let mut target = before.clone();
    apply(&mut target, &merge_patch(&before, &after));
    assert_eq!(target, after);
}
