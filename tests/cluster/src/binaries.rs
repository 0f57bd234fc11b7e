//! Where the binaries of the control plane are, and what to say if they are not there.
//!
//! Owns the rule that `build.sh` follows as well: `KUBEBUILDER_ASSETS` if it is set, else
//! `CONTROL_PLANE_DIR`, else `target/control-plane` of the workspace. It must not know how the
//! binaries are started. The invariant that would break first: a missing control plane never lets
//! CI pass, because a skipped test looks the same as a good one.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// What a cluster cannot do without.
const TOOLS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];
const REGISTRY: &str = "registry";
const GITOPS_HEALTH: &str = "gitops-health";
const HELM: &str = "helm";
const PROMETHEUS: [&str; 2] = ["prometheus", "promtool"];

/// The folder in which `etcd`, `kube-apiserver` and `kubectl` are looked for. It is absolute: the
/// servers run in a working folder of their own.
pub(crate) fn folder() -> PathBuf {
    let folder = set("KUBEBUILDER_ASSETS").unwrap_or_else(built);
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Where the registry is.
pub(crate) fn registry() -> PathBuf {
    beside(REGISTRY)
}

/// Where `gitops-health` is: what Flux and Argo CD make of an object.
pub fn gitops_health() -> PathBuf {
    beside(GITOPS_HEALTH)
}

/// Where helm is, which renders and installs the chart.
pub fn helm() -> PathBuf {
    beside(HELM)
}

/// Where `prometheus` and `promtool` are.
pub fn prometheus() -> [PathBuf; 2] {
    PROMETHEUS.map(beside)
}

/// Where a binary beside the control plane is. The usual bundles of `KUBEBUILDER_ASSETS` have none of
/// them, so it may also be where it is built.
fn beside(name: &str) -> PathBuf {
    let brought = folder().join(name);
    if brought.is_file() {
        return brought;
    }
    let built = built().join(name);
    std::path::absolute(&built).unwrap_or(built)
}

fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The folder that `build.sh` fills.
fn built() -> PathBuf {
    if let Some(built) = set("CONTROL_PLANE_DIR") {
        return built.join("bin");
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).unwrap_or(here);
    workspace.join("target/control-plane/bin")
}

/// Whether a cluster can be started here; the error is a sentence that says how to get there.
///
/// # Errors
/// Names the binaries that are missing, the folder, and the command that builds them.
pub fn available() -> Result<(), String> {
    missing_in(&folder())
}

fn missing_in(folder: &Path) -> Result<(), String> {
    let missing: Vec<&str> = TOOLS
        .into_iter()
        .filter(|tool| !folder.join(tool).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "no {} in {}: run `make control-plane` (or tests/cluster/build.sh), or point \
         KUBEBUILDER_ASSETS at a folder that holds them",
        missing.join(", "),
        folder.display()
    ))
}

/// Whether the calling test can use a cluster. If not, it says so on stderr, past the capture of
/// the test harness, and returns false so that the test can return early.
///
/// # Panics
/// If `CI` is set in the environment: there, a skipped test is a failed one.
pub fn require() -> bool {
    have(available())
}

/// The same for a test that needs a registry.
///
/// # Panics
/// As [`require`].
pub fn require_registry() -> bool {
    have_file(REGISTRY, &registry())
}

/// The same for a test that asks what Flux and Argo CD make of an object.
///
/// # Panics
/// As [`require`].
pub fn require_gitops_health() -> bool {
    have_file(GITOPS_HEALTH, &gitops_health())
}

/// The same for a test that renders or installs the chart.
///
/// # Panics
/// As [`require`].
pub fn require_helm() -> bool {
    have_file(HELM, &helm())
}

/// The same for a test that has Prometheus scrape, or judge rules.
///
/// # Panics
/// As [`require`].
pub fn require_prometheus() -> bool {
    let found = PROMETHEUS.into_iter().zip(prometheus());
    found.into_iter().all(|(name, path)| have_file(name, &path))
}

fn have_file(name: &str, path: &Path) -> bool {
    have(if path.is_file() {
        Ok(())
    } else {
        Err(format!(
            "no {name} at {}: run `make control-plane` (or tests/cluster/build.sh)",
            path.display()
        ))
    })
}

fn have(found: Result<(), String>) -> bool {
    let Err(why) = found else { return true };
    let ci = env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    assert!(!ci, "tests need what is not built: {why}");
    let thread = std::thread::current();
    // `eprintln!` would be swallowed with the output of a test that passes.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED {}: {why}",
        thread.name().unwrap_or("a test")
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_builds_it() {
        let folder = tempfile::tempdir().unwrap();
        for tool in ["etcd", "kubectl"] {
            std::fs::write(folder.path().join(tool), "").unwrap();
        }
        let why = missing_in(folder.path()).unwrap_err();
        assert!(why.starts_with("no kube-apiserver in "), "{why}");
        assert!(why.contains("make control-plane"), "{why}");

        std::fs::write(folder.path().join("kube-apiserver"), "").unwrap();
        assert_eq!(missing_in(folder.path()), Ok(()));
    }
}
