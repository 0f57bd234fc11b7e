//! One door: where connections arrive, and what is done to them as connections.
//!
//! Owns the listener and the bytes. Must not know HTTP. The invariant that would break first: what a
//! black hole swallowed is held open until the client itself lets go, and nothing is said to it.

use super::relay::{self, Upstream};
use super::{Counters, Mode, count};
use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;

/// Between the wire and TLS; as much as a write of hyper's.
const BUFFER: usize = 64 * 1024;

/// Until a port that somebody else holds is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// What the tasks of a door share.
#[derive(Clone)]
pub(super) struct Passage {
    pub(super) upstream: Upstream,
    pub(super) counters: Arc<Counters>,
    pub(super) mode: Receiver<Mode>,
    acceptor: TlsAcceptor,
    /// Changes when open connections are to be reset.
    resets: Receiver<()>,
}

pub(super) struct Door {
    port: u16,
    mode: Sender<Mode>,
    resets: Sender<()>,
}

impl Door {
    pub(super) fn open(
        acceptor: TlsAcceptor,
        upstream: Upstream,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let port = cluster::free_port()?;
        let (mode, modes) = channel(Mode::Pass);
        let (resets, reset) = channel(());
        let passage = Passage {
            upstream,
            counters,
            mode: modes,
            acceptor,
            resets: reset,
        };
        tokio::spawn(keep(port, passage));
        Ok(Self { port, mode, resets })
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(super) fn reset(&self) {
        self.resets.send_replace(());
    }
}

/// Waits for a mode; without end once the door is gone.
async fn turns(mode: &mut Receiver<Mode>, wanted: &Mode) {
    if mode.wait_for(|mode| mode == wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Listens, but while connections are refused.
async fn keep(port: u16, passage: Passage) {
    let mut mode = passage.mode.clone();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while mode.wait_for(|mode| *mode != Mode::Refuse).await.is_ok() {
        let Ok(listener) = TcpListener::bind(address).await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let listening = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(carry(stream, passage.clone()))),
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        };
        tokio::select! {
            () = listening => {}
            () = turns(&mut mode, &Mode::Refuse) => {}
        }
    }
}

/// Carries one connection to its end.
async fn carry(mut stream: TcpStream, mut passage: Passage) {
    let mut mode = passage.mode.clone();
    passage.resets.borrow_and_update();
    if *mode.borrow_and_update() == Mode::BlackHole {
        return silence(stream, &passage.counters).await;
    }
    let _ = stream.set_nodelay(true);
    let (mut near, far) = duplex(BUFFER);
    let mut resets = passage.resets.clone();
    let mut holes = mode.clone();
    let counters = passage.counters.clone();
    let served = tokio::spawn(async move {
        if let Ok(tls) = passage.acceptor.clone().accept(far).await {
            relay::serve(tls, passage).await;
        }
    });
    tokio::select! {
        // Whichever side ends, the other hears of it.
        _ = copy_bidirectional(&mut stream, &mut near) => {}
        () = turns(&mut mode, &Mode::Refuse) => drop(stream.set_zero_linger()),
        Ok(()) = resets.changed() => drop(stream.set_zero_linger()),
        () = turns(&mut holes, &Mode::BlackHole) => {
            drop(near);
            served.abort();
            silence(stream, &counters).await;
        }
    }
}

/// Takes what comes and says nothing, until the client ends the connection.
async fn silence(mut stream: TcpStream, counters: &Counters) {
    count(&counters.silenced);
    let mut swallowed = [0; 4096];
    while stream
        .read(&mut swallowed)
        .await
        .is_ok_and(|length| length > 0)
    {}
}
