//! The webhook as its callers see it: over TLS, and through an API server.
//!
//! Owns its process, the rules that send the API server there, and the pods it is asked about. Must
//! not know how a verdict is reached. The invariant that would break first: every answer is looked
//! at, and one that is not the right one ends the run.

mod idle;
mod pace;

use crate::fleet::Fleet;
use crate::place::Place;
use crate::verdicts::{milliseconds, percentile, pod};
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Request};
use kube::{Client, Config};
use serde_json::{Value, json};
use site::{Identity, Process, Progress, create};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Reviews over TLS that are paced, and how many a second.
const REVIEWS: u32 = 10_000;
const PER_SECOND: u32 = 1_000;

/// Reviews over TLS without a pause, and pods that the API server is asked to make.
const WITHOUT_PAUSE: u32 = 20_000;
const PODS: u32 = 2_000;

/// Requests under way at once where there is no pause.
const AT_ONCE: usize = 16;

/// Longest wait for a process to listen, or for the API server to take rules over.
const SOON: Duration = Duration::from_secs(60);

const MANIFEST: &str = include_str!("../../../../deploy/webhook.yaml");
const RULES: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const ENFORCE: &str = "/validate/enforce";

/// What was measured.
pub(crate) struct Timed {
    pub(crate) seconds: f64,
    /// The same with a webhook that does nothing.
    pub(crate) control_seconds: Option<f64>,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) verdicts_per_second: f64,
}

/// A webhook's process that knows a fleet.
pub(crate) struct Gate {
    pub(crate) webhook: Process,
    identity: Identity,
    /// `HOST:PORT`
    address: String,
    namespace: String,
    /// A pod whose images are declared.
    pod: Vec<u8>,
}

impl Gate {
    /// Starts the webhook beside references that have a status, and waits until it knows them.
    pub(crate) async fn open(place: &Place, progress: &Progress, fleet: &Fleet) -> Result<Self> {
        progress.step("starting the webhook", 1);
        let rights = MANIFEST.split("\n---\n");
        for part in rights.filter(|part| !part.contains("kind: ValidatingWebhookConfiguration")) {
            place.site.apply(part)?;
        }
        let namespaces = fleet.namespaces();
        let namespace = namespaces
            .first()
            .context("a fleet has namespaces")?
            .clone();
        let account = json!({"metadata": {"name": "default"}});
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        place
            .client
            .request_text(create(&accounts, &account)?)
            .await?;
        let label = json!({"metadata": {"labels": {"imageref.dev/admission": "enforce"}}});
        let request = Request::new("/api/v1/namespaces");
        let patch = request.patch(&namespace, &PatchParams::default(), &Patch::Merge(label))?;
        place.client.request_text(patch).await?;
        let images = images(&place.client, fleet).await?;
        let identity = Identity::new()?;
        let certificate = identity.write(place.site.folder())?;
        let mut webhook = place.admit(&certificate).await?;
        let address = listening(&mut webhook).await?;
        let pod = pod(&namespace, |n| images[n % images.len()].clone())?;
        Ok(Self {
            webhook,
            identity,
            address,
            namespace,
            pod,
        })
    }

    /// Reviews from outside: paced, then without a pause.
    pub(crate) async fn over_tls(&self, progress: &Progress) -> Result<Timed> {
        let mut config = Config::new(format!("https://{}", self.address).parse()?);
        config.root_cert = Some(vec![self.identity.authority.clone()]);
        config.default_retry = false;
        let client = Client::try_from(config)?;
        let review = review(&self.namespace, &self.pod)?;
        let ask = || {
            let (client, review) = (client.clone(), review.clone());
            async move {
                let answer = client.request_text(post(ENFORCE, review)?).await?;
                ensure!(answer.contains("\"allowed\":true"), "refused: {answer}");
                Ok(())
            }
        };
        // The first of each connection pays for its handshake.
        pace::side_by_side(&ask, AT_ONCE, AT_ONCE).await?;
        let (latencies, seconds) = pace::paced(&ask, REVIEWS, PER_SECOND).await?;
        progress.done(1);
        let (_, busy) = pace::side_by_side(&ask, WITHOUT_PAUSE.try_into()?, AT_ONCE).await?;
        progress.done(2);
        Ok(timed(latencies, seconds, f64::from(WITHOUT_PAUSE) / busy))
    }

