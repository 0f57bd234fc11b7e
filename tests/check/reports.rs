//! The forms of the output that other tools read, and verdicts that nobody confirmed.

use super::{Scene, TORCH, deployment, namespace, pod, torch};
use imageref::admission::Reason;
use serde_json::{Value, json};

fn mixed() -> Scene {
    let app = deployment("team-a", "train", &format!("{TORCH}:1"))
        + &pod("team-a", "good", &format!("{TORCH}:3"))
        + &pod("team-a", "unknown", "busybox");
    let refs =
        namespace("team-a", "imageref.dev/admission: enforce") + &torch("team-a", "torch", "3");
    Scene::new()
        .with("k8s/a,b.yaml", &app)
        .with("refs.yaml", &refs)
}

fn sarif(run: &super::Run) -> Value {
    let log: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    assert_structure(&log);
    log["runs"][0].clone()
}

/// What SARIF 2.1.0 requires of what is used of it (sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.29).
fn assert_structure(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(
        log["$schema"],
        "https://json.schemastore.org/sarif-2.1.0.json"
    );
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert_eq!(driver["name"], "imageref");
    assert!(driver["version"].is_string());
    let rules = driver["rules"].as_array().unwrap();
    let ids: Vec<_> = rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(ids, reasons, "a rule for each reason");
    for rule in rules {
        for message in ["shortDescription", "fullDescription", "help"] {
            assert!(
                rule[message]["text"].as_str().unwrap().ends_with('.'),
                "{rule}"
            );
        }
        assert_eq!(rule["defaultConfiguration"]["level"], "error");
    }
    for invocation in runs[0]["invocations"].as_array().unwrap() {
        assert!(invocation["executionSuccessful"].is_boolean());
        for notification in invocation["toolExecutionNotifications"].as_array().unwrap() {
            assert!(notification["message"]["text"].is_string());
        }
    }
    for result in runs[0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], ids[index]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let locations = result["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1);
        let physical = &locations[0]["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        let of_a_uri = |c: char| c.is_ascii_alphanumeric() || "/-._~%:".contains(c);
        assert!(uri.chars().all(of_a_uri), "{uri}");
        assert!(physical["region"]["startLine"].as_u64().unwrap() >= 1);
        let logical = &locations[0]["logicalLocations"][0];
        assert!(logical["fullyQualifiedName"].is_string());
        let prints = result["partialFingerprints"].as_object().unwrap();
        assert!(prints.values().all(Value::is_string));
    }
}

#[test]
fn sarif_has_a_rule_a_reason_and_a_result_a_finding_with_its_line() {
    let run = mixed().run("-f k8s --refs refs.yaml -o sarif");
    assert_eq!(run.code, 1);
    let log = sarif(&run);
    let results = log["results"].as_array().unwrap().iter().map(|result| {
        let physical = &result["locations"][0]["physicalLocation"];
        json!([
            result["ruleId"],
            result["level"],
            physical["artifactLocation"]["uri"],
            physical["region"]["startLine"]
        ])
    });
    assert_eq!(
        Value::from(results.collect::<Vec<_>>()),
        json!([
            ["OtherTag", "warning", "k8s/a%2Cb.yaml", 10],
            ["UnknownImage", "error", "k8s/a%2Cb.yaml", 26]
        ])
    );
    let message = log["results"][1]["message"]["text"].as_str().unwrap();
    let words = "Pod team-a/unknown: spec.containers[0] \"main\": image busybox: no ImageRef in team-a names it (UnknownImage). Use ";
    assert!(message.starts_with(words), "{message}");
    assert_eq!(log["properties"]["unverified"], false);
    let summary = "3 workloads: 1 allowed, 1 warned about, 1 denied";
    assert_eq!(log["properties"]["summary"], summary);
    // The findings are for people too.
    assert!(
        run.stderr.contains("k8s/a,b.yaml:26: Pod"),
        "{}",
        run.stderr
    );
}

#[test]
fn without_findings_sarif_has_no_result_and_standard_input_is_no_file() {
    let scene = mixed();
    let good = pod("team-a", "good", &format!("{TORCH}:3"));
    let run = scene.run_with("-f - --refs refs.yaml -o sarif", &good);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sarif(&run)["results"], json!([]));
    let bad = pod("team-a", "bad", "busybox");
    let run = scene.run_with("-f - --refs refs.yaml -o sarif --mode audit", &bad);
    assert_eq!(run.code, 0);
    let result = &sarif(&run)["results"][0];
    let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!((&result["level"], uri), (&"note".into(), &"stdin".into()));
}

