//! The rights of the controller: what is declared, and what is seen without each right.

use super::super::{on_cluster, operator};
use super::needs::{Bench, Row, Seen, each_is_needed, until};
use super::rights;
use cluster::{Cluster, Server, Spec};
use fakecloud::FakeCloud;
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID};
use operator::condition;
use serde_json::{Value, json};
use std::path::PathBuf;

const SYSTEM: &str = "imageref-system";

/// Objects that a run declares anew.
const OURS: &str = "install=yes";

/// `list` and `watch` are needed for the same.
const fn followed(resource: &'static str, failed: &'static str) -> [Row<Installed>; 2] {
    [
        Row::new("list", resource, Seen::Log(failed)),
        Row::new("watch", resource, Seen::Log(failed)),
    ]
}

fn rows() -> Vec<Row<Installed>> {
    let lease = Seen::Log("the lease could not be read or taken");
    let event = Seen::Log("the event was not published");
    let reference = Seen::Log("the ImageRef could not be written");
    let provider = Seen::Log("the provider could not be written");
    let catalog = Seen::Log("the ImageCatalog could not be written");
    let labels = Seen::Ready(
        "imageref",
        "chosen",
        "Progressing",
        "cannot get resource \"namespaces\"",
    );
    let secret = Seen::Ready(
        "imageprovider",
        "default",
        "SecretInvalid",
        "may not be read",
    );
    let mut rows = vec![
        Row::new("get", "leases", lease),
        Row::new("create", "leases", lease),
        // One that somebody gave back.
        Row::new("update", "leases", lease).before(Installed::free_lease),
        // An object that an older CRD let through is read by itself.
        Row::new("get", "imagerefs", reference),
        Row::new("patch", "imagerefs/status", reference),
        Row::new("patch", "imageproviders/status", provider),
        Row::new("patch", "clusterimageproviders/status", provider),
        Row::new("patch", "imagecatalogs/status", catalog),
        Row::new("get", "secrets", secret),
        Row::new("get", "namespaces", labels),
        Row::new("create", "events", event),
        Row::new("patch", "events", event).during(Installed::refuse_again),
    ];
    rows.extend(followed("imagerefs", "the watch of ImageRefs failed"));
    rows.extend(followed(
        "imageproviders",
        "the watch of ImageProviders failed",
    ));
    rows.extend(followed(
        "clusterimageproviders",
        "the watch of ClusterImageProviders failed",
    ));
    rows.extend(followed(
        "imagecatalogs",
        "the watch of ImageCatalogs failed",
    ));
    rows
}

/// The operator in a control plane of its own, and what it has to do there.
struct Installed {
    cluster: Cluster,
    cloud: FakeCloud,
    args: Vec<String>,
    /// Where its account and its lease are.
    home: &'static str,
    /// Whether it serves ClusterImageProviders.
    cluster_wide: bool,
}

impl Installed {
    /// With these manifests; `None` where there is no control plane.
    fn new(manifests: &str, home: &'static str, cluster_wide: bool) -> Option<Self> {
        if !cluster::require() {
            return None;
        }
        let installed = Self {
            cluster: Cluster::start().unwrap(),
            cloud: operator::runtime().block_on(FakeCloud::start()),
            args: Vec::new(),
            home,
            cluster_wide,
        };
        on_cluster::apply_crds(&installed.cluster);
        installed.kubectl(&["create", "namespace", "team"]);
        installed.kubectl(&["create", "namespace", SYSTEM]);
        let apply = ["apply", "-n", home, "-f", "-"];
        installed
            .cluster
            .kubectl_with_stdin(&apply, manifests)
            .unwrap();
        installed.store_what_cannot_be_read();
        Some(installed)
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(args).unwrap()
    }

    fn apply(&self, manifest: &str) {
        let apply = ["apply", "-n", "team", "-f", "-"];
        self.cluster.kubectl_with_stdin(&apply, manifest).unwrap();
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
            self.cluster
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
            self.cluster
                .kubectl_with_stdin(&create, &misfit.to_string())
        };
        // A changed CRD is served a moment after it was accepted.
        until("the misfit is stored", String::new, || created().is_ok());
        replace(&crd);
    }

    /// A lease that nobody holds.
    fn free_lease(&self) {
        let lease = "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: imageref-controller}}";
        let create = ["create", "-n", self.home, "-f", "-"];
        self.cluster.kubectl_with_stdin(&create, lease).unwrap();
    }

    /// Has an ImageRef refused for the same reason a second time.
    fn refuse_again(&self) {
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

    fn holder(&self) -> String {
        let lease = [
            "get",
            "lease",
            "imageref-controller",
            "-n",
            self.home,
            "--ignore-not-found",
        ];
        self.kubectl(&[&lease[..], &["-o", "jsonpath={.spec.holderIdentity}"]].concat())
    }

    /// How often each kind of event was seen, as `REASON COUNT` lines; the count is of the series.
    fn events(&self) -> String {
        let columns = "jsonpath={range .items[*]}{.reason} {.series.count}{\"\\n\"}{end}";
        let get = ["get", "events.events.k8s.io", "-n", "team", "-o", columns];
        self.kubectl(&get)
    }
}

