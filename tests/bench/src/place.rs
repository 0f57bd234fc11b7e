//! Where one size is measured: a control plane, a cloud, and an operator when it is wanted.
//!
//! Owns what is started. Must not know what is measured. The invariant that would break first: the
//! operator serves the namespaces of one fleet only, so that no other fleet costs it anything.

use crate::fleet::{Fleet, images};
use anyhow::Result;
use fakecloud::{FakeCloud, Fault, FaultKind, ImageApi};
use kube::Client;
use site::{Launch, Process, REGISTRY, Site, account};
use std::path::Path;

/// What each call of the cloud takes.
const LATENCY: FaultKind = FaultKind::Latency { ms: 100 };

/// A control plane with a provider, and the cloud that the provider names.
pub(crate) struct Place {
    pub(crate) site: Site,
    /// The bench's own client, an administrator.
    pub(crate) client: Client,
    /// The cloud.
    pub(crate) cloud: FakeCloud,
}

impl Place {
    /// Starts all but the operator, whose program this is.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let cloud = FakeCloud::start().await;
        cloud.clear_images(ImageApi::Notebook);
        for image in images() {
            cloud.put_notebook_image(image);
        }
        let site = Site::start(program).await?;
        site.apply(&account(&cloud.url()).to_string())?;
        let place = Self {
            client: site.client.clone(),
            site,
            cloud,
        };
        place.cloud_answers();
        Ok(place)
    }

    /// From now on the cloud answers, each call after its latency.
    pub(crate) fn cloud_answers(&self) {
        self.cloud.set_faults(vec![Fault::always(LATENCY)]);
    }

    /// From now on the cloud answers 503 to everything, as slowly.
    pub(crate) fn cloud_fails(&self) {
        let unavailable = FaultKind::Status {
            status: 503,
            error_code: "ModelArts.0503".into(),
            error_message: "the service is not available".into(),
            retry_after: None,
        };
        let faults = [LATENCY, unavailable].map(Fault::always);
        self.cloud.set_faults(faults.to_vec());
    }

    /// Starts the operator for one fleet; it asks the registry at this origin, or none.
    pub(crate) async fn operate(&self, fleet: &Fleet, registry: Option<&str>) -> Result<Process> {
        let registries = match registry {
            Some(origin) => format!("--registry-mirror={REGISTRY}={origin}"),
            None => "--no-registries".to_owned(),
        };
        let args = [
            "controller",
            "--insecure-loopback",
            &registries,
            "--allow-endpoint",
            &self.cloud.url(),
            "--cluster-providers",
            "--namespaces",
            &fleet.namespaces().join(","),
        ];
        self.process("imageref", &args).await
    }

    /// Starts the webhook, whose certificate is in a folder.
    pub(crate) async fn admit(&self, certificate: &Path) -> Result<Process> {
        let folder = certificate.display().to_string();
        let address = "127.0.0.1:0";
        let args = ["webhook", "--address", address, "--tls-dir", &folder];
        self.process("imageref-webhook", &args).await
    }

    async fn process(&self, account: &'static str, args: &[&str]) -> Result<Process> {
        let launch = Launch {
            name: "operator",
            account,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec![
                ("IMAGEREF_METRICS_ADDRESS".into(), "127.0.0.1:0".into()),
                // One runs after the other, and none waits for the lease of one that was killed.
                ("IMAGEREF_LEASE".into(), String::new()),
            ],
            ..Launch::default()
        };
        self.site.process(launch).await
    }
}
