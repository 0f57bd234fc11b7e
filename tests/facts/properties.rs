//! What holds for any answer, however strange.
//!
//! Owns the properties of the reading of answers. Must not depend on single values. The invariant
//! that would break first: any JSON object can be read.

use super::answers::{facts_of, from_wire};
use imageref::facts::notebook::{NotebookImage, NotebookPage};
use imageref::facts::pai::PaiImage;
use imageref::facts::vocabulary::normalize_accelerators;
use imageref::facts::{Api, Arch, ImageStatus, text};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const APIS: [Api; 3] = [Api::Notebook, Api::LiteServer, Api::Pai];

const FIELDS: [&str; 40] = [
    "arch",
    "create_at",
    "description",
    "dev_services",
    "id",
    "image_id",
    "name",
    "namespace",
    "origin",
    "resource_categories",
    "service_type",
    "size",
    "status",
    "status_message",
    "support_res_categories",
    "swr_path",
    "tag",
    "type",
    "update_at",
    "visibility",
    "workspace_id",
    "flavor_type",
    "server_type",
    "data",
    "total",
    "current",
    "pages",
    "ImageId",
    "RequestId",
    "GmtCreateTime",
    "GmtModifiedTime",
    "Name",
    "ImageUri",
    "Labels",
    "WorkspaceId",
    "Accessibility",
    "Size",
    "SourceType",
    "SourceId",
    "Images",
];

/// Any JSON, with a leaning to what nearly fits: lists of words, labels, times, padded text.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ \t\n\u{a0}]{0,2}[A-Za-z0-9_,-]{0,6}[ \n]{0,2}".prop_map(Value::from),
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?Z?"
            .prop_map(Value::from),
        (0..4_102_444_800_000_i64).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[A-Za-z]{0,4}", inner.clone(), 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(|labels| {
                let label = |(key, value)| json!({"Key": key, "Value": value});
                labels.into_iter().map(label).collect()
            }),
        ]
    })
}

fn any_answer() -> impl Strategy<Value = Map<String, Value>> {
    let field = proptest::sample::select(&FIELDS[..]).prop_map(str::to_owned);
    proptest::collection::btree_map(field, any_value(), 0..16)
        .prop_map(|map| map.into_iter().collect())
}

/// Enough that an answer is about an image, for each of the APIs.
fn about_an_image(mut answer: Map<String, Value>) -> Value {
    answer.insert("name".to_owned(), json!("n"));
    answer.insert("Name".to_owned(), json!("n"));
    Value::Object(answer)
}

proptest! {
    #[test]
    fn any_object_can_be_read_and_its_facts_are_tidy(answer in any_answer()) {
        let page = serde_json::from_value::<NotebookPage>(Value::Object(answer.clone()));
        let page = page.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(page.data.len() <= page.received);
        serde_json::from_value::<imageref::facts::pai::PaiPage>(Value::Object(answer.clone()))
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let answer = about_an_image(answer);
        for api in APIS {
            let facts = facts_of(api, &answer, Some("asked"), None).unwrap();
            prop_assert_eq!(facts.upstream.api.as_str(), api.as_str());
            for list in [&facts.accelerators, &facts.upstream.dev_services] {
                prop_assert!(list.is_sorted_by(|a, b| a < b));
                prop_assert!(list.iter().all(|word| !word.is_empty() && word.trim() == word));
            }
            for time in facts.created.iter().chain(&facts.updated) {
                prop_assert!(time.len() == 24 && time.ends_with('Z'), "{}", time);
                prop_assert_eq!(text::time(&json!(time)), Some(time.clone()));
            }
            prop_assert!(facts.size.is_none_or(|size| size >= 0));
        }
    }

    #[test]
    fn absent_null_and_empty_are_one_thing(
        answer in any_answer(),
        blank in prop_oneof![
            Just(json!(null)), Just(json!("")), Just(json!(" \n\u{3000}")), Just(json!([])),
            Just(json!({})), Just(json!([null, "", " "])),
        ],
    ) {
        // A field in the other initial case counts only where the documented one is blank.
        let absent = |name: &&&str| !answer.keys().any(|key| key.eq_ignore_ascii_case(name));
        let mut filled = answer.clone();
        for name in FIELDS.iter().filter(absent) {
            filled.insert((*name).to_owned(), blank.clone());
        }
        let (answer, filled) = (about_an_image(answer), about_an_image(filled));
        for api in APIS {
            prop_assert_eq!(
                facts_of(api, &answer, Some("asked"), None),
                facts_of(api, &filled, Some("asked"), None)
            );
        }
    }

    #[test]
    fn a_get_and_the_entry_of_a_list_yield_equal_facts(
        answer in any_answer(),
        categories in any_value(),
    ) {
        let mut entry = answer.clone();
        let mut shown = answer;
        entry.remove("support_res_categories");
        shown.insert("support_res_categories".to_owned(), categories);
        for value in shown.values_mut() {
            if let Value::Array(list) = value {
                list.reverse(); // the platforms keep no order
                if let Some(first) = list.first().cloned() {
                    list.push(first);
                }
            }
        }
        let page = json!({"data": [entry], "total": 1}).to_string();
        let page: NotebookPage = serde_json::from_str(&page).unwrap();
        let listed = page.data[0].clone().into_facts(Some("asked"), None);
        let shown = Value::Object(shown);
        prop_assert_eq!(facts_of(Api::Notebook, &shown, Some("asked"), None), listed);
    }

    #[test]
    fn the_order_of_labels_never_matters(
        labels in proptest::collection::vec(("[a-c]{0,2} ?", "[x-z,]{0,3}"), 0..12)
            .prop_flat_map(|labels| (Just(labels.clone()), Just(labels).prop_shuffle())),
    ) {
        let read = |labels: &[(String, String)]| {
            let label = |(key, value): &(String, String)| json!({"Key": key, "Value": value});
            let labels: Vec<_> = labels.iter().map(label).collect();
            let answer = json!({"Name": "n", "Labels": labels});
            serde_json::from_value::<PaiImage>(answer).unwrap()
        };
        prop_assert_eq!(read(&labels.0), read(&labels.1));
    }

    #[test]
    fn cleaning_is_idempotent_and_keeps_its_cap(raw in any::<String>(), max in 0_usize..40) {
        let once = text::clean(&raw, max);
        if let Some(once) = &once {
            prop_assert!(once.len() <= max && once.trim() == once);
            prop_assert_eq!(text::clean(once, max), Some(once.clone()));
            prop_assert_eq!(text::clean(&format!("\u{2003}{raw}\r\n"), max), Some(once.clone()));
        }
        let words = normalize_accelerators([&raw]);
        prop_assert_eq!(normalize_accelerators(&words), words);
    }

    #[test]
    fn architectures_and_statuses_ignore_case(
        word in prop_oneof![
            Just("x86_64"), Just("x86"), Just("amd64"), Just("aarch64"), Just("arm64"),
            Just("arm"), Just("create_failed"), Just("active"), Just("unheard-of"),
        ],
        upper in any::<u32>(),
    ) {
        let mixed: String = word.chars().enumerate().map(|(i, c)| {
            if upper >> (i % 32) & 1 == 1 { c.to_ascii_uppercase() } else { c }
        }).collect();
        prop_assert_eq!(Arch::parse(&mixed), Arch::parse(word));
        prop_assert_eq!(ImageStatus::parse(Some(&mixed)), ImageStatus::parse(Some(word)));
    }

    #[test]
    fn no_number_and_no_text_breaks_a_time(number in any::<i64>(), float in any::<f64>(), raw in any::<String>()) {
        prop_assert_eq!(text::time(&json!(number)), text::time(&json!(number.to_string())));
        let _ = text::time(&json!(raw));
        let _ = text::time(&json!(float));
    }
}

