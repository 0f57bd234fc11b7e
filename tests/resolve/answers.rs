//! What is answered: each API, each kind of no, and who may use what.

use super::{
    PAI, Scene, account, cluster_provider, huawei_secret, image_ref, model_arts, notebook,
    provider, secret,
};
use fakecloud::{Fault, FaultKind, ImageApi, Operation, defaults};

/// The row of a table, as words.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.get(1) == Some(&name));
    row.unwrap_or_else(|| panic!("no row {name} in {table}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_api_answers_by_id_and_by_name() {
    let scene = Scene::new().await;
    let pai = "providerRef: {kind: ImageProvider, name: pai}";
    let mut text = account()
        + &provider("a", "pai", PAI)
        + &secret("a", "keys", defaults::ALIBABA_AK, defaults::ALIBABA_SECRET);
    for (name, source, more) in [
        ("nb-id", notebook(defaults::ASCEND_NOTEBOOK_ID), vec![]),
        (
            "nb-name",
            "notebook: {name: llm-serving, tag: v1.0}".into(),
            vec![],
        ),
        (
            "ls-id",
            format!("liteServer: {{id: {}}}", defaults::SEED_LITE_SERVER_ID),
            vec![],
        ),
        (
            "pai-id",
            format!("pai: {{id: {}}}", defaults::WORKSPACE_PAI_ID),
            vec![pai],
        ),
        ("pai-name", "pai: {name: own-train}".into(), vec![pai]),
    ] {
        text += &image_ref("a", name, &source, &more);
    }
    let server = scene
        .cloud
        .image(ImageApi::LiteServer, defaults::SEED_LITE_SERVER_ID)
        .unwrap();
    let source = format!("liteServer: {{name: {}}}", server["name"]);
    text += &image_ref("a", "ls-name", &source, &[]);
    scene.write("all.yaml", &text);
    let run = scene.run(&["-f", "all.yaml"]).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stderr, "", "nothing to say without -v");
    let image = "swr.cn-north-4.myhuaweicloud.com/ai-team/llm-serving:v1.0";
    assert_eq!(
        row(&run.stdout, "nb-name"),
        [
            "a", "nb-name", "default", "amd64", "ACTIVE", "True", "Resolved", image
        ]
    );
    assert_eq!(row(&run.stdout, "nb-id")[3], "arm64");
    assert_eq!(
        row(&run.stdout, "pai-id"),
        row(&run.stdout, "pai-name")
            .iter()
            .map(|w| if *w == "pai-name" { "pai-id" } else { w })
            .collect::<Vec<_>>()
    );
    for name in ["ls-id", "ls-name"] {
        assert_eq!(
            row(&run.stdout, name)[3..],
            ["arm64", "ACTIVE", "True", "Resolved", "-"]
        );
    }
    let names: Vec<_> = run
        .stdout
        .lines()
        .skip(1)
        .filter_map(|l| l.split_whitespace().nth(1))
        .collect();
    assert_eq!(
        names,
        ["nb-id", "nb-name", "ls-id", "pai-id", "pai-name", "ls-name"],
        "the files' order"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_resolved_is_listed_with_its_reason() {
    let scene = Scene::new().await;
    let unknown = "278e88d1-5b71-4766-8502-000000000000";
    let ascend = notebook(defaults::ASCEND_NOTEBOOK_ID);
    let rows: [(&str, String, &[&str], &str, &str); 8] = [
        (
            "expects",
            ascend.clone(),
            &["expect: {arch: [amd64]}"],
            "ExpectationFailed",
            "expected arch amd64, and the image has arm64",
        ),
        ("missing", notebook(unknown), &[], "ImageNotFound", ""),
        (
            "two",
            "notebook: {name: llm-serving}".into(),
            &[],
            "AmbiguousMatch",
            defaults::TWO_TAGS_SECOND_NOTEBOOK_ID,
        ),
        (
            "saving",
            notebook(defaults::CREATING_NOTEBOOK_ID),
            &[],
            "ImageNotActive",
            "CREATING",
        ),
        (
            "suspended",
            ascend.clone(),
            &["suspend: true"],
            "Suspended",
            "spec.suspend",
        ),
        (
            "nobody",
            ascend.clone(),
            &["providerRef: {kind: ClusterImageProvider, name: none}"],
            "ProviderNotFound",
            "ClusterImageProvider none does not exist",
        ),
        (
            "keyless",
            ascend,
            &["providerRef: {kind: ImageProvider, name: keyless}"],
            "ProviderNotReady",
            "Secret a/keys does not exist",
        ),
        (
            "wrong",
            "pai: {id: image-1}".into(),
            &[],
            "InvalidSpec",
            "needs a provider with spec.pai",
        ),
    ];
    let mut text = account() + &provider("a", "keyless", &model_arts());
    for (name, source, more, ..) in &rows {
        text += &image_ref("a", name, source, more);
    }
    scene.write("all.yaml", &text);
    for form in ["table", "json", "yaml"] {
        let run = scene.run(&["-f", "all.yaml", "-o", form]).await;
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        let listed = if form == "table" {
            &run.stdout
        } else {
            &run.stderr
        };
        for (name, .., reason, message) in &rows {
            let line = listed
                .lines()
                .find(|line| line.starts_with(&format!("a/{name}: ")));
            let line = line.unwrap_or_else(|| panic!("{name} in {listed}"));
            assert!(line.contains(reason) && line.contains(message), "{line}");
        }
        assert!(
            listed.contains("fix: add the provider's file with -f\n"),
            "{listed}"
        );
        assert!(
            listed.contains("or set IMAGEREF_ACCESS_KEY_ID and IMAGEREF_ACCESS_KEY_SECRET"),
            "{listed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_repeated_and_a_lasting_one_is_not_for_long() {
    let scene = Scene::new().await;
    let source = notebook(defaults::ASCEND_NOTEBOOK_ID);
    scene.write(
        "one.yaml",
        &(account() + &image_ref("a", "one", &source, &[])),
    );
    let throttled = FaultKind::ThrottledGateway {
        retry_after_s: None,
    };
    let patient = FaultKind::ThrottledModelArts {
        retry_after_s: Some(60),
    };
    for (kind, times, code, calls, reason) in [
        (throttled, 1, 0, 2, "Resolved"),
        (
            FaultKind::ThrottledGateway {
                retry_after_s: Some(1),
            },
            1,
            0,
            2,
            "Resolved",
        ),
        (FaultKind::Internal500, 2, 0, 3, "Resolved"),
        (FaultKind::Truncated, 3, 1, 3, "Progressing"),
        (patient, 1, 1, 1, "Progressing"),
    ] {
        scene.cloud.reset();
        scene
            .cloud
            .set_faults(vec![Fault::always(kind.clone()).times(times)]);
        let run = scene.run(&["-f", "one.yaml"]).await;
        assert_eq!(run.code, code, "{kind:?}: {}", run.stdout);
        assert_eq!(
            scene.cloud.calls().of(Operation::ShowImage),
            calls,
            "{kind:?}"
        );
        assert_eq!(row(&run.stdout, "one")[6], reason, "{}", run.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_tried_once_for_all_references() {
    let scene = Scene::new().await;
    let mut text = secret(
        "imageref-system",
        "keys",
        defaults::HUAWEI_AK,
        "PLANTED-wrong",
    ) + &cluster_provider("default", &model_arts(), "{selector: {}}");
    for number in 0..20 {
        text += &image_ref(
            "a",
            &format!("r{number}"),
            &notebook(defaults::ASCEND_NOTEBOOK_ID),
            &[],
        );
    }
    scene.write("all.yaml", &text);
    let run = scene.run(&["-f", "all.yaml", "--concurrency", "64"]).await;
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stdout.matches(": AuthenticationFailed: ").count(),
        20,
        "{}",
        run.stdout
    );
    assert_eq!(
        scene.cloud.calls().total(),
        1,
        "a handful of failures would lock the key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_kept_apart_as_in_a_cluster() {
    let scene = Scene::new().await;
    let source = notebook(defaults::ASCEND_NOTEBOOK_ID);
    let by = |kind: &str, name: &str| format!("providerRef: {{kind: {kind}, name: {name}}}");
    let labelled = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: ai}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n";
    let text = [
        // The keys are in a and in the operator's namespace, not in b.
        huawei_secret("a", "keys"),
        huawei_secret("imageref-system", "keys"),
        provider("a", "own", &model_arts()),
        provider("b", "borrowed", &model_arts()),
        cluster_provider("named", &model_arts(), "{names: [a]}"),
        cluster_provider(
            "labelled",
            &model_arts(),
            "{selector: {matchLabels: {team: ai}}}",
        ),
        cluster_provider(
            "by-name",
            &model_arts(),
            "{selector: {matchLabels: {kubernetes.io/metadata.name: c}}}",
        ),
        labelled.into(),
        image_ref("a", "a-own", &source, &[&by("ImageProvider", "own")]),
        image_ref("b", "b-own", &source, &[&by("ImageProvider", "own")]),
        image_ref(
            "b",
            "b-borrowed",
            &source,
            &[&by("ImageProvider", "borrowed")],
        ),
        image_ref(
            "a",
            "a-named",
            &source,
            &[&by("ClusterImageProvider", "named")],
        ),
        image_ref(
            "b",
            "b-named",
            &source,
            &[&by("ClusterImageProvider", "named")],
        ),
        image_ref(
            "a",
            "a-labelled",
            &source,
            &[&by("ClusterImageProvider", "labelled")],
        ),
        image_ref(
            "b",
            "b-labelled",
            &source,
            &[&by("ClusterImageProvider", "labelled")],
        ),
        image_ref(
            "c",
            "c-labelled",
            &source,
            &[&by("ClusterImageProvider", "labelled")],
        ),
        image_ref(
            "c",
            "c-by-name",
            &source,
            &[&by("ClusterImageProvider", "by-name")],
        ),
    ];
    scene.write("all.yaml", &text.concat());
    let run = scene.run(&["-f", "all.yaml"]).await;
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for (name, reason) in [
        ("a-own", "Resolved"),
        ("b-own", "ProviderNotFound"),
        ("b-borrowed", "ProviderNotReady"),
        ("a-named", "Resolved"),
        ("b-named", "ProviderNotAllowed"),
        ("a-labelled", "Resolved"),
        ("b-labelled", "ProviderNotAllowed"),
        ("c-labelled", "ProviderNotReady"),
        ("c-by-name", "Resolved"),
    ] {
        assert_eq!(row(&run.stdout, name)[6], reason, "{name}: {}", run.stdout);
    }
    assert!(
        run.stdout
            .contains("fix: add the file of Namespace c with -f\n")
    );
    // The operator's namespace is where the operator's owner says.
    let run = scene
        .run(&["-f", "all.yaml", "--operator-namespace", "ops"])
        .await;
    assert_eq!(row(&run.stdout, "a-named")[6], "ProviderNotReady");
    assert_eq!(row(&run.stdout, "a-own")[6], "Resolved");
    assert!(
        run.stdout
            .contains("set its namespace to ops, or give --operator-namespace"),
        "{}",
        run.stdout
    );
}
