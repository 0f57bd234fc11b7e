//! The API only grows: what a release took, every later one takes, and means the same.
//!
//! Owns what counts as narrower. Must not know any field. The invariant that would break first: a manifest
//! that was good against the CRDs of a release is not refused for a field, a type, a bound or a rule that
//! came later.

use super::ROOT;
use imageref::api::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use std::path::Path;

const RELEASES: &str = "tests/fixtures/api";

/// Collects in which ways `new` takes less than `old`, or means something else.
fn narrower(path: &str, old: &JSONSchemaProps, new: &JSONSchemaProps, found: &mut Vec<String>) {
    let mut say = |what: &str| found.push(format!("{path}: {what}"));
    if old.type_ != new.type_ || old.format != new.format {
        say("another type");
    }
    if old.default != new.default {
        say("another default");
    }
    if old.nullable == Some(true) && new.nullable != Some(true) {
        say("may not be null any more");
    }
    if old.x_kubernetes_preserve_unknown_fields != new.x_kubernetes_preserve_unknown_fields {
        say("other fields are treated in another way");
    }
    let least = |old: Option<i64>, new: Option<i64>| new.unwrap_or(0) > old.unwrap_or(0);
    let most =
        |old: Option<i64>, new: Option<i64>| new.is_some_and(|new| old.is_none_or(|old| new < old));
    let tighter = least(old.min_length, new.min_length)
        || least(old.min_items, new.min_items)
        || most(old.max_length, new.max_length)
        || most(old.max_items, new.max_items)
        || new
            .minimum
            .is_some_and(|new| old.minimum.is_none_or(|old| new > old))
        || new
            .maximum
            .is_some_and(|new| old.maximum.is_none_or(|old| new < old))
        || (new.pattern.is_some() && new.pattern != old.pattern)
        || (new.enum_.is_some() && new.enum_ != old.enum_);
    if tighter {
        say("tighter bounds");
    }
    for rule in new.x_kubernetes_validations.iter().flatten() {
        let mut known = old.x_kubernetes_validations.iter().flatten();
        if !known.any(|old| old.rule == rule.rule) {
            say(&format!("a new rule: {}", rule.rule));
        }
    }
    for name in new.required.iter().flatten() {
        if !old.required.iter().flatten().any(|old| old == name) {
            say(&format!("{name} is required now"));
        }
    }
    for (name, old) in old.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        match new
            .properties
            .as_ref()
            .and_then(|properties| properties.get(name))
        {
            Some(new) => narrower(&path, old, new, found),
            None => found.push(format!("{path}: gone")),
        }
    }
    match (&old.items, &new.items) {
        (Some(JSONSchemaPropsOrArray::Schema(old)), Some(JSONSchemaPropsOrArray::Schema(new))) => {
            narrower(&format!("{path}[]"), old, new, found);
        }
        (None, None) => {}
        _ => found.push(format!("{path}: other entries")),
    }
    match (&old.additional_properties, &new.additional_properties) {
        (Some(JSONSchemaPropsOrBool::Schema(old)), Some(JSONSchemaPropsOrBool::Schema(new))) => {
            narrower(&format!("{path}.*"), old, new, found);
        }
        (old, new) if old == new => {}
        _ => found.push(format!("{path}: other keys")),
    }
}

/// The schema of a CRD's only version.
fn schema(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
    let schema = crd.spec.versions[0].schema.as_ref().unwrap();
    schema.open_api_v3_schema.as_ref().unwrap()
}

