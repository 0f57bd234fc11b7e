//! A stop: what is under way ends, what comes late is served, and then nobody is left.

use super::reviews::review;
use super::served::{SOON, Served};
use crate::verdict::world::{TORCH, declared, pod};
use imageref::webhook::server::Limits;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
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

/// Two replicas; clients go to the one that is in service, as behind a Service of Kubernetes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_stops_under_load_loses_no_request() {
    let refs = || [declared("torch", &format!("{TORCH}:3"))];
    let (old, new) = tokio::join!(
        Served::of(refs(), Limits::default()),
        Served::of(refs(), Limits::default()),
    );
    let moved = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let body = review(&pod(&format!("{TORCH}:3"))).to_string();
    let mut askers = Vec::new();
    for n in 0..8 {
        // Each has a client of its own, and every other one speaks the old protocol.
        let build = |served: &Served| {
            let builder = served.builder();
            let builder = if n % 2 == 0 {
                builder
            } else {
                builder.http1_only()
            };
            (builder.build().unwrap(), served.url("/validate/enforce"))
        };
        let (before, after) = (build(&old), build(&new));
        let (moved, over, answered, body) =
            (moved.clone(), over.clone(), answered.clone(), body.clone());
        askers.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let is_moved = moved.load(Ordering::Relaxed);
                let (client, url) = if is_moved { &after } else { &before };
                let request = client.post(url).body(body.clone());
                let request = request.header("content-type", "application/json");
                let answer = request.send().await.expect("no request is lost");
                assert_eq!(answer.status(), 200);
                let text = answer.text().await.expect("a whole answer");
                assert!(text.contains("\"allowed\":true"), "{text}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let until = async |count: u64| {
        let reached = async {
            while answered.load(Ordering::Relaxed) < count
                && !askers.iter().any(|a| a.is_finished())
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, reached).await.expect("answers");
    };
    until(200).await;
    // Out of service first, then the stop: what is under way is still at the old one.
    moved.store(true, Ordering::Relaxed);
    old.stop.cancel();
    let now = answered.load(Ordering::Relaxed);
    until(now + 200).await;
    over.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.await.unwrap();
    }
    let reviews = |served: &Served| {
        served
            .metrics
            .admission
            .reviews
            .get(["enforce", "Allow", "None"])
    };
    assert!(reviews(&old) >= 200 && reviews(&new) > 0);
    assert_eq!(
        reviews(&old) + reviews(&new),
        answered.load(Ordering::Relaxed)
    );
    ended(old).await;
}
