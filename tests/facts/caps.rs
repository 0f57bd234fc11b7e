//! How much of an answer is kept: what is as long as its cap is kept whole, what is longer is cut.

use super::answers::facts_of;
use imageref::facts::{Api, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[test]
fn a_text_is_cut_behind_the_last_character_that_fits() {
    for character in ["a", "\u{e9}", "\u{9cb2}", "\u{1f980}"] {
        for max in 0..=13 {
            let kept = text::clean(&character.repeat(10), max).unwrap_or_default();
            let fit = (max / character.len()).min(10);
            assert_eq!(kept, character.repeat(fit), "{max}");
        }
    }
    assert_eq!(text::clean(" a\tb\n\u{7}c \u{1b}", 5).unwrap(), "a\tb\nc");
    assert_eq!(text::clean("ab   c", 4).unwrap(), "ab");
}

#[test]
fn a_reference_is_as_long_as_its_cap_or_none() {
    let longest = "a".repeat(text::TEXT_MAX);
    let around = format!(" {longest}\n");
    for whole in [&longest, &around] {
        assert_eq!(text::exact(whole), Some(longest.clone()));
        assert_eq!(text::reference(&json!(whole)), Some(longest.clone()));
    }
    let longer = longest.clone() + "a";
    assert_eq!(text::exact(&longer), None);
    assert_eq!(text::text(&json!(longer)), Some(longest));
    assert_eq!(text::exact("a\u{1}b"), None, "another reference");
}

/// Names in alphabetical order, the last ones first.
fn names(count: usize) -> Vec<String> {
    (0..count).rev().map(|n| format!("n{n:03}")).collect()
}

#[test]
fn the_first_words_are_kept_up_to_their_cap() {
    for count in [
        0,
        1,
        text::WORDS_MAX - 1,
        text::WORDS_MAX,
        text::WORDS_MAX + 1,
        200,
    ] {
        let mut expected = names(count.min(text::WORDS_MAX));
        expected.reverse();
        assert_eq!(text::words(&json!(names(count))), expected);
    }
    let long = "w".repeat(text::WORD_MAX + 1);
    assert_eq!(text::words(&json!([long, 7, null])), ["7", &long[1..]]);
}

#[test]
fn the_first_labels_are_kept_up_to_their_cap() {
    for count in [
        1,
        text::LABELS_MAX - 1,
        text::LABELS_MAX,
        text::LABELS_MAX + 1,
        200,
    ] {
        let label = |name: &String| json!({"Key": name, "Value": "v"});
        let labels: Vec<Value> = names(count).iter().map(label).collect();
        let answer = json!({"ImageId": "i", "Labels": labels});
        let facts = facts_of(Api::Pai, &answer, None, None).unwrap();
        let expected = names(count.min(text::LABELS_MAX));
        assert!(facts.upstream.labels.keys().rev().eq(&expected), "{count}");
    }
}

#[test]
fn a_whole_number_is_exact_however_large() {
    for exact in [i64::MIN, -((1 << 53) + 1), (1 << 53) + 1, i64::MAX] {
        assert_eq!(text::integer(&json!(exact)), Some(exact));
        assert_eq!(text::integer(&json!(exact.to_string())), Some(exact));
    }
    assert_eq!(text::integer(&json!(1u64 << 63)), None);
}

#[test]
fn an_empty_list_says_nothing_so_that_the_other_spelling_is_read() {
    let answer = json!({"ImageId": "i", "Labels": [], "labels": [{"Key": "k", "Value": "v"}]});
    let facts = facts_of(Api::Pai, &answer, None, None).unwrap();
    let expected = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    assert_eq!(facts.upstream.labels, expected);
}

#[test]
fn a_label_has_its_whole_key_and_as_much_of_its_value_as_fits() {
    let (longest, longer) = ("k".repeat(text::LABEL_MAX), "k".repeat(text::LABEL_MAX + 1));
    let answer = json!({"ImageId": "i", "Labels": [
        {"Key": longest, "Value": longer}, {"Key": longer, "Value": "v"},
    ]});
    let facts = facts_of(Api::Pai, &answer, None, None).unwrap();
    let expected = BTreeMap::from([(longest.clone(), longest)]);
    assert_eq!(facts.upstream.labels, expected);
}
