//! Lines, cutting, and what a broken document may say.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::fmt::Write as _;

fn one(text: &str) -> Node {
    read(text, 0).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn lines_are_those_of_the_keys_and_of_list_items() {
    let text = "a: 1\nb:\n  c:\n    - x\n    - w\n  \"d.e/f\": z\ng: {h: [1,\n  2]}\n";
    let node = one(text);
    let rows = [
        ("a", 1),
        ("b", 2),
        ("b.c", 3),
        ("b.c[0]", 4),
        ("b.c[1]", 5),
        ("b.d.e/f", 6),
        ("g.h[1]", 8),
        ("b.nothing.here", 2),
        ("b.c[7]", 3),
        ("", 1),
        ("nowhere", 1),
    ];
    for (path, line) in rows {
        assert_eq!(node.line_of(path), line, "{path}");
    }
    assert_eq!(
        node.to_value(),
        json!({"a": 1, "b": {"c": ["x", "w"], "d.e/f": "z"}, "g": {"h": [1, 2]}})
    );
}

#[test]
fn aliases_and_merges_point_at_where_they_are_used() {
    let node = one("base: &b\n  x: 1\nuse: *b\nmerged:\n  <<: *b\n  y: 2\n");
    assert_eq!(node.line_of("use"), 3);
    assert_eq!(node.to_value()["merged"], json!({"x": 1, "y": 2}));
    assert!(node.line_of("merged.x") >= 1);
}

#[test]
fn a_stream_is_cut_into_its_documents() {
    let text = "# only\n---\n---\na: 1\n--- # next\nb: |\n  --- in a text\n---\n{\"c\": 1}\n...\n";
    let found: Vec<_> = cut(text)
        .map(|(before, text)| {
            let node = read(text, before).unwrap_or_else(|error| panic!("{error:?}: {text}"));
            (node.to_value(), node.line)
        })
        .collect();
    assert_eq!(
        found,
        [
            (json!({"a": 1}), 4),
            (json!({"b": "--- in a text\n"}), 6),
            (json!({"c": 1}), 9),
        ]
    );
    assert_eq!(cut("%YAML 1.2\n---\na: 1\n").count(), 1);
    assert_eq!(cut("\n# nothing\n---\n").count(), 0);
    assert_eq!(cut("").count(), 0);
}

#[test]
fn json_may_be_indented_by_tabs() {
    let node = one("{\n\t\"a\": [\n\t\t\"x\\ty\"\n\t]\n}\n");
    assert_eq!(node.to_value(), json!({"a": ["x\ty"]}));
    assert_eq!(node.line_of("a[0]"), 3);
}

#[test]
fn a_broken_document_is_explained_by_its_line_and_never_quoted() {
    let rows = [
        ("a: 1\nb: [SEEN\n", 2),
        ("a: SEEN\n\tb: SEEN\n", 1),
        ("a: SEEN\na: SEEN\n", 2),
        ("SEEN: 1\nSEEN: 2\n", 2),
        ("a: *SEEN\n", 1),
        ("a: !SEEN x\nb: }SEEN\n", 2),
        ("a: \"SEEN\n", 1),
        ("a: 'SEEN\n", 1),
        ("a: b: SEEN\n", 1),
        ("a: @SEEN\n", 1),
        ("a: \"\\SEEN\"\n", 1),
        ("%SEEN x\n---\na: &SEEN *SEEN\n", 1),
        ("{SEEN: 1,\n SEEN", 1),
    ];
    for (text, line) in rows {
        let Err(error) = read(text, 10) else {
            panic!("{text}")
        };
        assert!(!error.message.contains("SEEN"), "{text}: {error:?}");
        assert!(error.line >= 10 + line, "{text}: {error:?}");
    }
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        let items = vec![item; 10].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{items}]");
    }
    for text in [
        bomb,
        "[".repeat(100_000),
        "a: &a [*a]".into(),
        "- ".repeat(100_000),
    ] {
        let refused = with_deep_stack(|| read(&text, 0).is_err()).unwrap();
        assert!(refused, "{}", &text[..20.min(text.len())]);
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}|[-:{}\\[\\]&*!|>'\"#%@`, \\n\\ta-c0-9]{0,200}") {
        for (before, document) in cut(&text) {
            let _ = read(document, before);
        }
    }

    #[test]
    fn what_is_cut_covers_every_line_with_content(lines in prop::collection::vec("---|a: 1|# c||--- x|%Y", 0..12)) {
        let text = lines.join("\n");
        for (before, document) in cut(&text) {
            let skipped: String = text.split_inclusive('\n').take(usize::try_from(before).unwrap()).collect();
            prop_assert!(text[skipped.len()..].starts_with(document));
        }
    }
}
