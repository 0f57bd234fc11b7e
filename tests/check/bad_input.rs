//! What is wrong with the input is said with its file and line, and nothing is judged.

use super::{Scene, pod, torch};

#[test]
fn each_mistake_names_file_line_and_fix() {
    let good = pod("a", "p", "busybox");
    let scene = Scene::new()
        .with("good.yaml", &good)
        .with("broken.yaml", "a: 1\n---\nkind: [\n")
        .with("empty.yaml", "# nothing\n")
        .with(
            "other.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: PLANTED}\n",
        )
        .with("nameless.yaml", "apiVersion: v1\nkind: Pod\nspec: {}\n")
        .with("place.yaml", &pod("A_b", "p", "busybox"))
        .with("folder/readme.txt", "")
        .with(
            "typed.yaml",
            &torch("a", "x", "3").replace("arch: arm64", "arch: [arm64]"),
        )
        .with(
            "twice.yaml",
            &(torch("a", "x", "3") + &torch("a", "x", "4")),
        )
        .with(
            "version.yaml",
            "apiVersion: imageref.dev/v1\nkind: ImageRef\nmetadata: {name: x}\n",
        );
    for (file, said) in [
        ("none.yaml", "none.yaml: no such file or folder\n"),
        (
            "broken.yaml",
            "broken.yaml:1: not a Kubernetes object: apiVersion and kind is missing",
        ),
        ("broken.yaml", "broken.yaml:3: not YAML: "),
        ("empty.yaml", "empty.yaml: is empty\n"),
        (
            "other.yaml",
            "other.yaml: no workload in the input: there is nothing to check\n",
        ),
        (
            "nameless.yaml",
            "nameless.yaml:1: Pod: metadata.name: is missing: add it\n",
        ),
        (
            "place.yaml",
            "place.yaml:4: Pod default/p: metadata.namespace: must be at most 63 lower-case letters",
        ),
        (
            "folder",
            "folder: no *.yaml, *.yml or *.json in this folder; -R looks into the folders below as well\n",
        ),
        (
            "typed.yaml",
            "typed.yaml:9: ImageRef a/x: status.arch: cannot be read as this field of the kind\n",
        ),
        (
            "twice.yaml",
            "twice.yaml:15: ImageRef a/x: metadata.name: stands twice: twice.yaml:4 has it already; remove one\n",
        ),
        (
            "version.yaml",
            "version.yaml:1: ImageRef: apiVersion must be imageref.dev/v1alpha1\n",
        ),
    ] {
        let mut runs = vec![format!("-f {file}")];
        if file != "other.yaml" {
            runs.push(format!("-f good.yaml -f {file}"));
            runs.push(format!("-f good.yaml --refs {file}"));
        }
        if file == "nameless.yaml" {
            runs.pop();
        }
        for arguments in runs {
            let run = scene.run(&arguments);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments}");
            assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
            assert!(
                run.stderr.ends_with(" in the input; nothing was judged\n"),
                "{}",
                run.stderr
            );
            assert!(!run.stderr.contains("PLANTED"), "{}", run.stderr);
        }
    }
}

#[test]
fn a_mistake_in_the_configuration_is_told_beside_those_of_the_files() {
    for (text, said) in [
        (
            "trust: any\nmirorrs: []\n",
            "config.yaml:2: unknown field `mirorrs`, expected one of trust, ",
        ),
        (
            "exempt: [busybox]\n",
            "config.yaml: exempt: \"busybox\" names no host: write it such as docker.io/library/busybox",
        ),
        ("trust: [\n", "config.yaml:"),
    ] {
        let scene = Scene::new()
            .with("good.yaml", &pod("a", "p", "busybox"))
            .with("nameless.yaml", "apiVersion: v1\nkind: Pod\n")
            .with("config.yaml", text);
        let run = scene.run("-f good.yaml --config config.yaml");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{text}");
        assert!(run.stderr.starts_with(said), "{}", run.stderr);
        assert!(
            run.stderr
                .ends_with("\n1 problem in the input; nothing was judged\n"),
            "{}",
            run.stderr
        );
        let run = scene.run("-f nameless.yaml --config config.yaml");
        assert!(
            run.stderr
                .ends_with("\n2 problems in the input; nothing was judged\n"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let scene = Scene::new().with("good.yaml", &pod("a", "p", "busybox"));
    for (arguments, said) in [
        ("", "--filename"),
        (
            "-f good.yaml -n A_b",
            "--namespace \"A_b\" is not the name of a namespace",
        ),
        (
            "-f good.yaml --operator-namespace -",
            "--operator-namespace \"-\" is not",
        ),
        ("-f good.yaml --mode off", "enforce, warn, audit"),
        ("-f good.yaml -o yaml", "table, json"),
        (
            "-f good.yaml --config none.yaml",
            "none.yaml: no such file or folder\n",
        ),
        ("-f - --refs -", "standard input can be read once"),
    ] {
        let run = scene.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments}");
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
}
