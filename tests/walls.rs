//! The walls of the architecture: which part may know what.

use std::path::{Path, PathBuf};

/// Every Rust file under `src/` whose path begins with one of the names.
fn files(of: &[&str]) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    walk(&source, &mut all);
    let files: Vec<_> = all
        .into_iter()
        .map(|path| (path.strip_prefix(&source).unwrap().to_owned(), path))
        .filter(|(name, _)| of.iter().any(|part| name.starts_with(part)))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect();
    assert!(
        !files.is_empty(),
        "nothing under {of:?}: the wall stands in the wrong place"
    );
    files
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines
        .map(|(n, line)| (n + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_free_of(parts: &[&str], forbidden: &[&str]) {
    let mut broken = Vec::new();
    for (name, text) in files(parts) {
        for (line, content) in code(&text) {
            for word in forbidden.iter().filter(|word| content.contains(**word)) {
                broken.push(format!("src/{}:{line} names {word}", name.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Input and output of any kind, and everything that is not a function of its arguments.
const EFFECTS: &[&str] = &[
    "kube::Client",
    "kube::Api",
    "kube::api::",
    "kube::runtime",
    "kube::client",
    "reqwest",
    "hyper",
    "tokio",
    "futures",
    "async fn",
    "std::net",
    "std::fs",
    "std::env",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "rand::",
    "Uuid::new_v4",
];

#[test]
fn the_core_and_the_signers_know_no_client_no_network_and_no_clock() {
    let parts = [
        "api",
        "facts",
        "lock",
        "plan",
        "admission/verdict",
        "admission/catalogue",
        "admission/configuration.rs",
        "admission/image.rs",
        "admission/known",
        "admission/known.rs",
        "admission/mutation.rs",
        "admission/path.rs",
        "admission/pod.rs",
        "admission/review",
        "admission/workload.rs",
        "cloud/modelarts/sign.rs",
        "cloud/pai/sign.rs",
        "cloud/modelarts/error.rs",
        "cloud/pai/error.rs",
        "cloud/modelarts/derived.rs",
        "cloud/modelarts/endpoint.rs",
        "cloud/pai/endpoint.rs",
        "cloud/identity/endpoints.rs",
        "cloud/identity/refused.rs",
        "cloud/identity/renewal.rs",
        "cloud/identity/source.rs",
        "cloud/identity/state.rs",
        "cloud/gate/limits.rs",
        "cloud/gate/bucket.rs",
        "cloud/gate/breaker.rs",
        "cloud/address.rs",
        "cloud/provider.rs",
        "cloud/select.rs",
        "cloud/snapshot/choice.rs",
        "cloud/snapshot/listing.rs",
        "cloud/snapshot/scope.rs",
        "controller/providers/listed.rs",
        "registry/login/docker_config.rs",
        "registry/login/ground.rs",
        "registry/login/key.rs",
        "registry/challenge.rs",
        "registry/hosts.rs",
        "registry/manifest.rs",
        "registry/refusal.rs",
        "registry/swr_login.rs",
        "webhook/certificates/bundle.rs",
        "webhook/certificates/held.rs",
        "webhook/certificates/make.rs",
        "webhook/certificates/pair.rs",
        "webhook/certificates/plan.rs",
    ];
    for part in parts {
        assert_free_of(&[part], EFFECTS);
    }
}

#[test]
fn each_room_knows_only_the_rooms_below_it() {
    assert_free_of(
        &["api"],
        &[
            "crate::facts",
            "crate::plan",
            "crate::cloud",
            "crate::controller",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    assert_free_of(
        &["facts"],
        &[
            "crate::plan",
            "crate::cloud",
            "crate::controller",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    assert_free_of(
        &["plan"],
        &[
            "crate::cloud",
            "crate::controller",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    assert_free_of(
        &["telemetry"],
        &[
            "crate::api",
            "crate::facts",
            "crate::plan",
            "crate::cloud",
            "crate::controller",
            "crate::cli",
        ],
    );
    assert_free_of(
        &["cloud"],
        &[
            "crate::controller",
            "crate::cli",
            "kube::Client",
            "kube::Api",
        ],
    );
    assert_free_of(&["registry"], &["crate::controller", "crate::cli"]);
    // One verdict for the webhook and the command line: it knows neither.
    assert_free_of(
        &[
            "admission/verdict",
            "admission/workload.rs",
            "admission/pod.rs",
        ],
        &[
            "crate::plan",
            "crate::cloud",
            "crate::registry",
            "crate::controller",
            "crate::cli",
        ],
    );
    assert_free_of(&["admission"], &["crate::controller", "crate::cli"]);
    // It answers while platforms are away, and has no way to ask them.
    let above = [
        "crate::controller",
        "crate::cli",
        "crate::cloud",
        "crate::registry",
    ];
    assert_free_of(&["webhook"], &above);
    assert_free_of(
        &["lock"],
        &[
            "crate::plan",
            "crate::cloud",
            "crate::registry",
            "crate::controller",
            "crate::cli",
            "crate::telemetry",
        ],
    );
    assert_free_of(&["controller"], &["crate::cli"]);
}

#[test]
fn secrets_accounts_and_namespaces_are_read_by_name_and_never_listed() {
    const READERS: [&str; 5] = [
        "proofs.rs",
        "pull_secrets.rs",
        "tokens.rs",
        "namespaces.rs",
        "secret_watches.rs",
    ];
    for (name, text) in files(&["controller"]) {
        let reader = READERS.iter().any(|reader| name.ends_with(reader));
        for (line, content) in code(&text) {
            let kinds = ["Api<Secret>", "Api<ServiceAccount>", "Api<Namespace>"];
            assert!(
                reader || !kinds.iter().any(|kind| content.contains(kind)),
                "src/{}:{line} reaches Secrets, ServiceAccounts or Namespaces beside {READERS:?}",
                name.display()
            );
        }
        for verb in [".list", ".watch", "watcher(", "Api::all::<Secret>"] {
            let watches = name.ends_with("secret_watches.rs") && verb == ".watch";
            assert!(
                !reader || watches || !text.contains(verb),
                "src/{} uses {verb}",
                name.display()
            );
        }
    }
}

#[test]
fn no_room_is_named_for_nothing_and_every_file_says_what_it_owns() {
    for (name, text) in files(&[""]) {
        let path = name.display().to_string();
        for vague in ["util", "common", "helper", "manager", "misc"] {
            assert!(
                !path.contains(vague),
                "src/{path}: a name that says nothing"
            );
        }
        assert!(
            text.starts_with("//!"),
            "src/{path} does not open with what it owns"
        );
    }
}
