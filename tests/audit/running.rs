//! What runs is judged, and the cluster's facts are those of files.

use super::{label, pod, resolved, run};
use serde_json::Value;

fn deployment(name: &str, image: &str) -> String {
    format!(
        "---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: {{matchLabels: {{a: b}}}},
          template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: main, image: \"{image}\"}}]}}}}}}}}\n"
    )
}

/// As a controller would have made it from a Deployment.
fn replica_set(name: &str, image: &str) -> String {
    deployment(name, image)
        .replace("kind: Deployment", "kind: ReplicaSet")
        .replace(
            "metadata: {name: ",
            "metadata: {ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: d, uid: u, controller: true}], name: ",
        )
}

#[test]
fn pods_and_templates_are_judged_as_their_namespace_wants_it_and_ended_pods_are_not() {
    let Some((scene, image)) = resolved("audited-pods") else {
        return;
    };
    let (namespace, folder) = (scene.namespace.clone(), tempfile::tempdir().unwrap());
    let kubeconfig = scene.cluster.kubeconfig_path();
    scene.apply(
        &(pod("good", &image)
            + &pod("unknown", "busybox")
            + &pod("ended", "busybox")
            + &deployment("web", "nginx")
            + &replica_set("web-1", "nginx")),
    );
    let ended = ["patch", "pod/ended", "--subresource=status", "--type=merge"];
    scene.kubectl(
        &[
            &ended[..],
            &["-p", "{\"status\":{\"phase\":\"Succeeded\"}}"],
        ]
        .concat(),
    );
    let audit = |arguments: &str| {
        let arguments = format!("audit -n {namespace} {arguments}");
        run(kubeconfig, folder.path(), &arguments, "")
    };

    let silent = audit("");
    assert_eq!(silent.code, 0, "{}", silent.stderr);
    let sentence = "0 pods in 0 namespaces judged: 0 findings; 2 objects left out, in 1 namespace that did not opt in (--mode enforce judges them too)\n";
    assert_eq!(silent.stdout, sentence);
    let asked = audit("--mode enforce --templates");
    assert_eq!(asked.code, 1);
    assert!(
        asked
            .stdout
            .ends_with("\n2 pods and 1 template in 1 namespace judged: 2 findings, 2 denied\n"),
        "{}",
        asked.stdout
    );

    label(scene.cluster, &namespace, "imageref.dev/admission=enforce");
    let found = audit("--templates");
    let width = namespace.len();
    let table = format!(
        "{:width$}  KIND        NAME     MODE     VERDICT
{namespace}  Pod         unknown  enforce  Deny
{namespace}  Deployment  web      warn     Warn

Pod {namespace}/unknown: spec.containers[0] \"main\": image busybox: no ImageRef in {namespace} names it (UnknownImage). Use an image that `kubectl -n {namespace} get imageref -o wide` lists, or declare this one with an ImageRef.
Deployment {namespace}/web: spec.template.spec.containers[0] \"main\": image nginx: no ImageRef in {namespace} names it (UnknownImage). Use an image that `kubectl -n {namespace} get imageref -o wide` lists, or declare this one with an ImageRef.

2 pods and 1 template in 1 namespace judged: 2 findings, 1 warned about, 1 denied\n",
        "NAMESPACE"
    );
    assert_eq!(
        (found.stdout, found.code, found.stderr.as_str()),
        (table, 1, "")
    );

    let json: Value = serde_json::from_str(&audit("-o json").stdout).unwrap();
    assert_eq!(
        (&json["facts"], &json["pods"], &json["findings"]),
        (&"cluster".into(), &2.into(), &1.into())
    );
    let workload = &json["workloads"][0];
    assert_eq!(
        (&workload["name"], &workload["file"]),
        (&"unknown".into(), &Value::Null)
    );
    let log: Value = serde_json::from_str(&audit("-o sarif").stdout).unwrap();
    let location = &log["runs"][0]["results"][0]["locations"][0];
    let called = format!("Pod {namespace}/unknown: spec.containers[0]");
    assert_eq!(
        location["logicalLocations"][0]["fullyQualifiedName"],
        called
    );
    assert!(location["physicalLocation"].is_null());
    let annotations = audit("-o github").stdout;
    let first = format!("::error title=UnknownImage::Pod {namespace}/unknown: ");
    assert!(annotations.starts_with(&first), "{annotations}");

    label(scene.cluster, &namespace, "imageref.dev/admission=warn");
    assert_eq!(audit("").code, 0);
    // All namespaces, whatever others hold.
    let all = run(kubeconfig, folder.path(), "audit -A", "");
    assert!(all.code < 2, "{}", all.stderr);
    assert!(
        all.stdout.contains(&format!("\nPod {namespace}/unknown: ")),
        "{}",
        all.stdout
    );
}

#[test]
fn workloads_in_files_are_judged_by_the_cluster_and_its_references_are_locked() {
    let Some((scene, image)) = resolved("checked-files") else {
        return;
    };
    let (namespace, folder) = (scene.namespace.clone(), tempfile::tempdir().unwrap());
    let kubeconfig = scene.cluster.kubeconfig_path();
    label(scene.cluster, &namespace, "imageref.dev/admission=warn");
    let app = pod("good", &image) + &pod("bad", "busybox");
    let check = format!(
        "check -f - -n {namespace} --kubeconfig {}",
        kubeconfig.display()
    );
    let warned = run(kubeconfig, folder.path(), &check, &app);
    assert_eq!(warned.code, 0, "{}{}", warned.stdout, warned.stderr);
    assert!(
        warned
            .stdout
            .ends_with("\n2 workloads: 1 allowed, 1 warned about\n"),
        "{}",
        warned.stdout
    );
    label(scene.cluster, &namespace, "imageref.dev/admission=enforce");
    let forged = app.clone()
        + &format!("---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}\n");
    let denied = run(
        kubeconfig,
        folder.path(),
        &format!("{check} -o json"),
        &forged,
    );
    assert_eq!(
        denied.code, 1,
        "the cluster's labels go before: {}",
        denied.stdout
    );
    assert!(
        denied.stdout.contains("\"facts\": \"cluster\""),
        "{}",
        denied.stdout
    );

    let lock = format!("lock --cluster -n {namespace}");
    let locked = run(kubeconfig, folder.path(), &lock, "");
    assert_eq!(
        (locked.code, locked.stderr.as_str()),
        (0, "imageref.lock: written: 1 ImageRef\n")
    );
    let by_lock = format!("check -f - -n {namespace} --lock imageref.lock");
    let by_lock = run(kubeconfig, folder.path(), &by_lock, &pod("good", &image));
    assert_eq!(by_lock.code, 0, "{}", by_lock.stdout);
    scene.image_ref("late", "suspend: true, source: {pai: {id: image-1}}");
    let drifted = run(kubeconfig, folder.path(), &format!("{lock} --check"), "");
    assert_eq!(drifted.code, 1);
    let new = format!("{namespace}/late: new: no image, not usable (");
    assert!(drifted.stdout.starts_with(&new), "{}", drifted.stdout);
}
