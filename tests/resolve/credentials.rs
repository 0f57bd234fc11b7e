//! Where credentials come from, in which order, and that only names are told.

use super::{
    PAI, Run, Scene, account, cluster_provider, image_ref, model_arts, notebook, provider, secret,
};
use fakecloud::{HuaweiAccount, defaults};

type Variables<'a> = &'a [(&'a str, &'a str)];

const OWN: [(&str, &str); 2] = [
    ("IMAGEREF_ACCESS_KEY_ID", defaults::HUAWEI_AK),
    ("IMAGEREF_ACCESS_KEY_SECRET", defaults::HUAWEI_SK),
];
const HUAWEI: [(&str, &str); 2] = [
    ("HUAWEICLOUD_SDK_AK", defaults::HUAWEI_AK),
    ("HUAWEICLOUD_SDK_SK", defaults::HUAWEI_SK),
];
const WRONG_HUAWEI: [(&str, &str); 2] = [
    ("HUAWEICLOUD_SDK_AK", defaults::HUAWEI_AK),
    ("HUAWEICLOUD_SDK_SK", "PLANTED"),
];
const ALIBABA: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", defaults::ALIBABA_AK),
    ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", defaults::ALIBABA_SECRET),
];
const TOKEN: [(&str, &str); 1] = [("IMAGEREF_AUTH_TOKEN", defaults::AUTH_TOKEN)];

async fn scene() -> Scene {
    let scene = Scene::new().await;
    let source = notebook(defaults::ASCEND_NOTEBOOK_ID);
    let default = cluster_provider("default", &model_arts(), "{selector: {}}");
    scene.write("refs.yaml", &image_ref("a", "one", &source, &[]));
    scene.write("provider.yaml", &default);
    scene.write("account.yaml", &account());
    let by_pai = ["providerRef: {kind: ClusterImageProvider, name: pai}"];
    let source = format!("pai: {{id: {}}}", defaults::WORKSPACE_PAI_ID);
    scene.write(
        "pai.yaml",
        &(cluster_provider("pai", PAI, "{names: [a]}") + &image_ref("a", "two", &source, &by_pai)),
    );
    scene
}

fn told(run: &Run, provider: &str) -> String {
    let begin = format!("ClusterImageProvider {provider}: credentials from ");
    let line = run
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix(&begin));
    line.unwrap_or_else(|| panic!("{}", run.stderr)).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_stands_in_for_a_secret_that_is_not_in_the_files() {
    let scene = scene().await;
    let files = [
        "-v",
        "-f",
        "refs.yaml",
        "-f",
        "provider.yaml",
        "-f",
        "pai.yaml",
    ];
    let everything = [&TOKEN[..], &HUAWEI, &ALIBABA].concat();
    let run = scene.run_with(&files, &everything, "").await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        told(&run, "default"),
        "the environment: IMAGEREF_AUTH_TOKEN"
    );
    assert_eq!(
        told(&run, "pai"),
        "the environment: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET"
    );
    let run = scene
        .run_with(&files, &[&HUAWEI[..], &ALIBABA].concat(), "")
        .await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        told(&run, "default"),
        "the environment: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_files_comes_first_and_our_variables_before_the_vendors() {
    let scene = scene().await;
    let wrong = [
        ("IMAGEREF_ACCESS_KEY_ID", "PLANTED"),
        ("IMAGEREF_ACCESS_KEY_SECRET", "PLANTED"),
    ];
    let run = scene
        .run_with(&["-v", "-f", "refs.yaml", "-f", "account.yaml"], &wrong, "")
        .await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        told(&run, "default"),
        "Secret imageref-system/keys in account.yaml"
    );
    let files = ["-v", "-f", "refs.yaml", "-f", "provider.yaml"];
    let run = scene
        .run_with(&files, &[&OWN[..], &WRONG_HUAWEI].concat(), "")
        .await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_token_goes_with_its_keys() {
    let scene = scene().await;
    let temporary = HuaweiAccount {
        sk: "PLANTED-sk".into(),
        security_token: Some("PLANTED-token".into()),
        project_id: defaults::PROJECT_ID.into(),
    };
    scene.cloud.add_huawei_account("TEMPORARY", temporary);
    let variables = [
        ("HUAWEICLOUD_SDK_AK", "TEMPORARY"),
        ("HUAWEICLOUD_SDK_SK", "PLANTED-sk"),
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "PLANTED-token"),
    ];
    let run = scene
        .run_with(&["-f", "refs.yaml", "-f", "provider.yaml"], &variables, "")
        .await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_half_there_is_named() {
    let scene = scene().await;
    let files = ["-f", "refs.yaml", "-f", "provider.yaml"];
    let without = ["--no-env", "-f", "refs.yaml", "-f", "provider.yaml"];
    let rows: [(&[&str], Variables<'_>, &str); 4] = [
        (
            &files,
            &[],
            "or set IMAGEREF_ACCESS_KEY_ID and IMAGEREF_ACCESS_KEY_SECRET, or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
        ),
        (&without, &OWN, "(--no-env leaves the environment out)"),
        (
            &files,
            &OWN[1..],
            "the environment lacks IMAGEREF_ACCESS_KEY_ID; it has IMAGEREF_ACCESS_KEY_SECRET",
        ),
        (
            &files,
            &[OWN[0], OWN[1], TOKEN[0]],
            "IMAGEREF_AUTH_TOKEN and an access key: keep one of them",
        ),
    ];
    for (arguments, variables, expected) in rows {
        let run = scene.run_with(arguments, variables, "").await;
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        assert!(
            run.stdout.contains("ProviderNotReady") && run.stdout.contains(expected),
            "{}",
            run.stdout
        );
    }
    assert_eq!(scene.cloud.calls().total(), 0);
    // A Secret that is there and useless is not passed over.
    scene.write("useless.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: imageref-system}\nstringData: {accessKeyID: PLANTED, accessKeySecret: PLANTED}\n");
    let run = scene
        .run_with(&[&files[..], &["-f", "useless.yaml"]].concat(), &OWN, "")
        .await;
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("Secret imageref-system/keys: the Secret lacks accessKeyId; it has accessKeyID, accessKeySecret"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_that_many_providers_name_is_tried_three_times_at_most() {
    let scene = Scene::new().await;
    let source = notebook(defaults::ASCEND_NOTEBOOK_ID);
    let each = |n: usize| {
        // Another project is another account, with a gate of its own.
        let platform = format!(
            "modelArts: {{region: {}, projectId: p{n}, endpoint: ENDPOINT}}",
            defaults::REGION
        );
        let by = format!("providerRef: {{kind: ImageProvider, name: p{n}}}");
        let name = format!("r{n}");
        provider("a", &format!("p{n}"), &platform) + &image_ref("a", &name, &source, &[&by])
    };
    let key = secret("a", "keys", defaults::HUAWEI_AK, "PLANTED");
    scene.write("all.yaml", &(0..8).fold(key, |text, n| text + &each(n)));
    let run = scene.run(&["-f", "all.yaml"]).await;
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let failed = run.stdout.matches(": AuthenticationFailed: ").count();
    assert_eq!(failed, 8, "{}", run.stdout);
    let calls = scene.cloud.calls().total();
    assert!(
        (1..=3).contains(&calls),
        "{calls}: more than five in a row lock the key"
    );
}
