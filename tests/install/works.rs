//! What helm installed, at work: references are resolved, pods are judged, probes are answered, and
//! `helm test` ends well.

use super::super::metrics::get;
use super::installed::Installed;
use super::needs::{SOON, each_fails, nothing_is_refused, until};
use super::release::{HOME, NAME, Release, address};
use super::rights::{self, Right};
use cluster::Server;
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

const WEBHOOK: &str = "imageref-webhook";

/// Has API servers call this address in place of the Service, which nothing stands behind here.
fn lead_to(release: &Release, address: &str) {
    for kind in [
        "validatingwebhookconfiguration",
        "mutatingwebhookconfiguration",
    ] {
        let mut rules = release.get(kind, WEBHOOK, HOME);
        for webhook in rules["webhooks"].as_array_mut().unwrap() {
            let service = webhook["clientConfig"]["service"].take();
            assert_eq!(
                (&service["name"], &service["namespace"]),
                (&json!(WEBHOOK), &json!(HOME))
            );
            let url = format!("https://{address}{}", service["path"].as_str().unwrap());
            let bundle = webhook["clientConfig"]["caBundle"].take();
            webhook["clientConfig"] = json!({"url": url, "caBundle": bundle});
        }
        let replace = ["replace", "-f", "-"];
        release
            .cluster
            .kubectl_with_stdin(&replace, &rules.to_string())
            .unwrap();
    }
}

fn dry_run(release: &Release, namespace: &str, pod: &Value) -> Output {
    let create = ["create", "--dry-run=server", "-n", namespace, "-f", "-"];
    release
        .cluster
        .kubectl_output(&create, Some(&pod.to_string()))
        .unwrap()
}

fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec})
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn by_default_references_are_resolved_with_nothing_refused_and_pods_with_other_images_are() {
    let values = json!({});
    let Some(release) = Release::installed(&values) else {
        return;
    };
    let installed = Installed::of(release, &values);
    // Whoever makes tokens of ServiceAccounts can act as they.
    let tokens = |right: &Right| right.resource.starts_with("serviceaccounts");
    assert!(!installed.rights().all.iter().any(tokens));
    let _controller = nothing_is_refused(&installed);
    let release = &installed.release;
    let webhook = release.start(WEBHOOK, &[]);
    let metrics = address(&webhook, "metrics and health are served");
    until(
        "it is ready",
        || webhook.log(),
        || get(&metrics, "/readyz").0 == 200,
    );
    lead_to(release, &address(&webhook, "reviews are served"));
    release.kubectl(&["create", "serviceaccount", "default", "-n", "team"]);
    let label = "imageref.dev/admission=enforce";
    release.kubectl(&["label", "namespace", "team", label]);
    let of = |image: &str| pod(&json!({"containers": [{"name": "main", "image": image}]}));
    let refused = || said(&dry_run(release, "team", &of("busybox"))).contains("(UnknownImage)");
    until("another image is refused", || webhook.log(), refused);
    let image = release.get("imageref", "chosen", "team")["status"]["image"].clone();
    let asked = dry_run(release, "team", &of(image.as_str().unwrap()));
    assert!(asked.status.success(), "{}", said(&asked));
}

/// The addresses at which a container's probes ask, by what they are for.
fn probes(release: &Release, deployment: &str) -> [String; 2] {
    let object = release.get("deployment", deployment, HOME);
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    ["livenessProbe", "readinessProbe"].map(|probe| {
        let asked = &container[probe]["httpGet"];
        let ports = container["ports"].as_array().unwrap();
        let port = ports
            .iter()
            .find(|port| port["name"] == asked["port"])
            .unwrap();
        let flag = format!("--metrics-address=0.0.0.0:{}", port["containerPort"]);
        let args = container["args"].as_array().unwrap();
        assert!(
            args.iter().any(|arg| *arg == flag.as_str()),
            "nothing listens there: {port}"
        );
        asked["path"].as_str().unwrap().to_owned()
    })
}

#[test]
fn probes_ask_what_both_processes_answer() {
    let Some(release) = Release::shared() else {
        return;
    };
    for deployment in [NAME, WEBHOOK] {
        let process = release.start(deployment, &[]);
        let address = address(&process, "metrics and health are served");
        for path in probes(release, deployment) {
            until(
                &path,
                || format!("{:?}", get(&address, &path)),
                || get(&address, &path).0 == 200,
            );
        }
    }
}

#[test]
fn every_pod_satisfies_the_level_restricted() {
    let Some(release) = Release::shared() else {
        return;
    };
    let loose = json!({"containers": [{"name": "main", "image": "a"}], "serviceAccountName": NAME});
    let asked = dry_run(release, HOME, &pod(&loose));
    assert!(
        said(&asked).contains("violates PodSecurity"),
        "{}",
        said(&asked)
    );
    for deployment in [NAME, WEBHOOK] {
        let object = release.get("deployment", deployment, HOME);
        let asked = dry_run(release, HOME, &pod(&object["spec"]["template"]["spec"]));
        assert!(asked.status.success(), "{deployment}: {}", said(&asked));
    }
}

/// Waits for the end of a process; whether it ended well.
fn ended_well(mut process: Server) -> bool {
    let begun = Instant::now();
    loop {
        if let Some(status) = process.ended() {
            return status.success();
        }
        assert!(begun.elapsed() < SOON, "it goes on: {}", process.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn helm_test_ends_well_with_the_rights_that_it_gives_and_not_with_fewer() {
    let Some(release) = Release::shared() else {
        return;
    };
    std::thread::scope(|scope| {
        let test = scope.spawn(|| release.helm(&["test", NAME, "-n", HOME, "--timeout=5m"]));
        let name = "imageref-test";
        let there = || {
            release
                .cluster
                .kubectl(&["get", "pod", name, "-n", HOME])
                .is_ok()
        };
        until("the pod is there", String::new, || {
            there() || test.is_finished()
        });
        // It was admitted, so it satisfies the level `restricted`. This stands in for its node.
        let spec = release.get("pod", name, HOME)["spec"].clone();
        let run = || release.start_pod(&spec, &[]);
        let process = run();
        assert!(ended_well(process), "it failed");
        each_fails(
            &release.cluster,
            &rights::of(&release.cluster, HOME, name),
            || !ended_well(run()),
        );
        let done = r#"{"status": {"phase": "Succeeded"}}"#;
        release.kubectl(&[
            "patch",
            "pod",
            name,
            "-n",
            HOME,
            "--subresource=status",
            "--type=merge",
            "-p",
            done,
        ]);
        test.join().unwrap().unwrap();
    });
}
