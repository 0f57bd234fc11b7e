//! `/metrics`, `/livez` (also as `/healthz`) and `/readyz` over plain HTTP.
//!
//! Owns the bounds on what anybody in the network may ask. Must not know what is measured. The
//! invariant that would break first: nobody who connects costs the controllers more than a scrape does,
//! however slowly he speaks and however often he comes.

use super::{Health, Metrics};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at once; more wait to be accepted.
pub const MOST_CONNECTIONS: usize = 32;

/// How long a request may take to arrive, in whole.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last; each is for one request.
pub const LONGEST_CONNECTION: Duration = Duration::from_secs(15);

/// Bound on a request's head, in bytes. No body is read.
pub const LARGEST_HEAD: usize = 16 * 1024;

/// After a connection that could not be accepted: for want of files, mostly.
const UNACCEPTED: Duration = Duration::from_millis(200);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers for as long as it is polled.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, health: Arc<Health>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // It is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics was not accepted");
                tokio::time::sleep(UNACCEPTED).await;
                continue;
            }
        };
        let (metrics, health) = (metrics.clone(), health.clone());
        tokio::spawn(async move {
            let talk = talk(stream, &metrics, &health);
            if tokio::time::timeout(LONGEST_CONNECTION, talk)
                .await
                .is_err()
            {
                tracing::debug!("a connection for metrics took too long");
            }
            drop(place);
        });
    }
}

async fn talk(stream: TcpStream, metrics: &Metrics, health: &Health) {
    let answer = |request: Request<Incoming>| {
        let answered = answer(request.method(), request.uri().path(), metrics, health);
        std::future::ready(Ok::<_, Infallible>(answered))
    };
    let talked = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_buf_size(LARGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
    if let Err(error) = talked {
        tracing::debug!(%error, "a connection for metrics broke");
    }
}

fn answer(method: &Method, path: &str, metrics: &Metrics, health: &Health) -> Response<String> {
    let (status, form, body) = match path {
        _ if !matches!(*method, Method::GET | Method::HEAD) => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET only\n".into())
        }
        "/metrics" => (StatusCode::OK, OPEN_METRICS, metrics.render()),
        "/livez" | "/healthz" => match health.check(Instant::now()) {
            Ok(()) => (StatusCode::OK, PLAIN, "ok\n".into()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, PLAIN, why + "\n"),
        },
        "/readyz" if health.is_ready() => (StatusCode::OK, PLAIN, "ok\n".into()),
        "/readyz" => {
            let why = "not everything is listed yet, or the process is about to end\n";
            (StatusCode::SERVICE_UNAVAILABLE, PLAIN, why.into())
        }
        _ => (StatusCode::NOT_FOUND, PLAIN, "not found\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests;
