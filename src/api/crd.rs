//! The CRDs as they are installed, and as `imageref crd` prints them.
//!
//! Owns what the derive cannot say. The invariants that would break first: `status` itself has a
//! default (one on `status.observedGeneration` alone never applies, and without it a new object
//! looks finished to every tool that reads kstatus), and no limit in a status schema refuses a
//! write, even where the status shares a type with the spec.

use super::{ClusterImageProvider, GROUP, ImageCatalog, ImageProvider, ImageRef};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

/// All CRDs, in the order of their names.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        ClusterImageProvider::crd(),
        ImageCatalog::crd(),
        ImageProvider::crd(),
        ImageRef::crd(),
    ];
    for crd in &mut crds {
        if let Some(status) = status_schema(crd) {
            lift_limits(status);
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crds.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    crds
}

/// The file name of a CRD under `crds/`: group and plural, as kubebuilder names them.
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{GROUP}_{}.yaml", crd.spec.names.plural)
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

/// One CRD as a YAML document, without the `---` before it.
///
/// # Errors
/// None that a CRD can cause; the serializer's type says so.
pub fn to_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(crd)
}

fn status_schema(crd: &mut CustomResourceDefinition) -> Option<&mut JSONSchemaProps> {
    let schema = crd.spec.versions.first_mut()?.schema.as_mut()?;
    let properties = schema.open_api_v3_schema.as_mut()?.properties.as_mut()?;
    properties.get_mut("status")
}

/// Removes whatever could refuse a value for its content; types and required fields stay.
fn lift_limits(schema: &mut JSONSchemaProps) {
    schema.enum_ = None;
    schema.pattern = None;
    schema.min_length = None;
    schema.max_length = None;
    schema.minimum = None;
    schema.maximum = None;
    schema.min_items = None;
    schema.max_items = None;
    schema.x_kubernetes_validations = None;
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        lift_limits(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &mut schema.items {
        lift_limits(each);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(each)) = &mut schema.additional_properties {
        lift_limits(each);
    }
}
