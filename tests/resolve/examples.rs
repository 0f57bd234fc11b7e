//! The files in `examples/` do what their comments say.

use super::Scene;
use std::path::Path;

async fn scene() -> Scene {
    let scene = Scene::new().await;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = format!("examples/{}", path.file_name().unwrap().to_str().unwrap());
        scene.write(&name, &text.replace("http://127.0.0.1:8099", "ENDPOINT"));
    }
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn each_example_resolves_through_its_provider() {
    let scene = scene().await;
    for (file, provider, count) in [
        ("notebook", "modelarts", 2),
        ("lite-server", "modelarts", 1),
        ("pai", "pai", 1),
    ] {
        let file = format!("examples/{file}.yaml");
        let provider = format!("examples/provider-{provider}.yaml");
        let run = scene.run(&["-f", &file, "-f", &provider]).await;
        assert_eq!(run.code, 0, "{file}: {}{}", run.stdout, run.stderr);
        assert_eq!(
            run.stdout.matches(" Resolved ").count(),
            count,
            "{}",
            run.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broken_example_fails_for_the_reason_it_names() {
    let scene = scene().await;
    let files = [
        "-f",
        "examples/broken.yaml",
        "-f",
        "examples/provider-modelarts.yaml",
    ];
    let run = scene.run(&files).await;
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let line = "default/wrong-architecture: ExpectationFailed: expected arch amd64, and the image has arm64: choose another image, or change spec.expect.arch\n";
    assert!(run.stdout.ends_with(line), "{}", run.stdout);
    // All of them together, as the folder has them.
    let run = scene.run(&["-f", "examples"]).await;
    assert_eq!(run.code, 1);
    assert_eq!(run.stdout.matches(" True ").count(), 4, "{}", run.stdout);
}
