//! Digests in statuses: the operator's own process, simulated clouds, and a real registry.
//!
//! Owns one more control plane whose operator reads registries, and lanes through it: a namespace, a
//! cloud, and a host of images that this machine stands for, one of each for every test. Nothing leaves
//! this machine. The invariant that would break first: what a test does to its host touches no other
//! lane.

mod answers;
mod changes;
mod failures;
mod logins;
mod reach;
mod secrets;

use super::on_cluster;
use super::operator::{self, NO_REGISTRIES, Scene, condition, runtime};
use super::registry::depot::Depot;
use super::registry::front::{Front, Reply, Seen};
use super::registry::token_service::Guarded;
use super::registry::token_service::{PASSWORD, USER};
use cluster::{Cluster, Registry, RegistryAuth, Server};
use fakecloud::{FakeCloud, ImageApi, defaults};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock};

/// Tests that use the shared operator.
const LANES: usize = 16;
/// A host of PAI's whose registry is over TLS, with a certificate of an authority of its own.
const TLS_HOST: &str = "tls-registry.cn-shanghai.cr.aliyuncs.com";
/// A host whose registry takes connections and never answers.
const HUNG_HOST: &str = "hung.swr-pro.myhuaweicloud.com";

/// What a test has to itself beside the operator.
struct Place {
    cloud: Arc<FakeCloud>,
    front: Front,
    /// As images name it.
    host: String,
}

struct Shared {
    cluster: &'static Cluster,
    operator: Server,
    places: Mutex<Vec<Place>>,
    guarded: Guarded,
    tls: Registry,
    /// In front of the same registry: SWR of the clouds' region.
    swr: Front,
    _hung: TcpListener,
}

/// A registry and what gives out its tokens: to [`USER`], and to those whose logins the clouds gave.
async fn guarded(clouds: Vec<Arc<FakeCloud>>) -> Guarded {
    let knows = move |username: &str, password: &str| {
        let of_swr = |cloud: &Arc<FakeCloud>| {
            cloud.accepts_registry_login(defaults::SWR_HOST, username, password)
        };
        (username, password) == (USER, PASSWORD) || clouds.iter().any(of_swr)
    };
    Guarded::knowing(knows).await.expect("it is built")
}

/// The flags of an operator that may ask the clouds and the token service, and reads hosts elsewhere.
fn flags<'a>(
    clouds: impl IntoIterator<Item = &'a Arc<FakeCloud>>,
    guarded: &Guarded,
    mirrors: &[(&str, &str)],
) -> Vec<String> {
    let mut args = vec![
        "--insecure-loopback".to_owned(),
        format!("--allow-registry={}", guarded.service.origin()),
    ];
    let clouds = clouds.into_iter();
    args.extend(clouds.map(|cloud| format!("--allow-endpoint={}", cloud.url())));
    let mirrors = mirrors.iter();
    args.extend(mirrors.map(|(host, origin)| format!("--registry-mirror={host}={origin}")));
    args
}

/// The variables of an operator that reads registries.
fn reading() -> Vec<(String, String)> {
    vec![(NO_REGISTRIES.to_owned(), "false".to_owned())]
}

async fn place(number: usize, cloud: Arc<FakeCloud>, guarded: &Guarded) -> Place {
    Place {
        cloud,
        front: Front::of(&guarded.registry).await,
        host: format!("lane-{number}.swr-pro.myhuaweicloud.com"),
    }
}

fn shared() -> Option<&'static Shared> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    if !cluster::require() || !cluster::require_registry() {
        return None;
    }
    Some(SHARED.get_or_init(|| {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start().unwrap()));
        on_cluster::apply_crds(cluster);
        let tls = Registry::start(true, RegistryAuth::Open).unwrap();
        let ca_file = cluster.folder().join("registry-ca.pem");
        std::fs::write(&ca_file, tls.ca_pem().unwrap()).unwrap();
        let hung = TcpListener::bind("127.0.0.1:0").unwrap();
        let (guarded, places, swr) = runtime().block_on(async {
            let mut clouds = Vec::new();
            for _ in 0..LANES {
                clouds.push(Arc::new(FakeCloud::start().await));
            }
            let guarded = guarded(clouds.clone()).await;
            let mut places = Vec::new();
            for (number, cloud) in clouds.into_iter().enumerate() {
                places.push(place(number, cloud, &guarded).await);
            }
            let swr = Front::of(&guarded.registry).await;
            (guarded, places, swr)
        });
        let (tls_origin, hung_origin) = (
            tls.origin(),
            format!("http://{}", hung.local_addr().unwrap()),
        );
        let mut mirrors = vec![
            (defaults::SWR_HOST, swr.origin()),
            (TLS_HOST, tls_origin.as_str()),
            (HUNG_HOST, hung_origin.as_str()),
        ];
        mirrors.extend(places.iter().map(|p| (p.host.as_str(), p.front.origin())));
        let mut args = flags(places.iter().map(|place| &place.cloud), &guarded, &mirrors);
        args.push(format!("--ca-file={}", ca_file.display()));
        Shared {
            cluster,
            operator: operator::start_with(cluster, "operator-digests", args, reading()),
            places: Mutex::new(places),
            guarded,
            tls,
            swr,
            _hung: hung,
        }
    }))
}

