//! `deploy/`: what is rendered from the chart for those who do not use helm.
//!
//! Owns which objects are in which file. Must not change what they say. The invariant that would break
//! first: everything that the chart renders by default is in `install.yaml` and in the kustomization.

use super::{Rendered, check_file, path, rendered, text};
use serde_json::Value;
use std::fmt::Write as _;
use std::process::Command;

const COMMAND: &str = "make manifests";

/// What plain manifests leave out: they are no release of helm's, and do not keep CRDs by themselves.
fn plain(one: &Rendered) -> String {
    let of_helm = ["app.kubernetes.io/managed-by: Helm", "helm.sh/chart: "];
    let lines = one.text.lines();
    let kept = lines.filter(|line| {
        !of_helm
            .iter()
            .any(|mark| line.trim_start().starts_with(mark))
    });
    kept.fold(String::new(), |text, line| text + line + "\n")
}

fn head(what: &str) -> String {
    format!(
        "# {what}\n# Rendered from charts/imageref-operator; do not edit. To update: {COMMAND}\n"
    )
}

/// The rendering that all files but one are cut from.
fn release(more: &[&str]) -> Vec<Rendered> {
    let mut args = vec!["--no-hooks", "--set=crds.keep=false"];
    args.extend(more);
    rendered(&args)
}

/// Some objects, in this order.
fn pick(all: &[Rendered], which: &[&str]) -> String {
    let texts = which.iter().map(|one| {
        let (kind, name) = one.split_once(' ').unwrap();
        let found = all.iter().find(|o| o.kind() == kind && o.name() == name);
        plain(found.unwrap_or_else(|| panic!("no {one}")))
    });
    texts.collect::<Vec<_>>().join("---\n")
}

const NAMESPACE: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: imageref-system
";

/// The namespace where a cluster has Pod Security: no pod of ours needs more.
const RESTRICTED: &str = "apiVersion: v1
kind: Namespace
metadata:
  name: imageref-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
";

#[test]
fn the_rights_of_the_controller_are_those_of_the_chart() {
    if !cluster::require_helm() {
        return;
    }
    let all = release(&["--set=workloadIdentity.enabled=true"]);
    let objects = pick(
        &all,
        &[
            "ServiceAccount imageref",
            "ClusterRole imageref-operator",
            "ClusterRoleBinding imageref-operator",
            "Role imageref-lease",
            "RoleBinding imageref-lease",
        ],
    );
    let head_of = head(
        "The operator's namespace, its ServiceAccount and the rights it needs, no others: the tests and the demo run with\n\
         # exactly these. Workload identity needs rbac-workload-identity.yaml too; rbac-namespace.yaml is instead of this\n\
         # file where the operator may have no right beyond some namespaces.",
    );
    let file = format!("{head_of}{NAMESPACE}---\n{objects}");
    check_file("deploy/rbac.yaml", &file, COMMAND);

    let objects = pick(
        &all,
        &[
            "ClusterRole imageref-workload-identity",
            "RoleBinding imageref-workload-identity",
        ],
    );
    let head_of = head(
        "What workload identity needs beside rbac.yaml. For the ImageProviders of a team:\n\
         #   kubectl create rolebinding imageref-workload-identity --namespace TEAM \\\n\
         #     --clusterrole imageref-workload-identity --serviceaccount imageref-system:imageref\n\
         # A Role with the same rules and resourceNames narrows it to single ServiceAccounts.",
    );
    let file = format!("{head_of}{objects}");
    check_file("deploy/rbac-workload-identity.yaml", &file, COMMAND);
}

#[test]
fn the_rights_in_one_namespace_are_those_of_the_chart() {
    if !cluster::require_helm() {
        return;
    }
    let all = release(&["--set=clusterResources=false,namespaces={imageref-system}"]);
    let objects = pick(
        &all,
        &[
            "ServiceAccount imageref",
            "Role imageref-operator",
            "RoleBinding imageref-operator",
            "Role imageref-lease",
            "RoleBinding imageref-lease",
        ],
    );
    // kubectl says which one: --namespace.
    let objects = objects
        .replace("  namespace: imageref-system\n", "")
        .replace(", namespace: imageref-system}", "}");
    assert!(!objects.contains("imageref-system"));
    let head_of = head(
        "Instead of rbac.yaml, for an operator that serves the ImageRefs and ImageProviders of its own namespace and has\n\
         # no right outside: run it with --namespaces and --operator-namespace. Apply this with --namespace; for more\n\
         # namespaces, apply Role and RoleBinding imageref-operator in each, and name the ServiceAccount's namespace in the\n\
         # subjects.",
    );
    let file = format!("{head_of}{objects}");
    check_file("deploy/rbac-namespace.yaml", &file, COMMAND);
}

