//! The way in for fuzzing: answers of platforms that never came over a wire.
//!
//! Owns nothing: each function calls what an answer goes through and adds no step of its own. Must
//! not be used by the product. The invariant that would break first: what is read here is read as it
//! is from the wire.

use super::management::{self, Ask, Reply};
use super::paging::{Cut, Found, Page, Paging};
use super::transport::Answer;
use super::{Cloud, Credential, modelarts, pai};
use crate::facts::notebook::NotebookPage;
use crate::facts::{Facts, Failure};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// Where answers are said to come from.
pub(super) const ORIGIN: &str = "https://cloud.example";

/// An answer with its headers and its whole body. Has no `Debug`: it may hold a token.
pub struct Answered(pub(super) Answer);

impl Answered {
    /// Reads the headers; what is none is left out, as HTTP itself would.
    pub fn new(status: u16, headers: &[(&str, &[u8])], body: Vec<u8>, now: Timestamp) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
            {
                map.append(name, value);
            }
        }
        Self(Answer {
            body,
            ..Answer::head(status, &map, now)
        })
    }

    /// The pause that it asks for.
    pub fn pause(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The id of the call.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The failure that it is of a platform.
    pub fn refused(&self, cloud: Cloud, credential: &Credential) -> Failure {
        let classify = match cloud {
            Cloud::Huawei => modelarts::error::classify,
            Cloud::Alibaba => pai::error::classify,
        };
        classify(self.0.status, &self.0.body).into_failure(&self.0, credential)
    }

    /// The answer of a registry's management API.
    pub(crate) fn reply(self, credential: &Credential) -> Result<Reply, Failure> {
        let ask = Ask {
            name: "it",
            right: "a right",
            fields: "fields",
            origin: ORIGIN,
            path: "/",
            query: &[],
            credential,
        };
        let classify = match credential {
            Credential::AlibabaKeys { .. } => pai::error::classify,
            _ => modelarts::error::classify,
        };
        management::reply(&ask, self.0, classify)
    }
}

/// A list as far as it was read.
pub struct Listed {
    /// Its images.
    pub matches: Vec<Facts>,
    /// Whether it can prove an image absent.
    pub whole: bool,
    /// The bound that was hit.
    pub cut: Option<Cut>,
    /// Pages that were read.
    pub pages: u32,
    /// What it says of the image that is meant.
    pub decided: Result<Facts, Failure>,
}

/// Reads pages of a notebook list, of `limit` entries each, until it has enough or they end.
///
/// # Errors
/// A page cannot be read, or the list has no end.
pub fn list(pages: &[&[u8]], limit: u64, bound: Option<&str>) -> Result<Listed, Failure> {
    let mut paging = Paging::new(limit);
    for body in pages {
        let answer = Answered::new(200, &[], body.to_vec(), Timestamp::UNIX_EPOCH).0;
        let page: NotebookPage = super::read(ORIGIN, &answer)?;
        let images = page.data.into_iter();
        let page = Page {
            facts: images.filter_map(|i| i.into_facts(None, None)).collect(),
            received: page.received,
            total: page.total,
            bytes: body.len(),
        };
        if !paging.accept(page, |_| true)? {
            break;
        }
    }
    let found = paging.into_found();
    let (whole, cut, pages) = (found.whole, found.cut, found.pages);
    let matches = found.matches.clone();
    let decided = Found { ..found }.decide(bound);
    Ok(Listed {
        matches,
        whole,
        cut,
        pages,
        decided,
    })
}
