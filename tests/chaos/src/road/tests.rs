//! Each mode against a small server.

use super::*;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::stream::poll_fn;
use serde_json::{Value, json};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Longer than anything here takes on a machine that also compiles.
const SOON: Duration = Duration::from_secs(20);

/// Long enough for what must not come to be missed.
const SILENCE: Duration = Duration::from_millis(300);

type Line = io::Result<&'static str>;

/// What stands for the API server: each watch is fed by the test.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<Vec<UnboundedSender<Line>>>>);

impl Fed {
    /// Feeds the watch that began last.
    fn send(&self, line: Line) {
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.last().unwrap().send(line).unwrap();
    }
}

/// What a request was, for its answer; without its body.
fn seen(request: &Request) -> Value {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "authorization": header("authorization"),
        "type": header("content-type"),
    })
}

async fn answer(State(fed): State<Fed>, request: Request) -> Response {
    match request.uri().path() {
        "/watched" => {
            let (sender, mut lines) = unbounded_channel();
            let mut watches = fed.0.lock().unwrap_or_else(PoisonError::into_inner);
            watches.push(sender);
            let lines = poll_fn(move |context| lines.poll_recv(context));
            Body::from_stream(lines).into_response()
        }
        "/gone" => StatusCode::GONE.into_response(),
        _ => {
            let mut seen = seen(&request);
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
            seen["body"] = String::from_utf8(body.unwrap().to_vec()).unwrap().into();
            let head = [("audit-id", "7"), ("content-type", "application/json")];
            (StatusCode::CREATED, head, seen.to_string()).into_response()
        }
    }
}

struct Scene {
    road: Road,
    fed: Fed,
    client: reqwest::Client,
}

impl Scene {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let fed = Fed::default();
        let router = Router::new().fallback(answer).with_state(fed.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self::at(&origin, fed)
    }

    fn at(origin: &str, fed: Fed) -> Self {
        install_crypto();
        let road = Road::start(origin, None, 2).unwrap();
        let ca = reqwest::Certificate::from_pem(road.ca_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .retry(reqwest::retry::never())
            .build()
            .unwrap();
        Self { road, fed, client }
    }

    fn request(&self, door: usize, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.road.url(door) + path)
    }

    /// The door is open a moment after it was told to be.
    async fn passes(&self, door: usize) {
        let begun = Instant::now();
        while let Err(error) = self.request(door, "/").timeout(SILENCE).send().await {
            assert!(begun.elapsed() < SOON, "{error:?}");
        }
    }

    async fn watch(&self) -> Watch {
        let sent = self.request(0, "/watched?x=1&watch=true").send();
        Watch(timeout(SOON, sent).await.unwrap().unwrap())
    }
}

struct Watch(reqwest::Response);

impl Watch {
    /// What comes next; `None` where the watch ends as it should.
    async fn next(&mut self) -> reqwest::Result<Option<String>> {
        let chunk = timeout(SOON, self.0.chunk()).await.unwrap()?;
        Ok(chunk.map(|chunk| String::from_utf8(chunk.to_vec()).unwrap()))
    }

    async fn brings(&mut self, line: &str) {
        assert_eq!(self.next().await.unwrap().as_deref(), Some(line));
    }

    async fn is_silent(&mut self) {
        let chunk = timeout(SILENCE, self.0.chunk()).await;
        assert!(chunk.is_err(), "{chunk:?}");
    }
}

#[tokio::test]
async fn requests_and_answers_pass_unchanged() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let answer = scene
        .client
        .patch(scene.road.url(0) + "/apis/x?fieldManager=me&dryRun=All")
        .header("authorization", "Bearer secret")
        .header("content-type", "application/merge-patch+json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["audit-id"], "7");
    let seen: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let sent = json!({
        "method": "PATCH",
        "path": "/apis/x",
        "query": "fieldManager=me&dryRun=All",
        "authorization": "Bearer secret",
        "type": "application/merge-patch+json",
        "body": "{}",
    });
    assert_eq!(seen, sent);
}

#[tokio::test]
async fn events_pass_as_they_come_and_the_end_too() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    for line in ["{\"first\":1}\n", "{\"second\":2}\n"] {
        scene.fed.send(Ok(line));
        watch.brings(line).await;
    }
    // Half of one, and the rest.
    scene.fed.send(Ok("{\"thi"));
    watch.is_silent().await;
    scene.fed.send(Ok("rd\":3}\n"));
    watch.brings("{\"third\":3}\n").await;
    scene.fed.0.lock().unwrap().clear();
    assert_eq!(watch.next().await.unwrap(), None);
    let counts = scene.road.counts();
    assert_eq!((counts.watches, counts.events), (1, 3));
}

#[tokio::test]
async fn what_the_api_server_breaks_off_breaks_off() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    scene.fed.send(Ok("{\"first\":1}\n"));
    watch.brings("{\"first\":1}\n").await;
    scene.fed.send(Err(io::ErrorKind::ConnectionReset.into()));
    assert!(watch.next().await.is_err());
    // Nobody listens there.
    let nowhere = Scene::at("http://127.0.0.1:1", Fed::default());
    let begun = Instant::now();
    while nowhere.road.counts().requests == 0 {
        assert!(nowhere.request(0, "/").send().await.is_err());
        assert!(begun.elapsed() < SOON);
    }
}

