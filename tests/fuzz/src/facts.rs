//! Durations, images, and what platforms say about images.
//!
//! Owns what must hold of `api::duration` and `facts`. Inputs are texts and JSON bodies as they are.
//! The invariant that would break first: a get and a list are compared as the planner would see them.

use imageref::admission::image::{Exemption, Mirror, Mirrors, PodImage};
use imageref::api::{ImageRefStatus, duration};
use imageref::facts::lite_server::{LiteServerImage, LiteServerPage};
use imageref::facts::notebook::{NotebookImage, NotebookPage};
use imageref::facts::pai::{PaiImage, PaiPage};
use imageref::facts::text::{LABEL_MAX, LABELS_MAX, TEXT_MAX, WORD_MAX, WORDS_MAX};
use imageref::facts::{Digest, Facts, Platform, Reference};
use imageref::registry::public_twin;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// A text.
pub(crate) fn duration(bytes: &[u8]) {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(duration::PATTERN).expect("it is one"));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let read = duration::parse(text);
    let is_one = PATTERN.is_match(text) && text.len() <= duration::MAX_LENGTH;
    assert_eq!(read.is_some(), is_one, "{text:?}");
    if let Some(read) = read {
        let written = duration::format(read);
        // From 10,000 hours on all of its parts may be longer than what is read.
        if read.as_secs() < 36_000_000 {
            assert_eq!(duration::parse(&written), Some(read), "{text:?}: {written}");
        }
    }
}

/// A text.
pub(crate) fn image_reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Reference::parse(text) {
        Ok(read) => {
            let written = read.to_string();
            assert_eq!(Reference::parse(&written).as_ref(), Ok(&read), "{text:?}");
            assert!(read.host().len() + 1 + read.repository().len() <= 255);
            assert_eq!(read.wanted().is_ok(), read.is_same_image(&read), "{text:?}");
            assert_eq!(read.without_digest().digest(), None);
            if let Some(twin) = public_twin(read.host()) {
                assert_eq!(public_twin(&twin), None, "{twin}");
            }
        }
        Err(why) => {
            super::input::assert_line(&why, 200);
            super::input::assert_unseen(&why);
        }
    }
    if let Some(digest) = Digest::parse(text) {
        assert_eq!(digest.as_str(), text);
    }
    if let Some(platform) = Platform::parse(text) {
        assert_eq!(platform.to_string(), text);
    }
}

/// A text: an image, or two lines `FROM=TO` and an image.
pub(crate) fn pod_image(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (line, image) = text.split_once('\n').unwrap_or(("", text));
    let line = line.split_once('=').map(|(from, to)| Mirror {
        from: from.into(),
        to: to.into(),
    });
    let Ok(mirrors) = Mirrors::new(&Vec::from_iter(line)) else {
        return;
    };
    match PodImage::parse(image, &mirrors) {
        Ok(read) => {
            // A mirror may have a longer name than any image.
            if read.repository().len() > 255 {
                return;
            }
            let written = read.to_string();
            let none = Mirrors::default();
            assert_eq!(PodImage::parse(&written, &none).as_ref(), Ok(&read));
            assert!(read.tag().is_some() || read.digest().is_some());
            let exact = Exemption::parse(&written).expect("an image with its host");
            assert!(exact.covers(&read), "{written}");
            let under = read.repository().rsplit_once('/').expect("a host").0;
            let under = Exemption::parse(&format!("{under}/")).expect("a prefix");
            assert!(under.covers(&read), "{written}");
        }
        Err(why) => assert!(!why.contains(char::is_control), "{why:?}"),
    }
    if let Err(why) = Exemption::parse(image) {
        // It quotes what an operator wrote, with whatever it holds escaped.
        assert!(!why.contains(char::is_control), "{why:?}");
    }
}

