//! One request, and what is answered to it.
//!
//! Owns what a request may be: path, method, form, size, time. Must not know how a verdict is
//! reached. The invariant that would break first: a body is read only up to the limit, and only
//! once there is room for it.

use super::Webhook;
use super::verdict::{Patience, verdict};
use crate::admission::review::{self, Endpoint};
use crate::api::duration;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::future::poll_fn;
use std::pin::Pin;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Why a request gets no answer of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Path,
    Method,
    Form,
    NotReady,
    TooLarge,
    TooSlow,
    Broken,
    NoUid,
}

impl Refusal {
    /// The word for metrics, the status, and a line for whoever reads the API server's log.
    const fn told(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Path => (
                "path",
                StatusCode::NOT_FOUND,
                "nothing is served here: use /validate/enforce, /validate/warn, /validate/audit or /mutate",
            ),
            Self::Method => ("method", StatusCode::METHOD_NOT_ALLOWED, "POST only"),
            Self::Form => (
                "form",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "application/json only",
            ),
            Self::NotReady => (
                "not_ready",
                StatusCode::SERVICE_UNAVAILABLE,
                "ImageRefs and namespaces are not listed yet",
            ),
            Self::TooLarge => (
                "too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "the review is larger than is read",
            ),
            Self::TooSlow => (
                "too_slow",
                StatusCode::REQUEST_TIMEOUT,
                "the review took too long to arrive",
            ),
            Self::Broken => (
                "broken",
                StatusCode::BAD_REQUEST,
                "the review did not arrive whole",
            ),
            Self::NoUid => (
                "malformed",
                StatusCode::BAD_REQUEST,
                "this is no review with a uid",
            ),
        }
    }
}

pub(super) async fn answer(request: Request<Incoming>, webhook: &Webhook) -> Response<String> {
    let begun = Instant::now();
    match exchange(request, webhook, begun).await {
        Ok(review) => response(StatusCode::OK, JSON, review),
        Err(refusal) => {
            let (cause, status, line) = refusal.told();
            webhook.metrics.admission.refused.count([cause]);
            let mut response = response(status, PLAIN, format!("{line}\n"));
            if refusal == Refusal::Method {
                let post = HeaderValue::from_static("POST");
                response.headers_mut().insert(ALLOW, post);
            }
            response
        }
    }
}

async fn exchange(
    request: Request<Incoming>,
    webhook: &Webhook,
    begun: Instant,
) -> Result<String, Refusal> {
    let endpoint = Endpoint::from_path(request.uri().path()).ok_or(Refusal::Path)?;
    if *request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let form = request.headers().get(CONTENT_TYPE);
    let form = form.and_then(|form| form.to_str().ok()).unwrap_or_default();
    let form = form.split(';').next().unwrap_or_default().trim();
    if !form.eq_ignore_ascii_case(JSON) {
        return Err(Refusal::Form);
    }
    if !webhook.state.is_ready() {
        return Err(Refusal::NotReady);
    }
    let patience = Patience {
        begun,
        longest: webhook.limits.wait,
        given: timeout_of(request.uri().query()),
    };
    let read = read(request.into_body(), webhook);
    let read = timeout_at(begun + webhook.limits.read, read).await;
    let (bytes, _room) = read.unwrap_or(Err(Refusal::TooSlow))?;
    let read = review::Request::read(&bytes);
    drop(bytes);
    match read {
        Ok(request) => Ok(verdict(&request, endpoint, webhook, patience).await),
        Err(malformed) => {
            let answer = review::malformed(&malformed).ok_or(Refusal::NoUid)?;
            webhook.metrics.admission.refused.count(["malformed"]);
            tracing::debug!(problem = malformed.problem, "a review could not be read");
            Ok(answer)
        }
    }
}

/// How long the API server waits: it says so as `?timeout=5s`.
fn timeout_of(query: Option<&str>) -> Option<std::time::Duration> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == "timeout")?;
    duration::parse(value)
}

/// The whole body, and its part of the room for bodies. That is taken at once for all of it: two
/// that are half read must not wait for each other.
async fn read(
    mut body: Incoming,
    webhook: &Webhook,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Refusal> {
    let largest = webhook.limits.body;
    let told = body.size_hint().upper();
    let size = told.map_or(largest, |told| usize::try_from(told).unwrap_or(usize::MAX));
    if size > largest {
        return Err(Refusal::TooLarge);
    }
    let room = u32::try_from(size).unwrap_or(u32::MAX);
    // The semaphore is never closed.
    let room = webhook.bodies.acquire_many(room).await.ok();
    // A length that is only told takes no memory.
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::Broken)?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > size {
                return Err(Refusal::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok((bytes, room))
}

fn response(status: StatusCode, form: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let form = HeaderValue::from_static(form);
    response.headers_mut().insert(CONTENT_TYPE, form);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_time_that_an_api_server_gives_is_read_and_anything_else_is_none() {
        let given = |query| timeout_of(Some(query));
        assert_eq!(given("timeout=5s"), Some(Duration::from_secs(5)));
        assert_eq!(given("a=b&timeout=1m30s"), Some(Duration::from_secs(90)));
        for none in ["", "timeout=", "timeout", "timeout=x", "timeouts=5s"] {
            assert_eq!(given(none), None, "{none}");
        }
        assert_eq!(timeout_of(None), None);
    }
}
