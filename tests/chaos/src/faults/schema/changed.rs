//! The CRDs of other versions, and what writes without need look like.
//!
//! Owns what differs from the CRD of this version. Must not know a cluster. The invariant that would break
//! first: all else is as this version has it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The CRD of this version.
const CRD: &str = include_str!("../../../../../crds/imageref.dev_imagerefs.yaml");

/// What an older schema lacks. Verdicts do not rest on these.
pub(super) const MISSING: [&str; 3] = ["accelerators", "platforms", "upstreamUpdatedTime"];

/// The CRD of this version.
pub(super) fn crd() -> Result<Value> {
    serde_saphyr::from_str(CRD).context("the CRD is not YAML")
}

/// A field of spec and status more, two values more, a version more.
pub(super) fn with_more(mut crd: Value) -> Result<Value> {
    let version = &mut crd["spec"]["versions"][0];
    let properties = &mut version["schema"]["openAPIV3Schema"]["properties"];
    properties["spec"]["properties"]["schedule"] = json!({"type": "string"});
    properties["status"]["properties"]["score"] = json!({"type": "integer"});
    let fields = &mut properties["spec"]["properties"];
    fields["digestPolicy"]["x-kubernetes-validations"] = json!([
        {"rule": "self in ['Never', 'IfNotPresent', 'Always', 'OnPush']"},
    ]);
    let arch = &mut fields["expect"]["properties"]["arch"];
    arch["x-kubernetes-validations"] = json!([
        {"rule": "self.all(x, x in ['amd64', 'arm64', 'riscv64'])"},
    ]);
    let mut next = version.clone();
    next["name"] = "v1beta1".into();
    next["storage"] = false.into();
    let versions = crd["spec"]["versions"].as_array_mut();
    versions.context("a CRD has versions")?.push(next);
    Ok(crd)
}

/// Some fields of spec and status less.
pub(super) fn with_less(mut crd: Value) -> Result<Value> {
    let properties = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let remove = |of: &mut Value, field: &str| {
        let fields = of["properties"].as_object_mut();
        let removed = fields.and_then(|fields| fields.remove(field));
        removed
            .map(drop)
            .with_context(|| format!("the CRD has no {field}"))
    };
    remove(&mut properties["spec"], "historyLimit")?;
    for field in MISSING {
        remove(&mut properties["status"], field)?;
    }
    Ok(crd)
}

/// The UIDs of those whose status was written though it says the same.
pub(super) fn needless(before: &[Value], after: &[Value]) -> BTreeSet<String> {
    let told = |object: &Value| {
        let mut told = object.clone();
        for (of, field) in [
            ("metadata", "resourceVersion"),
            ("metadata", "managedFields"),
            ("status", "lastCheckedTime"),
        ] {
            if let Some(fields) = told[of].as_object_mut() {
                fields.remove(field);
            }
        }
        told
    };
    let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned);
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let new: BTreeMap<_, _> = after.iter().map(|new| (uid(new), new)).collect();
    let needless = before.iter().filter(|old| {
        let new = new.get(&uid(old));
        new.is_some_and(|new| version(old) != version(new) && told(old) == told(new))
    });
    needless.filter_map(uid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_crd_has_more_and_the_older_one_less_and_nothing_else_differs() {
        let known = |crd: &Value| {
            let version = crd["spec"]["versions"][0].clone();
            version["schema"]["openAPIV3Schema"]["properties"].clone()
        };
        let ours = crd().unwrap();
        let more = with_more(ours.clone()).unwrap();
        assert_eq!(more["spec"]["versions"][1]["name"], "v1beta1");
        assert_eq!(
            known(&more)["spec"]["properties"]["schedule"]["type"],
            "string"
        );
        let less = with_less(ours.clone()).unwrap();
        for field in MISSING {
            assert!(known(&ours)["status"]["properties"][field].is_object());
            assert!(known(&less)["status"]["properties"][field].is_null());
        }
        let count = |crd: &Value, of: &str| known(crd)[of]["properties"].as_object().unwrap().len();
        assert_eq!(count(&more, "status"), count(&ours, "status") + 1);
        assert_eq!(
            count(&less, "status"),
            count(&ours, "status") - MISSING.len()
        );
        assert_eq!(count(&less, "spec"), count(&ours, "spec") - 1);
    }

    #[test]
    fn a_write_is_needless_if_only_versions_and_check_times_changed() {
        let object = |uid: &str, version: &str, arch: &str, checked: &str| {
            json!({
                "metadata": {"uid": uid, "resourceVersion": version},
                "status": {"arch": arch, "lastCheckedTime": checked},
            })
        };
        let before = [
            object("untouched", "1", "arm64", "t1"),
            object("needless", "2", "arm64", "t1"),
            object("changed", "3", "arm64", "t1"),
            object("gone", "4", "arm64", "t1"),
        ];
        let after = [
            object("new", "5", "arm64", "t2"),
            object("changed", "6", "amd64", "t2"),
            object("needless", "7", "arm64", "t2"),
            object("untouched", "1", "arm64", "t1"),
        ];
        let needless = needless(&before, &after);
        assert_eq!(needless, BTreeSet::from(["needless".to_owned()]));
    }
}
