//! The server in this process, and clients of it.
//!
//! Owns its certificate and the forms of connections. Must not know what a test asks. The invariant
//! that would break first: every client believes the test's own authority alone, as an API server
//! believes its `caBundle`.

use imageref::admission::configuration::File;
use imageref::admission::{Configuration, KnownRef};
use imageref::telemetry::{Health, Metrics};
use imageref::webhook::State;
use imageref::webhook::server::{self, Limits, Webhook};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// Longest wait for something that happens at once on a machine that also compiles.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// An authority, and a certificate for this machine's loopback address by it.
pub(crate) struct Identity {
    pub(crate) ca: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
    resolver: Arc<dyn ResolvesServerCert>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "webhook authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let certified = CertifiedKey::from_der(chain, der, &default_provider()).unwrap();
        Self {
            ca: ca.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            resolver: Arc::new(SingleCertAndKey::from(certified)),
        }
    }
}

/// A server that answers, of a cluster with the namespace `team-a`.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<State>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

impl Served {
    /// Knows these references and the namespace.
    pub(crate) async fn of(refs: impl IntoIterator<Item = KnownRef>, limits: Limits) -> Self {
        let served = Self::empty(limits).await;
        served.fill(refs);
        served
    }

    /// Has listed nothing yet.
    pub(crate) async fn empty(limits: Limits) -> Self {
        Self::with(Arc::new(Identity::new()), limits).await
    }

    /// The same with this certificate.
    pub(crate) async fn with(identity: Arc<Identity>, limits: Limits) -> Self {
        let state = Arc::new(State::new(Configuration::new(File::default()).unwrap()));
        let (metrics, health) = (Arc::<Metrics>::default(), Arc::<Health>::default());
        let webhook = Webhook::new(
            state.clone(),
            "imageref-system".into(),
            (metrics.clone(), health.clone()),
            limits,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let tls = server::tls(identity.resolver.clone()).unwrap();
        let serve = server::serve(listener, tls, Arc::new(webhook), stop.clone());
        Self {
            address,
            state,
            metrics,
            health,
            identity,
            stop,
            ended: tokio::spawn(serve),
        }
    }

    /// The lists are read.
    pub(crate) fn fill(&self, refs: impl IntoIterator<Item = KnownRef>) {
        let mut known = imageref::admission::Known::new(self.state.configuration().mirrors());
        for one in refs {
            known.insert(one);
        }
        self.state.replace_references(known);
        let team = ("team-a".to_owned(), BTreeMap::new());
        self.state.replace_namespaces(HashMap::from([team]));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// A client as API servers are: HTTP/2, connections are kept.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> reqwest::ClientBuilder {
        let ca = reqwest::Certificate::from_pem(self.identity.ca.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([ca]).no_proxy()
    }

    /// Asks about an object; status and body.
    pub(crate) async fn post(
        &self,
        client: &reqwest::Client,
        path: &str,
        review: &Value,
    ) -> (u16, Value) {
        let body = serde_json::to_vec(review).unwrap();
        let request = client.post(self.url(path)).body(body);
        let request = request.header("content-type", "application/json");
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, value)
    }

    /// A TLS connection that offers these protocols.
    pub(crate) async fn connect(&self, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
        self.shake(TcpStream::connect(self.address).await.unwrap(), protocols)
            .await
            .unwrap()
    }

    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        use rustls::pki_types::pem::PemObject as _;
        let mut roots = rustls::RootCertStore::empty();
        let ca = rustls::pki_types::CertificateDer::from_pem_slice(self.identity.ca.as_bytes());
        roots.add(ca.unwrap()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::IpAddress(self.address.ip().into());
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// How often something was refused for this cause.
    pub(crate) fn refused(&self, cause: &'static str) -> u64 {
        self.metrics.admission.refused.get([cause])
    }
}
