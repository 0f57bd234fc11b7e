//! A real kube-apiserver and etcd, and a real registry, on loopback: for tests and for the demo.
//!
//! Owns the life of the servers: what they are started with, when they count as ready, and
//! that they end with the process that started them. It must not know what runs against them: no
//! custom resource and no manifest of the operator is named here.
//!
//! The invariant that would break first: nothing outlives its owner. Whether the owner returns,
//! panics, calls `exit` or gets SIGKILL, etcd, kube-apiserver and their folder are gone some
//! milliseconds later. So every server runs under `guard.sh`, and nothing is started without it.
//!
//! No controller manager runs: new namespaces get no `default` `ServiceAccount` (create it before
//! a pod), namespaces stay in `Terminating`, and nothing is garbage collected.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! if !cluster::require() {
//!     return Ok(()); // said why on stderr; panics where CI is set
//! }
//! let cluster = cluster::Cluster::shared();
//! print!("{}", cluster.kubectl(&["get", "namespaces"])?);
//! # Ok(())
//! # }
//! ```

mod binaries;
mod control_plane;
mod credentials;
mod etcd;
mod flags;
mod kubeconfig;
mod kubectl;
mod port;
mod registry;
mod server;

pub use binaries::{
    available, gitops_health, helm, prometheus, require, require_gitops_health, require_helm,
    require_prometheus, require_registry,
};
pub use control_plane::Cluster;
pub use credentials::LoopbackCertificate;
pub use kubeconfig::{MARK as KUBECONFIG_MARK, write_private};
pub use port::free as free_port;
pub use registry::{Registry, RegistryAuth};
pub use server::{Server, Spec};
