//! Owns the test of the command line.

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

struct Running {
    process: tokio::process::Child,
    url: String,
    file: std::path::PathBuf,
}

async fn run() -> Running {
    let file = std::env::temp_dir().join(format!("fakecloud-{}", uuid::Uuid::new_v4()));
    let mut process = Command::new(env!("CARGO_BIN_EXE_fakecloud"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--until-stdin-closes",
            "--port-file",
        ])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let url = line
        .strip_prefix("fakecloud listening on ")
        .unwrap()
        .to_owned();
    Running { process, url, file }
}

#[tokio::test]
async fn the_binary_says_where_it_listens_and_ends_with_its_standard_input() {
    let mut running = run().await;
    assert!(running.url.starts_with("http://127.0.0.1:"));
    assert_eq!(std::fs::read_to_string(&running.file).unwrap(), running.url);
    drop(running.process.stdin.take());
    assert!(running.process.wait().await.unwrap().success());
    std::fs::remove_file(&running.file).unwrap();
}

#[tokio::test]
async fn the_binary_ends_in_order_when_asked_to_terminate() {
    let mut running = run().await;
    let id = running.process.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    assert!(running.process.wait().await.unwrap().success());
    std::fs::remove_file(&running.file).unwrap();
}