/// One test's part: a scene, and a host whose images are in a registry.
struct Lane {
    scene: Scene,
    front: Front,
    host: String,
    shared: &'static Shared,
}

impl Deref for Lane {
    type Target = Scene;
    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Lane {
    /// `None` where there is no control plane or no registry to be had (it says so).
    fn new(prefix: &str) -> Option<Self> {
        let shared = shared()?;
        let place = shared.places.lock().unwrap().pop();
        let Place { cloud, front, host } = place.expect("LANES is too small");
        Some(Self {
            scene: Scene {
                cluster: shared.cluster,
                cloud,
                namespace: on_cluster::namespace_in(shared.cluster, prefix),
                operator: None,
                shared: Some(&shared.operator),
            },
            front,
            host,
            shared,
        })
    }

    /// A repository of the test's own that everybody may read.
    fn open(&self, name: &str) -> String {
        format!("public/{}/{name}", self.namespace)
    }

    /// A repository of the test's own that needs a login.
    fn closed(&self, name: &str) -> String {
        format!("team/{}/{name}", self.namespace)
    }

    fn path(&self, repository: &str) -> String {
        format!("{}/{repository}:1", self.host)
    }

    /// Pushes an image for one platform as tag `1`; `note` makes it differ. Gives its digest.
    fn push(&self, repository: &str, platform: &str, note: &str) -> String {
        let depot = self.shared.guarded.depot(repository);
        runtime().block_on(depot.single(repository, Some("1"), false, platform, note))
    }

    /// A notebook image of the cloud under this path; gives its id.
    fn notebook(&self, path: &str) -> String {
        let id = defaults::ASCEND_NOTEBOOK_ID;
        let mut image = self.cloud.image(ImageApi::Notebook, id).unwrap();
        image["id"] = Value::Null;
        image["swr_path"] = path.into();
        image["name"] = "one".into();
        image.as_object_mut().unwrap().remove("id");
        self.cloud.put_notebook_image(image)
    }

    /// An image for `linux/arm64` in the registry and on the platform; gives the source and the digest.
    fn image(&self, repository: &str) -> (String, String) {
        let digest = self.push(repository, "linux/arm64", "");
        (source(&self.notebook(&self.path(repository))), digest)
    }

    /// Waits for this digest.
    fn wait_digest(&self, name: &str, digest: &str) -> Value {
        self.wait("imageref", name, |object| {
            object["status"]["digest"] == digest
        })
    }

    /// Waits for a reason of Stale; null for none.
    fn wait_stale(&self, name: &str, reason: impl Into<Value>) -> Value {
        let reason = reason.into();
        self.wait("imageref", name, |object| {
            condition(object, "Stale")["reason"] == reason && !condition(object, "Ready").is_null()
        })
    }

    /// Asks for a look, and waits until it was made.
    fn look_now(&self, name: &str, mark: &str) -> Value {
        self.annotate(name, mark);
        self.wait("imageref", name, |object| {
            object["status"]["lastHandledReconcileAt"] == mark
        })
    }

    fn annotate(&self, name: &str, mark: &str) {
        let annotation = format!("imageref.dev/reconcile-requested-at={mark}");
        self.kubectl(&["annotate", "--overwrite", "imageref", name, &annotation]);
    }

    /// Merges into an object's spec.
    fn patch(&self, object: &str, spec: &Value) {
        let patch = json!({ "spec": spec }).to_string();
        self.kubectl(&["patch", object, "--type=merge", "-p", &patch]);
    }

    /// A Secret of the type `kubernetes.io/dockerconfigjson` with one login for the test's host.
    fn pull_secret(&self, name: &str, username: &str, password: &str) {
        self.apply(&pull_secret(name, &self.host, username, password));
    }

    /// From now on the registry is down.
    fn down(&self) {
        self.front.before(|_| Some(Reply::new(503, "down")));
    }

    /// From now on it is up again.
    fn up(&self) {
        self.front.before(|_| None);
    }
}

fn pull_secret(name: &str, host: &str, username: &str, password: &str) -> String {
    let config = json!({"auths": {host: {"username": username, "password": password}}});
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name}, "stringData": {".dockerconfigjson": config.to_string()},
    })
    .to_string()
}

/// Whether an object is Ready, and since when.
fn ready_since(object: &Value) -> (Value, Value) {
    let ready = condition(object, "Ready");
    (ready["status"].clone(), ready["lastTransitionTime"].clone())
}

fn source(id: &str) -> String {
    format!("source: {{notebook: {{id: {id}}}}}")
}

fn by(provider: &str, source: &str) -> String {
    format!("providerRef: {{kind: ImageProvider, name: {provider}}}, {source}")
}

/// Requests for manifests and configs that were let in: the others were only told where tokens are.
fn reads(seen: &[Seen]) -> usize {
    seen.iter()
        .filter(|seen| seen.authorization.is_some())
        .count()
}