#[tokio::test]
async fn a_closed_door_resets_and_refuses_until_it_opens_again() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    scene.road.set_door(0, &Mode::Refuse);
    assert!(watch.next().await.is_err());
    let refused = scene.request(0, "/").send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    scene.passes(1).await;
    scene.road.set_door(0, &Mode::Pass);
    scene.passes(0).await;
}

#[tokio::test]
async fn a_black_hole_says_nothing_and_what_it_swallowed_stays_silent() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    scene.road.set(&Mode::BlackHole);
    let begun = Instant::now();
    while scene.road.counts().silenced < 1 {
        assert!(begun.elapsed() < SOON);
        tokio::task::yield_now().await;
    }
    scene.fed.0.lock().unwrap().clear();
    watch.is_silent().await;
    let unheard = scene.request(0, "/").send();
    assert!(timeout(SILENCE, unheard).await.is_err());
    scene.road.set(&Mode::Pass);
    scene.passes(0).await;
    watch.is_silent().await;
}

#[tokio::test]
async fn late_events_come_as_late_as_was_said_and_in_order() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    scene.road.set(&Mode::LateEvents(SILENCE));
    let sent = Instant::now();
    scene.fed.send(Ok("{\"first\":1}\n"));
    scene.fed.send(Ok("{\"second\":2}\n"));
    watch.brings("{\"first\":1}\n").await;
    assert!(sent.elapsed() >= SILENCE);
    watch.brings("{\"second\":2}\n").await;
    // Other requests are not late, and nothing is once it is over.
    scene.road.set(&Mode::LateEvents(SOON * 10));
    scene.passes(0).await;
    scene.fed.send(Ok("{\"third\":3}\n"));
    watch.is_silent().await;
    scene.road.set(&Mode::Pass);
    watch.brings("{\"third\":3}\n").await;
}

#[tokio::test]
async fn held_events_are_lost_with_their_connection_or_come_when_they_are_let_go() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    scene.road.set(&Mode::HoldEvents);
    scene.fed.send(Ok("{\"first\":1}\n"));
    watch.is_silent().await;
    scene.road.set(&Mode::Pass);
    watch.brings("{\"first\":1}\n").await;
    scene.road.set(&Mode::HoldEvents);
    scene.fed.send(Ok("{\"second\":2}\n"));
    watch.is_silent().await;
    scene.road.reset();
    assert!(watch.next().await.is_err());
    scene.passes(0).await;
}

#[tokio::test]
async fn a_cut_comes_in_the_middle_of_an_event_and_breaks_the_connection() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    scene.road.set(&Mode::CutEvents { after: 1 });
    for round in 1..=2 {
        let mut watch = scene.watch().await;
        scene.fed.send(Ok("{\"first\":1}\n"));
        watch.brings("{\"first\":1}\n").await;
        scene.fed.send(Ok("{\"second\":2}\n"));
        watch.brings("{\"seco").await;
        assert!(watch.next().await.is_err());
        assert_eq!(scene.road.counts().cut, round);
    }
}

#[tokio::test]
async fn what_is_answered_here_has_the_api_servers_words_and_reaches_only_the_share() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    let mut watch = scene.watch().await;
    let answer = |status, retry_after, percent| {
        Mode::Answer(Answer {
            status,
            retry_after,
            share: Share::percent(percent),
        })
    };
    scene.road.set(&answer(429, Some(3), 100));
    let refused = scene.request(0, "/").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "3");
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(body["kind"], "Status");
    assert_eq!(body["code"], 429);
    assert_eq!(body["reason"], "TooManyRequests");
    assert_eq!(body["details"]["retryAfterSeconds"], 3);
    // What is open goes on.
    scene.fed.send(Ok("{\"first\":1}\n"));
    watch.brings("{\"first\":1}\n").await;

    scene.road.set(&answer(500, None, 50));
    let mut failed = 0;
    for _ in 0..100 {
        let answer = scene.request(0, "/").send().await.unwrap();
        if answer.status() == 500 {
            assert!(!answer.headers().contains_key("retry-after"));
            failed += 1;
        }
    }
    assert_eq!(failed, 50);
    assert_eq!(scene.road.counts().answered, 51);
}

#[tokio::test]
async fn a_version_that_is_gone_is_counted_as_an_answer_and_as_an_event() {
    let scene = Scene::new().await;
    scene.passes(0).await;
    scene.request(0, "/gone").send().await.unwrap();
    assert_eq!(scene.road.counts().gone, 1);
    let mut watch = scene.watch().await;
    let other = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}\n";
    let gone = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n";
    scene.fed.send(Ok(other));
    watch.brings(other).await;
    assert_eq!(scene.road.counts().gone, 1);
    scene.fed.send(Ok(gone));
    watch.brings(gone).await;
    assert_eq!(scene.road.counts().gone, 2);
}
