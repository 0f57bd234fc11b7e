//! A registry that has whatever it is asked for, and counts.
//!
//! Owns its answers and the counts. Must not know who asks. The invariant that would break first: an
//! answer is the same each time, and its digest is that of its bytes.

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Requests by method.
#[derive(Default)]
struct Counts {
    heads: AtomicU64,
    gets: AtomicU64,
}

/// The registry; it ends with this value.
pub(crate) struct Depot {
    address: SocketAddr,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
}

impl Drop for Depot {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Depot {
    /// Starts one on this machine; each answer takes `latency`.
    pub(crate) async fn start(latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counts = Arc::<Counts>::default();
        let router = axum::Router::new().fallback({
            move |State(counts): State<Arc<Counts>>, request: Request| async move {
                tokio::time::sleep(latency).await;
                answer(&counts, &request)
            }
        });
        let router = router.with_state(counts.clone());
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            counts,
            serving,
        })
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it was asked by HEAD and by GET so far.
    pub(crate) fn asked(&self) -> (u64, u64) {
        let Counts { heads, gets } = &*self.counts;
        (heads.load(Ordering::Relaxed), gets.load(Ordering::Relaxed))
    }
}

/// A list with one image, which says where it is: no two paths have the same digest.
fn answer(counts: &Counts, request: &Request) -> Response {
    let path = request.uri().path();
    let counter = match *request.method() {
        Method::HEAD => &counts.heads,
        Method::GET => &counts.gets,
        _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    if !path.contains("/manifests/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let digest = |bytes: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    let body = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "digest": digest(path.as_bytes()),
            "size": 1,
            "platform": {"os": "linux", "architecture": "arm64"},
        }],
    });
    let body = body.to_string();
    let headers = [
        (header::CONTENT_TYPE.as_str(), INDEX.to_owned()),
        ("docker-content-digest", digest(body.as_bytes())),
        (header::CONTENT_LENGTH.as_str(), body.len().to_string()),
    ];
    let body = match *request.method() {
        Method::HEAD => Bytes::new(),
        _ => Bytes::from(body),
    };
    (headers, body).into_response()
}
