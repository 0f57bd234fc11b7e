//! The lock as a pure thing: what is kept, how it reads back, what drift is.

use super::*;
use crate::admission::KnownRef;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

fn status(ready: (&str, &str), facts: &serde_json::Value) -> ImageRefStatus {
    let mut status = json!({
        "observedGeneration": 3, "resolvedFor": "x", "lastChangedTime": "2026-01-01T00:00:00Z",
        "lastCheckedTime": "2026-01-02T00:00:00Z", "consecutiveFailures": 2,
        "provider": {"kind": "ClusterImageProvider", "name": "default"},
        "upstream": {"api": "notebook", "requestID": "r-1"},
        "conditions": [
            {"type": "Ready", "status": ready.0, "reason": ready.1, "message": "words", "lastTransitionTime": "2026-01-03T00:00:00Z"},
            {"type": "Stale", "status": "True", "reason": "RateLimited", "message": "", "lastTransitionTime": "2026-01-03T00:00:00Z"},
        ],
    });
    let fields = status.as_object_mut().unwrap();
    fields.extend(facts.as_object().unwrap().clone());
    serde_json::from_value(status).unwrap()
}

fn torch() -> Entry {
    let facts = json!({"image": "r.example/a:1", "digest": "sha256:a", "arch": "arm64", "status": "ACTIVE",
        "platforms": ["linux/arm64", "linux/amd64"], "accelerators": ["GPU", "CPU", "GPU"], "imageID": "id-1"});
    Entry::new("team", "torch", &status(("True", "Resolved"), &facts))
}

const TORCH: &str = "# Written by `imageref lock`: write it anew in place of editing it.
version: 1
images:
- namespace: team
  name: torch
  image: r.example/a:1
  digest: sha256:a
  arch: arm64
  platforms:
  - linux/amd64
  - linux/arm64
  accelerators:
  - CPU
  - GPU
  imageID: id-1
  provider:
    kind: ClusterImageProvider
    name: default
  status: ACTIVE
";

#[test]
fn a_lock_has_facts_alone_in_one_order() {
    let lock = Lock::new([torch()]);
    assert_eq!(lock.to_text(Form::Yaml).unwrap(), TORCH);
    for time in ["2026", "r-1", "words", "RateLimited"] {
        assert!(!TORCH.contains(time), "{time}");
    }
    let json = lock.to_text(Form::Json).unwrap();
    assert!(json.starts_with("{\n  \"version\": 1,\n  \"images\": [\n") && json.ends_with("}\n"));
    assert_eq!(Lock::read(&json).unwrap(), Lock::read(TORCH).unwrap());
}

#[test]
fn nothing_but_facts_has_an_effect_on_it() {
    let mut later = status(("True", "ServingStale"), &json!({"image": "r.example/a:1"}));
    let entry = Entry::new("team", "x", &later);
    later.last_checked_time = None;
    later.observed_generation = Some(9);
    later.upstream = None;
    later.conditions[0].reason = "Resolved".into();
    later.conditions[0].message = "others".into();
    assert_eq!(Entry::new("team", "x", &later), entry);
    later.image = Some("r.example/a:2".into());
    assert_ne!(Entry::new("team", "x", &later), entry);
}

#[test]
fn what_may_not_be_used_is_locked_with_its_reason_and_judged_as_such() {
    let facts = json!({"swrPath": "r.example/a:1"});
    let entry = Entry::new("team", "x", &status(("False", "ImageNotActive"), &facts));
    assert_eq!(entry.image.as_deref(), Some("r.example/a:1"));
    assert_eq!(entry.not_usable.as_deref(), Some("ImageNotActive"));
    let known = KnownRef::new("team", "x", &entry.to_status());
    assert_eq!(known.unusable.unwrap().reason, "ImageNotActive");
    let never = Entry::new("team", "x", &ImageRefStatus::default());
    assert_eq!(never.not_usable.as_deref(), Some("Progressing"));
}

