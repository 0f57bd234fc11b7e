//! The CRDs as they are installed, and as `imageref crd` prints them.
//!
//! Owns what the derive cannot say. The invariant that would break first: `status` itself has a
//! default. A default on `status.observedGeneration` alone never applies, and without it a new
//! object looks finished to every tool that reads kstatus.

use super::{ClusterImageProvider, GROUP, ImageProvider, ImageRef};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

/// All CRDs, in the order of their names.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        ClusterImageProvider::crd(),
        ImageProvider::crd(),
        with_status_default(ImageRef::crd()),
    ];
    crds.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    crds
}

/// The file name of a CRD under `crds/`: group and plural, as kubebuilder names them.
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{GROUP}_{}.yaml", crd.spec.names.plural)
}

/// A CRD as YAML.
///
/// # Errors
/// None that is known; the serialiser has the last word.
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(crd)
}

/// The schema of one kind's only version; `None` for a kind that is not ours.
pub fn schema(kind: &str) -> Option<JSONSchemaProps> {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind)?;
    crd.spec
        .versions
        .into_iter()
        .next()?
        .schema?
        .open_api_v3_schema
}

fn with_status_default(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let status = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
            .and_then(|s| s.properties.as_mut())
            .and_then(|p| p.get_mut("status"));
        if let Some(status) = status {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}
