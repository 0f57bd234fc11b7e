//! A real registry, without logins: every form of image, and what becomes of tags.

use super::depot::{DOCKER_LIST, DOCKER_MANIFEST, Depot, OCI_INDEX, OCI_MANIFEST, digest};
use super::front::Front;
use super::{Reader, depot, open_registry, platforms};
use imageref::cloud::Network;
use imageref::facts::FailureKind;
use imageref::registry::{Access, RegistryHosts};
use serde_json::json;

#[tokio::test]
async fn an_image_for_one_platform_is_its_manifest_and_runs_on_what_its_config_says() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, reader) = (depot(registry), Reader::new(&[&registry.origin()]));
    for (repository, docker, platform) in [
        ("single/docker", true, "linux/amd64"),
        ("single/oci", false, "linux/arm64/v8"),
        ("single/a/b/c_d/e--f", false, "windows/amd64"),
    ] {
        let pushed = depot
            .single(repository, Some("1"), docker, platform, "")
            .await;
        let content = reader.read(&depot.image(repository, "1")).await.unwrap();
        assert_eq!(content.digest.as_str(), pushed);
        assert_eq!(platforms(&content), [platform]);
        let pinned = format!("{}@{pushed}", depot.image(repository, "1"));
        assert_eq!(reader.read(&pinned).await.unwrap(), content);
    }
}

async fn two(depot: &Depot, repository: &str, docker: bool) -> [String; 2] {
    [
        depot
            .single(repository, None, docker, "linux/arm64/v8", "")
            .await,
        depot
            .single(repository, None, docker, "linux/amd64", "")
            .await,
    ]
}

#[tokio::test]
async fn a_docker_list_is_one_digest_and_the_platforms_of_its_entries() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, front) = (depot(registry), Front::of(registry).await);
    let [arm, amd] = two(&depot, "list/docker", true).await;
    let entries = [
        depot
            .entry("list/docker", DOCKER_MANIFEST, &arm, Some("linux/arm64/v8"))
            .await,
        depot
            .entry("list/docker", DOCKER_MANIFEST, &amd, Some("linux/amd64"))
            .await,
    ];
    let pushed = depot
        .index("list/docker", Some("1"), DOCKER_LIST, &entries)
        .await;
    let reader = Reader::new(&[front.origin()]);
    let content = reader.read(&front.image("list/docker", "1")).await.unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    assert_eq!(platforms(&content), ["linux/amd64", "linux/arm64/v8"]);
    assert_eq!(
        front.seen().len(),
        1,
        "an index says it all: {:?}",
        front.seen()
    );
}

#[tokio::test]
async fn an_oci_index_is_read_past_its_attestations() {
    let Some(registry) = open_registry() else {
        return;
    };
    let depot = depot(registry);
    let [arm, amd] = two(&depot, "list/oci", false).await;
    let mut attestation = depot
        .entry("list/oci", OCI_MANIFEST, &amd, Some("unknown/unknown"))
        .await;
    attestation["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": amd,
    });
    let entries = [
        depot
            .entry("list/oci", OCI_MANIFEST, &arm, Some("linux/arm64/v8"))
            .await,
        attestation,
        depot
            .entry("list/oci", OCI_MANIFEST, &amd, Some("linux/amd64"))
            .await,
    ];
    let pushed = depot
        .index("list/oci", Some("1"), OCI_INDEX, &entries)
        .await;
    let reader = Reader::new(&[&registry.origin()]);
    let content = reader.read(&depot.image("list/oci", "1")).await.unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    assert_eq!(platforms(&content), ["linux/amd64", "linux/arm64/v8"]);
}

#[tokio::test]
async fn an_index_that_names_no_platforms_is_followed_one_step() {
    let Some(registry) = open_registry() else {
        return;
    };
    let depot = depot(registry);
    let reader = Reader::new(&[&registry.origin()]);
    let repository = "list/bare";
    let [arm, amd] = two(&depot, repository, false).await;
    let bare = [
        depot.entry(repository, OCI_MANIFEST, &arm, None).await,
        depot.entry(repository, OCI_MANIFEST, &amd, None).await,
    ];
    depot
        .index(repository, Some("bare"), OCI_INDEX, &bare)
        .await;
    let content = reader.read(&depot.image(repository, "bare")).await.unwrap();
    assert_eq!(platforms(&content), ["linux/amd64", "linux/arm64/v8"]);

    let inner = [depot
        .entry(repository, OCI_MANIFEST, &arm, Some("linux/arm64/v8"))
        .await];
    let inner = depot.index(repository, None, OCI_INDEX, &inner).await;
    let nested = [depot.entry(repository, OCI_INDEX, &inner, None).await];
    depot
        .index(repository, Some("nested"), OCI_INDEX, &nested)
        .await;
    let content = reader
        .read(&depot.image(repository, "nested"))
        .await
        .unwrap();
    assert_eq!(platforms(&content), ["linux/arm64/v8"]);

    let deep = depot.index(repository, None, OCI_INDEX, &bare).await;
    let deep = [depot.entry(repository, OCI_INDEX, &deep, None).await];
    depot
        .index(repository, Some("deep"), OCI_INDEX, &deep)
        .await;
    let failure = reader
        .read(&depot.image(repository, "deep"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ResponseInvalid);
    assert!(failure.message.contains("another one inside"), "{failure}");

    let mut many = Vec::new();
    for number in 0..9 {
        let note = number.to_string();
        let image = depot
            .single(repository, None, false, "linux/amd64", &note)
            .await;
        many.push(depot.entry(repository, OCI_MANIFEST, &image, None).await);
    }
    depot
        .index(repository, Some("many"), OCI_INDEX, &many)
        .await;
    let failure = reader
        .read(&depot.image(repository, "many"))
        .await
        .unwrap_err();
    assert!(failure.message.contains("more than 8"), "{failure}");
}

#[tokio::test]
async fn what_is_no_image_has_a_digest_and_runs_on_nothing() {
    let Some(registry) = open_registry() else {
        return;
    };
    let depot = depot(registry);
    let config = depot.blob("charts/app", b"{}").await;
    let chart = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": 2},
        "layers": [],
    });
    let pushed = depot
        .manifest("charts/app", Some("1"), OCI_MANIFEST, &chart)
        .await;
    let reader = Reader::new(&[&registry.origin()]);
    let content = reader.read(&depot.image("charts/app", "1")).await.unwrap();
    assert_eq!(
        (content.digest.as_str(), content.platforms.len()),
        (pushed.as_str(), 0)
    );
}

