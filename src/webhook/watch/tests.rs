//! The watches against an API server that lists, tells of changes, fails and falls silent at will.

use super::*;
use crate::admission::Configuration;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

const REFS: &str = "/apis/imageref.dev/v1alpha1/imagerefs";
const SPACES: &str = "/api/v1/namespaces";

/// What the API server does with requests.
#[derive(Clone, Copy, Default)]
enum Mood {
    #[default]
    Well,
    Refusing,
    Silent,
}

#[derive(Default)]
struct Server {
    refs: Vec<Value>,
    spaces: Vec<Value>,
    mood: Mood,
    /// Where changes of a kind are told, while it is watched.
    watches: HashMap<&'static str, mpsc::UnboundedSender<Value>>,
    lists: usize,
    /// The versions from which references were watched.
    from: Vec<String>,
}

/// An API server that lists one object a page; each page after the first waits to be let go.
#[derive(Clone)]
struct Fake {
    server: Arc<Mutex<Server>>,
    pages: Arc<Semaphore>,
}

struct Running {
    fake: Fake,
    state: Arc<State>,
    _keep: AbortOnDropHandle<()>,
}

async fn answer(Extract(fake): Extract<Fake>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    let kind = if uri.path() == REFS { REFS } else { SPACES };
    let mood = fake.server.lock().unwrap().mood;
    match mood {
        Mood::Well => {}
        Mood::Refusing => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Silent => return std::future::pending().await,
    }
    if parameter("watch").is_some() {
        let (tell, told) = mpsc::unbounded_channel::<Value>();
        let mut server = fake.server.lock().unwrap();
        server.watches.insert(kind, tell);
        if kind == REFS {
            server.from.extend(parameter("resourceVersion"));
        }
        drop(server);
        let lines = stream::unfold(told, |mut told| async {
            let line = told.recv().await?.to_string() + "\n";
            Some((Ok::<_, std::io::Error>(Bytes::from(line)), told))
        });
        return Body::from_stream(lines).into_response();
    }
    let page: usize = parameter("continue").map_or(0, |token| token.parse().unwrap());
    if page > 0 {
        fake.pages.acquire().await.unwrap().forget();
    }
    let mut server = fake.server.lock().unwrap();
    server.lists += usize::from(page == 0);
    let all = if kind == REFS {
        &server.refs
    } else {
        &server.spaces
    };
    let next = (page + 1 < all.len()).then(|| (page + 1).to_string());
    let items: Vec<_> = all.get(page).into_iter().collect();
    let list = json!({
        "apiVersion": "v1", "kind": "List",
        "metadata": {"resourceVersion": "100", "continue": next}, "items": items,
    });
    list.to_string().into_response()
}

impl Running {
    fn new(refs: Vec<Value>, spaces: Vec<Value>) -> Self {
        let server = Server {
            refs,
            spaces,
            ..Server::default()
        };
        let fake = Fake {
            server: Arc::new(Mutex::new(server)),
            pages: Arc::new(Semaphore::new(1_000)),
        };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        let client = Client::new(router, "default");
        let state = Arc::new(State::new(Configuration::default()));
        let keep = tokio::spawn(keep(client, state.clone(), CancellationToken::new()));
        Self {
            fake,
            state,
            _keep: AbortOnDropHandle::new(keep),
        }
    }

    fn server<T>(&self, change: impl FnOnce(&mut Server) -> T) -> T {
        change(&mut self.fake.server.lock().unwrap())
    }

