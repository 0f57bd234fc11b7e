//! A stop: what is under way ends, what comes late is served, and then nobody is left.

use super::reviews::review;
use super::served::{Identity, SOON, Served};
use crate::verdict::world::{TORCH, declared, pod};
use imageref::webhook::server::Limits;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

async fn ended(served: Served) {
    timeout(SOON, served.ended).await.expect("an end").unwrap();
    TcpStream::connect(served.address)
        .await
        .expect_err("a closed port");
}

#[tokio::test]
async fn requests_that_wait_when_the_stop_comes_are_answered() {
    let limits = Limits {
        wait: SOON * 2,
        stop: SOON,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let good = review(&pod(&format!("{TORCH}:3")));
    let clients = [
        served.client(),
        served.builder().http1_only().build().unwrap(),
    ];
    let mut asked = Vec::new();
    for client in &clients {
        let mut one = Box::pin(served.post(client, "/validate/enforce", &good));
        assert!(
            timeout(Duration::from_millis(200), &mut one).await.is_err(),
            "it waits"
        );
        asked.push(one);
    }
    served.stop.cancel();
    served
        .state
        .put_reference(declared("torch", &format!("{TORCH}:3")));
    for one in asked {
        let (status, answer) = timeout(SOON, one).await.unwrap();
        assert_eq!(
            (status, &answer["response"]["allowed"]),
            (200, &Value::Bool(true))
        );
    }
    drop(clients);
    ended(served).await;
}

#[tokio::test]
async fn a_connection_that_was_made_before_the_stop_has_its_request_answered() {
    let served = Served::of(
        [],
        Limits {
            wait: Duration::ZERO,
            ..Limits::default()
        },
    )
    .await;
    let mut fresh = served.connect(&[b"http/1.1"]).await;
    // Only the kernel has seen this one.
    let raw = TcpStream::connect(served.address).await.unwrap();
    served.stop.cancel();
    let mut late = served.shake(raw, &[b"http/1.1"]).await.unwrap();
    for stream in [&mut fresh, &mut late] {
        let body = review(&pod("busybox")).to_string();
        let head = format!(
            "POST /validate/enforce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
    }
    ended(served).await;
}

#[tokio::test]
async fn before_the_end_clients_of_the_old_protocol_are_told_to_connect_anew() {
    let served = Served::of([], Limits::default()).await;
    let client = served.builder().http1_only().build().unwrap();
    let closes = async || {
        let answer = client.get(served.url("/")).send().await.unwrap();
        let header = answer.headers().get("connection").cloned();
        answer.bytes().await.unwrap();
        header.is_some_and(|value| value == "close")
    };
    assert!(!closes().await);
    served.health.end();
    assert!(closes().await, "it answers, and says so");
    assert!(closes().await);
}

#[tokio::test]
async fn clients_that_do_not_let_go_are_cut() {
    let second = Duration::from_secs(1);
    let limits = Limits {
        first_request: second,
        stop: second,
        read: SOON,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let mut stuck = served.connect(&[b"http/1.1"]).await;
    let head = "POST /validate/warn HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    stuck.write_all(head.as_bytes()).await.unwrap();
    let _mute = served.connect(&[b"h2"]).await;
    served.stop.cancel();
    ended(served).await;
}

/// What a Service of Kubernetes is to TCP: new connections go to the replica in service, and those
/// that are there stay where they are.
async fn balancer(target: Arc<Mutex<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let target = *target.lock().unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(target).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

/// Asks over and over, and counts.
struct Asker {
    answered: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Asker {
    fn start(client: reqwest::Client, url: String, over: Arc<AtomicBool>) -> Self {
        let answered = Arc::<AtomicU64>::default();
        let counted = answered.clone();
        let body = review(&pod(&format!("{TORCH}:3"))).to_string();
        let task = tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let request = client.post(&url).body(body.clone());
                let request = request.header("content-type", "application/json");
                let answer = request.send().await.expect("no request is lost");
                assert_eq!(answer.status(), 200);
                let text = answer.text().await.expect("a whole answer");
                assert!(text.contains("\"allowed\":true"), "{text}");
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { answered, task }
    }
}

/// Waits until each has been answered some more times; ends early for one that has failed.
async fn more(askers: &[Asker], times: u64) {
    let count = |asker: &Asker| asker.answered.load(Ordering::Relaxed);
    let begun: Vec<_> = askers.iter().map(count).collect();
    let reached = async {
        let behind = || {
            let mut all = askers.iter().zip(&begun);
            all.any(|(asker, begun)| count(asker) < begun + times)
        };
        while behind() && !askers.iter().any(|asker| asker.task.is_finished()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, reached).await.expect("answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_stops_under_load_loses_no_request() {
    let identity = Arc::new(Identity::new());
    let (old, new) = tokio::join!(
        Served::with(identity.clone(), Limits::default()),
        Served::with(identity, Limits::default()),
    );
    for one in [&old, &new] {
        one.fill([declared("torch", &format!("{TORCH}:3"))]);
    }
    let target = Arc::new(Mutex::new(old.address));
    let url = format!(
        "https://{}/validate/enforce",
        balancer(target.clone()).await
    );
    let over = Arc::<AtomicBool>::default();
    // Every other one speaks the old protocol.
    let build = |n: usize| {
        let builder = old.builder();
        let builder = if n.is_multiple_of(2) {
            builder
        } else {
            builder.http1_only()
        };
        Asker::start(builder.build().unwrap(), url.clone(), over.clone())
    };
    let askers: Vec<_> = (0..8).map(build).collect();
    more(&askers, 20).await;
    // Out of service first, which HTTP/2 does not notice; then the stop.
    *target.lock().unwrap() = new.address;
    old.health.end();
    more(&askers, 5).await;
    let reviews = |served: &Served| {
        let reviews = &served.metrics.admission.reviews;
        reviews.get(["enforce", "Allow", "None"])
    };
    let drained = reviews(&old);
    more(&askers, 5).await;
    assert!(
        reviews(&old) > drained,
        "there is nothing under way to lose"
    );
    old.stop.cancel();
    more(&askers, 20).await;
    over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for asker in askers {
        asker.task.await.unwrap();
        answered += asker.answered.load(Ordering::Relaxed);
    }
    assert_eq!(
        reviews(&old) + reviews(&new),
        answered,
        "none was sent twice"
    );
    ended(old).await;
}
