//! The home table against the documents, the facts and the status.
//!
//! Owns the second list of fields, taken from the documents apart from the table. Must not reuse
//! the table's own words for it. The invariant that would break first: a mapping that is removed
//! or added on one side only is noticed.

use super::answers::{from_wire, seed, status_of};
use super::home::{DOCUMENTS, Document, Home, Kind, Part, Row};
use imageref::facts::Api;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The fields in the order of the documents, with the values of each.
const DOCUMENTED: [&str; 4] = [
    "Path id project_id
     Answer arch=X86_64|AARCH64 create_at description dev_services=NOTEBOOK|SSH id name namespace
            origin=CUSTOMIZE|IMAGE_SAVE resource_categories=CPU|GPU
            service_type=COMMON|INFERENCE|TRAIN|DEV|UNKNOWN size
            status=INIT|CREATING|CREATE_FAILED|ERROR|DELETED|ACTIVE status_message
            support_res_categories=CPU|GPU swr_path tag type=BUILD_IN|DEDICATED update_at
            visibility=PRIVATE|PUBLIC workspace_id",
    "Path project_id
     Query limit name name_fuzzy_match=true|false namespace offset
           service_type=COMMON|INFERENCE|TRAIN|DEV|UNKNOWN sort_dir=ASC|DESC sort_key
           type=BUILD_IN|DEDICATED workspace_id
     Page current data pages size total
     Answer arch=X86_64|AARCH64 create_at description dev_services=NOTEBOOK|SSH id name namespace
            origin=CUSTOMIZE|IMAGE_SAVE resource_categories=CPU|GPU|ASCEND
            service_type=COMMON|INFERENCE|TRAIN|DEV|UNKNOWN size
            status=INIT|CREATING|CREATE_FAILED|ERROR|DELETED|ACTIVE status_message swr_path tag
            type=BUILD_IN|DEDICATED update_at visibility=PRIVATE|PUBLIC workspace_id
            flavor_type=ASCEND_SNT9|ASCEND_SNT9B|ASCEND_SNT3
     Error error_code error_msg",
    "Path id project_id
     Answer arch=ARM|X86 image_id name server_type=BMS|ECS|HPS status=ACTIVE|INACTIVE",
    "Path ImageId
     Query Verbose
     Answer RequestId GmtCreateTime GmtModifiedTime Name Description ImageUri UserId ParentUserId
            Labels Labels[].Key=system.chipType|system.official Labels[].Value=GPU|true WorkspaceId
            Accessibility=PUBLIC|PRIVATE Size SourceType=Import|Build SourceId",
];

type Fields = BTreeSet<(String, String, BTreeSet<String>)>;

#[test]
fn the_table_has_exactly_the_fields_and_values_of_the_documents() {
    for (document, words) in DOCUMENTS.iter().zip(DOCUMENTED) {
        let mut part = "";
        let mut documented = Fields::new();
        for word in words.split_whitespace() {
            if ["Path", "Query", "Page", "Answer", "Error"].contains(&word) {
                part = word;
                continue;
            }
            let (field, values) = word.split_once('=').unwrap_or((word, ""));
            let values = values.split('|').filter(|v| !v.is_empty());
            documented.insert((part.into(), field.into(), values.map(Into::into).collect()));
        }
        let table: Fields = document
            .rows()
            .map(|row| {
                let values = row.values.iter().map(|(raw, _)| (*raw).to_owned());
                (
                    format!("{:?}", row.part),
                    row.field.to_owned(),
                    values.collect(),
                )
            })
            .collect();
        assert_eq!(table, documented, "{}", document.title);
        assert_eq!(table.len(), document.rows().count(), "a field stands twice");
    }
}

#[test]
fn the_table_has_every_key_of_the_example_answers() {
    let [show, list, lite, pai] = &DOCUMENTS;
    let page = seed("notebook-list-images.json");
    let mut examples = vec![
        (show, Part::Answer, seed("notebook-show-image.json")),
        (list, Part::Page, page.clone()),
        (lite, Part::Answer, seed("lite-server-image.json")),
        (pai, Part::Answer, seed("pai-get-image.json")),
    ];
    for entry in page["data"].as_array().unwrap() {
        examples.push((list, Part::Answer, entry.clone()));
    }
    for (document, part, example) in examples {
        for key in example.as_object().unwrap().keys() {
            assert!(
                document.rows().any(|r| r.part == part && r.field == key),
                "{}: {key} has no row",
                document.title
            );
        }
    }
    for key in seed("pai-get-image.json")["Labels"][0]
        .as_object()
        .unwrap()
        .keys()
    {
        let field = format!("Labels[].{key}");
        assert!(pai.rows().any(|row| row.field == field), "{field}");
    }
}