#[test]
fn the_webhook_is_that_of_the_chart() {
    if !cluster::require_helm() {
        return;
    }
    let all = release(&[]);
    let objects = pick(
        &all,
        &[
            "ServiceAccount imageref-webhook",
            "ClusterRole imageref-webhook",
            "ClusterRoleBinding imageref-webhook",
            "Service imageref-webhook",
            "ValidatingWebhookConfiguration imageref-webhook",
            "MutatingWebhookConfiguration imageref-webhook",
        ],
    );
    let head_of = head(
        "The webhook of admission, but for its Deployment: its ServiceAccount and the rights it needs, no others, its\n\
         # Service, and what API servers ask it about. docs/admission.md says why each part is as it is. The tests run with\n\
         # exactly these rights and rules. Each clientConfig needs the caBundle of the webhook's certificate.",
    );
    check_file(
        "deploy/webhook.yaml",
        &format!("{head_of}{objects}"),
        COMMAND,
    );

    let objects = pick(
        &all,
        &[
            "Role imageref-webhook-certificates",
            "RoleBinding imageref-webhook-certificates",
            "ClusterRole imageref-webhook-certificates",
            "ClusterRoleBinding imageref-webhook-certificates",
            "ValidatingAdmissionPolicy imageref-webhook-certificates",
            "ValidatingAdmissionPolicyBinding imageref-webhook-certificates",
        ],
    );
    let head_of = head(
        "What the webhook's certificate needs beside webhook.yaml, where the webhook makes it itself. Not with\n\
         # cert-manager or any other certificate in files.",
    );
    check_file(
        "deploy/webhook-certificates.yaml",
        &format!("{head_of}{objects}"),
        COMMAND,
    );
}

#[test]
fn the_policies_are_those_of_the_chart() {
    if !cluster::require_helm() {
        return;
    }
    let all = release(&["--set=admissionPolicy.enabled=true"]);
    for template in ["admission-policy", "label-guard"] {
        let objects = all.iter().filter(|one| one.template == template);
        // A policy before its bindings.
        let mut objects: Vec<_> = objects.map(|one| (one.name(), plain(one))).collect();
        objects.sort();
        let texts: Vec<_> = objects.into_iter().map(|(_, text)| text).collect();
        let head_of = head("See docs/policy.md.");
        let file = format!("{head_of}{}", texts.join("---\n"));
        check_file(&format!("deploy/{template}.yaml"), &file, COMMAND);
    }
}

#[test]
fn one_file_and_the_kustomization_hold_everything_that_the_chart_renders() {
    if !cluster::require_helm() {
        return;
    }
    let all = release(&[]);
    let mut file = head(
        "The whole operator: kubectl apply --server-side -f install.yaml. See docs/install.md.",
    );
    file.push_str(RESTRICTED);
    for one in &all {
        let _ = write!(file, "---\n{}", plain(one));
    }
    check_file("deploy/install.yaml", &file, COMMAND);

    let mut templates: Vec<_> = all.iter().map(|one| one.template.as_str()).collect();
    templates.sort_unstable();
    templates.dedup();
    let mut base = head("The whole operator, as a base to patch. See docs/install.md.");
    base.push_str("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- namespace.yaml\n");
    for template in &templates {
        let _ = writeln!(base, "- {template}.yaml");
        let objects = all.iter().filter(|one| one.template == *template);
        let texts: Vec<_> = objects.map(plain).collect();
        let file = format!(
            "{}{}",
            head("Part of kustomization.yaml."),
            texts.join("---\n")
        );
        check_file(&format!("deploy/kustomize/{template}.yaml"), &file, COMMAND);
    }
    let namespace = format!("{}{RESTRICTED}", head("Part of kustomization.yaml."));
    check_file("deploy/kustomize/namespace.yaml", &namespace, COMMAND);
    check_file("deploy/kustomize/kustomization.yaml", &base, COMMAND);
    let files = std::fs::read_dir(path("deploy/kustomize")).unwrap();
    assert_eq!(files.count(), templates.len() + 2, "a file of no template");
    if cluster::require() {
        let (built, file) = (objects(&built()), objects(&text("deploy/install.yaml")));
        assert_eq!(built.len(), file.len());
        for (built, file) in built.iter().zip(&file) {
            let at = built.chars().zip(file.chars()).position(|(a, b)| a != b);
            let around = |text: &str| -> String {
                text.chars()
                    .skip(at.unwrap_or_default().saturating_sub(80))
                    .take(160)
                    .collect()
            };
            assert!(built == file, "{} is not {}", around(built), around(file));
        }
    }
}

/// What kubectl makes of the kustomization.
fn built() -> String {
    let output = Command::new(cluster::Cluster::bin("kubectl"))
        .args(["kustomize", "deploy/kustomize"])
        .current_dir(super::ROOT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The objects of a stream, in an order that does not depend on it.
fn objects(text: &str) -> Vec<String> {
    let documents = text.split("\n---\n");
    let mut all: Vec<String> = documents
        .map(|one| {
            let mut object = serde_saphyr::from_str(one).unwrap();
            same_numbers(&mut object);
            object.to_string()
        })
        .collect();
    all.sort();
    all
}

/// kustomize writes 1 where a CRD has 1.0.
fn same_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => *value = number.as_f64().into(),
        Value::Array(all) => all.iter_mut().for_each(same_numbers),
        Value::Object(all) => all.values_mut().for_each(same_numbers),
        _ => (),
    }
}