    /// Pods that the API server is asked to make, and makes none of: first with a webhook that does
    /// nothing, then with this one.
    pub(crate) async fn through_api_server(
        &self,
        place: &Place,
        progress: &Progress,
    ) -> Result<Timed> {
        let idle = idle::Idle::start(&self.identity).await?;
        let (control, control_seconds) = self
            .asked(place, &idle.address, || idle.answered() > 0)
            .await?;
        progress.done(1);
        let control = timed(control, control_seconds, f64::from(PODS) / control_seconds);
        progress.line(&format!(
            "control: pods of a webhook that does nothing: p50 {:.2} ms, p99 {:.2} ms",
            control.p50_ms, control.p99_ms
        ));
        let (latencies, seconds) = self.asked(place, &self.address, || false).await?;
        progress.done(2);
        Ok(Timed {
            control_seconds: Some(control_seconds),
            ..timed(latencies, seconds, f64::from(PODS) / seconds)
        })
    }

    /// Has the API server ask at an address, and asks for pods once it does: when `begun`, or when
    /// a pod of unknown images is refused.
    async fn asked(
        &self,
        place: &Place,
        address: &str,
        begun: impl Fn() -> bool,
    ) -> Result<(Vec<Duration>, f64)> {
        let client = &place.client;
        let rules = create(RULES, &self.rules(address))?;
        client.request_text(rules).await?;
        let path = format!("/api/v1/namespaces/{}/pods?dryRun=All", self.namespace);
        let unknown = pod(&self.namespace, |n| format!("busybox:{n}"))?;
        let started = Instant::now();
        loop {
            let refused = client.request_text(post(&path, unknown.clone())?).await;
            if refused.is_err() || begun() {
                break;
            }
            ensure!(started.elapsed() < SOON, "the API server asks nobody");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let ask = || {
            let (path, pod) = (path.clone(), self.pod.clone());
            async move { Ok(client.request_text(post(&path, pod)?).await.map(drop)?) }
        };
        let found = pace::side_by_side(&ask, PODS.try_into()?, AT_ONCE).await?;
        let gone = Request::new(RULES).delete("bench", &DeleteParams::default())?;
        client.request_text(gone).await?;
        Ok(found)
    }

    /// The rule for pods of `deploy/webhook.yaml`, for this machine.
    fn rules(&self, address: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "bench"},
            "webhooks": [{
                "name": "enforce.imageref.dev",
                "failurePolicy": "Fail",
                "timeoutSeconds": 5,
                "clientConfig": {
                    "url": format!("https://{address}{ENFORCE}"),
                    "caBundle": STANDARD.encode(&self.identity.authority_pem),
                },
                "namespaceSelector": {"matchLabels": {"imageref.dev/admission": "enforce"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"],
                    "operations": ["CREATE", "UPDATE"], "scope": "Namespaced"}],
                "matchPolicy": "Equivalent",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }],
        })
    }
}

fn timed(mut latencies: Vec<Duration>, seconds: f64, per_second: f64) -> Timed {
    latencies.sort_unstable();
    Timed {
        seconds,
        control_seconds: None,
        p50_ms: milliseconds(percentile(&latencies, 50)),
        p99_ms: milliseconds(percentile(&latencies, 99)),
        verdicts_per_second: per_second,
    }
}

/// The images that references of the first namespace name.
async fn images(client: &Client, fleet: &Fleet) -> Result<Vec<String>> {
    let list = Request::new(fleet.path(0)).list(&ListParams::default())?;
    let list: Value = client.request(list).await?;
    let items = list["items"].as_array().into_iter().flatten();
    let images = items.filter_map(|item| item["status"]["image"].as_str());
    let images: BTreeSet<_> = images.map(str::to_owned).collect();
    ensure!(!images.is_empty(), "no reference has an image");
    Ok(images.into_iter().collect())
}

/// Where the webhook listens, once it knows everything.
async fn listening(webhook: &mut Process) -> Result<String> {
    loop {
        webhook.alive()?;
        let log = webhook.log();
        let line = log.lines().find(|line| line.contains("reviews are served"));
        let address = line.and_then(|line| line.split_once("127.0.0.1:"));
        if let Some((_, rest)) = address
            && log.contains("everything is listed")
        {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return Ok(format!("127.0.0.1:{port}"));
        }
        ensure!(
            webhook.started.elapsed() < SOON,
            "it is never ready:\n{log}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn post(path: &str, body: Vec<u8>) -> Result<http::Request<Vec<u8>>> {
    let request = http::Request::post(path).header("content-type", "application/json");
    Ok(request.body(body)?)
}

/// What an API server asks about a pod that is being made.
fn review(namespace: &str, pod: &[u8]) -> Result<Vec<u8>> {
    let pod: Value = serde_json::from_slice(pod)?;
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "b9c1f2a0-0000-4000-8000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "train",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": {"username": "bench"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
        },
    });
    Ok(serde_json::to_vec(&review)?)
}
