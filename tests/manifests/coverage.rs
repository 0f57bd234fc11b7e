//! Nothing in a schema can refuse a manifest without a bad manifest that shows it.

use super::rows::{self, KINDS};
use super::schema::{any_entry, walk};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use std::collections::BTreeSet;

/// What can be refused at a field, as `path: message` in the words of `validate()`.
fn reasons(path: &str, schema: &JSONSchemaProps) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut add = |message: Option<String>| {
        reasons.extend(message.map(|message| format!("{path}: {message}")));
    };
    add(schema
        .max_length
        .map(|n| format!("Too long: may not be more than {n} bytes")));
    add(schema
        .min_length
        .map(|n| format!("should be at least {n} chars long")));
    add(schema
        .pattern
        .as_ref()
        .map(|p| format!("should match '{p}'")));
    add(schema
        .minimum
        .map(|n| format!("should be greater than or equal to {n}")));
    add(schema
        .maximum
        .map(|n| format!("should be less than or equal to {n}")));
    add(schema
        .min_items
        .map(|n| format!("should have at least {n} items")));
    add(schema
        .max_items
        .map(|n| format!("Too many: {}: must have at most {n} items", n + 1)));
    let required = schema.required.iter().flatten();
    reasons.extend(required.map(|name| format!("{path}.{name}: Required value")));
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let below = rule.field_path.as_deref().unwrap_or_default();
        let message = rule.message.as_deref().expect("every rule has a message");
        reasons.push(format!("{path}{below}: {message}"));
    }
    reasons
}

#[test]
fn every_rule_pattern_bound_and_required_field_has_a_bad_manifest() {
    let rows = rows::bad();
    let mut count = 0;
    let mut missing = Vec::new();
    for kind in KINDS {
        let said: BTreeSet<_> = rows
            .iter()
            .filter(|row| row.kind == kind)
            .flat_map(|row| row.says.iter().map(|says| any_entry(says)))
            .collect();
        let mut expected = vec!["spec: Required value".to_owned()];
        walk(kind, "spec", &mut |path, schema| {
            assert!(
                schema.enum_.is_none(),
                "{path}: a rule says more than an enum"
            );
            expected.extend(reasons(path, schema));
        });
        count += expected.len();
        let untold = expected
            .into_iter()
            .filter(|reason| !said.contains(&any_entry(reason)));
        missing.extend(untold.map(|reason| format!("{kind}: {reason}")));
    }
    assert!(
        missing.is_empty(),
        "no bad manifest for {} of {count}:\n{}",
        missing.len(),
        missing.join("\n")
    );
    eprintln!("{count} reasons to refuse, each with a bad manifest");
}
