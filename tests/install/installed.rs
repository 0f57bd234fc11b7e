//! A release with something to do for its controller: providers, references, a catalogue.
//!
//! Owns what is declared, and when all of it is done. Must not know rights one by one. The invariant that
//! would break first: each start finds objects without a status and no lease, so that every right is used
//! again.

use super::super::metrics::get;
use super::super::operator::{self, condition};
use super::super::sign_in;
use super::needs::{Bench, until};
use super::release::{HOME, NAME, Release, address};
use super::rights::{self, Rights};
use cluster::{Cluster, Server};
use fakecloud::FakeCloud;
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use serde_json::{Value, json};

/// Objects that a run declares anew.
const OURS: &str = "install=yes";

/// In the log at level debug: what a watch of a Secret tells first.
pub(super) const WATCHED: &str = "the Secret changed";

/// A release, and what its controller has to do.
pub(super) struct Installed {
    pub(super) release: Release,
    cloud: FakeCloud,
    /// Whether it serves ClusterImageProviders.
    cluster_providers: bool,
    /// Whether it may make tokens of ServiceAccounts.
    workload_identity: bool,
    /// Whether it may watch Secrets that are listed.
    watches_secrets: bool,
}

impl Installed {
    /// With these values; `None` where there is no control plane, or no helm.
    pub(super) fn new(values: &Value) -> Option<Self> {
        Some(Self::of(Release::installed(values)?, values))
    }

    /// A release that was installed with these values.
    pub(super) fn of(release: Release, values: &Value) -> Self {
        let installed = Self {
            release,
            cloud: operator::runtime().block_on(FakeCloud::start()),
            cluster_providers: values["namespaces"].is_null() || values["clusterProviders"] == true,
            workload_identity: values["workloadIdentity"]["enabled"] == true,
            watches_secrets: values["rbac"]["secrets"] == "listed",
        };
        sign_in::register(&installed.cloud, "workload", HOME, "reader");
        let account = sign_in::service_account("reader", "workload");
        installed.release.apply(HOME, &account);
        let keys = operator::secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK);
        for namespace in ["team", HOME] {
            installed.release.apply(namespace, &keys);
        }
        installed.store_what_cannot_be_read();
        installed
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.release.kubectl(args)
    }

    pub(super) fn rights(&self) -> Rights {
        rights::of(&self.release.cluster, HOME, NAME)
    }

    /// An ImageRef `misfit` from under an older CRD: a text where this one has a truth value.
    fn store_what_cannot_be_read(&self) {
        let get = ["get", "crd", "imagerefs.imageref.dev", "-o", "json"];
        let mut crd: Value = serde_json::from_str(&self.kubectl(&get)).unwrap();
        crd["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        let replace = |crd: &Value| {
            let replace = ["replace", "-f", "-"];
            self.cluster()
                .kubectl_with_stdin(&replace, &crd.to_string())
                .unwrap();
        };
        let mut older = crd.clone();
        let version = older["spec"]["versions"][0].as_object_mut().unwrap();
        version["schema"]["openAPIV3Schema"] =
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        version.remove("selectableFields");
        replace(&older);
        let misfit = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
            "metadata": {"name": "misfit", "namespace": "team"},
            "spec": {"suspend": "perhaps", "source": {"notebook": {"id": ASCEND_NOTEBOOK_ID}}},
        });
        let create = ["create", "--validate=false", "-f", "-"];
        let created = || {
            self.cluster()
                .kubectl_with_stdin(&create, &misfit.to_string())
        };
        // A changed CRD is served a moment after it was accepted.
        until("the misfit is stored", String::new, || created().is_ok());
        replace(&crd);
    }

    /// A lease that nobody holds.
    pub(super) fn free_lease(&self) {
        let lease = "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: imageref-controller}}";
        let create = ["create", "-n", HOME, "-f", "-"];
        self.release
            .cluster
            .kubectl_with_stdin(&create, lease)
            .unwrap();
    }

    /// Has an ImageRef refused for the same reason a second time.
    pub(super) fn refuse_again(&self) {
        let refused = |generation: i64| {
            let object = self.get("imageref", "fickle");
            condition(&object, "Ready")["reason"] == "ExpectationFailed"
                && object["status"]["observedGeneration"] == generation
        };
        let say = || format!("{:#}", self.get("imageref", "fickle"));
        until("it is refused", say, || refused(1));
        let patch = json!({"spec": {"source": {"notebook": {"id": SEED_NOTEBOOK_ID}}}}).to_string();
        self.kubectl(&[
            "patch",
            "imageref",
            "fickle",
            "-n",
            "team",
            "--type=merge",
            "-p",
            &patch,
        ]);
        until("it is refused again", say, || refused(2));
    }

    /// Has a ClusterImageProvider be ready a second time.
    pub(super) fn ready_again(&self) {
        let point_at = |secret: &str| {
            let patch = json!({"spec": {"auth": {"secretRef": {"name": secret}}}}).to_string();
            self.kubectl(&[
                "patch",
                "clusterimageprovider",
                "shared",
                "--type=merge",
                "-p",
                &patch,
            ]);
        };
        self.is("clusterimageprovider", "shared", "CredentialsRead");
        point_at("none");
        self.is("clusterimageprovider", "shared", "SecretNotFound");
        point_at("huawei");
        self.is("clusterimageprovider", "shared", "CredentialsRead");
    }

    /// Declares the catalogue anew.
    pub(super) fn declare_catalog(&self) {
        let delete = [
            "delete",
            "imagecatalog",
            "admission",
            "-n",
            "team",
            "--ignore-not-found",
        ];
        self.kubectl(&delete);
        let catalog = json!({
            "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageCatalog",
            "metadata": {"name": "admission"}, "spec": {},
        });
        self.release.apply("team", &catalog.to_string());
    }

    /// Waits for the reason of an object's Ready.
    pub(super) fn is(&self, kind: &str, name: &str, reason: &str) {
        let what = format!("{kind} {name} is {reason}");
        let say = || format!("{:#}", self.get(kind, name));
        until(&what, say, || {
            condition(&self.get(kind, name), "Ready")["reason"] == reason
        });
    }

    fn holder(&self) -> String {
        let lease = [
            "get",
            "lease",
            "imageref-controller",
            "-n",
            HOME,
            "--ignore-not-found",
        ];
        self.kubectl(&[&lease[..], &["-o", "jsonpath={.spec.holderIdentity}"]].concat())
    }

    /// Events about objects of a namespace, or of the cluster (`default`), as lines of the reason and how
    /// often it was published in a series.
    fn events(&self, namespace: &str) -> String {
        let columns = "jsonpath={range .items[*]}{.reason} {.series.count}{\"\\n\"}{end}";
        self.kubectl(&[
            "get",
            "events.events.k8s.io",
            "-n",
            namespace,
            "-o",
            columns,
        ])
    }
}

