//! Inputs with several parts, as text that a person can write and an engine can cut.
//!
//! Owns their forms. Must not know what a part means. The invariant that would break first: any
//! bytes are an input.

use imageref::cloud::fuzzing::Answered;
use jiff::Timestamp;

/// Stands in corpora where a secret would be. No name, key or number can be it, so wherever it
/// shows, a secret could.
pub(crate) const SEEN: &str = "zX9%SEEN%q7";

/// The time of all targets: 2026-01-01T00:00:00Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).expect("in range")
}

/// An answer of HTTP: the status in the first line, `name: value` in the following ones, an empty
/// line, the body.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'a str, &'a [u8])>,
    pub(crate) body: &'a [u8],
}

impl<'a> Answer<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let (head, body) = split(bytes, b"\n\n");
        let mut lines = head.split(|b| *b == b'\n');
        let status = lines.next().and_then(|line| std::str::from_utf8(line).ok());
        let headers = lines.filter_map(|line| {
            let (name, value) = split(line, b": ");
            Some((std::str::from_utf8(name).ok()?, value))
        });
        Self {
            status: status.and_then(|text| text.parse().ok()).unwrap_or(200),
            headers: headers.collect(),
            body,
        }
    }

    pub(crate) fn answered(&self) -> Answered {
        Answered::new(self.status, &self.headers, self.body.to_vec(), now())
    }
}

/// What is before and behind the first `mark`; nothing is behind where there is none.
pub(crate) fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes.windows(mark.len()).position(|part| part == mark);
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + mark.len()..]))
}

/// All parts between `mark`.
pub(crate) fn parts<'a>(bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        let (part, after) = split(rest, mark);
        found.push(part);
        if part.len() == rest.len() {
            return found;
        }
        rest = after;
    }
}

/// One line for people: of at most `longest` characters, without anything that moves a cursor.
pub(crate) fn assert_line(text: &str, longest: usize) {
    assert!(!text.is_empty());
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() <= longest, "{}: {text:?}", text.len());
}

/// Nothing of a secret in it.
pub(crate) fn assert_unseen(text: &str) {
    assert!(!text.contains(SEEN), "{text:?}");
}
