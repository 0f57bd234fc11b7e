//! Requests and answers on the way.
//!
//! Owns HTTP on both sides, and the answers that are made here. Must not know connections. The invariant
//! that would break first: what the API server did not answer is not answered here either: the
//! connection breaks, as it would without a road.

use super::door::Passage;
use super::watch::events;
use super::{Answer, Mode, count};
use anyhow::{Context as _, Result};
use axum::body::{Body, to_bytes};
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use axum::http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

/// The API server itself takes 3 MiB.
const LARGEST_REQUEST: usize = 4 << 20;

/// Where requests go.
#[derive(Clone)]
pub(super) struct Upstream {
    origin: String,
    client: reqwest::Client,
}

impl Upstream {
    pub(super) fn new(origin: &str, ca_pem: Option<&str>) -> Result<Self> {
        let authorities = match ca_pem {
            Some(pem) => vec![reqwest::Certificate::from_pem(pem.as_bytes())?],
            None => Vec::new(),
        };
        let client = reqwest::Client::builder()
            .tls_certs_only(authorities)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .context("a client of the API server")?;
        Ok(Self {
            origin: origin.to_owned(),
            client,
        })
    }
}

/// Serves one connection to its end.
pub(super) async fn serve<S>(stream: S, passage: Passage)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| relay(request, passage.clone()));
    // How it ended shows at both ends.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn relay(request: Request<Incoming>, passage: Passage) -> Result<Response<Body>> {
    let number = count(&passage.counters.requests);
    if let Mode::Answer(answer) = *passage.mode.borrow()
        && answer.share.hits(number)
    {
        count(&passage.counters.answered);
        return own(answer);
    }
    let (mut head, body) = request.into_parts();
    let watch = is_watch(&head.uri);
    let body = to_bytes(Body::new(body), LARGEST_REQUEST).await?;
    for own in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(own);
    }
    let upstream = &passage.upstream;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = upstream
        .client
        .request(head.method, format!("{}{path}", upstream.origin))
        .headers(head.headers)
        .body(body)
        .send()
        .await?;
    let (mut head, body) = Response::<reqwest::Body>::from(answer).into_parts();
    hop(&mut head.headers);
    if head.status == StatusCode::GONE {
        count(&passage.counters.gone);
    }
    let body = Body::new(body);
    let body = if watch && head.status.is_success() {
        count(&passage.counters.watches);
        events(body, passage.mode, passage.counters)
    } else {
        body
    };
    Ok(Response::from_parts(head, body))
}

/// What concerns one connection only.
fn hop(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

fn is_watch(uri: &Uri) -> bool {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

/// The words of the API server, by its priority and fairness (429) or for an error of its own (500).
fn own(answer: Answer) -> Result<Response<Body>> {
    let (reason, message) = match answer.status {
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        _ => (
            "InternalError",
            "Internal error occurred: etcdserver: request timed out",
        ),
    };
    let mut status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": answer.status,
    });
    let mut response = Response::builder()
        .status(answer.status)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = answer.retry_after {
        status["details"] = json!({"retryAfterSeconds": seconds});
        response = response.header(RETRY_AFTER, seconds);
    }
    Ok(response.body(Body::from(status.to_string()))?)
}