/// A JSON object: one image.
pub(crate) fn notebook_answer(bytes: &[u8]) {
    let read =
        |value: &Value| -> Option<NotebookImage> { serde_json::from_value(value.clone()).ok() };
    let listed = |value: Value| -> Option<NotebookImage> {
        let page = serde_json::json!({"data": [value], "total": 1});
        let page: NotebookPage = serde_json::from_value(page).expect("any object is one");
        assert_eq!(
            (page.received, page.total, page.is_silent()),
            (1, Some(1), false)
        );
        page.data.into_iter().next()
    };
    let text: Option<NotebookImage> = serde_json::from_slice(bytes).ok();
    answer(bytes, text, read, listed, NotebookImage::into_facts);
}

/// A JSON object: one image.
pub(crate) fn lite_server_answer(bytes: &[u8]) {
    let read =
        |value: &Value| -> Option<LiteServerImage> { serde_json::from_value(value.clone()).ok() };
    let listed = |value: Value| -> Option<LiteServerImage> {
        let page = serde_json::json!({"data": [value], "total": 1});
        let page: LiteServerPage = serde_json::from_value(page).expect("any object is one");
        assert_eq!(page.received, 1);
        page.data.into_iter().next()
    };
    let text: Option<LiteServerImage> = serde_json::from_slice(bytes).ok();
    answer(bytes, text, read, listed, LiteServerImage::into_facts);
}

/// A JSON object: one image.
pub(crate) fn pai_answer(bytes: &[u8]) {
    let read = |value: &Value| -> Option<PaiImage> { serde_json::from_value(value.clone()).ok() };
    let listed = |value: Value| -> Option<PaiImage> {
        let page = serde_json::json!({"Images": [value], "TotalCount": 1});
        let page: PaiPage = serde_json::from_value(page).expect("any object is one");
        assert_eq!((page.received, page.total_count), (1, Some(1)));
        page.images.into_iter().next()
    };
    let text: Option<PaiImage> = serde_json::from_slice(bytes).ok();
    answer(bytes, text, read, listed, PaiImage::into_facts);
}

/// What holds of the answers of all APIs.
fn answer<T: Clone + std::fmt::Debug + PartialEq>(
    bytes: &[u8],
    text: Option<T>,
    read: impl Fn(&Value) -> Option<T>,
    listed: impl Fn(Value) -> Option<T>,
    into_facts: impl Fn(T, Option<&str>, Option<&str>) -> Option<Facts>,
) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    assert_eq!(text.is_some(), value.is_object());
    let Some(image) = text else {
        return;
    };
    assert_eq!(read(&value).as_ref(), Some(&image));
    assert_eq!(listed(value).as_ref(), Some(&image));
    let Some(facts) = into_facts(image, None, Some("id-1")) else {
        return;
    };
    bounded(&facts);
    let mut status = ImageRefStatus::default();
    facts.write_to(&mut status);
    let stored = serde_json::to_value(&status).expect("a status is JSON");
    let back: ImageRefStatus = serde_json::from_value(stored).expect("its own words");
    assert_eq!(back, status);
}

fn bounded(facts: &Facts) {
    assert!(!facts.image_id.is_empty());
    assert!(facts.size.is_none_or(|size| size >= 0));
    for time in [&facts.created, &facts.updated].into_iter().flatten() {
        assert!(
            time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24,
            "{time}"
        );
    }
    let upstream = serde_json::to_value(&facts.upstream).expect("texts and lists");
    for value in upstream.as_object().expect("a map").values() {
        match value {
            Value::String(text) => one(text, TEXT_MAX),
            Value::Array(words) => {
                assert!(words.len() <= WORDS_MAX);
                words
                    .iter()
                    .filter_map(Value::as_str)
                    .for_each(|word| one(word, WORD_MAX));
            }
            Value::Object(labels) => {
                assert!(labels.len() <= LABELS_MAX);
                assert!(labels.keys().all(|key| key.len() <= LABEL_MAX));
            }
            _ => {}
        }
    }
    for text in [&facts.image, &facts.swr_path].into_iter().flatten() {
        one(text, TEXT_MAX);
    }
    one(&facts.image_id, TEXT_MAX);
    assert!(facts.accelerators.is_sorted() && facts.accelerators.len() <= WORDS_MAX);
}

fn one(text: &str, longest: usize) {
    let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(
        text.len() <= longest && !text.contains(unprintable),
        "{text:?}"
    );
    assert_eq!(text.trim(), text);
}
