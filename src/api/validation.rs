//! The CRDs' rules without an API server: what a cluster would refuse, in the same words.
//!
//! Owns the walk over the schema that the CRD carries, so that a rule written once holds in both
//! places; CEL runs in the library of kube. Must not know files or line numbers. The invariant
//! that would break first: whatever the API server refuses for its content is refused here, and
//! the message here is part of the server's.

use super::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::core::cel::{CompiledSchema, compile_schema, validate_compiled};
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

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
/// Fields that are null are removed: the API server keeps some, and reads them as absent too.
pub fn validate(kind: &str, object: &mut Value) -> Vec<Violation> {
    let Some(rules) = rules().get(kind) else {
        return Vec::new();
    };
    let mut found = Found::default();
    walk(&rules.schema, object, "", &mut found);
    if !found.blocks_rules
        && let Err(errors) = validate_compiled(&rules.compiled, object, None)
    {
        for error in errors {
            found.add(&error.field_path, error.message);
        }
    }
    found.violations
}

/// One kind's schema, and the CEL rules in it.
struct Rules {
    schema: JSONSchemaProps,
    compiled: CompiledSchema,
}

/// Compiled once: a pipeline checks thousands of objects.
fn rules() -> &'static BTreeMap<String, Rules> {
    static RULES: LazyLock<BTreeMap<String, Rules>> = LazyLock::new(|| {
        let kinds = crd::crds().into_iter().map(|crd| crd.spec.names.kind);
        kinds
            .filter_map(|kind| {
                let schema = crd::schema(&kind)?;
                let compiled = compile_schema(&serde_json::to_value(&schema).ok()?);
                Some((kind, Rules { schema, compiled }))
            })
            .collect()
    });
    &RULES
}

#[derive(Default)]
struct Found {
    violations: Vec<Violation>,
    /// The API server evaluates no CEL rule beside a wrong type, a missing field or a text or list
    /// that is too long: the rules could not be trusted with them.
    blocks_rules: bool,
}

impl Found {
    fn add(&mut self, path: &str, message: String) {
        self.violations.push(Violation {
            path: path.into(),
            message,
        });
    }

    fn block(&mut self, path: &str, message: String) {
        self.blocks_rules = true;
        self.add(path, message);
    }
}

fn walk(schema: &JSONSchemaProps, value: &mut Value, path: &str, found: &mut Found) {
    match (schema.type_.as_deref(), &mut *value) {
        (Some("string"), Value::String(text)) => check_text(schema, text, path, found),
        (Some("integer"), Value::Number(_)) => check_integer(schema, value, path, found),
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some("array"), Value::Array(items)) => check_items(schema, items, path, found),
        (Some("object"), Value::Object(fields)) => check_fields(schema, fields, path, found),
        (Some(wanted), other) => found.block(path, wrong_type(wanted, other)),
    }
}

fn check_integer(schema: &JSONSchemaProps, value: &mut Value, path: &str, found: &mut Found) {
    // JSON has one kind of number: 3.0 is the integer 3, and is stored as such.
    let number = value.as_f64().filter(|number| number.fract() == 0.0);
    let Some(number) = number else {
        return found.block(path, wrong_type("integer", value));
    };
    if let Some(min) = schema.minimum.filter(|min| number < *min) {
        found.add(path, format!("should be greater than or equal to {min}"));
    } else if let Some(max) = schema.maximum.filter(|max| number > *max) {
        found.add(path, format!("should be less than or equal to {max}"));
    } else if !value.is_i64() {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and saturating")]
        let whole = number as i64;
        *value = whole.into();
    }
}

fn check_text(schema: &JSONSchemaProps, text: &str, path: &str, found: &mut Found) {
    // Characters are counted, although the server's message speaks of bytes.
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(max) = schema.max_length.filter(|max| length > *max) {
        found.block(path, format!("Too long: may not be more than {max} bytes"));
    }
    if let Some(min) = schema.min_length.filter(|min| length < *min) {
        found.add(path, format!("should be at least {min} chars long"));
    }
    if let Some(pattern) = &schema.pattern
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        found.add(path, format!("should match '{pattern}'"));
    }
}

fn check_items(schema: &JSONSchemaProps, items: &mut [Value], path: &str, found: &mut Found) {
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = schema.min_items.filter(|min| count < *min) {
        found.add(path, format!("should have at least {min} items"));
    }
    if let Some(max) = schema.max_items.filter(|max| count > *max) {
        let message = format!("Too many: {count}: must have at most {max} items");
        found.block(path, message);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(each)) = &schema.items {
        for (index, item) in items.iter_mut().enumerate() {
            walk(each, item, &format!("{path}[{index}]"), found);
        }
    }
}

fn check_fields(
    schema: &JSONSchemaProps,
    fields: &mut Map<String, Value>,
    path: &str,
    found: &mut Found,
) {
    let join = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    let no_properties = BTreeMap::new();
    let properties = schema.properties.as_ref().unwrap_or(&no_properties);
    let others = match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(each)) => Some(each.as_ref()),
        _ => None,
    };
    fields.retain(|name, value| {
        !value.is_null() || (others.is_none() && !properties.contains_key(name))
    });
    for (name, property) in properties {
        if let (None, Some(default)) = (fields.get(name), &property.default) {
            fields.insert(name.clone(), default.0.clone());
        }
    }
    // The root's own fields (apiVersion, kind, metadata) are the API server's.
    let root = path.is_empty();
    for (name, value) in fields.iter_mut() {
        match properties.get(name).or(others) {
            _ if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
            Some(schema) => walk(schema, value, &join(name), found),
            None => found.block(&join(name), "unknown field".into()),
        }
    }
    for name in schema.required.iter().flatten() {
        if !fields.contains_key(name) {
            found.block(&join(name), "Required value".into());
        }
    }
}

fn wrong_type(wanted: &str, value: &Value) -> String {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("must be of type {wanted}: \"{is}\"")
}