#[test]
fn annotations_name_file_line_and_reason_and_nothing_in_a_manifest_ends_one() {
    let run = mixed().run("-f k8s --refs refs.yaml -o github");
    let lines: Vec<_> = run.stdout.lines().collect();
    let other = format!(
        "::warning file=k8s/a%2Cb.yaml,line=10,title=OtherTag::Deployment team-a/train: spec.template.spec.containers[0] \"main\": image {TORCH}:1: ImageRef team-a/torch stands for the tag 3 (OtherTag). Use {TORCH}:3."
    );
    assert_eq!(lines[0], other);
    assert!(
        lines[1].starts_with(
            "::error file=k8s/a%2Cb.yaml,line=26,title=UnknownImage::Pod team-a/unknown: "
        ),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2], "3 workloads: 1 allowed, 1 warned about, 1 denied");
    assert_eq!((lines.len(), run.code, run.stderr.as_str()), (3, 1, ""));

    let evil = pod("team-a", "p", "\"50%\\r\\n::error::owned\"")
        .replace("name: main", "name: \"m\\n::add-mask::x\"");
    let run = Scene::new().run_with("-f - -o github --mode audit", &evil);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let commands: Vec<_> = run.stdout.lines().filter(|l| l.starts_with("::")).collect();
    assert_eq!(commands.len(), 1, "{}", run.stdout);
    assert!(
        commands[0].starts_with("::notice title=MalformedImage::"),
        "{commands:?}"
    );
    assert!(commands[0].contains("50%25"), "{commands:?}");
}

const LOCK: &str = "version: 1
images:
- {namespace: team-a, name: torch, image: 'swr.cn-north-4.myhuaweicloud.com/ai/torch:3', arch: arm64, provider: {kind: ClusterImageProvider, name: default}}
- {namespace: team-a, name: old, image: 'swr.cn-north-4.myhuaweicloud.com/ai/old:1', provider: {kind: ClusterImageProvider, name: default}, notUsable: ImageNotActive}
";

