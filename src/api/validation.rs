//! The CRDs' rules without an API server: what a cluster would refuse, in the same words.
//!
//! Owns the walk over the schema that the CRD carries, so that a rule written once holds in both
//! places; CEL runs in the library of kube. Must not know files or line numbers. The invariant
//! that would break first: whatever the API server refuses for its content is refused here.

use super::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::cel::Validator;
use regex::Regex;
use serde_json::Value;

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, as in `spec.source.notebook.id`; `spec.expect.arch[0]` in a list.
    pub path: String,
    /// What is wrong, and what to write.
    pub message: String,
}

/// Fills in the defaults of `kind`'s schema and checks the object against it. An object of a kind
/// that is not ours is returned as it is. Unknown fields are violations, as `kubectl` treats them.
pub fn validate(kind: &str, object: &mut Value) -> Vec<Violation> {
    let Some(schema) = crd::schema(kind) else {
        return Vec::new();
    };
    let mut violations = Vec::new();
    walk(&schema, object, "", &mut violations);
    if violations.is_empty()
        && let Ok(schema) = serde_json::to_value(&schema)
        && let Err(errors) = Validator::new().validate(&schema, object, None)
    {
        violations.extend(errors.into_vec().into_iter().map(|error| Violation {
            path: error.field_path,
            message: error.message,
        }));
    }
    violations
}

fn walk(schema: &JSONSchemaProps, value: &mut Value, path: &str, found: &mut Vec<Violation>) {
    let mut complain = |message: String| {
        found.push(Violation {
            path: path.into(),
            message,
        })
    };
    match (schema.type_.as_deref(), &mut *value) {
        (Some("string"), Value::String(text)) => check_text(schema, text, &mut complain),
        (Some("integer"), Value::Number(number)) => {
            let Some(number) = number.as_i64() else {
                return complain("must be a whole number".into());
            };
            #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
            let number = number as f64;
            if schema.minimum.is_some_and(|min| number < min) {
                complain(format!(
                    "must be at least {}",
                    schema.minimum.unwrap_or_default()
                ));
            }
            if schema.maximum.is_some_and(|max| number > max) {
                complain(format!(
                    "must be at most {}",
                    schema.maximum.unwrap_or_default()
                ));
            }
        }
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some("array"), Value::Array(items)) => check_items(schema, items, path, found),
        (Some("object"), Value::Object(_)) => check_fields(schema, value, path, found),
        (Some(wanted), other) => complain(format!("must be of type {wanted}, is {}", name(other))),
    }
}

fn check_text(schema: &JSONSchemaProps, text: &str, complain: &mut impl FnMut(String)) {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if schema.max_length.is_some_and(|max| length > max) {
        complain(format!(
            "may not be longer than {}",
            schema.max_length.unwrap_or_default()
        ));
    }
    if schema.min_length.is_some_and(|min| length < min) {
        complain(format!(
            "must have at least {} characters",
            schema.min_length.unwrap_or_default()
        ));
    }
    if let Some(pattern) = &schema.pattern
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        complain(format!("should match '{pattern}'"));
    }
}

fn check_items(
    schema: &JSONSchemaProps,
    items: &mut [Value],
    path: &str,
    found: &mut Vec<Violation>,
) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if schema.min_items.is_some_and(|min| count < min) {
        let message = format!(
            "should have at least {} items",
            schema.min_items.unwrap_or_default()
        );
        found.push(Violation {
            path: path.into(),
            message,
        });
    }
    if schema.max_items.is_some_and(|max| count > max) {
        let message = format!(
            "must have at most {} items",
            schema.max_items.unwrap_or_default()
        );
        found.push(Violation {
            path: path.into(),
            message,
        });
    }
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        for (index, item) in items.iter_mut().enumerate() {
            walk(each, item, &format!("{path}[{index}]"), found);
        }
    }
}

fn check_fields(
    schema: &JSONSchemaProps,
    value: &mut Value,
    path: &str,
    found: &mut Vec<Violation>,
) {
    let (Some(properties), Some(fields)) = (&schema.properties, value.as_object_mut()) else {
        return;
    };
    let join = |name: &str| {
        if path.is_empty() {
            name.into()
        } else {
            format!("{path}.{name}")
        }
    };
    // The API server prunes a null where the schema is not nullable, then applies the default.
    fields.retain(|name, value| {
        !value.is_null()
            || properties
                .get(name)
                .is_some_and(|p| p.nullable == Some(true))
    });
    for (name, property) in properties {
        if let (None, Some(default)) = (fields.get(name), &property.default) {
            fields.insert(name.clone(), default.0.clone());
        }
    }
    // The root's own fields (apiVersion, kind, metadata) are the API server's.
    let root = path.is_empty();
    for (name, value) in fields.iter_mut() {
        match properties.get(name) {
            _ if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
            _ if value.is_null() => {}
            Some(property) => walk(property, value, &join(name), found),
            None => found.push(Violation {
                path: join(name),
                message: "unknown field".into(),
            }),
        }
    }
    for name in schema
        .required
        .iter()
        .flatten()
        .filter(|name| !fields.contains_key(*name))
    {
        found.push(Violation {
            path: join(name),
            message: "Required value".into(),
        });
    }
}

const fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
