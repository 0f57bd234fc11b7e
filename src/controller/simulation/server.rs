//! The simulated API server as an operator's client sees it, with every way a request can go wrong.
//!
//! Owns routes, watches and faults of the way. Must not know what is written. The invariant that would
//! break first: a request is carried out once or not at all, whatever becomes of its answer.

use super::chance::Draw;
use super::store::{Answer, Key, refusal};
use super::world::{Inner, Way, Who, World, milliseconds};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tower::BoxError;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Refused, and not carried out.
    Refused(u16),
    /// It does not arrive.
    Broken,
    /// It does not arrive, and nobody says so.
    Silent,
    /// Carried out, but the answer does not arrive.
    Unheard,
    UnheardInSilence,
}

/// An answer's body, as it comes.
pub(super) struct Coming(mpsc::UnboundedReceiver<Result<Bytes, BoxError>>);

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// As long as the operator's client waits for a byte (`cli::cluster`).
const PATIENCE: u64 = 310_000;

async fn silence<T>() -> Result<T, BoxError> {
    tokio::time::sleep(milliseconds(PATIENCE)).await;
    Err("nothing was heard for too long".into())
}

/// Where a request goes.
struct Route {
    key: Key,
    sub: Option<String>,
    watch: Option<u64>,
}

fn route(path: &str, query: &str) -> Route {
    let mut parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let head = if parts[0] == "api" { 2 } else { 3 };
    parts.drain(..head);
    let mut namespace = "";
    if parts[0] == "namespaces" && parts.len() > 2 {
        namespace = parts[1];
        parts.drain(..2);
    }
    let part = |at: usize| parts.get(at).map(|part| (*part).to_owned());
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    };
    Route {
        key: (
            part(0).unwrap(),
            namespace.into(),
            part(1).unwrap_or_default(),
        ),
        sub: part(2),
        watch: parameter("watch").map(|_| {
            let from = parameter("resourceVersion");
            from.and_then(|from| from.parse().ok()).unwrap_or(0)
        }),
    }
}

const fn kind_of(plural: &str) -> Option<&'static str> {
    Some(match plural.as_bytes() {
        b"imagerefs" => "ImageRef",
        b"imageproviders" => "ImageProvider",
        b"clusterimageproviders" => "ClusterImageProvider",
        b"imagecatalogs" => "ImageCatalog",
        _ => return None,
    })
}

/// Answers one request of a process. What was sent arrives, even if the process ends meanwhile.
pub(super) async fn serve(
    world: Arc<World>,
    who: Who,
    request: Request<Body>,
) -> Result<Response<Coming>, BoxError> {
    tokio::spawn(arrived(world, who, request)).await?
}

async fn arrived(
    world: Arc<World>,
    who: Who,
    request: Request<Body>,
) -> Result<Response<Coming>, BoxError> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let route = route(path, query);
    let kind = if route.key.0 == "leases" {
        "lease"
    } else {
        "api"
    };
    let Who { instance, .. } = who;
    let verb = if route.watch.is_some() {
        "WATCH"
    } else {
        parts.method.as_str()
    };
    // An event's name has the true time in it.
    let shown = path.split("/events/").next().unwrap_or(path);
    let what = format!("{instance} {verb} {shown}");
    let mut draw = world.draw(&what);
    world.step(kind, &format!("{what} is sent"), |inner, now| {
        inner
            .rules
            .sent(&inner.store, who, &parts.method, &route.key, now)
    });
    let (way, calm) = {
        let inner = world.lock();
        (inner.instances[instance].way, inner.calm)
    };
    let fate = match way {
        Way::Away => Fate::Broken,
        Way::Hanging if draw.one_in(2) => Fate::UnheardInSilence,
        Way::Hanging => Fate::Silent,
        Way::Refusing(code) => Fate::Refused(code),
        Way::Fine if calm => Fate::Answered,
        Way::Fine => match draw.within(0..400) {
            0..4 => Fate::Refused(*draw.pick(&[429, 500, 503, 504])),
            4 => Fate::Silent,
            5 => Fate::UnheardInSilence,
            6..9 => Fate::Unheard,
            9..11 => Fate::Broken,
            _ => Fate::Answered,
        },
    };
    let slow = !calm && draw.one_in(150);
    let mut leg = || {
        milliseconds(if slow {
            draw.within(500..6000)
        } else {
            draw.within(1..20)
        })
    };
    let (there, back) = (leg(), leg());
    tokio::time::sleep(there).await;
    match fate {
        Fate::Refused(code) => return Ok(whole(refusal(code, "InternalError"))),
        Fate::Broken => return Err("the connection broke".into()),
        Fate::Silent => return silence().await,
        Fate::Answered | Fate::Unheard | Fate::UnheardInSilence => {}
    }
    if let Some(from) = route.watch {
        if kind_of(&route.key.0).is_none() {
            return Ok(whole(refusal(403, "Forbidden")));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(feed(world, who, (route.key.0, from), draw, sender));
        return Ok(Response::new(Coming(receiver)));
    }
    let mut answer = refusal(500, "InternalError");
    world.step(kind, &format!("{what} is carried out"), |inner, now| {
        let before = inner.store.objects.get(&route.key).cloned();
        answer = carry_out(inner, &parts.method, &route, body);
        if matches!(answer.0, 200 | 201) && parts.method != Method::GET {
            return super::rules::written(inner, who, &route.key, before.as_ref(), now);
        }
        Ok(())
    });
    if fate == Fate::UnheardInSilence {
        return silence().await;
    }
    tokio::time::sleep(back).await;
    world.awake(instance).await;
    if fate == Fate::Unheard {
        return Err("the connection broke".into());
    }
    if (route.key.0.as_str(), route.key.2.as_str()) == ("imagerefs", "") {
        let version = answer.1["metadata"]["resourceVersion"].as_str();
        if let Some(version) = version.and_then(|version| version.parse().ok()) {
            world.lock().rules.told(who, version);
        }
    }
    Ok(whole(answer))
}