#[test]
fn a_verdict_from_a_lock_file_says_in_every_form_that_nobody_confirmed_it() {
    let scene = Scene::new()
        .with("imageref.lock", LOCK)
        .with("app.yaml", &pod("team-a", "good", &format!("{TORCH}:3")));
    let why =
        "unverified: the facts are those of imageref.lock, and no cloud was asked (--verify asks)";
    let run = |form: &str| {
        let run = scene.run(&format!("-f app.yaml --lock imageref.lock -o {form}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        run
    };
    let sentence = format!("\n1 workload: 1 allowed; {why}\n");
    assert!(run("table").stdout.ends_with(&sentence));
    let json: Value = serde_json::from_str(&run("json").stdout).unwrap();
    assert_eq!(
        (&json["facts"], &json["unverified"]),
        (&"lock".into(), &true.into())
    );
    let log = sarif(&run("sarif"));
    assert_eq!(log["properties"]["unverified"], true);
    let notification = &log["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(notification["message"]["text"], why);
    let annotation = format!("::warning title=unverified::{why}\n");
    assert!(run("github").stdout.starts_with(&annotation));
}

#[test]
fn the_lock_decides_and_statuses_in_the_files_do_not() {
    let app = pod("team-a", "good", &format!("{TORCH}:3"))
        + &pod("team-a", "forged", &format!("{TORCH}:9"))
        + &pod("team-a", "old", "swr.cn-north-4.myhuaweicloud.com/ai/old:1")
        + &torch("team-a", "forged", "9");
    let scene = Scene::new()
        .with("imageref.lock", LOCK)
        .with("app.yaml", &app)
        .with(
            "namespaces.yaml",
            &namespace("team-a", "imageref.dev/admission: warn"),
        );
    let run = scene.run("-f app.yaml --lock imageref.lock");
    assert_eq!(run.code, 1);
    let rows = "team-a     Pod   good    enforce  Allow
team-a     Pod   forged  enforce  Deny
team-a     Pod   old     enforce  Deny\n";
    assert!(run.stdout.contains(rows), "{}", run.stdout);
    let words = "ImageRef team-a/old is not usable: ImageNotActive: so it was when it was locked";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    // Namespaces may come from files of their own.
    let run = scene.run("-f app.yaml --lock imageref.lock --refs namespaces.yaml");
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn one_source_is_taken_and_a_lock_that_cannot_be_read_is_bad_input() {
    let scene = Scene::new()
        .with("app.yaml", &pod("a", "p", "busybox"))
        .with("newer.lock", "version: 2\n")
        .with("broken.lock", "version: 1\nimages: [{name: \"\\e[2J\"}]\n");
    let one = "facts come from one source: give one of --cluster";
    for (arguments, said) in [
        ("--lock newer.lock --ask", one),
        ("--cluster --ask", one),
        ("--kubeconfig k --lock newer.lock", one),
        (
            "--context c --refs app.yaml",
            "give --refs or the cluster, not both",
        ),
        ("--verify", "--lock"),
        ("--lock none.lock", "none.lock: no such file or folder\n"),
        (
            "--lock newer.lock",
            "newer.lock: version 2 is newer than 1, which this release reads",
        ),
        ("--lock broken.lock", "broken.lock:2: cannot be read ("),
        ("--kubeconfig none", "reading none: "),
        (
            "--ask",
            "app.yaml: no ImageRef in the input: there is nothing to resolve",
        ),
    ] {
        let run = scene.run(&format!("-f app.yaml {arguments}"));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments}");
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
        assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
    }
}

#[test]
fn thousands_of_workloads_and_references_take_seconds() {
    let workloads: String = (0..5_000)
        .map(|n| {
            deployment(
                &format!("n{}", n % 50),
                &format!("d{n}"),
                &format!("{TORCH}:{}", n * 2),
            )
        })
        .collect();
    let names = |n: usize| (format!("n{}", n % 50), format!("r{n}"));
    let scene = Scene::new().with("app.yaml", &workloads);
    for part in 0..4 {
        let refs: String = (part * 2_500..(part + 1) * 2_500)
            .map(|n| {
                let (namespace, name) = names(n);
                torch(&namespace, &name, &n.to_string())
            })
            .collect();
        std::fs::create_dir_all(scene.folder.path().join("refs")).unwrap();
        std::fs::write(scene.folder.path().join(format!("refs/{part}.yaml")), refs).unwrap();
    }
    // The processor's time: how long the others on the machine take says nothing.
    let timed =
        "TIMEFORMAT=%U; time \"$0\" check -f app.yaml --refs refs -o json > out.json 2> findings";
    let output = std::process::Command::new("bash")
        .args(["-c", timed, env!("CARGO_BIN_EXE_imageref")])
        .current_dir(scene.folder.path())
        .output()
        .unwrap();
    let took = String::from_utf8(output.stderr).unwrap();
    let text = std::fs::read_to_string(scene.folder.path().join("out.json")).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["workloads"].as_array().unwrap().len(), 5_000);
    // An unoptimised build takes some seconds; a walk over all references for each workload would
    // take minutes.
    let seconds: f64 = took.trim().parse().unwrap_or(f64::MAX);
    assert!(seconds < 60.0, "{took}");
}
