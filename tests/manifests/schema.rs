//! A walk over the CRDs' schemas.
//!
//! Owns the paths of fields, in the form that the API server uses, with `[]` for any entry of a
//! list. Must not know what the walk is for. The invariant that would break first: no field is
//! left out, whatever it is nested in.

use imageref::api::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Calls `visit(path, schema)` for each field of `spec` or `status` of a kind, that one included.
pub(crate) fn walk(kind: &str, top: &str, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    let root = crd::schema(kind).expect("our kind");
    let schema = &root.properties.expect("properties")[top];
    descend(schema, top, visit);
}

fn descend(schema: &JSONSchemaProps, path: &str, visit: &mut impl FnMut(&str, &JSONSchemaProps)) {
    visit(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        descend(property, &format!("{path}.{name}"), visit);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        descend(each, &format!("{path}[]"), visit);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
        descend(each, &format!("{path}.*"), visit);
    }
}

/// `spec.expect.arch[3]` → `spec.expect.arch[]`.
pub(crate) fn any_entry(path: &str) -> String {
    let mut parts = path.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let (_, rest) = part.split_once(']').unwrap_or(("", part));
        done + "[]" + rest
    })
}
