//! A gate on the way to a server of this machine: it can be closed, or answer in the server's place.
//!
//! Owns its port, and the connections through it. Must not know what the server is. The invariant that
//! would break first: a change ends all connections that there are, so that no connection of before
//! escapes it, and is in force when `set` returns.

use anyhow::{Context as _, Result};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Requests have no longer heads.
const LONGEST_HEAD: usize = 64 * 1024;

/// What whoever comes finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The server.
    Open,
    /// Nobody: connections are refused.
    Closed,
    /// Somebody who takes connections and says nothing.
    Silent,
    /// Each request is answered with this status, without a body.
    Answering(u16),
}

/// How a connection is taken in. Has no `Debug`: it holds a private key.
#[derive(Clone)]
struct Manner {
    state: State,
    tls: Option<TlsAcceptor>,
}

/// A gate; it is shut for good when this is dropped.
pub(crate) struct Gate {
    address: SocketAddr,
    changes: mpsc::Sender<(Change, oneshot::Sender<()>)>,
    met: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

enum Change {
    State(State),
    Tls(TlsAcceptor),
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    /// An open gate before a server, on a port of its own of the loopback interface; over TLS if it is
    /// told how.
    ///
    /// # Errors
    /// If no port can be bound.
    pub(crate) fn new(upstream: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self> {
        // Bound and never listening: nobody else gets the port while the gate is closed.
        let keeper = socket(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = keeper.local_addr()?;
        let (changes, received) = mpsc::channel(1);
        let met = Arc::new(AtomicU64::new(0));
        let manner = Manner {
            state: State::Open,
            tls,
        };
        let keep = Keep {
            keeper,
            address,
            upstream,
            met: met.clone(),
        };
        let listener = listen(address)?;
        let task = tokio::spawn(keep.run(listener, manner, received));
        Ok(Self {
            address,
            changes,
            met,
            task,
        })
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its origin over plain HTTP.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that came to an end other than the server, refused ones aside.
    pub(crate) fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    /// From now on, whoever comes finds this.
    ///
    /// # Errors
    /// If the gate is gone.
    pub(crate) async fn set(&self, state: State) -> Result<()> {
        self.change(Change::State(state)).await
    }

    /// From now on connections are greeted so.
    ///
    /// # Errors
    /// If the gate is gone.
    pub(crate) async fn greet(&self, tls: TlsAcceptor) -> Result<()> {
        self.change(Change::Tls(tls)).await
    }

    async fn change(&self, change: Change) -> Result<()> {
        let (done, is_done) = oneshot::channel();
        let sent = self.changes.send((change, done)).await;
        sent.ok().context("the gate is gone")?;
        is_done.await.context("the gate is gone")
    }
}

/// What the gate's task has.
struct Keep {
    /// Held for its port.
    #[expect(dead_code, reason = "closed when the task ends")]
    keeper: TcpSocket,
    address: SocketAddr,
    upstream: SocketAddr,
    met: Arc<AtomicU64>,
}

impl Keep {
    async fn run(
        self,
        listener: TcpListener,
        mut manner: Manner,
        mut changes: mpsc::Receiver<(Change, oneshot::Sender<()>)>,
    ) {
        let mut listener = Some(listener);
        loop {
            let (change, done) = tokio::select! {
                change = changes.recv() => match change {
                    Some(change) => change,
                    None => return,
                },
                () = self.take(listener.as_ref(), &manner) => return,
            };
            // Whoever waited to be taken in is sent away too.
            drop(listener.take());
            match change {
                Change::State(state) => manner.state = state,
                Change::Tls(tls) => manner.tls = Some(tls),
            }
            if manner.state != State::Closed {
                listener = self.listen_again().await;
                if listener.is_none() {
                    // `set` says that the gate is gone.
                    return;
                }
            }
            let _ = done.send(());
        }
    }

    /// A child of this process that has not become its program yet still holds the listener of before.
    async fn listen_again(&self) -> Option<TcpListener> {
        for _ in 0..500 {
            if let Ok(listener) = listen(self.address) {
                return Some(listener);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Takes connections in; they end with this.
    async fn take(&self, listener: Option<&TcpListener>, manner: &Manner) {
        let Some(listener) = listener else {
            return std::future::pending().await;
        };
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        let (manner, met) = (manner.clone(), self.met.clone());
                        connections.spawn(greet(stream, manner, self.upstream, met));
                    }
                    // For want of descriptors, perhaps.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    socket(address)?.listen(1024)
}

async fn greet(
    stream: TcpStream,
    manner: Manner,
    upstream: SocketAddr,
    met: Arc<AtomicU64>,
) -> io::Result<()> {
    match manner.tls {
        None => pass(stream, &manner.state, upstream, &met).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => pass(stream, &manner.state, upstream, &met).await,
            Err(error) => {
                met.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        },
    }
}

async fn pass(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
    upstream: SocketAddr,
    met: &AtomicU64,
) -> io::Result<()> {
    match state {
        State::Open => {
            let mut upstream = TcpStream::connect(upstream).await?;
            upstream.set_nodelay(true)?;
            copy_bidirectional(&mut stream, &mut upstream)
                .await
                .map(drop)
        }
        State::Closed | State::Silent => {
            met.fetch_add(1, Ordering::Relaxed);
            // Until whoever came has lost patience.
            let mut ignored = [0; 1024];
            while stream.read(&mut ignored).await? > 0 {}
            Ok(())
        }
        State::Answering(status) => {
            read_head(&mut stream).await?;
            met.fetch_add(1, Ordering::Relaxed);
            let answer =
                format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A server that repeats what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut heard, mut said) = stream.split();
                    tokio::io::copy(&mut heard, &mut said).await
                });
            }
        });
        address
    }

    async fn said(stream: &mut TcpStream, text: &str) -> io::Result<String> {
        stream.write_all(text.as_bytes()).await?;
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    async fn asked(gate: &Gate, text: &str) -> io::Result<String> {
        said(&mut TcpStream::connect(gate.address()).await?, text).await
    }

    #[tokio::test]
    async fn a_gate_closes_and_opens_again_at_the_same_port() {
        let gate = Gate::new(echo().await, None).unwrap();
        let mut early = TcpStream::connect(gate.address()).await.unwrap();
        assert_eq!(said(&mut early, "one").await.unwrap(), "one");
        gate.set(State::Closed).await.unwrap();
        let refused = asked(&gate, "two").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let cut = said(&mut early, "two").await;
        assert!(cut.is_err() || cut.unwrap().is_empty(), "it was cut");
        gate.set(State::Open).await.unwrap();
        assert_eq!(asked(&gate, "three").await.unwrap(), "three");
        assert_eq!(gate.met(), 0);
    }

    #[tokio::test]
    async fn a_gate_answers_in_the_place_of_the_server() {
        let gate = Gate::new(echo().await, None).unwrap();
        gate.set(State::Answering(429)).await.unwrap();
        let answer = asked(&gate, "GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 \r\n"), "{answer}");
        assert_eq!(gate.met(), 1);
    }

    #[tokio::test]
    async fn a_silent_gate_takes_connections_until_it_is_changed() {
        let gate = Gate::new(echo().await, None).unwrap();
        gate.set(State::Silent).await.unwrap();
        let mut stream = TcpStream::connect(gate.address()).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(200), said(&mut stream, "one"));
        assert!(waited.await.is_err(), "nothing is said");
        gate.set(State::Open).await.unwrap();
        let mut rest = [0; 8];
        let end = stream.read(&mut rest).await;
        assert!(matches!(end, Ok(0) | Err(_)), "it was cut");
        assert_eq!(asked(&gate, "two").await.unwrap(), "two");
    }
}
