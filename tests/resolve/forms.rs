//! Ways in and out: folders, standard input, Lists, the forms of the output, a closed pipe, Ctrl-C.

use super::{Scene, account, image_ref, notebook};
use fakecloud::{Fault, FaultKind, defaults};
use serde_json::Value;
use std::time::Duration;
use tokio::process::Command;

fn ascend(name: &str) -> String {
    image_ref("a", name, &notebook(defaults::ASCEND_NOTEBOOK_ID), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_yaml_are_the_same_list_of_image_refs_and_nothing_else() {
    let scene = Scene::new().await;
    scene.write("all.yaml", &(account() + &ascend("one") + &ascend("two")));
    let json = scene.run(&["-f", "all.yaml", "-o", "json"]).await;
    let yaml = scene.run(&["-f", "all.yaml", "-o", "yaml"]).await;
    assert_eq!((json.code, yaml.code), (0, 0));
    assert_eq!((json.stderr.as_str(), yaml.stderr.as_str()), ("", ""));
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let yaml: Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    assert_eq!(
        (&json["kind"], &json["apiVersion"]),
        (&"List".into(), &"v1".into())
    );
    for list in [&json, &yaml] {
        for (item, name) in list["items"].as_array().unwrap().iter().zip(["one", "two"]) {
            assert_eq!(item["kind"], "ImageRef");
            assert_eq!(item["metadata"]["name"], name);
            assert_eq!(item["spec"]["interval"], "1h", "defaults are shown");
            assert_eq!(item["status"]["arch"], "arm64");
            assert_eq!(item["status"]["observedGeneration"], 1);
            assert_eq!(item["status"]["upstream"]["workspaceId"], "0");
        }
    }
    assert_eq!(json["items"].as_array().unwrap().len(), 2);
    // What was printed can be read again; its status counts for nothing.
    let again = json.to_string().replace("arm64", "PLANTED-before");
    scene.write("account.yaml", &account());
    let run = scene
        .run_with(
            &["-f", "-", "-f", "account.yaml", "-o", "json"],
            &[],
            &again,
        )
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_read_in_order_and_deeper_ones_on_request() {
    let scene = Scene::new().await;
    scene.write("k/b.yml", &ascend("b"));
    scene.write("k/a.yaml", &(account() + &ascend("a")));
    scene.write(
        "k/c.json",
        &r#"{"apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef",
	"metadata": {"name": "c"},
	"spec": {"source": {"notebook": {"id": "ID"}}}}"#
            .replace("ID", defaults::ASCEND_NOTEBOOK_ID),
    );
    scene.write("k/notes.txt", "not: [read");
    scene.write("k/.hidden.yaml", "not: [read");
    scene.write("k/kustomization.yaml", "resources: [a.yaml]\n");
    scene.write("k/empty.yaml", "# nothing yet\n");
    scene.write("k/deep/d.yaml", &ascend("d"));
    let names = |stdout: &str| -> Vec<String> {
        let rows = stdout.lines().skip(1);
        rows.map(|row| row.split_whitespace().take(2).collect::<Vec<_>>().join("/"))
            .collect()
    };
    let run = scene.run(&["-f", "k", "-n", "team"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(names(&run.stdout), ["a/a", "a/b", "team/c"]);
    let run = scene.run(&["-f", "k", "-R"]).await;
    assert_eq!(names(&run.stdout), ["a/a", "a/b", "default/c", "a/d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_may_be_one_of_several_and_other_kinds_are_left_out() {
    let scene = Scene::new().await;
    scene.write("account.yaml", &account());
    let deployment =
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n";
    let stdin = ascend("one")
        + deployment
        + "---\nkind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n";
    let run = scene
        .run_with(&["-v", "-f", "account.yaml", "-f", "-"], &[], &stdin)
        .await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("read 1 ImageRefs, 1 providers, 1 Secrets, 0 Namespaces; left out 2 objects of other kinds\n"), "{}", run.stderr);
    assert!(run.stderr.contains("ClusterImageProvider default: credentials from Secret imageref-system/keys in account.yaml\n"));
    assert!(
        !run.stderr.contains('\u{1b}') && !run.stderr.contains('█'),
        "no bar without a terminal"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_is_no_error() {
    let scene = Scene::new().await;
    scene.write("all.yaml", &(account() + &ascend("one")));
    let mut child = scene.command(&["-f", "all.yaml"]).spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stdin.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_it_with_130() {
    let scene = Scene::new().await;
    scene.write("all.yaml", &(account() + &ascend("one")));
    scene
        .cloud
        .add_fault(Fault::always(FaultKind::Latency { ms: 60_000 }));
    let mut child = scene.command(&["-f", "all.yaml"]).spawn().unwrap();
    drop(child.stdin.take());
    // The call is under way, so the signal is listened for.
    while scene.cloud.calls().total() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let id = child.id().unwrap().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &id])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("interrupted: ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn imageref_check_reads_what_is_printed() {
    let scene = Scene::new().await;
    scene.write("all.yaml", &(account() + &ascend("one")));
    for form in ["yaml", "json"] {
        let answers = scene.run(&["-f", "all.yaml", "-o", form]).await;
        assert_eq!(answers.code, 0, "{}", answers.stderr);
        let list: Value = serde_saphyr::from_str(&answers.stdout).unwrap();
        let image = list["items"][0]["status"]["image"].as_str().unwrap();
        let pod = |name: &str, image: &str| {
            format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a}}\nspec: {{containers: [{{image: '{image}'}}]}}\n"
            )
        };
        scene.write("refs", &answers.stdout);
        scene.write("app.yaml", &(pod("good", image) + &pod("bad", "busybox")));
        let check = Command::new(env!("CARGO_BIN_EXE_imageref"))
            .args(["check", "-f", "app.yaml", "--refs", "refs"])
            .current_dir(scene.folder.path())
            .env_clear()
            .output()
            .await
            .unwrap();
        let table = String::from_utf8(check.stdout).unwrap();
        assert!(
            table.ends_with("\n2 workloads: 1 allowed, 1 denied\n"),
            "{table}"
        );
    }
}
