//! Locking statuses that were printed before.

use super::{read, scene};

#[tokio::test(flavor = "multi_thread")]
async fn what_resolve_printed_gives_the_same_lock_as_asking() {
    let scene = scene().await;
    let asked = scene
        .run_as("lock", "-f account.yaml -f refs.yaml --lock -", "")
        .await;
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    for form in ["yaml", "json"] {
        let arguments = format!("-f account.yaml -f refs.yaml -o {form}");
        let printed = scene.run_as("resolve", &arguments, "").await;
        let calls = scene.cloud.calls().total();
        let run = scene
            .run_as("lock", "--refs - --lock again.lock", &printed.stdout)
            .await;
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(read(&scene, "again.lock"), asked.stdout);
        assert_eq!(scene.cloud.calls().total(), calls, "nobody is asked");
    }
    let run = scene.run_as("lock", "--refs refs.yaml", "").await;
    assert_eq!(run.code, 1, "without a status");
    assert!(
        run.stderr.contains("a/train: Progressing: no answer yet\n"),
        "{}",
        run.stderr
    );
    assert!(!scene.path("imageref.lock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_lock_is_written_anew_and_told() {
    let scene = scene().await;
    scene.write("imageref.lock", "<<<<<<< HEAD\nversion: 1\n");
    let run = scene
        .run_as("lock", "-f account.yaml -f refs.yaml", "")
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.starts_with("imageref.lock:1: cannot be read ("),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .ends_with("imageref.lock: written: 2 ImageRefs\n"),
        "{}",
        run.stderr
    );
    assert!(read(&scene, "imageref.lock").contains("\nversion: 1\n"));
}