/// In which ways the CRDs of today take less than this one of a release.
fn since(old: &CustomResourceDefinition) -> Vec<String> {
    let kind = &old.spec.names.kind;
    let mut found = Vec::new();
    let Some(new) = crd::crds()
        .into_iter()
        .find(|new| new.metadata.name == old.metadata.name)
    else {
        return vec![format!("{kind}: gone")];
    };
    if new.spec.scope != old.spec.scope || new.spec.versions[0].name != old.spec.versions[0].name {
        found.push(format!("{kind}: another scope or version"));
    }
    for name in old.spec.names.short_names.iter().flatten() {
        if !new
            .spec
            .names
            .short_names
            .iter()
            .flatten()
            .any(|new| new == name)
        {
            found.push(format!("{kind}: the short name {name} is gone"));
        }
    }
    for field in old.spec.versions[0].selectable_fields.iter().flatten() {
        let mut new = new.spec.versions[0].selectable_fields.iter().flatten();
        if !new.any(|new| new.json_path == field.json_path) {
            found.push(format!(
                "{kind}: {} selects nothing any more",
                field.json_path
            ));
        }
    }
    narrower(kind, schema(old), schema(&new), &mut found);
    found
}

#[test]
fn whatever_a_release_took_is_taken() {
    let mut narrowed = Vec::new();
    for release in std::fs::read_dir(Path::new(ROOT).join(RELEASES)).unwrap() {
        let release = release.unwrap().path();
        if !release.is_dir() {
            continue;
        }
        let mut kinds = 0;
        for file in std::fs::read_dir(&release).unwrap() {
            let file = file.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            let crd = serde_saphyr::from_str(&text);
            let crd = crd.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            narrowed.extend(
                since(&crd)
                    .into_iter()
                    .map(|what| format!("{}: {what}", release.display())),
            );
            kinds += 1;
        }
        assert!(kinds > 0, "{}: empty", release.display());
    }
    assert!(narrowed.is_empty(), "{}", narrowed.join("\n"));
}

/// What makes of today's `spec` one that a release could have had.
type Change = fn(&mut JSONSchemaProps);

#[test]
fn each_way_to_take_less_is_found_and_growth_is_none() {
    let image_ref = || {
        crd::crds()
            .into_iter()
            .find(|crd| crd.spec.names.kind == "ImageRef")
            .unwrap()
    };
    assert_eq!(since(&image_ref()), [""; 0]);
    // Each change makes a release that took more, so that today takes less.
    let changes: [(Change, &str); 8] = [
        (
            |old| {
                let fields = old.properties.as_mut().unwrap();
                fields.insert("gone".into(), JSONSchemaProps::default());
            },
            "gone",
        ),
        (|old| old.required = None, "source is required now"),
        (
            |old| field(old, "interval").max_length = Some(17),
            "tighter bounds",
        ),
        (
            |old| field(old, "interval").pattern = None,
            "tighter bounds",
        ),
        (
            |old| field(old, "interval").default = None,
            "another default",
        ),
        (
            |old| field(old, "suspend").type_ = Some("string".into()),
            "another type",
        ),
        (
            |old| field(old, "expect").x_kubernetes_validations = None,
            "a new rule",
        ),
        (
            |old| field(old, "historyLimit").maximum = Some(21.0),
            "tighter bounds",
        ),
    ];
    for (change, said) in changes {
        let mut old = image_ref();
        let schema = old.spec.versions[0].schema.as_mut().unwrap();
        change(field(schema.open_api_v3_schema.as_mut().unwrap(), "spec"));
        let found = since(&old);
        assert!(
            !found.is_empty() && found.iter().all(|what| what.contains(said)),
            "{said}: {found:?}"
        );
    }
    // A release that took less, or lacked a field, is no matter.
    let mut old = image_ref();
    let schema = old.spec.versions[0].schema.as_mut().unwrap();
    let spec = field(schema.open_api_v3_schema.as_mut().unwrap(), "spec");
    spec.properties.as_mut().unwrap().remove("digestPolicy");
    field(spec, "interval").max_length = Some(15);
    spec.required
        .get_or_insert_default()
        .push("interval".into());
    assert_eq!(since(&old), [""; 0]);
    old.spec.names.kind = "Other".into();
    old.metadata.name = Some("others.imageref.dev".into());
    assert_eq!(since(&old), ["Other: gone"]);
}

fn field<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> &'a mut JSONSchemaProps {
    let properties = schema.properties.as_mut().unwrap();
    properties
        .get_mut(name)
        .unwrap_or_else(|| panic!("no {name}"))
}
