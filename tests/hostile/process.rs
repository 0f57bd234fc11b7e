//! The operator's process: what its owner gets wrong is said at the start; and a whole one in a
//! network where nothing but a proxy and an authority of its own lead to the vendor.

use super::front::{Authority, Certificate, loopback};
use super::proxies::Proxy;
use super::{Trap, VENDOR_HOST};
use crate::operator::{condition, runtime, secret, start_with};
use crate::process::own_scene;
use fakecloud::defaults;
use std::process::Command;

/// Arguments, variables, and words of the refusal.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

fn start(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_imageref"))
        .arg("controller")
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

#[test]
fn a_network_that_cannot_be_meant_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("empty.pem"), "nothing here\n").unwrap();
    let (empty, absent) = (path("empty.pem"), path("absent.pem"));
    let rows: [Row<'_>; 10] = [
        (
            &["--allow-endpoint", "https://169.254.169.254"],
            &[],
            "metadata",
        ),
        (&["--allow-endpoint", "https://127.0.0.1"], &[], "loopback"),
        (
            &["--allow-endpoint", "http://mirror.example"],
            &[],
            "https://",
        ),
        (
            &["--allow-endpoint", "https://mirror.example/v1"],
            &[],
            "nothing before or after",
        ),
        (
            &["--allow-endpoint", "https://*.example"],
            &[],
            "lower-case host",
        ),
        (
            &["--metrics-address", "everywhere"],
            &[],
            "no address with a port",
        ),
        (&["--ca-file", &empty], &[], "hold none in PEM"),
        (&["--ca-file", &absent], &[], "absent.pem"),
        (
            &[],
            &[("HTTPS_PROXY", "socks5://u:hidden-word@h.example")],
            "HTTPS_PROXY",
        ),
        (
            &[],
            &[("all_proxy", "ftp://u:hidden-word@h.example")],
            "HTTPS_PROXY",
        ),
    ];
    for (arguments, environment, words) in rows {
        let (code, text) = start(arguments, environment);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(
            text.contains(words),
            "{arguments:?} {environment:?}: {text}"
        );
        assert!(!text.contains("hidden-word"), "{text}");
    }
}

#[test]
fn behind_a_proxy_and_an_own_authority_the_operator_resolves_and_cannot_be_led_elsewhere() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let authority = Authority::new();
    let proxy = runtime().block_on(async {
        let front = authority
            .front(&scene.cloud, loopback(), VENDOR_HOST, Certificate::Good)
            .await;
        Proxy::start(front, super::proxies::OPEN).await
    });
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let args = vec!["--ca-file".to_owned(), ca_file.display().to_string()];
    let env = vec![
        (
            "HTTPS_PROXY".to_owned(),
            format!("http://{}", proxy.address),
        ),
        ("NO_PROXY".to_owned(), "127.0.0.1".to_owned()),
    ];
    scene.operator = Some(start_with(scene.cluster, "operator", args, env));
    // The vendor's own endpoint: the manifest names none.
    scene.apply(&secret("huawei", defaults::HUAWEI_AK, defaults::HUAWEI_SK));
    scene.apply(&provider("default", ""));
    let source = format!(
        "source: {{notebook: {{id: {}}}}}",
        defaults::ASCEND_NOTEBOOK_ID
    );
    scene.image_ref("good", &source);
    scene.wait_reason("good", "Resolved");
    let tunnel = format!("CONNECT {VENDOR_HOST}:443 ");
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|head| head.starts_with(&tunnel)),
        "{asked:?}"
    );

    let trap = Trap::new();
    let evil = [
        "https://evil.example".to_owned(),
        format!("http://{}", trap.address()),
    ];
    for (n, endpoint) in evil.iter().enumerate() {
        let name = format!("evil-{n}");
        scene.apply(&provider(&name, &format!(", endpoint: \"{endpoint}\"")));
        let reference = format!("providerRef: {{kind: ImageProvider, name: {name}}}, {source}");
        scene.image_ref(&name, &reference);
        scene.wait("imageprovider", &name, |object| {
            condition(object, "Ready")["reason"] == "EndpointNotAllowed"
        });
        scene.wait_reason(&name, "Progressing");
    }
    trap.assert_untouched("an endpoint");
    let asked = proxy.asked();
    assert!(
        asked.iter().all(|head| head.starts_with(&tunnel)),
        "{asked:?}"
    );
}

fn provider(name: &str, endpoint: &str) -> String {
    format!(
        "{{apiVersion: imageref.dev/v1alpha1, kind: ImageProvider, metadata: {{name: {name}}},
          spec: {{modelArts: {{region: cn-north-4, projectId: {}{endpoint}}}, auth: {{secretRef: {{name: huawei}}}}}}}}",
        defaults::PROJECT_ID
    )
}
