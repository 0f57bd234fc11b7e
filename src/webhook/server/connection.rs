//! One connection: its handshake, its protocol, its end.
//!
//! Owns how long it may do nothing. Must not know what is asked over it. The invariant that would
//! break first: it ends of itself, whatever its client does.

use super::Webhook;
use super::exchange::answer;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// HTTP/2 in the negotiation of protocols.
pub(super) const H2: &[u8] = b"h2";

/// Bound on a request's head, in bytes.
const LARGEST_HEAD: u32 = 16 * 1024;

/// Bytes of bodies that one connection may have on the way beyond what is read.
const WINDOW: u32 = 256 * 1024;

/// How often a quiet connection is asked whether it is still there, and how long it may take to
/// say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// What a connection is used for.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    begun: u64,
    under_way: u64,
}

/// How a connection is used, told of each change.
#[derive(Clone)]
struct Uses(watch::Sender<Use>);

impl Uses {
    /// A request begins; it ends when what this gives is dropped.
    fn begin(&self) -> UnderWay {
        self.0.send_modify(|uses| {
            uses.begun += 1;
            uses.under_way += 1;
        });
        UnderWay(self.clone())
    }

    /// Returns when nothing has been asked for too long.
    async fn too_quiet(&self, first: Duration, idle: Duration) {
        let mut changes = self.0.subscribe();
        loop {
            let now = *changes.borrow_and_update();
            let longest = if now.begun == 0 { first } else { idle };
            // The sender is here: there is always a next change.
            let change = changes.changed();
            if now.under_way > 0 {
                let _ = change.await;
            } else if timeout(longest, change).await.is_err() {
                return;
            }
        }
    }

    /// Returns when something was asked.
    async fn used(&self) {
        let _ = self.0.subscribe().wait_for(|uses| uses.begun > 0).await;
    }
}

struct UnderWay(Uses);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|uses| uses.under_way -= 1);
    }
}

/// Serves a connection to its end.
pub(super) async fn talk(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    webhook: &Arc<Webhook>,
    stop: &CancellationToken,
) {
    let limits = &webhook.limits;
    // Answers are small and awaited.
    let _ = stream.set_nodelay(true);
    let shaken = timeout(limits.handshake, acceptor.accept(stream)).await;
    let stream = match shaken.map_err(io::Error::from).and_then(|shaken| shaken) {
        Ok(stream) => stream,
        Err(error) => {
            webhook.metrics.admission.refused.count(["handshake"]);
            tracing::debug!(%error, "no TLS connection to the webhook");
            return;
        }
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(H2);
    let uses = Uses(watch::Sender::new(Use::default()));
    let service = service_fn(|request: Request<Incoming>| {
        let (webhook, under_way) = (webhook.clone(), uses.begin());
        // Who is told to come on a new connection goes to another process, once this one is out of
        // service: a connection without a request would be closed under the client's hands.
        let last = !is_h2 && (webhook.health.is_ending() || stop.is_cancelled());
        async move {
            let mut response: Response<String> = answer(request, &webhook).await;
            if last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            drop(under_way);
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(stream);
    let talked = if is_h2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(LARGEST_HEAD)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .serve_connection(io, service);
        tend(
            connection,
            http2::Connection::graceful_shutdown,
            &uses,
            webhook,
            stop,
        )
        .await
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .max_header_size(LARGEST_HEAD as usize)
            .serve_connection(io, service);
        tend(
            connection,
            http1::Connection::graceful_shutdown,
            &uses,
            webhook,
            stop,
        )
        .await
    };
    if let Err(error) = talked {
        tracing::debug!(%error, "a connection to the webhook broke");
    }
}

/// Turns a connection until it ends, is too quiet, or is to stop. One that was not used yet is
/// given its first request when it is to stop: its client has nothing else to send it to.
async fn tend<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    end: impl FnOnce(Pin<&mut C>),
    uses: &Uses,
    webhook: &Webhook,
    stop: &CancellationToken,
) -> hyper::Result<()> {
    let limits = &webhook.limits;
    let mut connection = pin!(connection);
    let stopped = async {
        stop.cancelled().await;
        uses.used().await;
    };
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = uses.too_quiet(limits.first_request, limits.idle) => {}
        () = stopped => {}
    }
    end(connection.as_mut());
    timeout(limits.stop, connection).await.unwrap_or(Ok(()))
}
