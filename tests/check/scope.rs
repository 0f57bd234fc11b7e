//! What counts: which references, which namespaces, which configuration.

use super::{Scene, TORCH, deployment, namespace, pod, torch};

#[test]
fn a_reference_counts_in_its_own_namespace_and_in_all_if_that_is_shared() {
    let image = format!("{TORCH}:3");
    let app = pod("team-a", "a", &image) + &pod("team-b", "b", &image) + &pod("", "c", &image);
    let scene = Scene::new()
        .with("app.yaml", &app)
        .with(
            "refs.yaml",
            &(torch("team-a", "x", "3") + &torch("images", "z", "3")),
        )
        .with("shared.yaml", "sharedNamespaces: [images]");
    let run = scene.run("-n team-b -f app.yaml --refs refs.yaml");
    let rows = "team-a     Pod   a     enforce  Allow
team-b     Pod   b     enforce  Deny
team-b     Pod   c     enforce  Deny\n";
    assert!(run.stdout.contains(rows), "{}", run.stdout);
    let run = scene.run("-n team-b -f app.yaml --refs refs.yaml --config shared.yaml");
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn with_references_of_their_own_files_a_status_beside_the_workload_approves_nothing() {
    let scene = Scene::new()
        .with(
            "app.yaml",
            &(pod("team-a", "p", &format!("{TORCH}:9")) + &torch("team-a", "forged", "9")),
        )
        .with("refs.yaml", &torch("team-a", "torch", "3"))
        .with("none.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    assert_eq!(scene.run("-f app.yaml").code, 0);
    let run = scene.run("-f app.yaml --refs refs.yaml");
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(
        run.stdout.contains("torch stands for the tag 3"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("forged"), "{}", run.stdout);
    let run = scene.run("-f app.yaml --refs none.yaml");
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_namespace_says_the_mode_and_without_it_everything_enforces() {
    let app = pod("a", "p", "busybox") + &deployment("a", "d", "busybox");
    let modes = |labels: &str, arguments: &str| {
        let scene = Scene::new().with("all.yaml", &(labels.to_owned() + &app));
        let run = scene.run(&format!("-f all.yaml {arguments}"));
        let rows = run.stdout.lines().skip(1).take(2);
        let cells = rows.map(|row| {
            let cells: Vec<_> = row.split_whitespace().collect();
            cells[3..].join(" ")
        });
        cells.collect::<Vec<_>>().join(", ")
    };
    let labelled = |labels: &str| modes(&namespace("a", labels), "");
    assert_eq!(modes("", ""), "enforce Deny, enforce Deny");
    assert_eq!(labelled(""), "- Allow, - Allow");
    let enforce = "imageref.dev/admission: enforce";
    assert_eq!(labelled(enforce), "enforce Deny, warn Warn");
    assert_eq!(
        labelled("imageref.dev/admission: audit"),
        "audit Allow, audit Allow"
    );
    let both = format!("{enforce}, imageref.dev/admission-templates: enforce");
    assert_eq!(labelled(&both), "enforce Deny, enforce Deny");
    let any = namespace("a", "");
    assert_eq!(modes(&any, "--mode enforce"), "enforce Deny, enforce Deny");
    assert_eq!(
        modes(&namespace("a", &both), "--mode warn"),
        "warn Warn, warn Warn"
    );
    assert_eq!(modes("", "--operator-namespace a"), "- Allow, - Allow");
}

#[test]
fn a_namespace_of_the_cluster_goes_before_one_of_the_files() {
    let scene = Scene::new()
        .with(
            "app.yaml",
            &(namespace("a", "") + &pod("a", "p", "busybox")),
        )
        .with(
            "cluster.yaml",
            &namespace("a", "imageref.dev/admission: enforce"),
        );
    assert_eq!(scene.run("-f app.yaml").code, 0);
    let run = scene.run("-f app.yaml --refs cluster.yaml");
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_digest_and_the_platforms_of_a_status_are_compared() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let refs = torch("a", "torch", "3").replace(
        "  arch: arm64\n",
        &format!("  arch: arm64\n  digest: {digest}\n  platforms: [linux/amd64, linux/arm64]\n"),
    );
    let label = namespace(
        "a",
        "imageref.dev/admission: enforce, imageref.dev/require-digest: 'true'",
    );
    let on_amd64 = "  nodeSelector: {kubernetes.io/arch: amd64}\n";
    let said = |image: String| {
        let app = pod("a", "p", &image) + on_amd64;
        let scene = Scene::new().with("all.yaml", &format!("{label}{refs}{app}"));
        scene.run("-f all.yaml").stdout
    };
    let run = said(format!("{TORCH}:3@{digest}"));
    assert!(run.contains("1 allowed"), "{run}");
    let run = said(format!("{TORCH}:3"));
    let fix = format!("(DigestRequired). Use {TORCH}:3@{digest}.");
    assert!(run.contains(&fix), "{run}");
}

#[test]
fn a_reference_without_a_status_is_pointed_out_and_approves_nothing() {
    let bare = "apiVersion: imageref.dev/v1alpha1\nkind: ImageRef\nmetadata: {name: torch}\nspec: {source: {pai: {id: image-1}}}\n";
    let scene = Scene::new().with("all.yaml", &(bare.to_owned() + &pod("default", "p", TORCH)));
    let run = scene.run("-f all.yaml -v");
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stderr,
        "read 1 workload, 0 ImageRefs with a status, 0 Namespaces; left out 0 other objects
Namespace default is not known: it is taken to enforce, templates too
all.yaml:3: ImageRef default/torch: has no status and approves nothing (1 ImageRef in all): give what `imageref resolve -o yaml` or `kubectl get imagerefs -A -o yaml` prints
"
    );
}

#[test]
fn a_kind_of_the_configuration_is_a_workload_and_others_are_left_out() {
    let farm =
        "apiVersion: example.com/v1\nkind: Farm\nmetadata: {name: f}\nspec: {image: busybox}\n";
    let scene = Scene::new()
        .with("app.yaml", &(farm.to_owned() + &pod("default", "p", "registry.k8s.io/pause:3")))
        .with(
            "config.yaml",
            "exempt: [registry.k8s.io/]\nworkloads: [{group: example.com, kind: Farm, images: [spec.image]}]\n",
        );
    let run = scene.run("-f app.yaml");
    assert!(
        run.stdout
            .ends_with("\n1 workload: 1 denied; 1 other object left out\n"),
        "{}",
        run.stdout
    );
    let run = scene.run("-f app.yaml --config config.yaml");
    assert!(
        run.stdout.ends_with("\n2 workloads: 1 allowed, 1 denied\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("app.yaml:4: Farm default/f: spec.image: image busybox"),
        "{}",
        run.stdout
    );
}
