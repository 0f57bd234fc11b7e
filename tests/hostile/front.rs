//! A fake cloud behind TLS, as the vendors' own hosts are.
//!
//! Owns the certificates, good and bad. Must not know HTTP beyond the end of a request's head. The
//! invariant that would break first: a connection carries one request, so that each look connects
//! anew.

use fakecloud::FakeCloud;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What is right or wrong with a server's certificate.
#[derive(Clone, Copy, Debug)]
pub(super) enum Certificate {
    Good,
    Expired,
    NotYetValid,
    /// For another host.
    Other,
}

/// An authority of the test's own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::default();
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn acceptor(&self, host: &str, kind: Certificate) -> TlsAcceptor {
        let host = match kind {
            Certificate::Other => "other.example",
            _ => host,
        };
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        match kind {
            Certificate::Expired => params.not_after = rcgen::date_time_ymd(2020, 1, 1),
            Certificate::NotYetValid => params.not_before = rcgen::date_time_ymd(2080, 1, 1),
            Certificate::Good | Certificate::Other => {}
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Puts TLS in front of a cloud, on an address; gives the address with its port.
    pub(super) async fn front(
        &self,
        cloud: &FakeCloud,
        address: SocketAddr,
        host: &str,
        kind: Certificate,
    ) -> SocketAddr {
        let acceptor = self.acceptor(host, kind);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cloud = cloud.address();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, cloud));
            }
        });
        address
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, cloud: SocketAddr) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"connection: close\r\n\r\n");
    let mut upstream = TcpStream::connect(cloud).await?;
    upstream.write_all(&head).await?;
    copy(&mut upstream, &mut stream).await?;
    stream.shutdown().await
}

/// A port of this machine's loopback interface.
pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A port on an address of this machine that is not loopback; `None` where there is no network.
pub(super) fn own_address() -> Option<SocketAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this asks for the route.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    let fine = imageref::cloud::address::forbidden(ip).is_none();
    fine.then(|| SocketAddr::new(ip, 0))
}