#[test]
fn a_hostile_answer_stays_small() {
    // Quotes and backslashes double in JSON; control characters would grow sixfold.
    for unit in ["\"", "b\u{1}", "\\\u{7f}", "鲲", "a,"] {
        let long = unit.repeat(6_000);
        let unlike = |i: usize| format!("{i}{}", unit.repeat(300));
        let many: Vec<_> = (0..300).map(unlike).collect();
        let label = |word: &String| json!({"Key": word.chars().take(60).collect::<String>(), "Value": word});
        let mut labels: Vec<_> = many.iter().map(label).collect();
        labels.push(json!({"Key": "system.chipType", "Value": "GPU"}));
        let mut answer: Map<String, Value> = FIELDS
            .iter()
            .map(|name| ((*name).to_owned(), json!(long)))
            .collect();
        for list in ["dev_services", "resource_categories"] {
            answer.insert(list.to_owned(), json!(many));
        }
        answer.insert("Labels".to_owned(), Value::Array(labels));
        let answer = Value::Object(answer);
        for api in APIS {
            let facts = facts_of(api, &answer, Some("asked"), Some(&long)).unwrap();
            assert_eq!(
                (&facts.image, &facts.swr_path),
                (&None, &None),
                "cut references lie"
            );
            assert_eq!(facts.image_id, "asked");
            assert!(facts.upstream.labels.len() <= text::LABELS_MAX);
            if api == Api::Pai {
                assert_eq!(facts.accelerators, ["GPU"]);
            }
            let status = from_wire(api, &answer, Some("asked"), None).unwrap();
            assert!(
                status.to_string().len() < 256 * 1024,
                "{}",
                status.to_string().len()
            );
        }
    }
}

#[test]
fn repeated_keys_and_deep_nesting_are_no_error() {
    let twice = r#"{"name": "a", "arch": "arm", "name": "b", "arch": ["x86"]}"#;
    let facts = serde_json::from_str::<NotebookImage>(twice).unwrap();
    let facts = facts.into_facts(Some("i"), None).unwrap();
    assert_eq!(
        (facts.upstream.name.as_deref(), facts.arch),
        (Some("b"), None)
    );
    let deep = format!(
        r#"{{"name": {}{}, "tag": "t"}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let facts = serde_json::from_str::<NotebookImage>(&deep).unwrap();
    assert!(
        facts
            .into_facts(Some("i"), None)
            .unwrap()
            .upstream
            .name
            .is_none()
    );
    // Deeper than the parser goes: an error of the syntax, not a crash.
    let deeper = format!(
        r#"{{"name": {}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(serde_json::from_str::<NotebookImage>(&deeper).is_err());
}
