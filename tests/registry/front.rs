//! What stands in front of a registry, or in place of one: it passes requests on, notes them, and
//! does to requests and answers what a test says.
//!
//! Must not know the product. Dropping it ends it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) host: String,
    pub(super) authorization: Option<String>,
    accept: Option<String>,
}

/// An answer as it goes.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer with one error, as registries write them.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self::new(status, body.to_string())
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }
}

/// What to do with a request instead of passing it on.
type Before = Box<dyn FnMut(&Seen) -> Option<Reply> + Send>;
/// What to make of an answer.
type After = Box<dyn FnMut(&Seen, Reply) -> Reply + Send>;

struct Inner {
    upstream: Option<String>,
    client: reqwest::Client,
    seen: Mutex<Vec<Seen>>,
    before: Mutex<Before>,
    after: Mutex<After>,
}

pub(super) struct Front {
    origin: String,
    inner: Arc<Inner>,
    _stop: oneshot::Sender<()>,
}

impl Front {
    /// In front of a registry.
    pub(super) async fn of(registry: &cluster::Registry) -> Self {
        Self::start(Some(registry.origin())).await
    }

    /// In place of one: answers what the test says, and otherwise 404.
    pub(super) async fn alone() -> Self {
        Self::start(None).await
    }

    async fn start(upstream: Option<String>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let inner = Arc::new(Inner {
            upstream,
            client: client.build().unwrap(),
            seen: Mutex::default(),
            before: Mutex::new(Box::new(|_| None)),
            after: Mutex::new(Box::new(|_, reply| reply)),
        });
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let served = axum::serve(listener, router);
            tokio::select! {
                _ = served.into_future() => {}
                _ = stopped => {}
            }
        });
        Self {
            origin,
            inner,
            _stop: stop,
        }
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// `host/repository:tag` as references name it.
    pub(super) fn image(&self, repository: &str, tag: &str) -> String {
        let host = self.origin.split_once("://").unwrap().1;
        format!("{host}/{repository}:{tag}")
    }

    pub(super) fn before(&self, rule: impl FnMut(&Seen) -> Option<Reply> + Send + 'static) {
        *self.inner.before.lock().unwrap() = Box::new(rule);
    }

    pub(super) fn after(&self, rule: impl FnMut(&Seen, Reply) -> Reply + Send + 'static) {
        *self.inner.after.lock().unwrap() = Box::new(rule);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// Everything that came since this was asked last.
    pub(super) fn drain(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inner.seen.lock().unwrap())
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let seen = note(&request);
    let _ = to_bytes(request.into_body(), 1024).await;
    inner.seen.lock().unwrap().push(seen.clone());
    let ready = inner.before.lock().unwrap()(&seen);
    let reply = match ready {
        Some(reply) => reply,
        None => inner.pass_on(&seen).await,
    };
    let reply = inner.after.lock().unwrap()(&seen, reply);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = if seen.method == "HEAD" {
        Body::empty()
    } else {
        Body::from(reply.body)
    };
    response.body(body).unwrap()
}

fn note(request: &Request) -> Seen {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        host: text("host").unwrap_or_default(),
        authorization: text("authorization"),
        accept: text("accept"),
    }
}

impl Inner {
    async fn pass_on(&self, seen: &Seen) -> Reply {
        let Some(upstream) = &self.upstream else {
            return Reply::new(404, "not here");
        };
        let mark = if seen.query.is_empty() { "" } else { "?" };
        let url = format!("{upstream}{}{mark}{}", seen.path, seen.query);
        let mut request = self.client.request(seen.method.parse().unwrap(), url);
        for (name, value) in [
            ("authorization", &seen.authorization),
            ("accept", &seen.accept),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kept = [
            "content-type",
            "docker-content-digest",
            "www-authenticate",
            "location",
        ];
        let headers = kept.iter().filter_map(|name| {
            let value = answer.headers().get(*name)?.to_str().unwrap();
            Some(((*name).to_owned(), value.to_owned()))
        });
        let headers = headers.collect();
        let body = answer.bytes().await.unwrap().to_vec();
        Reply {
            status,
            headers,
            body,
        }
    }
}
