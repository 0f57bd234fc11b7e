//! The flags of etcd and kube-apiserver.
//!
//! Owns each deviation from their defaults, with its reason. It must not know when they are
//! started. The invariant that would break first: what a test sees of the API server (admission,
//! authorization, watch caches, flow control) is at its defaults, as in a real cluster.

use std::path::Path;

use crate::{control_plane::Cluster, credentials, server::Spec};

/// Relative to the working folder, for a socket's path is limited to about 100 bytes. etcd wants
/// a port in every address; here it is a part of the file's name.
pub(crate) const ETCD_SOCKET: &str = "etcd.sock:0";

pub(crate) fn etcd(folder: &Path) -> Spec<'_> {
    let client = format!("unix://{ETCD_SOCKET}");
    let peer = "unix://peer.sock:0";
    Spec {
        name: "etcd",
        program: Cluster::bin("etcd"),
        args: vec![
            "--name=test".into(),
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=test={peer}"),
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ],
        env: Vec::new(),
        folder,
        // The API server writes no files after its start, so the folder is etcd's to remove.
        removes_folder: true,
    }
}

pub(crate) fn apiserver(folder: &Path, port: u16) -> Spec<'_> {
    let file = |name: &str| folder.join(name).display().to_string();
    Spec {
        name: "kube-apiserver",
        program: Cluster::bin("kube-apiserver"),
        args: vec![
            format!("--etcd-servers=unix://{ETCD_SOCKET}"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            // Endpoints refuse loopback addresses, and without an address of its own the server
            // looks for a default route, which a sandbox may not have.
            "--advertise-address=127.0.0.1".into(),
            "--endpoint-reconciler-type=none".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            format!("--tls-cert-file={}", file(credentials::SERVING)),
            format!("--tls-private-key-file={}", file(credentials::SERVING_KEY)),
            format!("--token-auth-file={}", file(credentials::TOKENS)),
            "--authorization-mode=RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
            format!(
                "--service-account-key-file={}",
                file(credentials::ISSUER_PUBLIC)
            ),
            format!(
                "--service-account-signing-key-file={}",
                file(credentials::ISSUER_KEY)
            ),
            "--allow-privileged=true".into(),
            // Admission stays at its defaults, as in a real cluster. So a pod needs the
            // ServiceAccount it names, and nobody here creates `default`: tests do.
        ],
        env: Vec::new(),
        folder,
        removes_folder: false,
    }
}
