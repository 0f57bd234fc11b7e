//! The webhook's certificate on a real API server, with the rights of `deploy/webhook-certificates.yaml`.
//!
//! Owns the objects that a keeper works on: a Secret and two configurations of the test's own. The
//! invariant that would break first: keepers run as a `ServiceAccount` with these rights and no others.

mod files;
mod load;
mod objects;

use super::on_cluster;
use cluster::Cluster;
use imageref::webhook::certificates::{Pace, Serving, Settings, keep, service_name};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

const RIGHTS: &str = include_str!("../deploy/webhook-certificates.yaml");

/// Longest wait for what keepers do within some looks.
const SOON: Duration = Duration::from_secs(90);

/// A Secret, two configurations of two webhooks each, and who may touch them.
struct Scene {
    cluster: &'static Cluster,
    /// Also the name of both configurations.
    namespace: String,
    admin: Client,
    operator: Client,
}

async fn client(kubeconfig: &str) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// As in the chart: no `caBundle`. The webhooks are called for `ConfigMap`s of one namespace.
fn configurations(namespace: &str, port: u16) -> String {
    let webhook = |name: &str| {
        format!(
            "{{name: {name}.imageref.dev, clientConfig: {{url: \"https://127.0.0.1:{port}/{name}\"}},
               rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}],
               namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}},
               failurePolicy: Fail, sideEffects: None, admissionReviewVersions: [v1]}}"
        )
    };
    let of = |kind: &str| {
        let webhooks = [webhook("one"), webhook("two")].join(",\n");
        format!(
            "{{apiVersion: admissionregistration.k8s.io/v1, kind: {kind},
               metadata: {{name: {namespace}}}, webhooks: [{webhooks}]}}"
        )
    };
    let kinds = [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    kinds.map(of).join("\n---\n")
}

impl Scene {
    /// `None` where there is no control plane to be had.
    async fn new(prefix: &str, port: u16) -> Option<Self> {
        let cluster = on_cluster::cluster()?;
        let namespace = on_cluster::namespace(prefix);
        cluster
            .kubectl(&["create", "serviceaccount", &namespace, "-n", &namespace])
            .unwrap();
        let rights = RIGHTS.replace("imageref-system", &namespace);
        let rights = rights.replace("imageref-webhook", &namespace);
        let objects = [rights, configurations(&namespace, port)].join("\n---\n");
        cluster
            .kubectl_with_stdin(&["apply", "-f", "-"], &objects)
            .unwrap();
        let token = cluster
            .service_account_token(&namespace, &namespace)
            .unwrap();
        let operator = cluster.kubeconfig_with_token(&token).unwrap();
        let operator = std::fs::read_to_string(operator).unwrap();
        Some(Self {
            cluster,
            namespace,
            admin: client(cluster.kubeconfig_yaml()).await,
            operator: client(&operator).await,
        })
    }

    fn secret(&self) -> String {
        format!("{}-certificates", self.namespace)
    }

    /// The name by which clients call the webhook.
    fn name(&self) -> String {
        service_name("webhook", &self.namespace)
    }

    fn settings(&self) -> Settings {
        Settings {
            namespace: self.namespace.clone(),
            secret: self.secret(),
            // The API server of a test cluster finds no Service: it calls an address.
            names: vec![self.name(), "127.0.0.1".into()],
            validating: vec![self.namespace.clone()],
            mutating: vec![self.namespace.clone()],
            pace: Pace {
                settle: Duration::from_secs(3),
                every: Duration::from_millis(200),
                ..Pace::default()
            },
        }
    }

    /// A replica, with its clock so many hours beside that of the test.
    fn keeper(&self, clock: &Clock, skew: i64) -> Replica {
        let serving = Arc::new(Serving::default());
        let stop = CancellationToken::new();
        let (clock, skew) = (clock.clone(), SignedDuration::from_hours(skew));
        tokio::spawn(keep(
            self.operator.clone(),
            self.settings(),
            serving.clone(),
            move || clock.now() + skew,
            stop.clone(),
        ));
        Replica {
            serving,
            _stop: stop.drop_guard(),
        }
    }

    /// Whom each of the four webhooks trusts, as text.
    async fn bundles(&self) -> Vec<String> {
        let validating: Api<ValidatingWebhookConfiguration> = Api::all(self.admin.clone());
        let mutating: Api<MutatingWebhookConfiguration> = Api::all(self.admin.clone());
        let validating = validating.get(&self.namespace).await.unwrap();
        let mutating = mutating.get(&self.namespace).await.unwrap();
        let validating = validating.webhooks.unwrap_or_default().into_iter();
        let mutating = mutating.webhooks.unwrap_or_default().into_iter();
        let all = validating.map(|webhook| webhook.client_config.ca_bundle);
        let all = all.chain(mutating.map(|webhook| webhook.client_config.ca_bundle));
        all.map(|bundle| String::from_utf8(bundle.unwrap_or_default().0).unwrap())
            .collect()
    }
}

/// A replica that ends with this value.
struct Replica {
    serving: Arc<Serving>,
    _stop: DropGuard,
}

/// The clock of a test: the true time, and days that the test lets pass.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_hours(24 * self.0.load(Ordering::Relaxed));
        Timestamp::now() + ahead
    }

    fn pass(&self, days: i64) {
        self.0.fetch_add(days, Ordering::Relaxed);
    }
}

/// Waits for a condition.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, waited).await;
    assert!(waited.is_ok(), "not within {SOON:?}: {what}");
}
