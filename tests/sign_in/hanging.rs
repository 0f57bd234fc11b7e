//! An identity service that never answers, beside one that does.

use super::super::metrics;
use super::super::operator::{condition, secret};
use super::super::process::own_scene;
use super::*;
use fakecloud::{Fault, FaultKind, Operation};
use std::time::{Duration, Instant};

/// As many as there are workers for providers, and for references as this operator is told.
const WORKERS: usize = 8;

#[test]
fn a_service_that_hangs_holds_up_no_other_providers_sign_in_and_none_of_its_references() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let mut args = arguments(&scene.cloud, scene.cluster.folder());
    args.extend(["--concurrency".to_owned(), WORKERS.to_string()]);
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        args,
        Vec::new(),
    ));
    let rights = include_str!("../../deploy/rbac-workload-identity.yaml");
    scene
        .cluster
        .kubectl_with_stdin(&["apply", "-f", "-"], rights)
        .unwrap();
    allow_tokens(&scene);
    let hang = Fault::always(FaultKind::Latency { ms: 600_000 }).on(Operation::AssumeWithOidc);
    scene.cloud.set_faults(vec![hang]);
    let of_all = |make: &dyn Fn(usize) -> String| -> String {
        let all: Vec<_> = (0..WORKERS).map(make).collect();
        all.join("\n---\n")
    };
    // A proof each, so that nobody waits for another's exchange.
    let name = |n: usize| format!("hangs{n}");
    scene.apply(&of_all(&|n| service_account(&name(n), &name(n))));
    scene.apply(&of_all(&|n| {
        let auth = workload(&name(n), &sts("team"));
        modelarts(&scene, "ImageProvider", &name(n), &auth, "")
    }));
    let deadline = Instant::now() + Duration::from_secs(60);
    while scene.cloud.calls().of(Operation::AssumeWithOidc) < WORKERS as u64 {
        assert!(Instant::now() < deadline, "{}", scene.operator_log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let refs = of_all(&|n| {
        let spec = reference("ImageProvider", &name(n), false);
        format!(
            "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: {}}}, spec: {{{spec}}}}}",
            name(n)
        )
    });
    scene.apply(&refs);
    scene.apply(&secret("keys", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    let auth = "{secretRef: {name: keys}}";
    scene.apply(&modelarts(&scene, "ImageProvider", "good", auth, ""));
    scene.image_ref("good", &reference("ImageProvider", "good", false));

    // Whoever waited for the service to its end would have said so before a worker was free.
    let silent =
        |kind: &str| (0..WORKERS).all(|n| condition(&scene.get(kind, &name(n)), "Ready").is_null());
    scene.wait_reason("good", "Resolved");
    assert!(silent("imageref"), "its references held every worker");
    scene.wait("imageprovider", "good", |o| {
        condition(o, "Ready")["status"] == "True"
    });
    assert!(silent("imageprovider"), "providers held every worker");
    // It is not that nothing is said of them.
    scene.wait("imageprovider", &name(0), |o| {
        condition(o, "Ready")["reason"] == "ProviderUnreachable"
    });
    let (_, text) = metrics::get(&metrics::address(&scene), "/metrics");
    let ended = [r#"form="huawei_sts_oidc""#, r#"result="unreachable""#];
    assert!(
        metrics::sum(&text, "imageref_sign_ins_total", &ended) >= 1.0,
        "{text}"
    );
}