fn carry_out(inner: &mut Inner, method: &Method, route: &Route, body: Value) -> Answer {
    let store = &mut inner.store;
    let key = &route.key;
    match (method.as_str(), key.0.as_str(), key.2.as_str()) {
        ("POST", "selfsubjectaccessreviews", _) => {
            let mut review = body;
            review["status"] = json!({"allowed": false});
            (201, review)
        }
        (_, "events", _) => {
            let mut event = body;
            event["metadata"] = json!({"name": "event", "namespace": key.1});
            (201, event)
        }
        ("GET", plural, "") => match kind_of(plural) {
            Some(kind) => store.list(plural, kind),
            None => refusal(403, "Forbidden"),
        },
        ("GET", ..) => store.get(key),
        ("POST", ..) => {
            let name = body["metadata"]["name"].as_str().unwrap_or_default();
            let key = (key.0.clone(), key.1.clone(), name.to_owned());
            store.create(&key, body)
        }
        ("PUT", ..) => store.replace(key, body),
        ("PATCH", ..) if route.sub.as_deref() == Some("status") => store.patch_status(key, &body),
        _ => refusal(405, "MethodNotAllowed"),
    }
}

fn whole((code, body): Answer) -> Response<Coming> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let _ = sender.send(Ok(body.to_string().into()));
    let mut response = Response::new(Coming(receiver));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap();
    response
}

/// Feeds a watch until it ends, by whatever cause.
async fn feed(
    world: Arc<World>,
    who: Who,
    (plural, from): (String, u64),
    mut draw: Draw,
    sender: mpsc::UnboundedSender<Result<Bytes, BoxError>>,
) {
    let Who { instance, .. } = who;
    let mut changed = world.changed.subscribe();
    let ends = world.now() + draw.within(200_000..300_000);
    let mut at = from;
    let line = |value: Value| Bytes::from(value.to_string() + "\n");
    loop {
        let next = world.lock().store.after(at, &plural);
        let Ok(next) = next else {
            let gone = refusal(410, "Expired").1;
            let _ = sender.send(Ok(line(json!({"type": "ERROR", "object": gone}))));
            return;
        };
        let Some(change) = next else {
            let left = milliseconds(ends.saturating_sub(world.now()));
            tokio::select! {
                biased;
                () = sender.closed() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(left) => return,
            }
            continue;
        };
        let name = format!("{}/{}", change.key.1, change.key.2);
        let what = format!("{instance} {plural} {name}");
        let calm = world.lock().calm;
        let late = match draw.within(0..100) {
            0..12 if !calm => draw.within(1000..8000),
            _ => draw.within(2..60),
        };
        tokio::time::sleep(milliseconds(late)).await;
        world.awake(instance).await;
        let silent = world.now();
        let mut broken = false;
        while !broken && world.lock().instances[instance].way == Way::Hanging {
            tokio::time::sleep(milliseconds(1000)).await;
            broken = world.now() > silent + PATIENCE;
        }
        broken |= world.lock().instances[instance].way == Way::Away;
        if broken || (!calm && draw.one_in(150)) {
            let _ = sender.send(Err("the connection broke".into()));
            return;
        }
        if !calm && draw.one_in(200) {
            at = 0;
            if world.lock().store.after(at, &plural).is_err() {
                continue;
            }
            let gone = refusal(410, "Expired").1;
            let _ = sender.send(Ok(line(json!({"type": "ERROR", "object": gone}))));
            return;
        }
        at = change.version;
        let event = json!({"type": change.kind, "object": change.object});
        if sender.send(Ok(line(event))).is_err() {
            return;
        }
        let what = format!("{what} {} v{at}", change.kind);
        world.step("watch", &what, |inner, _| {
            if plural == "imagerefs" {
                inner.rules.told(who, at);
            }
            Ok(())
        });
    }
}
