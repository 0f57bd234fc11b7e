//! What must be so some time after the last fault: every status is right.

use super::{Held, MINUTE, condition, digest, status};
use crate::controller::simulation::world::Inner;
use serde_json::Value;

/// How long after the last fault everything is right: a wait of two hours after a long outage is the
/// longest that a reference of half an hour's interval may have, and an image that is gone is asked for
/// twice.
pub(in super::super) const CONVERGES: u64 = 100 * MINUTE;

/// Whether all is right.
pub(in super::super) fn right(inner: &Inner) -> Held {
    for (key, object) in &inner.store.objects {
        match key.0.as_str() {
            "imagerefs" => reference(inner, object)
                .map_err(|why| format!("in the end {}/{}: {why}: {}", key.1, key.2, object))?,
            "imagecatalogs" => {
                super::catalogue::agrees(inner, key).map_err(|why| format!("in the end {why}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn reference(inner: &Inner, object: &Value) -> Held {
    let status = &object["status"];
    if status["observedGeneration"] != object["metadata"]["generation"] {
        return Err("its spec was not seen".into());
    }
    let ready = condition(object, "Ready").ok_or("it has no Ready")?;
    if object["spec"]["suspend"] == true {
        let said = ready.1 == "Suspended";
        return if said {
            Ok(())
        } else {
            Err("it does not say that it is suspended".into())
        };
    }
    let id = object["spec"]["source"]["notebook"]["id"]
        .as_str()
        .unwrap_or_default();
    let image = &inner.cloud.images[id];
    let expected = match image.status {
        Some("ACTIVE") => ("True", "Resolved"),
        Some(_) => ("False", "ImageNotActive"),
        None => ("False", "ImageNotFound"),
    };
    if ready != expected {
        return Err(format!("it should be {expected:?}"));
    }
    if condition(object, "Stale").is_some_and(|stale| stale.0 == "True") {
        return Err("it is stale".into());
    }
    if image.status.is_some() {
        if status["sizeBytes"] != 1000 + image.version {
            return Err(format!("the image has version {}", image.version));
        }
        let meant = inner.rules.meant.get(&status::provider_of(object));
        let meant = meant
            .and_then(|meant| meant.last())
            .map(|last| last.1.as_str());
        if status["upstream"]["organization"].as_str() != meant {
            return Err(format!("its provider means {meant:?}"));
        }
        if expected.0 == "True" {
            digest::right(inner, object)?;
        }
    }
    let wanted = &object["metadata"]["annotations"]["imageref.dev/reconcile-requested-at"];
    if !wanted.is_null() && status["lastHandledReconcileAt"] != *wanted {
        return Err("what was asked for was not done".into());
    }
    Ok(())
}