#[tokio::test]
async fn a_tag_that_moves_is_read_anew_and_one_that_stands_costs_one_head() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, front) = (depot(registry), Front::of(registry).await);
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("moving/app", "1");
    depot
        .single("moving/app", Some("1"), false, "linux/amd64", "old")
        .await;
    let old = reader.read(&image).await.unwrap();
    front.drain();

    assert_eq!(reader.check(&image, &old).await.unwrap(), old);
    let methods: Vec<_> = front.drain().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD"]);

    let pushed = depot
        .single("moving/app", Some("1"), false, "linux/arm64", "new")
        .await;
    let new = reader.check(&image, &old).await.unwrap();
    assert_eq!(new.digest.as_str(), pushed);
    assert_eq!(platforms(&new), ["linux/arm64"]);
    // The old one is there still, for those who pinned it.
    let pinned = format!("{image}@{}", old.digest);
    assert_eq!(reader.read(&pinned).await.unwrap(), old);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_named() {
    let Some(registry) = open_registry() else {
        return;
    };
    let depot = depot(registry);
    let reader = Reader::new(&[&registry.origin()]);
    let pushed = depot
        .single("gone/app", Some("1"), true, "linux/amd64", "")
        .await;
    let image = depot.image("gone/app", "1");
    let before = reader.read(&image).await.unwrap();
    depot.delete("gone/app", &pushed).await;
    let absent = format!("{}@{}", depot.image("gone/app", "1"), digest(b"nothing"));
    for missing in [
        image.as_str(),
        &depot.image("gone/app", "2"),
        &depot.image("never/was", "1"),
        &absent,
    ] {
        let failure = reader.read(missing).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
        assert!(failure.message.contains(missing), "{failure}");
    }
    let failure = reader.check(&image, &before).await.unwrap_err();
    assert_eq!(
        failure.kind,
        FailureKind::NotFound,
        "also to somebody who knew it"
    );
}

#[tokio::test]
async fn a_reference_without_tag_and_digest_is_refused_without_a_request() {
    let front = Front::alone().await;
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("a", "tag");
    let bare = image.strip_suffix(":tag").unwrap();
    let failure = reader.read(bare).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidSpec);
    assert!(
        failure.message.contains("neither a tag nor a digest"),
        "{failure}"
    );
    assert!(front.seen().is_empty());
}

#[tokio::test]
async fn a_host_that_nobody_allowed_is_not_asked() {
    let front = Front::alone().await;
    let reader = Reader::new(&[]);
    let failure = reader.read(&front.image("a", "1")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied);
    assert!(failure.message.contains("--allow-registry="), "{failure}");
    assert!(front.seen().is_empty());
}

#[tokio::test]
async fn over_tls_a_registry_proves_itself_by_the_operators_authorities() {
    if !cluster::require_registry() {
        return;
    }
    let registry = cluster::Registry::start(true, cluster::RegistryAuth::Open).unwrap();
    let ca = registry.ca_pem().unwrap();
    let depot = Depot::trusting(&registry.origin(), Some(ca));
    let pushed = depot
        .single("tls/app", Some("1"), false, "linux/arm64", "")
        .await;
    let hosts = || RegistryHosts::new(&[registry.host()], &[], true).unwrap();
    let image = depot.image("tls/app", "1");

    let network = Network {
        extra_roots: ca.as_bytes().to_vec(),
        ..Network::default()
    };
    let trusting = Reader::with(network, hosts(), 16);
    let content = trusting
        .read_as(&image, &Access::anonymous())
        .await
        .unwrap();
    assert_eq!(content.digest.as_str(), pushed);

    let strange = Reader::with(Network::default(), hosts(), 16);
    let failure = strange.read(&image).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.message.contains("--ca-file"), "{failure}");

    registry.stop().unwrap();
    let failure = trusting.read(&image).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
}
