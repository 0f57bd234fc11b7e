//! The process: how it starts, and how it ends.

use super::scene::{apply_rights, command};
use crate::metrics::get;
use crate::on_cluster;
use crate::webhook::served::{Identity, SOON};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn imageref(args: &[String], env: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imageref"));
    command
        .args(args)
        .envs(env.iter().cloned())
        .stdin(Stdio::null());
    command
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ended(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_broken_configuration_ends_the_process_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("admission.yaml");
    std::fs::write(&config, "trust: any\nexemt: []\n").unwrap();
    let args = ["webhook", "--tls-dir", "/none", "--config"].map(str::to_owned);
    let mut args = Vec::from(args);
    args.push(config.display().to_string());
    let output = imageref(&args, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("{}:2: ", config.display())),
        "{said}"
    );
    assert!(said.contains("exemt"), "{said}");
}

#[test]
fn a_folder_without_a_certificate_ends_the_process_with_its_name() {
    let args = ["webhook", "--tls-dir", "/none"].map(str::to_owned);
    let output = imageref(&args, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: --tls-dir: /none/tls.crt: "),
        "{said}"
    );
}

#[test]
fn after_sigterm_it_is_not_ready_and_answers_on_before_it_ends() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    apply_rights(cluster);
    let identity = Identity::new();
    let (mut args, env) = command(cluster, &identity, "drain");
    args.extend(["--drain".into(), "3s".into()]);
    let mut child = imageref(&args, &env)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let mut child = Running(child);
    let mut lines = log.lines().map(Result::unwrap);
    let mut port = |what: &str| {
        let line = lines.find(|line| line.contains(what)).expect(what);
        let (_, rest) = line.split_once("127.0.0.1:").unwrap_or_default();
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let metrics = format!("127.0.0.1:{}", port("metrics and health are served"));
    let reviews = port("reviews are served");
    port("everything is listed");
    let deadline = Instant::now() + SOON;
    while get(&metrics, "/readyz").0 != 200 {
        assert!(Instant::now() < deadline, "it is never ready");
    }
    assert_eq!(get(&metrics, "/healthz").0, 200);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ca = reqwest::Certificate::from_pem(identity.ca.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy();
    // Anew each time: by the kept connection it would prove nothing about new ones.
    let client = client.pool_max_idle_per_host(0).build().unwrap();
    let ask = || {
        let url = format!("https://127.0.0.1:{reviews}/validate/warn");
        let request = client.post(url).header("content-type", "application/json");
        let answer = runtime.block_on(request.body("{}").send());
        answer.map(|answer| answer.status().as_u16())
    };
    assert_eq!(ask().unwrap(), 400);
    let pid = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    while get(&metrics, "/readyz").0 != 503 {
        assert!(Instant::now() < deadline, "it is ready for ever");
    }
    assert_eq!(ask().unwrap(), 400, "it drains, and answers");
    assert!(ended(&mut child.0).success());
    ask().unwrap_err();
}
