//! The reference of the API, as a page.
//!
//! Owns `docs/reference/api.md`. Must not say anything about a field that its CRD does not. The
//! invariant that would break first: the page and the CRDs are equal, rules and their messages included.

use super::text;
use imageref::api::crd;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

const PAGE: &str = "docs/reference/api.md";
const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p imageref --test suite -- docs::reference";

const INTRODUCTION: &str = "
# API reference

Every field of every kind, as the API server knows it. `kubectl explain imageref.spec --recursive` shows
the same in a terminal. What the fields are for, with manifests and traps: the page of each kind.

- **Type**: `[]` is a list, `map` has free keys. A field that is not *required* may be left out or be
  `null`, which is the same.
- **Default** is what the API server fills in. Defaults that depend on other things are told in words.
- **Rules** are checked by the API server, with these very messages, when an object is applied; and without
  one by `imageref resolve` and `imageref lock`. `self` is the value of the field.
- In a status nothing is refused for its content: a limit there could lose a whole write.
";

/// The kinds, in the order in which people meet them, with their own pages.
const KINDS: [(&str, &str); 4] = [
    ("ImageRef", "../kinds/imageref.md"),
    ("ImageProvider", "../kinds/imageprovider.md"),
    ("ClusterImageProvider", "../kinds/clusterimageprovider.md"),
    ("ImageCatalog", "../kinds/imagecatalog.md"),
];

#[test]
fn the_reference_of_the_api_is_what_the_crds_say() {
    let page = render();
    let path = Path::new(super::ROOT).join(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "{PAGE} differs from the CRDs; run `{UPDATE}` and commit the result"
    );
}

#[test]
fn every_page_of_a_kind_leads_to_its_reference() {
    for (kind, page) in KINDS {
        let page = page.replace("../", "docs/");
        let link = format!("(../reference/api.md#{})", kind.to_lowercase());
        assert!(text(&page).contains(&link), "{page} has no {link}");
    }
    assert_eq!(KINDS.len(), crd::crds().len());
}

fn render() -> String {
    let mut page = format!("<!-- Generated from the CRDs: {UPDATE} -->\n{INTRODUCTION}");
    for (kind, own) in KINDS {
        let crds = crd::crds();
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        head(&mut page, crd, own);
        let schema = crd::schema(kind).unwrap();
        let properties = schema.properties.unwrap();
        let mut rules = Vec::new();
        for top in ["spec", "status"] {
            write!(page, "\n### {kind}: {top}\n\n").unwrap();
            if let Some(description) = &properties[top].description {
                writeln!(page, "{}\n", words(description)).unwrap();
            }
            page.push_str("| Field | Type | Default | Bounds | Meaning |\n|---|---|---|---|---|\n");
            fields(&mut page, &mut rules, top, &properties[top]);
        }
        write!(
            page,
            "\n### {kind}: rules\n\n| At | Message | Rule |\n|---|---|---|\n"
        )
        .unwrap();
        for (at, message, rule) in rules {
            writeln!(page, "| `{at}` | {} | `{}` |", words(&message), code(&rule)).unwrap();
        }
    }
    page
}

