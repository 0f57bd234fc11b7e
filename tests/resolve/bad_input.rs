//! Input that is refused: every problem with its place, all at once, and no cloud is asked.

use super::{Scene, account, image_ref, notebook};
use fakecloud::defaults;

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_a_file_is_named_at_once() {
    let scene = Scene::new().await;
    scene.write("bad.yaml", include_str!("bad.yaml"));
    let run = scene.run(&["-f", "bad.yaml"]).await;
    assert_eq!(run.code, 2);
    assert_eq!(run.stdout, "");
    let expected = include_str!("bad.txt");
    assert_eq!(run.stderr, expected, "\n{}", run.stderr);
    assert_eq!(scene.cloud.calls().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_a_problem_of_its_own() {
    let scene = Scene::new().await;
    let good = account() + &image_ref("a", "one", &notebook(defaults::ASCEND_NOTEBOOK_ID), &[]);
    scene.write("good.yaml", &good);
    scene.write("empty.yaml", "");
    scene.write("comment.yaml", "# nothing\n---\n");
    scene.write(
        "other.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
    );
    scene.write("scalar.yaml", "just words\n");
    scene.write("folder/readme.txt", "no manifest");
    std::fs::write(scene.path("binary.yaml"), b"a: 1\nb: \xff\xfe\n").unwrap();
    std::fs::write(scene.path("large.yaml"), vec![b'#'; 10 * 1024 * 1024 + 1]).unwrap();
    scene.write("deep.yaml", &"[".repeat(200_000));
    scene.write("deeper.yaml", &"- ".repeat(200_000));
    let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let below = level - 1;
        text + &format!("a{level}: &a{level} [*a{below}, *a{below}]\n")
    });
    scene.write("bomb.yaml", &bomb);
    std::fs::write(scene.path("long.yaml"), "---\na: 1\n".repeat(10_001)).unwrap();
    for (file, expected) in [
        ("none.yaml", "none.yaml: no such file or folder\n"),
        ("empty.yaml", "empty.yaml: is empty\n"),
        ("comment.yaml", "comment.yaml: is empty\n"),
        (
            "other.yaml",
            "other.yaml: no ImageRef in the input, only other kinds (1): there is nothing to resolve\n",
        ),
        (
            "scalar.yaml",
            "scalar.yaml:1: not a Kubernetes object: it must be a map with apiVersion and kind\n",
        ),
        (
            "folder",
            "folder: no *.yaml, *.yml or *.json in this folder; -R looks into the folders below as well\n",
        ),
        ("binary.yaml", "binary.yaml:2: not UTF-8 text\n"),
        (
            "large.yaml",
            "large.yaml: larger than 10 MiB: cut it into several files\n",
        ),
        ("deep.yaml", "deep.yaml:1: "),
        ("deeper.yaml", "deeper.yaml:1: "),
        (
            "bomb.yaml",
            ": too large, too deep or too many aliases: write it out, or cut it into files\n",
        ),
        ("long.yaml", "… and 9801 more\n"),
    ] {
        let run = scene.run(&["-f", file]).await;
        assert_eq!(run.code, 2, "{file}");
        assert!(run.stderr.contains(expected), "{file}: {}", run.stderr);
        if !matches!(file, "other.yaml" | "comment.yaml") {
            let run = scene.run(&["-f", "good.yaml", "-f", file]).await;
            assert_eq!(run.code, 2, "a good file beside it does not help: {file}");
        }
    }
    let run = scene.run(&["-f", "good.yaml", "-f", "good.yaml"]).await;
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("good.yaml:19: ImageRef a/one: metadata.name: stands twice: good.yaml:19 has it already; remove one\n"), "{}", run.stderr);
    let run = scene.run_with(&["-f", "-"], &[], "").await;
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            2,
            "-: is empty\n1 problem in the input; no cloud was asked\n"
        )
    );
    assert_eq!(scene.cloud.calls().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_refused_before_anything_is_read() {
    let scene = Scene::new().await;
    for arguments in [
        &["-f", "x", "-n", "A_b"][..],
        &["-f", "x", "--operator-namespace", ""],
        &["-f", "x", "--concurrency", "0"],
        &["-f", "x", "-o", "xml"],
        &["-f", "x", "--allow-endpoint", "http://evil.example"],
        &[],
    ] {
        let run = scene.run(arguments).await;
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty());
    }
}

/// Secrets with everything that can go wrong in them; none of it may come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_secret_is_never_quoted() {
    let scene = Scene::new().await;
    let secret =
        |body: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{body}\n");
    let bodies = [
        "stringData: {accessKeySecret: PLANTED",
        "stringData:\n  accessKeySecret: 'PLANTED",
        "stringData:\n  accessKeySecret: PLANTED: x",
        "stringData:\n\taccessKeySecret: PLANTED",
        "stringData: {accessKeySecret:PLANTED}",
        "stringData: PLANTED",
        "stringData: [PLANTED]",
        "stringData:\n  accessKeySecret: [PLANTED]",
        "data:\n  accessKeySecret: PLANTED",
        "data:\n  accessKeySecret: UExBTlRFRA",
        "stringData:\n  PLANTED: 5",
        "PLANTED: x",
        "stringData:\n  a: PLANTED\n  a: PLANTED",
        "accessKeySecret:PLANTED: x",
        "stringData:\n  accessKeySecret: *PLANTED",
        "stringData:\n  accessKeySecret: !PLANTED x\n}",
        "stringData:\n  accessKeySecret: \"\\PLANTED\"",
        "stringData:\n  accessKeySecret: @PLANTED",
    ];
    for body in bodies {
        let text = secret(body);
        let run = scene.run_with(&["-v", "-f", "-"], &[], &text).await;
        assert_eq!(run.code, 2, "{body}: {}", run.stderr);
        assert!(run.stderr.starts_with("-:"), "{body}: {}", run.stderr);
    }
    for metadata in [
        "{name: PLANTED}",
        "{name: s, PLANTED: x}",
        "{name: s, labels: {PLANTED: 5}}",
        "{name: s, namespace: PLANTED}",
        "{name: [PLANTED]}",
        "PLANTED",
    ] {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\n");
        let run = scene.run_with(&["-f", "-"], &[], &text).await;
        assert_eq!(run.code, 2, "{metadata}");
    }
}
