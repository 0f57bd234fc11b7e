//! The Helm chart, and the manifests in `deploy/` that are rendered from it.
//!
//! Owns how the chart is rendered and how a rendering is cut into objects. Must not know which objects
//! there are. The invariant that would break first: everything is rendered by the real helm, for the
//! release and the namespace that the documents name.

mod accepted;
mod manifests;
mod readme;
mod refused;
mod rights;
mod snapshots;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHART: &str = "charts/imageref-operator";

/// One object of a rendering.
#[derive(Clone, PartialEq)]
struct Rendered {
    /// The template's name, without folder and ending.
    template: String,
    text: String,
    object: Value,
}

impl Rendered {
    fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    /// What tells it from all others.
    fn id(&self) -> (String, String, String) {
        let namespace = self.object["metadata"]["namespace"].as_str();
        let [kind, name] = [self.kind(), self.name()].map(str::to_owned);
        (kind, namespace.unwrap_or_default().to_owned(), name)
    }
}

/// A file of the repository.
fn path(of: &str) -> PathBuf {
    Path::new(ROOT).join(of)
}

/// A text of the repository; empty where there is none.
fn text(of: &str) -> String {
    std::fs::read_to_string(path(of)).unwrap_or_default()
}

/// Whether generated files are to be written anew.
fn updating() -> bool {
    std::env::var_os("UPDATE_FIXTURES").is_some_and(|value| value == "1")
}

/// Compares a generated file with what it should be, or writes it.
fn check_file(of: &str, should: &str, command: &str) {
    if updating() && text(of) != should {
        std::fs::create_dir_all(path(of).parent().unwrap()).unwrap();
        std::fs::write(path(of), should).unwrap();
    }
    assert!(
        text(of) == should,
        "{of} is not what the chart gives: run `{command}` and look at the difference"
    );
}

fn helm(args: &[&str]) -> Output {
    let mut command = Command::new(cluster::helm());
    // Nothing of this machine's own configuration counts.
    let nowhere = std::env::temp_dir().join("imageref-chart-no-helm-home");
    for variable in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
        command.env(variable, &nowhere);
    }
    command
        .env("KUBECONFIG", nowhere.join("config"))
        .args(args)
        .current_dir(ROOT)
        .output()
        .unwrap()
}

/// Renders the chart with more arguments, as the release `imageref` in `imageref-system`.
fn template(more: &[&str]) -> Output {
    let mut args = vec!["template", "imageref", CHART, "--namespace=imageref-system"];
    args.extend(more);
    helm(&args)
}

/// The objects of a rendering that must succeed.
fn rendered(more: &[&str]) -> Vec<Rendered> {
    let output = template(more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{more:?}: {said}");
    let all = String::from_utf8(output.stdout).unwrap();
    all.split("\n---\n").filter_map(one).collect()
}

fn one(text: &str) -> Option<Rendered> {
    let text = text.trim_start_matches("---\n");
    let (source, text) = text.split_once('\n')?;
    let source = source.strip_prefix("# Source: imageref-operator/")?;
    let template = Path::new(source).file_stem()?.to_str()?.to_owned();
    let text = format!("{}\n", text.trim_matches('\n'));
    let object: Value = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    Some(Rendered {
        template,
        text,
        object,
    })
}

/// The cases: a name, and the arguments that render it.
fn cases() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(path("tests/chart/values")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut cases: Vec<_> = names
        .map(|file| {
            let name = file.trim_end_matches(".yaml").to_owned();
            (name, format!("--values=tests/chart/values/{file}"))
        })
        .collect();
    cases.sort();
    assert!(cases.len() > 20);
    cases
}

#[test]
fn helm_finds_nothing_to_say_about_the_chart() {
    if !cluster::require_helm() {
        return;
    }
    let output = helm(&["lint", "--strict", CHART]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("[WARNING]"), "{said}");
}

#[test]
fn the_crds_of_the_chart_are_the_generated_ones() {
    let folder = std::fs::read_dir(path("crds")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    let inside = std::fs::read_dir(path(CHART).join("files/crds")).unwrap();
    let mut copies: Vec<_> = inside.map(|entry| entry.unwrap().file_name()).collect();
    copies.sort();
    assert_eq!(copies, files);
    for file in files {
        let file = file.to_str().unwrap();
        let copy = text(&format!("{CHART}/files/crds/{file}"));
        assert!(copy == text(&format!("crds/{file}")), "{file}: make crds");
    }
}

#[test]
fn the_crds_of_a_release_are_the_generated_ones_and_stay_when_it_goes() {
    if !cluster::require_helm() {
        return;
    }
    let policy = "helm.sh/resource-policy";
    for (more, keep) in [
        ("--set=crds.keep=true", true),
        ("--set=crds.keep=false", false),
    ] {
        let all = rendered(&[more]);
        let crds: Vec<_> = all.iter().filter(|one| one.template == "crds").collect();
        assert_eq!(crds.len(), 4);
        for crd in crds {
            let (plural, _) = crd.name().split_once('.').unwrap();
            let generated = text(&format!("crds/imageref.dev_{plural}.yaml"));
            let generated: Value = serde_saphyr::from_str(&generated).unwrap();
            assert!(crd.object["spec"] == generated["spec"], "{}", crd.name());
            let kept = crd.object["metadata"]["annotations"][policy] == "keep";
            assert_eq!(kept, keep, "{}", crd.name());
        }
    }
}
