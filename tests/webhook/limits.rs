//! What whoever reaches the port can take: bounded memory, bounded time, bounded places.

use super::reviews::review;
use super::served::{SOON, Served};
use crate::verdict::world::pod;
use imageref::webhook::server::Limits;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(300);

const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// The head of a request whose body has this length.
fn head(length: usize) -> Vec<u8> {
    format!(
        "POST /validate/enforce HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Everything that comes until the server closes the connection.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut has told what it had to tell.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes))
        .await
        .expect("an end");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_not() {
    let whole = review(&pod("busybox")).to_string();
    let limits = Limits {
        body: whole.len(),
        wait: Duration::ZERO,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let larger = format!("{whole} ");
    for http1 in [false, true] {
        let builder = if http1 {
            served.builder().http1_only()
        } else {
            served.builder()
        };
        let client = builder.build().unwrap();
        let ask = async |text: &str| {
            let request = client
                .post(served.url("/validate/enforce"))
                .body(text.to_owned());
            let request = request.header("content-type", "application/json");
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(ask(&whole).await, 200, "http1: {http1}");
        assert_eq!(ask(&larger).await, 413, "http1: {http1}");
    }
    // Nor does it help not to tell the length.
    for (text, status) in [(&whole, "200"), (&larger, "413")] {
        let mut stream = served.connect(HTTP1).await;
        let head = "POST /validate/enforce HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunks = format!("{head}{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        stream.write_all(chunks.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    assert_eq!(served.refused("too_large"), 3);
}

#[tokio::test]
async fn a_length_that_is_a_lie_reserves_nothing() {
    let served = Served::of([], Limits::default()).await;
    let mut stream = served.connect(HTTP1).await;
    stream.write_all(&head(usize::MAX / 2)).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let served = Served::of(
        [],
        Limits {
            read: SHORT,
            ..Limits::default()
        },
    )
    .await;
    let mut slow = served.connect(HTTP1).await;
    slow.write_all(&head(100)).await.unwrap();
    slow.write_all(b"{").await.unwrap();
    let begun = Instant::now();
    assert!(rest(&mut slow).await.starts_with("HTTP/1.1 408 "));
    assert!(begun.elapsed() * 2 >= SHORT, "{:?}", begun.elapsed());
    assert_eq!(served.refused("too_slow"), 1);

    let mut broken = served.connect(HTTP1).await;
    broken.write_all(&head(100)).await.unwrap();
    broken.write_all(b"{").await.unwrap();
    broken.shutdown().await.unwrap();
    rest(&mut broken).await;
    assert_eq!(served.refused("broken") + served.refused("too_slow"), 2);
}

#[tokio::test]
async fn bodies_wait_for_room_and_are_given_up_if_there_is_none() {
    let whole = review(&pod("busybox")).to_string();
    let limits = Limits {
        bodies: whole.len(),
        read: SOON,
        wait: Duration::ZERO,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let mut holder = served.connect(HTTP1).await;
    holder.write_all(&head(whole.len())).await.unwrap();
    let (first, last) = whole.split_at(whole.len() - 1);
    holder.write_all(first.as_bytes()).await.unwrap();
    // Its turn comes when the other's body is whole; the first ones may be there before it.
    let client = served.client();
    let bad = review(&pod("busybox"));
    let begun = Instant::now();
    let waiting = loop {
        let mut asked = Box::pin(served.post(&client, "/validate/enforce", &bad));
        if timeout(SHORT, &mut asked).await.is_err() {
            break asked;
        }
        assert!(begun.elapsed() < SOON, "there is always room");
    };
    holder.write_all(last.as_bytes()).await.unwrap();
    let (status, _) = timeout(SOON, waiting).await.unwrap();
    assert_eq!(status, 200);
}

#[tokio::test]
async fn connections_without_a_handshake_or_a_request_are_cut() {
    let limits = Limits {
        handshake: SHORT,
        first_request: SHORT,
        idle: SHORT * 2,
        stop: SHORT,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    rest(&mut silent).await;
    assert_eq!(served.refused("handshake"), 1);
    // Not even the preface of HTTP/2, and a head that never ends.
    let mut mute = served.connect(&[b"h2"]).await;
    rest(&mut mute).await;
    let mut endless = served.connect(HTTP1).await;
    endless
        .write_all(b"POST /validate/enforce HTTP/1.1\r\nA: ")
        .await
        .unwrap();
    rest(&mut endless).await;
    // One that was used is kept for longer, and not for ever.
    let mut used = served.connect(HTTP1).await;
    used.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let begun = Instant::now();
    assert!(rest(&mut used).await.starts_with("HTTP/1.1 404 "));
    assert!(begun.elapsed() >= SHORT * 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let served = Served::of([], limits).await;
    let first = served.connect(HTTP1).await;
    let _second = served.connect(HTTP1).await;
    let third = TcpStream::connect(served.address).await.unwrap();
    let mut shake = Box::pin(served.shake(third, HTTP1));
    assert!(
        timeout(SHORT, &mut shake).await.is_err(),
        "there was no place"
    );
    drop(first);
    let mut third = timeout(SOON, shake).await.unwrap().unwrap();
    third
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn large_heads_are_refused() {
    let served = Served::of([], Limits::default()).await;
    let mut stream = served.connect(HTTP1).await;
    let large = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(64 * 1024));
    let _ = stream.write_all(large.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    assert!(!answer.starts_with("HTTP/1.1 404"), "{answer}");
}