#[test]
fn a_verdict_reads_of_a_lock_what_it_would_read_of_the_status() {
    let facts = json!({"image": "r.example/a:1", "digest": "sha256:a", "arch": "arm64", "platforms": ["linux/amd64"], "accelerators": ["GPU"]});
    let status = status(("True", "Resolved"), &facts);
    let entry = Entry::new("team", "torch", &status);
    assert_eq!(
        KnownRef::new("team", "torch", &entry.to_status()),
        KnownRef::new("team", "torch", &status)
    );
}

#[test]
fn what_is_no_lock_file_is_refused_with_what_to_do() {
    let entry = "{namespace: a, name: b}";
    for (text, line, said) in [
        ("", None, "no lock file: version is missing"),
        ("images: []", None, "no lock file: version is missing"),
        (
            "version: 2\nimages: {team: {torch: x}}",
            None,
            "version 2 is newer than 1, which this release reads: use the release that wrote it, or a later one",
        ),
        ("version: 0", None, "version 0: there is none such"),
        ("version: one", Some(1), "cannot be read ("),
        (
            "version: 1\nimages: [{name: b}]",
            Some(2),
            "cannot be read (",
        ),
        (
            "version: 1\nimages: [{namespace: a, name: b, image: [x]}]",
            Some(2),
            "cannot be read (",
        ),
        ("<<<<<<< HEAD\nversion: 1\n", Some(1), "cannot be read ("),
        (
            "version: 1\nimages: [{namespace: '', name: b}]",
            None,
            "images[0]: namespace or name is none",
        ),
        (
            "version: 1\nimages: [{namespace: a, name: \"b\\e[2J\"}]",
            None,
            "images[0]: namespace or name is none",
        ),
        (
            &format!("version: 1\nimages: [{entry}, {entry}]"),
            None,
            "images[1]: a/b stands twice: write it anew with `imageref lock`",
        ),
        (
            "{\"version\": 1,\n\"images\": [{}]}",
            Some(2),
            "cannot be read (",
        ),
        (
            "{\"version\": 7, \"images\": {}}",
            None,
            "version 7 is newer than 1",
        ),
        ("version: 1\nimages: &a [*a]", Some(2), "cannot be read ("),
    ] {
        let error = Lock::read(text).unwrap_err();
        assert!(error.message.starts_with(said), "{text}: {}", error.message);
        assert!(!error.message.contains('\n'), "{}", error.message);
        assert_eq!(error.is_newer, said.contains("newer"), "{text}");
        if line.is_some() {
            assert_eq!(error.line, line, "{text}: {}", error.message);
        }
    }
    let deep = format!("version: 1\nextra: {}1", "[".repeat(5000));
    assert!(Lock::read(&deep).is_err());
}

#[test]
fn fields_of_no_meaning_here_are_passed_over_and_not_written_again() {
    let text = TORCH.replace("  arch:", "  colour: [red]\n  arch:") + "author: me\n";
    let lock = Lock::read(&text).unwrap();
    assert_eq!(lock.to_text(Form::Yaml).unwrap(), TORCH);
}