    /// Waits until something holds; ten virtual minutes at most.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("never: {what}");
    }

    async fn until_watched(&self) {
        let both = |r: &Self| r.server(|s| s.watches.len()) == 2;
        self.until("both kinds are watched", both).await;
    }

    fn tell(&self, kind: &'static str, type_: &str, object: &Value) {
        let event = json!({"type": type_, "object": object});
        self.server(|s| s.watches[kind].send(event).unwrap());
    }

    /// How many references of the namespace `team` are in verdicts.
    fn count(&self) -> usize {
        self.state.read("team", |known, _| known.len())
    }

    fn holds(&self, tag: &str) -> bool {
        let image = format!("r.example/ai/torch:{tag}");
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "spec": {"containers": [{"name": "c", "image": image}]}});
        let configuration = self.state.configuration();
        let object = crate::admission::extract(&pod, configuration).unwrap();
        let labels = Labels::from([("imageref.dev/admission".into(), "enforce".into())]);
        let context = crate::admission::Context::of_namespace("team", &labels);
        self.state.read("team", |known, _| {
            let verdict = crate::admission::verdict(&object, None, &context, known, configuration);
            verdict.findings.is_empty()
        })
    }

    fn is_old(&self) -> Option<String> {
        self.state.is_old(Instant::now().into_std())
    }
}

/// A reference that counts, to the tag of its name.
fn declared(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
        "metadata": {"name": name, "namespace": "team", "resourceVersion": version},
        "spec": {"source": {"notebook": {"name": name}}},
        "status": {
            "provider": {"kind": "ClusterImageProvider", "name": "default"},
            "image": format!("r.example/ai/torch:{name}"),
            "conditions": [{"type": "Ready", "status": "True", "reason": "Resolved", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        },
    })
}

fn space(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": name, "resourceVersion": "7", "labels": labels}})
}

