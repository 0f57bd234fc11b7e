//! Locking what the clouds say, and judging by it.

use super::super::resolve::{Scene, image_ref, notebook};
use super::{read, scene};
use fakecloud::{Fault, FaultKind, ImageApi, defaults};
use imageref::lock::Lock;

const FILES: &str = "-f account.yaml -f refs.yaml";

fn image(scene: &Scene, id: &str) -> String {
    let image = scene.cloud.image(ImageApi::Notebook, id).unwrap();
    image["swr_path"].as_str().unwrap().to_owned()
}

fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: a}}\nspec: {{containers: [{{image: '{image}'}}]}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_write_equal_bytes_whatever_the_order_and_an_equal_file_is_left_alone() {
    let scene = scene().await;
    let run = scene.run_as("lock", FILES, "").await;
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(run.stderr, "imageref.lock: written: 2 ImageRefs\n");
    let first = read(&scene, "imageref.lock");
    let lock = Lock::read(&first).unwrap();
    let names: Vec<_> = lock
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["serve", "train"], "sorted");
    let train = &lock.entries()[1];
    assert_eq!(
        train.image,
        Some(image(&scene, defaults::ASCEND_NOTEBOOK_ID))
    );
    assert_eq!(
        train.image_id.as_deref(),
        Some(defaults::ASCEND_NOTEBOOK_ID)
    );
    assert_eq!(
        (train.arch.as_deref(), train.status.as_deref()),
        (Some("arm64"), Some("ACTIVE"))
    );
    assert_eq!(
        train.provider.as_ref().unwrap().kind,
        "ClusterImageProvider"
    );
    assert!(
        !first.contains("T0") && !first.to_lowercase().contains("request"),
        "{first}"
    );

    let modified = || {
        std::fs::metadata(scene.path("imageref.lock"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = modified();
    let refs = read(&scene, "refs.yaml");
    let mut documents: Vec<_> = refs.split("---\n").filter(|d| !d.is_empty()).collect();
    documents.reverse();
    let shuffled = documents.join("---\n");
    let run = scene
        .run_as("lock", "-f - -f account.yaml", &shuffled)
        .await;
    assert_eq!(run.stderr, "imageref.lock: is as it was: 2 ImageRefs\n");
    assert_eq!(
        (read(&scene, "imageref.lock"), modified()),
        (first.clone(), before)
    );
    let run = scene
        .run_as("lock", "-f - -f account.yaml --lock -", &shuffled)
        .await;
    assert_eq!((run.stdout, run.stderr.as_str()), (first, ""));
    let run = scene
        .run_as("lock", &format!("{FILES} --lock lock.json"), "")
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let json = read(&scene, "lock.json");
    assert!(json.starts_with('{'), "{json}");
    assert_eq!(Lock::read(&json).unwrap(), lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_of_each_reference_what_moved_and_writes_nothing() {
    let scene = scene().await;
    scene.run_as("lock", FILES, "").await;
    let before = read(&scene, "imageref.lock");
    let check = format!("{FILES} --check");
    let run = scene.run_as("lock", &check, "").await;
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "imageref.lock: true: 2 ImageRefs\n")
    );

    let old = image(&scene, defaults::ASCEND_NOTEBOOK_ID);
    scene
        .cloud
        .update(ImageApi::Notebook, defaults::ASCEND_NOTEBOOK_ID, |image| {
            image["swr_path"] = format!("{}/moved/train:2", defaults::SWR_HOST).into();
        });
    let more = image_ref("a", "more", &notebook(defaults::MODELBOX_NOTEBOOK_ID), &[]);
    let train = image_ref("a", "train", &notebook(defaults::ASCEND_NOTEBOOK_ID), &[]);
    scene.write("refs.yaml", &(more + &train));
    let run = scene.run_as("lock", &check, "").await;
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let new = image(&scene, defaults::MODELBOX_NOTEBOOK_ID);
    let gone = image(&scene, defaults::SEED_NOTEBOOK_ID);
    assert_eq!(
        run.stdout,
        format!(
            "a/more: new: {new}
a/serve: gone: it was {gone}
a/train: image {old} -> {}/moved/train:2
imageref.lock: 3 changes since it was written, of 2 ImageRefs\n",
            defaults::SWR_HOST
        )
    );
    assert_eq!(read(&scene, "imageref.lock"), before);
    let run = scene.run_as("lock", FILES, "").await;
    assert_eq!(run.code, 0);
    assert!(
        run.stderr
            .ends_with("imageref.lock: written: 2 ImageRefs\n"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("a/serve: gone: it was "),
        "{}",
        run.stderr
    );
    assert_eq!(scene.run_as("lock", &check, "").await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_used_is_refused_by_name_unless_it_was_asked_for() {
    let scene = scene().await;
    let bad = image_ref(
        "a",
        "building",
        &notebook(defaults::CREATING_NOTEBOOK_ID),
        &[],
    );
    let refs = read(&scene, "refs.yaml");
    scene.write("refs.yaml", &(refs + &bad));
    let run = scene.run_as("lock", FILES, "").await;
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(
        run.stderr.starts_with("a/building: ImageNotActive: "),
        "{}",
        run.stderr
    );
    let words = "1 ImageRef may not be used; nothing was written (--allow-unusable locks them as not usable)\n";
    assert!(run.stderr.ends_with(words), "{}", run.stderr);
    assert!(!scene.path("imageref.lock").exists());

    let run = scene
        .run_as("lock", &format!("{FILES} --allow-unusable"), "")
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(read(&scene, "imageref.lock").contains("  notUsable: ImageNotActive\n"));
    let run = scene.run_as("lock", &format!("{FILES} --check"), "").await;
    assert_eq!(run.code, 0, "it is as locked: {}", run.stdout);

    // A cloud that cannot be asked is told as that, not as images that moved.
    scene.cloud.add_fault(Fault::always(FaultKind::Status {
        status: 403,
        error_code: "ModelArts.0010".into(),
        error_message: "no right".into(),
        retry_after: None,
    }));
    let run = scene.run_as("lock", &format!("{FILES} --check"), "").await;
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("a/train: usable yes -> no ("),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("image "), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_the_clouds_and_verifies_a_lock() {
    let scene = scene().await;
    scene.run_as("lock", FILES, "").await;
    let train = image(&scene, defaults::ASCEND_NOTEBOOK_ID);
    scene.write("app.yaml", &pod(&train));
    scene.write("bad.yaml", &pod("busybox"));

    let run = scene
        .run_as("check", &format!("-f app.yaml {FILES} --ask -o json"), "")
        .await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("\"facts\": \"clouds\"")
            && run.stdout.contains("\"unverified\": false")
    );
    // From files of their own too: then those beside the workload do not count.
    let apart = "-f app.yaml --refs refs.yaml --refs account.yaml --ask";
    assert_eq!(scene.run_as("check", apart, "").await.code, 0);
    let run = scene
        .run_as("check", &format!("-f bad.yaml {FILES} --ask"), "")
        .await;
    assert_eq!(run.code, 1);

    let verify = format!("-f app.yaml {FILES} --lock imageref.lock --verify");
    let run = scene.run_as("check", &verify, "").await;
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert!(!run.stdout.contains("unverified"), "{}", run.stdout);

    scene
        .cloud
        .update(ImageApi::Notebook, defaults::SEED_NOTEBOOK_ID, |image| {
            image["swr_path"] = format!("{}/moved/serve:2", defaults::SWR_HOST).into();
        });
    let calls = scene.cloud.calls().total();
    let run = scene
        .run_as("check", "-f app.yaml --lock imageref.lock", "")
        .await;
    assert_eq!(run.code, 0, "nobody was asked");
    assert_eq!(scene.cloud.calls().total(), calls);
    assert!(run.stdout.contains("; unverified: "), "{}", run.stdout);
    let run = scene.run_as("check", &verify, "").await;
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(
        run.stderr.starts_with("imageref.lock: a/serve: image "),
        "{}",
        run.stderr
    );
    assert!(
        run.stdout.ends_with("1 workload: 1 allowed; unverified: the facts are those of imageref.lock, and the clouds say something else\n"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_bad_input_no_cloud_is_asked() {
    let scene = scene().await;
    scene.write("broken.yaml", "a: 1\n");
    scene.write("app.yaml", &pod("busybox"));
    scene.write("newer.lock", "version: 9\n");
    for (subcommand, arguments, said) in [
        ("lock", "-f account.yaml", "no ImageRef in the input"),
        (
            "lock",
            "-f refs.yaml -f broken.yaml",
            "1 problem in the input; nothing was written\n",
        ),
        (
            "lock",
            "-f refs.yaml --check",
            "imageref.lock: no such file or folder\n",
        ),
        (
            "lock",
            "-f refs.yaml --lock newer.lock",
            "newer.lock: version 9 is newer than 1",
        ),
        (
            "lock",
            "-f refs.yaml --refs refs.yaml",
            "give one of -f, --refs and --cluster",
        ),
        ("lock", "", "nothing to lock: give -f"),
        (
            "lock",
            "-f refs.yaml --check --lock -",
            "--check compares with a file",
        ),
        (
            "check",
            "-f app.yaml -f refs.yaml -f broken.yaml --ask",
            "nothing was judged\n",
        ),
    ] {
        let run = scene.run_as(subcommand, arguments, "").await;
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (2, ""),
            "{arguments}: {}",
            run.stderr
        );
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
    assert_eq!(scene.cloud.calls().total(), 0);
    assert_eq!(read(&scene, "newer.lock"), "version: 9\n");
}
