//! What is answered, and to how many and how slow clients.

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn served() -> (SocketAddr, Arc<Health>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Arc::new(Health::default());
    tokio::spawn(serve(listener, Arc::default(), health.clone()));
    (address, health)
}

async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // Who has said too much is cut off.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    say(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

#[tokio::test]
async fn health_and_readiness_are_two_things_and_metrics_are_open_metrics() {
    let (address, health) = served().await;
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    health.set_ready();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    health.end();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains(OPEN_METRICS), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    let past = Instant::now().checked_sub(LONGEST_CONNECTION * 10).unwrap();
    health.beat(past);
    // The old name says the same.
    for path in ["/livez", "/healthz"] {
        let stuck = get(address, path).await;
        assert!(stuck.starts_with("HTTP/1.1 503 "), "{path}: {stuck}");
        assert!(stuck.contains("have not turned for"), "{path}: {stuck}");
    }
}

#[tokio::test]
async fn nothing_else_is_answered_and_no_large_request_is_read() {
    let (address, _) = served().await;
    assert!(get(address, "/").await.starts_with("HTTP/1.1 404 "));
    let post = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n";
    assert!(say(address, post).await.starts_with("HTTP/1.1 405 "));
    let large = format!("GET /metrics?{} HTTP/1.1\r\n", "x".repeat(LARGEST_HEAD));
    let refused = say(address, &large).await;
    assert!(!refused.starts_with("HTTP/1.1 200 "), "{refused}");
}

#[tokio::test]
async fn clients_that_say_nothing_are_cut_off_and_keep_nobody_out_for_long() {
    let (address, _) = served().await;
    let mut silent = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let begun = Instant::now();
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    let took = begun.elapsed();
    assert!(took * 2 >= READ_TIMEOUT, "{took:?}: not bounded");
    assert!(took < LONGEST_CONNECTION * 2, "{took:?}");
}
