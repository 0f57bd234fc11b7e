//! An API server for tests that need one to be late, away or refusing.

use kube::Client;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Status and body.
pub(super) type Answer = (u16, Value);

/// An API server that answers by the number of the request; the first one waits to be let go.
pub(super) struct Stub {
    pub(super) client: Client,
    /// How many requests came.
    pub(super) seen: Arc<AtomicUsize>,
    /// Told of each request.
    pub(super) arrived: Arc<Notify>,
    /// Lets the first one go.
    pub(super) go: Arc<Notify>,
}

impl Stub {
    pub(super) async fn new(
        holds_first: bool,
        answer: impl Fn(usize, &str) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (count, tell, wait) = (seen.clone(), arrived.clone(), go.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                let number = count.fetch_add(1, Ordering::Relaxed);
                let answer = answer(number, &request);
                tell.notify_one();
                let wait = (holds_first && number == 0).then(|| wait.clone());
                tokio::spawn(async move {
                    if let Some(wait) = wait {
                        wait.notified().await;
                    }
                    say(&mut stream, &answer).await;
                });
            }
        });
        Self {
            client,
            seen,
            arrived,
            go,
        }
    }
}

/// A whole request in lower case.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.unwrap();
        text.extend_from_slice(&part[..read]);
        let all = String::from_utf8_lossy(&text).to_lowercase();
        let Some((head, body)) = all.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if body.len() >= length {
            return all;
        }
    }
}

async fn say(stream: &mut TcpStream, (status, body): &Answer) {
    let body = body.to_string();
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Who asked may have gone.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A refusal as the API server words it.
pub(super) fn failed(code: u16, reason: &str) -> Answer {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "message": "no", "reason": reason, "code": code,
    });
    (code, status)
}
