//! What references said, and when.
//!
//! Owns the reading of an object into what rules are about. Must not know the truth or the rules. The
//! invariant that would break first: a status is kept as it was written, with nothing filled in.

use crate::mix;
use kube::core::DynamicObject;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// `NAMESPACE/NAME` of a reference.
pub(crate) type Key = String;

/// Whether an answer may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    True,
    False,
    Unknown,
    /// There is no such condition.
    Absent,
}

/// What a spec asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    /// The id of the image that is meant, if there is one.
    pub(crate) image: Option<String>,
    /// Whether a path and an architecture are stated by its platform.
    pub(crate) is_notebook: bool,
    /// `spec.expect.arch`.
    pub(crate) arch: Option<Vec<String>>,
    /// Whether each look reads the digest.
    pub(crate) digest: bool,
}

/// What a status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) observed: i64,
    pub(crate) ready: Ready,
    pub(crate) reason: String,
    /// The reason of Stale, where it is True.
    pub(crate) stale: Option<String>,
    pub(crate) arch: Option<String>,
    /// `status.status`
    pub(crate) word: Option<String>,
    /// What a pod would use, without its digest.
    pub(crate) path: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) digest: Option<String>,
}

/// A reference at a time, counted from the beginning of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at: Duration,
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) asks: Asks,
    pub(crate) status: Option<Status>,
}

/// What was seen of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Said(Box<Said>),
    /// It was deleted.
    Gone {
        at: Duration,
    },
}

/// All references, each with what was seen of it, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(pub(crate) BTreeMap<Key, Vec<Seen>>);

impl History {
    /// Adds what was seen.
    pub(crate) fn add(&mut self, key: Key, seen: Seen) {
        self.0.entry(key).or_default().push(seen);
    }

    /// Forgets all but the last of each; of what is gone, everything.
    pub(crate) fn forget(&mut self) {
        self.0.retain(|_, seen| {
            seen.drain(..seen.len().saturating_sub(1));
            matches!(seen.last(), Some(Seen::Said(_)))
        });
    }

    /// What each reference that is there says now.
    pub(crate) fn latest(&self) -> impl Iterator<Item = (&Key, &Said)> {
        self.0.iter().filter_map(|(key, seen)| match seen.last() {
            Some(Seen::Said(said)) => Some((key, &**said)),
            _ => None,
        })
    }
}

impl Said {
    /// Reads an object.
    pub(crate) fn of(object: &DynamicObject, at: Duration) -> Self {
        Self {
            at,
            uid: object.metadata.uid.clone().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            asks: Asks::of(&object.data["spec"]),
            status: object.data.get("status").map(Status::of),
        }
    }
}

impl Asks {
    fn of(spec: &Value) -> Self {
        let source = &spec["source"];
        let arch = spec["expect"]["arch"].as_array().map(|arch| {
            let words = arch.iter().filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        });
        Self {
            image: mix::image_of(source),
            is_notebook: source["notebook"].is_object(),
            arch,
            digest: spec["digestPolicy"] == "Always",
        }
    }
}

impl Status {
    fn of(status: &Value) -> Self {
        let text = |member: &str| status[member].as_str().map(str::to_owned);
        let condition = |wanted: &str| {
            let all = status["conditions"].as_array();
            all.and_then(|all| all.iter().find(|one| one["type"] == wanted))
        };
        let ready = condition("Ready");
        let reason = |one: &Value| one["reason"].as_str().unwrap_or_default().to_owned();
        let path = text("image").map(|image| match image.split_once('@') {
            Some((path, _)) => path.to_owned(),
            None => image,
        });
        Self {
            observed: status["observedGeneration"].as_i64().unwrap_or_default(),
            ready: match ready.and_then(|ready| ready["status"].as_str()) {
                Some("True") => Ready::True,
                Some("False") => Ready::False,
                Some(_) => Ready::Unknown,
                None => Ready::Absent,
            },
            reason: ready.map(reason).unwrap_or_default(),
            stale: condition("Stale")
                .filter(|stale| stale["status"] == "True")
                .map(reason),
            arch: text("arch"),
            word: text("status"),
            path,
            id: text("imageID"),
            digest: text("digest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_is_read_as_it_is_written() {
        let object = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": "a", "namespace": "b", "uid": "u", "generation": 3},
            "spec": {
                "source": {"notebook": {"name": "pytorch-train-0007"}},
                "expect": {"arch": ["arm64"]},
            },
            "status": {
                "observedGeneration": 2, "arch": "arm64", "status": "ACTIVE", "imageID": "i",
                "image": "host/x:1@sha256:aa", "digest": "sha256:aa",
                "conditions": [
                    {"type": "Ready", "status": "True", "reason": "ServingStale"},
                    {"type": "Stale", "status": "True", "reason": "ProviderError"},
                ],
            },
        });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let said = Said::of(&object, Duration::from_secs(1));
        assert_eq!(said.generation, 3);
        assert_eq!(said.asks.image, Some(site::image_id(7)));
        assert_eq!(
            said.asks.arch.as_deref(),
            Some(["arm64".to_owned()].as_slice())
        );
        assert!(said.asks.is_notebook && !said.asks.digest);
        let status = said.status.unwrap();
        assert_eq!((status.observed, status.ready), (2, Ready::True));
        assert_eq!(status.path.as_deref(), Some("host/x:1"));
        assert_eq!(status.stale.as_deref(), Some("ProviderError"));
        let new = json!({"apiVersion": "x", "kind": "x", "metadata": {}, "spec": {},
            "status": {"observedGeneration": -1}});
        let new: DynamicObject = serde_json::from_value(new).unwrap();
        let status = Said::of(&new, Duration::ZERO).status.unwrap();
        assert_eq!((status.observed, status.ready), (-1, Ready::Absent));
    }
}
