//! Renewals under load: no request is lost, be it of the API server or of a client of our own.

use super::*;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How old a bundle may be that a client goes by: API servers hear of a change sooner.
const FRESH: Duration = Duration::from_secs(1);

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    by_the_api_server: AtomicUsize,
    by_ourselves: AtomicUsize,
    certificates: Mutex<BTreeSet<Vec<u8>>>,
    lost: Mutex<Vec<String>>,
}

impl Seen {
    fn lost(&self, what: impl std::fmt::Display) {
        self.lost.lock().unwrap().push(what.to_string());
    }
}

async fn message<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    head: &str,
    body: &Value,
) -> std::io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "{head}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await
}

/// Allows everything. One request a connection, so that each has a handshake.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let review: Value = serde_json::from_slice(&message(&mut stream).await?)?;
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": true}});
    send(&mut stream, "HTTP/1.1 200 OK", &answer).await?;
    stream.shutdown().await
}

fn acceptor(replica: &Replica) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(replica.serving.clone());
    TlsAcceptor::from(Arc::new(config))
}

/// One replica after the other takes the next connection, as behind a Service.
async fn balance(listener: TcpListener, replicas: [TlsAcceptor; 2]) {
    for number in 0_usize.. {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(replicas[number % 2].clone(), stream));
    }
}

/// The API server asks all four webhooks about each `ConfigMap`.
async fn create(client: Client, namespace: String, seen: Arc<Seen>) {
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    loop {
        let mut object = ConfigMap::default();
        object.metadata.generate_name = Some("asked-".into());
        if let Err(error) = api.create(&PostParams::default(), &object).await {
            seen.lost(error);
        }
        seen.by_the_api_server.fetch_add(1, Ordering::Relaxed);
    }
}

/// A client that trusts whom the API server would, by each configuration in turn.
async fn ask(scene: Arc<Scene>, address: SocketAddr, seen: Arc<Seen>) {
    for number in 0_usize.. {
        let read = Instant::now();
        let bundles = scene.bundles().await;
        let mut roots = RootCertStore::empty();
        let bundle = bundles[number % bundles.len()].as_bytes();
        for certificate in CertificateDer::pem_slice_iter(bundle) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(scene.name()).unwrap();
        let asked = async {
            let stream = TcpStream::connect(address).await?;
            let mut stream = TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await?;
            let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
            seen.certificates.lock().unwrap().insert(shown);
            let review = json!({"request": {"uid": number.to_string()}});
            send(&mut stream, "POST /one HTTP/1.1\r\nHost: webhook", &review).await?;
            message(&mut stream).await
        };
        match asked.await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                assert_eq!(answer["response"]["uid"], number.to_string());
            }
            // Who was held up for longer than any API server goes by what is in fact no longer true.
            Err(_) if read.elapsed() > FRESH => continue,
            Err(error) => seen.lost(error),
        }
        seen.by_ourselves.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn renewals_under_load_lose_no_request_with_one_clock_two_days_ahead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let Some(scene) = Scene::new("certificates-load", address.port()).await else {
        return;
    };
    let scene = Arc::new(scene);
    let clock = Clock::default();
    let replicas = [scene.keeper(&clock, 0), scene.keeper(&clock, 48)];
    for replica in &replicas {
        until("a replica serves", || async { replica.serving.is_ready() }).await;
    }
    let acceptors = [acceptor(&replicas[0]), acceptor(&replicas[1])];
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(balance(listener, acceptors));
    // A first installation answers as soon as API servers have heard of it.
    let seen = Arc::new(Seen::default());
    tokio::time::sleep(scene.settings().pace.settle).await;
    tasks.spawn(create(
        scene.admin.clone(),
        scene.namespace.clone(),
        seen.clone(),
    ));
    for _ in 0..2 {
        tasks.spawn(ask(scene.clone(), address, seen.clone()));
    }

    let asked = || {
        let ours = seen.by_ourselves.load(Ordering::Relaxed);
        ours.min(seen.by_the_api_server.load(Ordering::Relaxed))
    };
    for renewal in 1..=4_usize {
        let before = clock.now();
        clock.pass(21);
        for replica in &replicas {
            until("the next certificate is served", || async {
                let end = replica.serving.expires_at().unwrap();
                end.duration_since(before) > SignedDuration::from_hours(24 * 45)
            })
            .await;
        }
        let (from, certificates) = (asked(), renewal + 1);
        until("requests go on", || async {
            asked() >= from + 5 && seen.certificates.lock().unwrap().len() >= certificates
        })
        .await;
    }
    // In the same way when the Secret goes.
    let name = scene.secret();
    scene
        .cluster
        .kubectl(&["delete", "secret", &name, "-n", &scene.namespace])
        .unwrap();
    until("a certificate made anew is served", || async {
        seen.certificates.lock().unwrap().len() >= 6
    })
    .await;
    let from = asked();
    until("requests go on", || async { asked() >= from + 5 }).await;

    assert!(
        tasks.try_join_next().is_none(),
        "a client or the server ended"
    );
    tasks.shutdown().await;
    let lost = seen.lost.lock().unwrap();
    assert!(
        lost.is_empty(),
        "{} of {}: {:?}",
        lost.len(),
        asked(),
        lost.first()
    );
}