#[test]
fn drift_names_each_fact_that_moved_and_what_is_new_or_gone() {
    let entry = |name: &str| Entry {
        name: name.into(),
        ..torch()
    };
    let moved = Entry {
        image: Some("r.example/a:2".into()),
        digest: None,
        platforms: vec![],
        image_id: Some("id-2".into()),
        provider: None,
        status: Some("INACTIVE".into()),
        arch: Some("amd64".into()),
        accelerators: vec!["NPU".into()],
        ..entry("moved")
    };
    let lost = Entry {
        namespace: "team".into(),
        name: "lost".into(),
        not_usable: Some("ProviderNotReady".into()),
        ..Entry::default()
    };
    let machine = Entry {
        image: None,
        not_usable: Some("ImageNotActive".into()),
        ..entry("machine")
    };
    let locked = Lock::new([entry("gone"), entry("moved"), entry("same"), entry("lost")]);
    let now = Lock::new([machine, moved, entry("same"), entry("new"), lost]);
    let said: Vec<_> = drift(&locked, &now)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "team/gone: gone: it was r.example/a:1",
            "team/lost: usable yes -> no (ProviderNotReady)",
            "team/machine: new: imageID id-1, not usable (ImageNotActive)",
            "team/moved: image r.example/a:1 -> r.example/a:2; digest sha256:a -> none; arch arm64 -> amd64; platforms linux/amd64, linux/arm64 -> none; accelerators CPU, GPU -> NPU; imageID id-1 -> id-2; provider ClusterImageProvider default -> none; status ACTIVE -> INACTIVE",
            "team/new: new: r.example/a:1",
        ]
    );
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of(prop_oneof![
        "[a-z0-9./:@-]{1,20}",
        "\\PC{1,12}",
        select(vec![
            "true",
            "null",
            "~",
            "1",
            "1e3",
            "0x1f",
            "- a",
            "a: b",
            "#",
            "'",
            "\"",
            " ",
            "---",
            "\u{7f}",
            "\u{feff}",
            "a\nb",
            "\t",
            "<<",
            "*a",
            "&a",
            "!x",
            "2026-01-01",
            "é\u{85}",
            "y",
            "off",
            "\u{2028}",
            "% a",
        ])
        .prop_map(str::to_owned),
    ])
}

fn entry() -> impl Strategy<Value = Entry> {
    let lists = vec("\\PC{1,6}", 0..3);
    let names = (
        "[a-z0-9]{1,3}",
        select(vec!["a", "1", "null", "1e3", "0x1", "true", "a.b-c"]),
    );
    let texts = (text(), text(), text(), text(), text());
    let provider = option::of((text(), text()));
    let rest = (text(), any::<bool>());
    (names, texts, lists.clone(), lists, provider, rest).prop_map(
        |(
            (namespace, name),
            (image, digest, arch, id, state),
            platforms,
            accelerators,
            provider,
            (not_usable, follows_tag),
        )| {
            Entry {
                namespace,
                name: name.into(),
                image,
                digest,
                arch,
                platforms,
                accelerators,
                follows_tag,
                image_id: id,
                provider: provider.map(|(kind, name)| ProviderRef {
                    kind: kind.unwrap_or_default(),
                    name: name.unwrap_or_default(),
                }),
                status: state,
                not_usable,
            }
            .plain()
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_whatever_it_holds(entries in vec(entry(), 0..5)) {
        let lock = Lock::new(entries.clone());
        let reversed = Lock::new(lock.entries().iter().rev().cloned());
        for form in [Form::Yaml, Form::Json] {
            let text = lock.to_text(form).unwrap();
            prop_assert_eq!(Lock::read(&text).unwrap(), lock.clone(), "{}", text);
            prop_assert_eq!(reversed.to_text(form).unwrap(), text);
        }
    }

    #[test]
    fn two_locks_differ_in_bytes_where_there_is_drift_and_only_there(
        before in vec(entry(), 0..4), after in vec(entry(), 0..4), same: bool,
    ) {
        let before = Lock::new(before);
        let after = if same { before.clone() } else { Lock::new(after) };
        let bytes = |lock: &Lock| lock.to_text(Form::Yaml).unwrap();
        let moved = drift(&before, &after);
        prop_assert_eq!(moved.is_empty(), bytes(&before) == bytes(&after), "{:?}", moved);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = Lock::read(&text);
    }

    #[test]
    fn a_harmed_lock_never_panics(
        at in 0..TORCH.len(), cut in 0..12_usize, with in "[-:{}\\[\\]&*!|>'\"#, \na-z0-9]{0,4}",
    ) {
        let mut text = TORCH.to_owned();
        text.replace_range(at..(at + cut).min(text.len()), &with);
        if let Err(error) = Lock::read(&text) {
            prop_assert!(!error.message.contains('\n'));
        }
    }
}
