//! Pushing to a registry, as a client of it does (OCI distribution specification, "Push").
//!
//! Owns the bodies of small images. Must not know the product: what it pushed is what the product is
//! compared with.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

#[derive(Clone)]
pub(super) struct Depot {
    client: reqwest::Client,
    origin: String,
    authorization: Option<String>,
}

impl Depot {
    pub(super) fn new(origin: &str) -> Self {
        Self::trusting(origin, None)
    }

    /// For a registry over TLS.
    pub(super) fn trusting(origin: &str, ca_pem: Option<&str>) -> Self {
        let roots = ca_pem.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
        let client = reqwest::Client::builder().tls_certs_merge(roots).no_proxy();
        Self {
            client: client.build().unwrap(),
            origin: origin.into(),
            authorization: None,
        }
    }

    pub(super) fn authorized(&self, authorization: &str) -> Self {
        Self {
            authorization: Some(authorization.into()),
            ..self.clone()
        }
    }

    /// `host/repository:tag` as references name it.
    pub(super) fn image(&self, repository: &str, tag: &str) -> String {
        let host = self.origin.split_once("://").unwrap().1;
        format!("{host}/{repository}:{tag}")
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> reqwest::Response {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.origin)
        };
        let mut request = self
            .client
            .request(method.clone(), &url)
            .header("content-type", kind);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.body(body.to_vec()).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{method} {path}: {}",
            answer.status()
        );
        answer
    }

    pub(super) async fn blob(&self, repository: &str, body: &[u8]) -> String {
        let digest = digest(body);
        let started = self
            .send(
                reqwest::Method::POST,
                &format!("/v2/{repository}/blobs/uploads/"),
                "text/plain",
                b"",
            )
            .await;
        let location = started.headers()["location"].to_str().unwrap().to_owned();
        let mark = if location.contains('?') { '&' } else { '?' };
        let put = format!("{location}{mark}digest={digest}");
        self.send(reqwest::Method::PUT, &put, "application/octet-stream", body)
            .await;
        digest
    }

    /// Pushes a manifest under a tag or its digest, and gives its digest.
    pub(super) async fn manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        kind: &str,
        body: &Value,
    ) -> String {
        let body = body.to_string();
        let digest = digest(body.as_bytes());
        let path = format!("/v2/{repository}/manifests/{}", tag.unwrap_or(&digest));
        self.send(reqwest::Method::PUT, &path, kind, body.as_bytes())
            .await;
        digest
    }

    pub(super) async fn delete(&self, repository: &str, digest: &str) {
        let path = format!("/v2/{repository}/manifests/{digest}");
        self.send(reqwest::Method::DELETE, &path, "text/plain", b"")
            .await;
    }

    /// Pushes an image for one platform, such as `linux/arm64/v8`; `note` makes it differ.
    pub(super) async fn single(
        &self,
        repository: &str,
        tag: Option<&str>,
        docker: bool,
        platform: &str,
        note: &str,
    ) -> String {
        let mut config = platform_of(platform);
        config["config"] = json!({"Labels": {"note": note}});
        config["rootfs"] = json!({"type": "layers", "diff_ids": []});
        let config = config.to_string();
        let layer = self.blob(repository, b"layer").await;
        let digest = self.blob(repository, config.as_bytes()).await;
        let (kind, config_kind, layer_kind) = if docker {
            (
                DOCKER_MANIFEST,
                DOCKER_CONFIG,
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            )
        } else {
            (
                OCI_MANIFEST,
                OCI_CONFIG,
                "application/vnd.oci.image.layer.v1.tar+gzip",
            )
        };
        let body = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": config_kind, "digest": digest, "size": config.len()},
            "layers": [{"mediaType": layer_kind, "digest": layer, "size": 5}],
        });
        self.manifest(repository, tag, kind, &body).await
    }

    /// Pushes an index over manifests that are there: each with its platform, if it names one.
    pub(super) async fn index(
        &self,
        repository: &str,
        tag: Option<&str>,
        kind: &str,
        entries: &[Value],
    ) -> String {
        let body = json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries});
        self.manifest(repository, tag, kind, &body).await
    }

    /// An entry of an index about a manifest that is there.
    pub(super) async fn entry(
        &self,
        repository: &str,
        kind: &str,
        digest: &str,
        platform: Option<&str>,
    ) -> Value {
        let path = format!("{}/v2/{repository}/manifests/{digest}", self.origin);
        let mut request = self.client.get(path).header("accept", kind);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let size = request.send().await.unwrap().bytes().await.unwrap().len();
        let mut entry = json!({"mediaType": kind, "digest": digest, "size": size});
        if let Some(platform) = platform {
            entry["platform"] = platform_of(platform);
        }
        entry
    }
}

fn platform_of(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = variant.into();
    }
    value
}

pub(super) fn digest(body: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(body)))
}