fn status(code: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "no",
        "reason": "Any", "code": code})
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_once_both_kinds_are_listed_and_then_follows_changes() {
    let running = Running::new(
        vec![declared("a", "1"), declared("b", "2")],
        vec![space("team", &json!({}))],
    );
    assert!(!running.state.is_ready());
    running.until("ready", |r| r.state.is_ready()).await;
    assert_eq!(running.count(), 2);
    running.until_watched().await;
    running.tell(REFS, "ADDED", &declared("c", "101"));
    running.tell(REFS, "DELETED", &declared("a", "102"));
    running.until("c is there", |r| r.holds("c")).await;
    running.until("a is gone", |r| !r.holds("a")).await;
    assert!(running.holds("b"));
    running.tell(SPACES, "DELETED", &space("team", &json!({})));
    running
        .until("the namespace is gone", |r| {
            r.state.read("team", |_, labels| labels.is_none())
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_kind_alone_is_not_ready() {
    let running = Running::new(vec![declared("a", "1"), declared("b", "2")], Vec::new());
    running.fake.pages.forget_permits(1_000);
    let namespaces = |r: &Running| r.server(|s| s.watches.contains_key(SPACES));
    running.until("namespaces are listed", namespaces).await;
    assert!(
        !running.state.is_ready(),
        "a page of references is still out"
    );
    assert_eq!(running.count(), 0, "half a list is none");
    running.fake.pages.add_permits(1);
    running.until("ready", |r| r.state.is_ready()).await;
    assert_eq!(running.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_read_anew_replaces_the_old_one_at_its_end_and_drops_what_vanished() {
    let running = Running::new(vec![declared("a", "1"), declared("b", "2")], Vec::new());
    running.until_watched().await;
    running.fake.pages.forget_permits(1_000);
    running.server(|s| s.refs = vec![declared("b", "3"), declared("c", "4"), declared("d", "5")]);
    running.tell(REFS, "ERROR", &status(410));
    let lists = |r: &Running| r.server(|s| s.lists) == 3;
    running.until("it is listed anew", lists).await;
    for _ in 0..2 {
        assert!(
            running.holds("a") && !running.holds("c"),
            "the old list until the new one is whole"
        );
        running.fake.pages.add_permits(1);
        sleep(Duration::from_millis(100)).await;
    }
    running.until("the new list", |r| r.holds("d")).await;
    assert!(!running.holds("a") && running.holds("b") && running.holds("c"));
    assert_eq!(running.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lasted_or_broke_off_goes_on_from_the_last_version_without_a_list() {
    let running = Running::new(vec![declared("a", "1")], Vec::new());
    running.until_watched().await;
    running.tell(
        REFS,
        "BOOKMARK",
        &json!({"apiVersion": "v1", "kind": "ImageRef",
        "metadata": {"resourceVersion": "150"}}),
    );
    running.tell(REFS, "ERROR", &status(500));
    running
        .until("again", |r| r.server(|s| s.from.len()) == 2)
        .await;
    running.server(|s| s.watches.remove(REFS));
    running
        .until("once more", |r| r.server(|s| s.from.len()) == 3)
        .await;
    running.until_watched().await;
    // Nobody says anything: the connection may be gone.
    sleep(SILENCE + SETTLED).await;
    running
        .until("after the silence", |r| r.server(|s| s.from.len()) >= 4)
        .await;
    running.server(|s| {
        assert_eq!(s.from[..4], ["100", "150", "150", "150"]);
        assert_eq!(s.lists, 2, "each kind once");
    });
    running.until("not old", |r| r.is_old().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_fails_makes_it_old_after_half_a_minute_until_it_is_quiet_again() {
    for mood in [Mood::Refusing, Mood::Silent] {
        let running = Running::new(vec![declared("a", "1")], Vec::new());
        running.until_watched().await;
        running.server(|s| {
            s.mood = mood;
            s.watches.clear();
        });
        let begun = Instant::now();
        running.until("old", |r| r.is_old().is_some()).await;
        let took = begun.elapsed();
        assert!((30..70).contains(&took.as_secs()), "{took:?}");
        assert!(
            running.state.is_ready() && running.holds("a"),
            "what is known still serves"
        );
        running.server(|s| s.mood = Mood::Well);
        // Nothing changes any more: it is the open watch that tells.
        running.until("well", |r| r.is_old().is_none()).await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(running.is_old(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_opened_and_refused_at_once_time_and_again_is_old() {
    let running = Running::new(vec![declared("a", "1")], Vec::new());
    for _ in 0..20 {
        running.until_watched().await;
        running.tell(REFS, "ERROR", &status(500));
        running.server(|s| s.watches.remove(REFS));
    }
    let says = running.is_old().expect("it opens, and says nothing");
    assert!(
        says.contains("the watch of ImageRefs has been failing for"),
        "{says}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_declares_nothing_and_holds_up_no_other() {
    let bad = |name: &str, version: &str| {
        let mut object = declared(name, version);
        object["status"] = json!("none");
        object
    };
    let running = Running::new(
        vec![bad("a", "1"), declared("b", "2"), declared("c", "3")],
        Vec::new(),
    );
    running.until_watched().await;
    assert!(!running.holds("a") && running.holds("b"));
    running.tell(REFS, "MODIFIED", &bad("b", "101"));
    running.tell(REFS, "ADDED", &declared("d", "102"));
    running.until("d is there", |r| r.holds("d")).await;
    assert!(!running.holds("b"), "what it says now is not known");
    assert!(running.holds("c"));
    // A line that is no event at all: everything is read anew.
    running.server(|s| s.refs = vec![declared("e", "200")]);
    running.tell(REFS, "ADDED", &json!("none"));
    running.until("e is there", |r| r.holds("e")).await;
    assert_eq!(running.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_a_namespace_only_the_labels_of_admission_are_kept() {
    let labels =
        json!({"imageref.dev/admission": "warn", "team": "a", "other.dev/imageref.dev/": "b"});
    let running = Running::new(
        Vec::new(),
        vec![space("plain", &json!(null)), space("team", &labels)],
    );
    running.until_watched().await;
    let of = |namespace: &str| running.state.read(namespace, |_, labels| labels.cloned());
    assert_eq!(
        of("team"),
        Some(Labels::from([(
            "imageref.dev/admission".into(),
            "warn".into()
        )]))
    );
    assert_eq!(of("plain"), Some(Labels::new()));
    assert_eq!(of("unknown"), None);
}