/// Heading, names and columns.
fn head(page: &mut String, crd: &CustomResourceDefinition, own: &str) {
    let names = &crd.spec.names;
    let version = &crd.spec.versions[0];
    write!(page, "\n## {}\n\n", names.kind).unwrap();
    let schema = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let description = schema
        .and_then(|schema| schema.description.as_deref())
        .unwrap();
    writeln!(page, "{} [Its page]({own}).\n", words(description)).unwrap();
    let list = |names: &Option<Vec<String>>| match names.as_deref() {
        None | Some([]) => "none".to_owned(),
        Some(names) => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    page.push_str("| | |\n|---|---|\n");
    let mut row = |name: &str, value: String| writeln!(page, "| {name} | {value} |").unwrap();
    row(
        "apiVersion",
        format!("`{}/{}`", crd.spec.group, version.name),
    );
    row("scope", crd.spec.scope.clone());
    row("resource", format!("`{}`", names.plural));
    row("short names", list(&names.short_names));
    row("categories", list(&names.categories));
    let selectable = version.selectable_fields.iter().flatten();
    let selectable: Vec<_> = selectable
        .map(|field| field.json_path.trim_start_matches('.').to_owned())
        .collect();
    row("field selectors", list(&Some(selectable)));
    for (name, wide) in [("columns", false), ("with `-o wide`", true)] {
        let columns = version.additional_printer_columns.iter().flatten();
        let columns = columns.filter(|column| (column.priority.unwrap_or(0) > 0) == wide);
        let columns: Vec<_> = columns
            .map(|column| format!("{} (`{}`)", column.name, code(&column.json_path)))
            .collect();
        if !columns.is_empty() {
            row(name, columns.join(", "));
        }
    }
}

/// A row for each field below `path`, and the rules that hold there.
fn fields(
    page: &mut String,
    rules: &mut Vec<(String, String, String)>,
    path: &str,
    schema: &JSONSchemaProps,
) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let at = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
        rules.push((
            at,
            rule.message.clone().unwrap_or_default(),
            rule.rule.clone(),
        ));
    }
    let required = schema.required.as_deref().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let default = match &field.default {
            Some(JSON(Value::String(text))) => format!("`{}`", code(text)),
            Some(JSON(default)) => format!("`{}`", code(&default.to_string())),
            None if required.contains(name) => "required".to_owned(),
            None => String::new(),
        };
        let meaning = words(field.description.as_deref().unwrap_or_default());
        let (kind, bounds) = (kind(field), bounds(field).join("; "));
        writeln!(
            page,
            "| `{path}` | {kind} | {default} | {bounds} | {meaning} |"
        )
        .unwrap();
        fields(page, rules, &path, field);
    }
    // The parts of a condition are Kubernetes' own.
    if let Some(each) = each(schema)
        && !path.ends_with(".conditions")
    {
        fields(page, rules, &format!("{path}[]"), each);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(each)) = &schema.additional_properties {
        fields(page, rules, &format!("{path}.*"), each);
    }
}

fn each(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(each)) => Some(each),
        _ => None,
    }
}

/// The type in words.
fn kind(schema: &JSONSchemaProps) -> String {
    if let Some(each) = each(schema) {
        return format!("[]{}", kind(each));
    }
    match (&schema.additional_properties, schema.type_.as_deref()) {
        (Some(JSONSchemaPropsOrBool::Schema(each)), _) => format!("map of {}", kind(each)),
        (_, Some("string")) if schema.format.as_deref() == Some("date-time") => "time".to_owned(),
        (_, Some(kind)) => kind.to_owned(),
        _ => "any".to_owned(),
    }
}

/// What the schema itself bounds, of the value and of each entry of a list.
fn bounds(schema: &JSONSchemaProps) -> Vec<String> {
    let mut found = Vec::new();
    let mut range = |least: Option<String>, most: Option<String>, what: &str| match (least, most) {
        (Some(least), Some(most)) => found.push(format!("{least} to {most}{what}")),
        (Some(least), None) => found.push(format!("at least {least}{what}")),
        (None, Some(most)) => found.push(format!("at most {most}{what}")),
        (None, None) => {}
    };
    let text = |number: Option<i64>| number.map(|number| number.to_string());
    let number = |number: Option<f64>| number.map(|number| number.to_string());
    range(number(schema.minimum), number(schema.maximum), "");
    range(
        text(schema.min_length),
        text(schema.max_length),
        " characters",
    );
    range(text(schema.min_items), text(schema.max_items), " entries");
    found.extend(
        schema
            .pattern
            .as_ref()
            .map(|pattern| format!("`{}`", code(pattern))),
    );
    let each = each(schema).into_iter().flat_map(bounds);
    found.extend(each.map(|bound| format!("each {bound}")));
    found
}

/// One line, as prose in a cell of a table.
fn words(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// One line, as code in a cell of a table.
fn code(text: &str) -> String {
    words(text).replace('`', "'")
}