#[test]
fn every_value_arrives_at_its_home() {
    let mut checked = 0;
    for document in &DOCUMENTS {
        for row in document.rows().filter(|row| row.kind != Kind::Unread) {
            let mut samples = row.values.to_vec();
            samples.extend(distinctive(row));
            for (raw, normal) in samples {
                let status = answer_with(document, row, raw);
                for home in row.homes {
                    let (path, expected) = match *home {
                        Home::Status(path) => (path, verbatim(row.kind, raw)),
                        Home::Normal(path) => (path, normalised(row.kind, normal)),
                        Home::None(_) => panic!("{} is read and has no home", row.field),
                    };
                    let found = status
                        .pointer(&format!("/{}", path.replace('.', "/")))
                        .unwrap_or(&Value::Null);
                    assert_eq!(
                        *found, expected,
                        "{}: {} = {raw} at {path}",
                        document.title, row.field
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 150, "only {checked} checks");
}

#[test]
fn a_field_without_a_home_changes_nothing() {
    for document in &DOCUMENTS {
        let name = document
            .rows()
            .find(|r| r.field.eq_ignore_ascii_case("name"));
        let field = name.unwrap().field;
        let without = status_of(document.api, &json!({field: "n", "id": "i"}));
        let homeless = document.rows().filter(|row| row.part == Part::Answer);
        for row in homeless.filter(|row| matches!(row.homes, [Home::None(_)])) {
            if row.field == "Labels" {
                continue; // its parts have homes
            }
            for value in [json!("word"), json!(["word"]), json!(7)] {
                let wire = json!({field: "n", "id": "i", row.field: value});
                assert_eq!(status_of(document.api, &wire), without, "{}", row.field);
            }
        }
    }
}

#[test]
fn nothing_in_the_status_is_without_a_row() {
    for document in &DOCUMENTS {
        let mut wire = Map::new();
        for row in document.rows().filter(|row| row.part == Part::Answer) {
            if let Some((raw, _)) = distinctive(row) {
                let (field, value) = on_the_wire(row, raw);
                wire.insert(field, value);
            }
        }
        // Where the words are open, only a known one makes a normal form appear.
        if wire.contains_key("arch") {
            wire.insert("arch".to_owned(), json!("arm64"));
        }
        let facts = from_wire(
            document.api,
            &Value::Object(wire),
            Some("asked"),
            Some("call"),
        );
        let found = paths(&facts.unwrap());
        let mut claimed: BTreeSet<String> = document
            .rows()
            .flat_map(|row| row.homes)
            .filter_map(|home| match home {
                Home::Status(path) | Home::Normal(path) => Some((*path).to_owned()),
                Home::None(_) => None,
            })
            .collect();
        claimed.extend(document.derived.iter().map(|(path, _)| (*path).to_owned()));
        assert_eq!(found, claimed, "{}", document.title);
    }
}

/// A value that nothing else in the answer or in the code could have put there, and its normal
/// form.
fn distinctive(row: &Row) -> Option<(&'static str, &'static str)> {
    match row.kind {
        // An unknown word has no normal form of its own.
        Kind::Text if row.field == "arch" => Some(("Sparc-9", "")),
        Kind::Text if row.field == "status" => Some(("Hibernating", "UNKNOWN")),
        Kind::Text | Kind::LabelKey | Kind::Asked => Some(("sentinel-7f3a", "")),
        Kind::Words | Kind::LabelValue => Some(("Sentinel-7f3a", "SENTINEL-7F3A")),
        Kind::Natural => Some(("3803970629", "3803970629")),
        Kind::Millis => Some(("1638841805439", "2021-12-07T01:50:05.439Z")),
        Kind::Iso => Some(("2021-01-21T17:12:35.232Z", "2021-01-21T17:12:35.232Z")),
        Kind::Unread => None,
    }
}

/// The status after an answer with this field alone.
fn answer_with(document: &Document, row: &Row, raw: &str) -> Value {
    if row.kind == Kind::Asked {
        let name = if document.api == Api::Pai {
            "Name"
        } else {
            "name"
        };
        return from_wire(document.api, &json!({name: "n"}), Some(raw), None).unwrap();
    }
    let (field, value) = on_the_wire(row, raw);
    let is_id = row.homes.contains(&Home::Status("imageID"));
    let mut wire = json!({field: value});
    if row.field == "RequestId" {
        wire["Name"] = json!("n"); // the id of a call alone says nothing about an image
    }
    let asked = (!is_id).then_some("asked");
    from_wire(document.api, &wire, asked, None).unwrap()
}

fn on_the_wire(row: &Row, raw: &str) -> (String, Value) {
    let value = match row.kind {
        Kind::Natural | Kind::Millis => json!(raw.parse::<i64>().unwrap()),
        Kind::Words => json!([raw, null]),
        Kind::LabelKey => json!([{"Key": format!("{raw}\n"), "Value": "x"}]),
        Kind::LabelValue => json!([{"Key": "system.chipType\n", "Value": raw}]),
        Kind::Text | Kind::Iso | Kind::Asked | Kind::Unread => json!(format!(" {raw}\n")),
    };
    let field = row.field.split("[]").next().unwrap();
    (field.to_owned(), value)
}

fn verbatim(kind: Kind, raw: &str) -> Value {
    match kind {
        Kind::Natural => json!(raw.parse::<i64>().unwrap()),
        Kind::Words => json!([raw]),
        Kind::LabelKey => json!({raw: "x"}),
        Kind::LabelValue => json!({"system.chipType": raw}),
        _ => json!(raw),
    }
}

fn normalised(kind: Kind, normal: &str) -> Value {
    match kind {
        Kind::Words | Kind::LabelValue => json!([normal]),
        _ if normal.is_empty() => Value::Null,
        _ => json!(normal),
    }
}

fn paths(status: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (key, value) in status.as_object().unwrap() {
        match value {
            Value::Object(inner) if key == "upstream" => {
                paths.extend(inner.keys().map(|inner| format!("{key}.{inner}")));
            }
            _ => {
                paths.insert(key.clone());
            }
        }
    }
    paths
}