impl Bench for Installed {
    fn cluster(&self) -> &Cluster {
        &self.release.cluster
    }

    fn declare(&self) {
        let kinds = "imagerefs,imageproviders,clusterimageproviders";
        self.kubectl(&["delete", kinds, "-A", "-l", OURS]);
        let lease = [
            "delete",
            "lease",
            "imageref-controller",
            "-n",
            HOME,
            "--ignore-not-found",
        ];
        self.kubectl(&lease);
        let url = self.cloud.url();
        let provider = |kind: &str, name: &str, more: &str, auth: &str| {
            let auth = if auth.is_empty() {
                "{secretRef: {name: huawei}}"
            } else {
                auth
            };
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: {kind}, metadata: {{name: {name}, labels: {{install: 'yes'}}}},
                  spec: {{{more} modelArts: {{region: {}, projectId: {}, endpoint: \"{url}\"}}, auth: {auth}}}}}",
                defaults::REGION,
                defaults::PROJECT_ID,
            )
        };
        let reference = |name: &str, kind: &str, provider: &str, more: &str| {
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: {name}, labels: {{install: 'yes'}}}},
                  spec: {{{more} providerRef: {{kind: {kind}, name: {provider}}}, source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}}}}}"
            )
        };
        let mut all = vec![
            provider("ImageProvider", "default", "", ""),
            reference("plain", "ImageProvider", "default", ""),
            reference(
                "fickle",
                "ImageProvider",
                "default",
                "expect: {status: [INACTIVE]},",
            ),
        ];
        if self.cluster_providers {
            let labelled = "allowedNamespaces: {selector: {matchLabels: {kubernetes.io/metadata.name: team}}},";
            all.push(provider("ClusterImageProvider", "shared", labelled, ""));
            all.push(reference("chosen", "ClusterImageProvider", "shared", ""));
        }
        if self.workload_identity {
            let auth = sign_in::workload("reader", &sign_in::sts("workload"));
            let named = "allowedNamespaces: {names: [team]},";
            all.push(provider("ClusterImageProvider", "workload", named, &auth));
            all.push(reference("worker", "ClusterImageProvider", "workload", ""));
        }
        self.release.apply("team", &all.join("\n---\n"));
        self.declare_catalog();
    }

    fn start(&self) -> Server {
        // The clouds are on this machine.
        let url = self.cloud.url();
        let more = [
            ("IMAGEREF_ALLOW_ENDPOINT", url.clone()),
            ("IMAGEREF_HUAWEI_STS_ENDPOINT", url),
            ("IMAGEREF_INSECURE_LOOPBACK", "true".into()),
            (operator::NO_REGISTRIES, "true".into()),
        ];
        self.release.start(NAME, &more)
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        self.release.get(kind, name, "team")
    }

    fn all_is_well(&self, process: &Server) {
        if self.watches_secrets {
            let watched = || process.log().contains(WATCHED);
            until("a Secret is watched", || process.log(), watched);
        }
        let metrics = address(process, "metrics and health are served");
        until(
            "it is ready",
            || process.log(),
            || get(&metrics, "/readyz").0 == 200,
        );
        self.is("imageref", "misfit", "InvalidSpec");
        self.is("imageref", "plain", "Resolved");
        self.is("imageprovider", "default", "CredentialsRead");
        if self.cluster_providers {
            self.is("imageref", "chosen", "Resolved");
            self.ready_again();
            until(
                "the provider's event is there again",
                || self.events("default"),
                || self.events("default").contains("CredentialsRead 2"),
            );
        }
        if self.workload_identity {
            self.is("imageref", "worker", "Resolved");
        }
        let catalog = || self.get("imagecatalog", "admission");
        until(
            "the catalogue is written",
            || format!("{:#}", catalog()),
            || catalog()["status"]["observedGeneration"] == 1,
        );
        self.refuse_again();
        until(
            "the event is there again",
            || self.events("team"),
            || self.events("team").contains("ExpectationFailed 2"),
        );
        assert!(!self.holder().is_empty(), "nobody holds the lease");
    }
}