impl Bench for Installed {
    fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn declare(&self) {
        let kinds = "imagerefs,imageproviders,clusterimageproviders,imagecatalogs";
        self.kubectl(&["delete", kinds, "-A", "-l", OURS]);
        let lease = [
            "delete",
            "lease",
            "imageref-controller",
            "-n",
            self.home,
            "--ignore-not-found",
        ];
        self.kubectl(&lease);
        let keys = operator::secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK);
        let url = self.cloud.url();
        let provider = |kind: &str, name: &str, more: &str| {
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: {kind}, metadata: {{name: {name}, labels: {{install: 'yes'}}}},
                  spec: {{{more} modelArts: {{region: {}, projectId: {}, endpoint: \"{url}\"}}, auth: {{secretRef: {{name: huawei}}}}}}}}",
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
        let catalog = "{apiVersion: imageref.dev/v1alpha1, kind: ImageCatalog, metadata: {name: admission, labels: {install: 'yes'}}, spec: {}}";
        let mut all = vec![
            keys.clone(),
            provider("ImageProvider", "default", ""),
            reference("plain", "ImageProvider", "default", ""),
            reference(
                "fickle",
                "ImageProvider",
                "default",
                "expect: {status: [INACTIVE]},",
            ),
            catalog.into(),
        ];
        if self.cluster_wide {
            let apply = ["apply", "-n", SYSTEM, "-f", "-"];
            self.cluster.kubectl_with_stdin(&apply, &keys).unwrap();
            let labelled = "allowedNamespaces: {selector: {matchLabels: {kubernetes.io/metadata.name: team}}},";
            all.push(provider("ClusterImageProvider", "shared", labelled));
            all.push(reference("chosen", "ClusterImageProvider", "shared", ""));
        }
        self.apply(&all.join("\n---\n"));
    }

    fn start(&self) -> Server {
        let token = self
            .cluster
            .service_account_token(self.home, "imageref")
            .unwrap();
        let kubeconfig = self.cluster.kubeconfig_with_token(&token).unwrap();
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Server::spawn(Spec {
            name: "operator",
            program: PathBuf::from(env!("CARGO_BIN_EXE_imageref")),
            args: self.args.clone(),
            env: vec![
                set("KUBECONFIG", &kubeconfig.display().to_string()),
                set("IMAGEREF_ALLOW_ENDPOINT", &self.cloud.url()),
                set("IMAGEREF_INSECURE_LOOPBACK", "true"),
                set(operator::NO_REGISTRIES, "true"),
            ],
            folder: self.cluster.folder(),
            removes_folder: false,
        })
        .unwrap()
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        let object = self.kubectl(&["get", kind, name, "-n", "team", "-o", "json"]);
        serde_json::from_str(&object).unwrap()
    }

    fn all_is_well(&self, process: &Server) {
        let ready = |kind: &str, name: &str, reason: &str| {
            let what = format!("{kind} {name} is {reason}");
            let reason_of = || condition(&self.get(kind, name), "Ready")["reason"].clone();
            until(&what, || process.log(), || reason_of() == reason);
        };
        ready("imageref", "misfit", "InvalidSpec");
        ready("imageref", "plain", "Resolved");
        ready("imageprovider", "default", "CredentialsRead");
        if self.cluster_wide {
            ready("imageref", "chosen", "Resolved");
            ready("clusterimageprovider", "shared", "CredentialsRead");
        }
        let catalog = || self.get("imagecatalog", "admission");
        let images = usize::from(self.cluster_wide);
        until(
            "the catalogue is written",
            || format!("{:#}", catalog()),
            || catalog()["status"]["refs"] == images,
        );
        self.refuse_again();
        until(
            "the event is there again",
            || self.events(),
            || self.events().contains("ExpectationFailed 2"),
        );
        assert!(!self.holder().is_empty(), "nobody holds the lease");
    }
}

fn with_args(mut installed: Installed, args: &[&str]) -> Installed {
    let all = [&["controller", "--metrics-address", ""], args].concat();
    installed.args = all.into_iter().map(str::to_owned).collect();
    installed
}

#[test]
fn cluster_wide_each_right_is_needed_and_nothing_is_refused() {
    let rights = include_str!("../../deploy/rbac.yaml");
    let Some(installed) = Installed::new(rights, SYSTEM, true) else {
        return;
    };
    let installed = with_args(installed, &[]);
    let rights = rights::of(&installed.cluster, SYSTEM, "imageref");
    each_is_needed(&installed, &rights, &rows());
}

#[test]
fn in_one_namespace_each_right_is_needed_and_nothing_is_refused() {
    let rights = include_str!("../../deploy/rbac-namespace.yaml");
    let Some(installed) = Installed::new(rights, "team", false) else {
        return;
    };
    let args = ["--namespaces", "team", "--operator-namespace", "team"];
    let installed = with_args(installed, &args);
    let rights = rights::of(&installed.cluster, "team", "imageref");
    each_is_needed(&installed, &rights, &rows());
}
