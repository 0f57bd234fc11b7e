//! Which labels a selector selects.
//!
//! Owns the rules of Kubernetes (Labels and Selectors). Must not know whose labels they are. The
//! invariant that would break first: a rule that is not understood selects nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// Whether the selector selects an object with these labels. One that is empty selects everything.
pub fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key).is_some_and(|label| label == value));
    let matched = selector.match_expressions.iter().flatten().all(|rule| {
        let label = labels.get(&rule.key);
        let listed = label.is_some_and(|l| rule.values.iter().flatten().any(|value| value == l));
        match rule.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => label.is_some(),
            "DoesNotExist" => label.is_none(),
            _ => false,
        }
    });
    equal && matched
}
