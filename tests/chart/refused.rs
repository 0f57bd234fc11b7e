//! Values that make no sense, and what a person is told.
//!
//! Owns the table of bad values. The invariant that would break first: each is refused before anything
//! is rendered, in words that name the value.

use super::template;

/// Arguments, and words of the message.
const BAD: &[(&[&str], &str)] = &[
    (
        &["--set=controler.replicas=2"],
        "additional properties 'controler' not allowed",
    ),
    (
        &["--set=controller.replica=2"],
        "at '/controller': additional properties 'replica' not allowed",
    ),
    (
        &["--set=controller.replicas=-1"],
        "at '/controller/replicas': minimum: got -1, want 0",
    ),
    (
        &["--set=controller.replicas=two"],
        "at '/controller/replicas': got string, want integer",
    ),
    (&["--set=image.digest=sha256:0"], "at '/image/digest'"),
    (&["--set=image.tag=a b"], "at '/image/tag'"),
    (
        &["--set=image.pullPolicy=Sometimes"],
        "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    (&["--set=fullnameOverride=Images"], "at '/fullnameOverride'"),
    (&["--set=namespaces={Team_A}"], "at '/namespaces/0'"),
    (
        &["--set=rbac.secrets=some"],
        "at '/rbac/secrets': value must be one of 'all', 'listed', 'none'",
    ),
    (
        &["--set=rbac.secretsListed[0].names={a}"],
        "at '/rbac/secretsListed/0': missing property 'namespace'",
    ),
    (
        &["--set=log.format=xml"],
        "at '/log/format': value must be one of 'text', 'json'",
    ),
    (&["--set=log.level=loud"], "at '/log/level'"),
    (
        &["--set=controller.extraArgs={lease}"],
        "at '/controller/extraArgs/0'",
    ),
    (
        &["--set=webhook.failurePolicy=Warn"],
        "at '/webhook/failurePolicy': value must be one of 'Fail', 'Ignore'",
    ),
    (
        &["--set=webhook.enforceTimeoutSeconds=31"],
        "at '/webhook/enforceTimeoutSeconds': maximum: got 31, want 30",
    ),
    (&["--set=webhook.drain=1h"], "at '/webhook/drain'"),
    (
        &["--set=webhook.port=0"],
        "at '/webhook/port': minimum: got 0, want 1",
    ),
    (
        &["--set=webhook.certificates.source=mine"],
        "at '/webhook/certificates/source': value must be one of 'own', 'cert-manager', 'provided'",
    ),
    (
        &["--set=webhook.certificates.caBundle=LS0t"],
        "at '/webhook/certificates/caBundle'",
    ),
    (
        &["--set=webhook.namespaceSelector[0].key=a"],
        "at '/webhook/namespaceSelector/0': missing property 'operator'",
    ),
    (
        &["--set=admission.trust=all"],
        "at '/admission/trust': value must be one of 'cluster', 'any'",
    ),
    (
        &["--set=admission.exempts={a}"],
        "at '/admission': additional properties 'exempts' not allowed",
    ),
    (
        &["--set=providers.allowEndpoints={modelarts.example.com}"],
        "at '/providers/allowEndpoints/0'",
    ),
    (
        &["--set=providers.tenantMinInterval=1d"],
        "at '/providers/tenantMinInterval'",
    ),
    (
        &["--set=registries.allow={https://harbor.example.com}"],
        "at '/registries/allow/0'",
    ),
    (
        &["--set=network.httpsProxy=proxy:3128"],
        "at '/network/httpsProxy'",
    ),
    (
        &["--set=networkPolicy.cloudCidrs={10.0.0.0}"],
        "at '/networkPolicy/cloudCidrs/0'",
    ),
    (
        &["--set=metrics.serviceMonitor.interval=often"],
        "at '/metrics/serviceMonitor/interval'",
    ),
    // What a schema cannot say.
    (
        &["--set=clusterResources=false"],
        "clusterResources: false needs namespaces: name those to serve",
    ),
    (
        &["--set=clusterProviders=true"],
        "clusterProviders is for use with namespaces",
    ),
    (
        &["--set=clusterProviders=true,clusterResources=false,namespaces={a}"],
        "clusterProviders needs rights in the whole cluster",
    ),
    (
        &["--set=controller.lease=false"],
        "controller.lease: false needs controller.replicas: 1",
    ),
    (
        &["--set=namespaces={a},rbac.secrets=listed,rbac.secretsListed[0].namespace=b"],
        "rbac.secretsListed: b is not among namespaces",
    ),
    (
        &["--set=webhook.certificates.source=provided"],
        "webhook.certificates.secretName: name the Secret with tls.crt and tls.key",
    ),
    (
        &["--set=webhook.certificates.source=provided,webhook.certificates.secretName=tls"],
        "webhook.certificates.caBundle: whom API servers trust, in PEM",
    ),
    (
        &["--set=metrics.service=false,metrics.serviceMonitor.enabled=true"],
        "metrics.serviceMonitor needs metrics.service",
    ),
    (
        &["--kube-version=1.29.0"],
        "chart requires kubeVersion: >=1.30.0-0",
    ),
];

#[test]
fn bad_values_are_refused_by_name() {
    if !cluster::require_helm() {
        return;
    }
    for (args, words) in BAD {
        let output = template(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?} was taken");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
