//! Which tool keeps an object as a manifest in git says.
//!
//! Owns the marks of Argo CD and Flux on an object. Must not know what is changed on it. The invariant
//! that would break first: whoever changes an object that a tool keeps is told before the tool changes
//! it back.

use kube::core::ObjectMeta;

/// What Argo CD writes on what it keeps (Argo CD, "Resource Tracking").
const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";
const ARGO_INSTANCE: &str = "argocd.argoproj.io/instance";

/// What Flux writes (Flux, "Kustomizations" and "Helm Releases").
const FLUX: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io", "Flux's Kustomization"),
    ("helm.toolkit.fluxcd.io", "Flux's HelmRelease"),
];

/// The tool that keeps the object: `Flux's Kustomization flux-system/apps`.
pub(in crate::cli) fn keeper(metadata: &ObjectMeta) -> Option<String> {
    let labels = metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|all| all.get(key));
    for (group, tool) in FLUX {
        if let Some(name) = label(&format!("{group}/name")) {
            let namespace = label(&format!("{group}/namespace"));
            let place = namespace.map(|namespace| format!("{namespace}/"));
            return Some(format!("{tool} {}{name}", place.unwrap_or_default()));
        }
    }
    let annotations = metadata.annotations.as_ref();
    let tracked = annotations.and_then(|all| all.get(ARGO_TRACKING));
    // APPLICATION:GROUP/KIND:NAMESPACE/NAME
    let tracked = tracked.and_then(|id| id.split(':').next());
    let application = tracked.or_else(|| label(ARGO_INSTANCE).map(String::as_str))?;
    Some(format!("Argo CD's Application {application}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_marks_of_flux_and_argo_cd_are_read_and_others_are_nobodys() {
        let keeper = |metadata| keeper(&serde_json::from_value(metadata).unwrap());
        let flux = json!({"labels": {
            "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }});
        assert_eq!(
            keeper(flux).unwrap(),
            "Flux's Kustomization flux-system/apps"
        );
        let helm = json!({"labels": {"helm.toolkit.fluxcd.io/name": "images"}});
        assert_eq!(keeper(helm).unwrap(), "Flux's HelmRelease images");
        let id = "images:imageref.dev/ImageRef:team/torch";
        let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": id}});
        assert_eq!(keeper(argo).unwrap(), "Argo CD's Application images");
        let argo = json!({"labels": {"argocd.argoproj.io/instance": "images"}});
        assert_eq!(keeper(argo).unwrap(), "Argo CD's Application images");
        let other = json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}});
        assert_eq!(keeper(other), None);
    }
}
