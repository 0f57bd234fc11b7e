//! What platforms answer besides images: pages, headers, errors.
//!
//! Owns what must hold of `cloud`. Inputs are answers of HTTP, but for lists. The invariant that
//! would break first: credentials are such that a platform could echo them.

use crate::input::{Answer, SEEN, assert_line, assert_unseen, parts, split};
use imageref::cloud::fuzzing::{self, Listed};
use imageref::cloud::refusal::LONGEST_MESSAGE;
use imageref::cloud::{Cloud, Credential, LONGEST_PAUSE, MOST_IMAGES};
use imageref::facts::{Failure, FailureKind};
use std::collections::BTreeSet;

/// `LIMIT ID` in a line, ID being what a name meant before, and then pages of JSON with a line
/// `---` between them.
pub(crate) fn image_list(bytes: &[u8]) {
    let (head, body) = split(bytes, b"\n");
    let head = String::from_utf8_lossy(head);
    let (limit, bound) = head.split_once(' ').unwrap_or((&head, ""));
    let limit = limit.parse().unwrap_or(2_u64).max(1);
    let bound = Some(bound).filter(|bound| !bound.is_empty());
    let pages = parts(body, b"\n---\n");
    let Ok(Listed {
        matches,
        whole,
        cut,
        pages: read,
        decided,
    }) = fuzzing::list(&pages, limit, bound)
    else {
        return;
    };
    assert!(usize::try_from(read).is_ok_and(|read| read <= pages.len()));
    assert!(matches.len() <= MOST_IMAGES && !(whole && cut.is_some()));
    let ids: BTreeSet<_> = matches.iter().map(|facts| &facts.image_id).collect();
    assert_eq!(ids.len(), matches.len());
    match decided {
        Ok(facts) => {
            assert!(matches.contains(&facts));
            let is_bound = bound.is_some_and(|bound| bound == facts.image_id);
            assert!(whole || bound.is_none() || is_bound);
        }
        Err(failure) => {
            assert!(failure.kind != FailureKind::NotFound || whole);
        }
    }
}

/// An answer.
pub(crate) fn answer_headers(bytes: &[u8]) {
    let answered = Answer::read(bytes).answered();
    if let Some(pause) = answered.pause() {
        assert!(!pause.is_zero() && pause <= LONGEST_PAUSE);
    }
    if let Some(id) = answered.request_id() {
        assert_line(id, 128);
        assert!(id.is_ascii() && !id.contains(' '));
    }
}

/// An answer.
pub(crate) fn modelarts_error(bytes: &[u8]) {
    error(bytes, Cloud::Huawei);
}

/// An answer.
pub(crate) fn pai_error(bytes: &[u8]) {
    error(bytes, Cloud::Alibaba);
}

fn error(bytes: &[u8], cloud: Cloud) {
    let answer = Answer::read(bytes);
    for credential in credentials() {
        let failure = answer.answered().refused(cloud, &credential);
        assert_failure(&failure);
        assert_eq!(answer.answered().refused(cloud, &credential), failure);
    }
}

/// What holds of every failure that people get to read.
pub(crate) fn assert_failure(failure: &Failure) {
    assert_line(&failure.message, LONGEST_MESSAGE);
    let id = failure.request_id.as_deref().unwrap_or("none");
    assert_line(id, 128);
    for text in [&failure.message, id] {
        assert_unseen(text);
    }
}

/// One of each form; every secret in them is [`SEEN`].
pub(crate) fn credentials() -> [Credential; 3] {
    [
        Credential::HuaweiToken(SEEN.into()),
        Credential::HuaweiKeys {
            access_key: SEEN.into(),
            secret_key: SEEN.into(),
            security_token: None,
        },
        Credential::AlibabaKeys {
            access_key: "AK1".into(),
            secret_key: SEEN.into(),
            security_token: Some(SEEN.into()),
        },
    ]
}
