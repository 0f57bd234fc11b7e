//! A webhook that allows everything and looks at nothing: what a review costs without a verdict.
//!
//! Owns its server. Must not know the operator. The invariant that would break first: it does what
//! every webhook must, TLS and the review's uid, and no more.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use site::Identity;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// A server; it ends with this value.
pub(super) struct Idle {
    /// `HOST:PORT`
    pub(super) address: String,
    answered: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl Idle {
    pub(super) async fn start(identity: &Identity) -> Result<Self> {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(identity.chain(), identity.key())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let answered = Arc::<AtomicU64>::default();
        let router = Router::new().fallback(allow).with_state(answered.clone());
        let tls = Tls {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        let serving = tokio::spawn(async move {
            // It has no error of its own.
            let _ = axum::serve(tls, router).await;
        });
        Ok(Self {
            address,
            answered,
            serving,
        })
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Deserialize)]
struct Review {
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
}

async fn allow(State(answered): State<Arc<AtomicU64>>, body: Bytes) -> impl IntoResponse {
    answered.fetch_add(1, Ordering::Relaxed);
    let review = serde_json::from_slice::<Review>(&body);
    let uid = review.map_or(String::new(), |review| review.request.uid);
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": uid, "allowed": true},
    });
    ([(CONTENT_TYPE, "application/json")], answer.to_string())
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // One that does not go through is the caller's to repeat.
            if let Ok((stream, address)) = self.listener.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
