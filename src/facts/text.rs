//! Values of the platforms in their normal form: text, words, integers, times.
//!
//! Owns trimming, the tolerance of JSON types and the caps. Must not know any field's name or
//! meaning. The invariant that would break first: no JSON value is an error, and absent, null and
//! empty are one thing.
//!
//! The caps keep a hostile or broken answer from growing a status beyond what a cluster stores.
//! Each is at least twice the longest value that a platform documents.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde_json::Value;

/// The longest text kept, in bytes; `ModelArts` accepts SWR paths of up to 2048 characters.
pub const TEXT_MAX: usize = 4096;
/// The longest word kept of a list, in bytes.
pub const WORD_MAX: usize = 256;
/// The most words kept of a list, in alphabetical order.
pub const WORDS_MAX: usize = 64;
/// The most labels kept, in alphabetical order of their keys.
pub const LABELS_MAX: usize = 128;
/// The longest key and the longest value kept of a label, in bytes; PAI allows 128.
pub const LABEL_MAX: usize = 256;

/// The text without surrounding white space and without control characters, cut at a character
/// boundary to at most `max` bytes; `None` if nothing is left.
///
/// Control characters other than line feed and tab go, because the text ends up on terminals
/// (`kubectl get`, the CLI), where an escape sequence could hide or forge output.
pub fn clean(raw: &str, max: usize) -> Option<String> {
    let mut kept = String::new();
    for c in raw.chars().filter(|c| !is_unprintable(*c)) {
        if kept.is_empty() && c.is_whitespace() {
            continue;
        }
        if kept.len() + c.len_utf8() > max {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    (!kept.is_empty()).then_some(kept)
}

/// A text for people to read, of at most [`TEXT_MAX`] bytes. Numbers and booleans become their
/// text; lists and objects are no text.
pub fn text(value: &Value) -> Option<String> {
    scalar(value, |raw| clean(raw, TEXT_MAX))
}

/// A text that points at something: an id, an image reference. Like [`text`], but `None` instead
/// of a shorter one: the first half of a reference is a reference to something else.
pub fn reference(value: &Value) -> Option<String> {
    scalar(value, exact)
}

/// [`reference`] for what is not JSON: an id that the caller asked for.
pub fn exact(raw: &str) -> Option<String> {
    let trimmed = raw.trim();
    clean(raw, TEXT_MAX).filter(|kept| kept.len() == trimmed.len())
}

/// The words of a list: each [`clean`], sorted, without repeats, at most [`WORDS_MAX`]. Whatever
/// is not a list has none; whatever is not a word in it is left out.
pub fn words(value: &Value) -> Vec<String> {
    let Value::Array(list) = value else {
        return Vec::new();
    };
    sorted(
        list.iter()
            .filter_map(|entry| scalar(entry, |raw| clean(raw, WORD_MAX)))
            .collect(),
    )
}

/// The words sorted, without repeats, the first [`WORDS_MAX`] of them. Sorting comes before
/// cutting, so that the platform's order never decides what is kept.
pub fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort_unstable();
    words.dedup();
    words.truncate(WORDS_MAX);
    words
}

/// A whole number, also as a float without fraction or as text; `None` if it does not fit.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().and_then(integral),
        Value::Number(number) => number.as_i64(),
        Value::String(raw) => {
            let raw = raw.trim();
            raw.parse()
                .ok()
                .or_else(|| raw.parse().ok().and_then(integral))
        }
        _ => None,
    }
}

/// A count or a size: [`integer`] without the negative ones, which count nothing.
pub fn natural(value: &Value) -> Option<i64> {
    integer(value).filter(|number| *number >= 0)
}

/// A time as RFC 3339 in UTC with exactly three decimals: `2021-11-30T01:08:24.492Z`.
///
/// Reads epoch milliseconds (`ModelArts`; a number, or text of digits) and ISO 8601 (PAI). A text
/// without a zone is in UTC, as both vendors document all their times. Years outside 0000 to 9999
/// have no RFC 3339 form and give `None`, like anything unreadable.
pub fn time(value: &Value) -> Option<String> {
    let millisecond = match (integer(value), value) {
        (Some(epoch), _) => epoch,
        (None, Value::String(raw)) => iso(raw.trim())?.as_millisecond(),
        _ => return None,
    };
    let time = Timestamp::from_millisecond(millisecond).ok()?;
    let text = format!("{time:.3}");
    // jiff writes years before 0 with a sign.
    (!text.starts_with('-')).then_some(text)
}

/// A time zone's name in brackets is refused rather than looked up: this module knows no time
/// zone database, and no platform sends one.
fn iso(raw: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(raw).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let local = pieces
        .date()
        .to_datetime(pieces.time().unwrap_or(Time::midnight()));
    pieces
        .to_numeric_offset()
        .unwrap_or(Offset::UTC)
        .to_timestamp(local)
        .ok()
}

fn scalar<T>(value: &Value, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    match value {
        Value::String(raw) => read(raw),
        Value::Number(number) => read(&number.to_string()),
        Value::Bool(truth) => read(if *truth { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked in the same expression"
)]
fn integral(float: f64) -> Option<i64> {
    // Both bounds are powers of two, so exact as floats; the upper one is i64::MAX + 1.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    ((-BOUND..BOUND).contains(&float) && float.fract() == 0.0).then_some(float as i64)
}
