//! Configs of images: stored elsewhere, altered, missing, too large, or where nothing may be sent.

use super::front::{Front, Reply};
use super::quirks::Scene;
use super::{Reader, login, open_registry, platforms};
use imageref::facts::FailureKind::{ProviderError, ResponseInvalid, Unreachable};
use imageref::registry::LARGEST_CONFIG;

#[tokio::test]
async fn an_altered_config_is_not_believed() {
    let Some(mut scene) = Scene::new("quirks/config").await else {
        return;
    };
    scene.front.after(|seen, mut reply| {
        if seen.path.contains("/blobs/") {
            let text = String::from_utf8(reply.body)
                .unwrap()
                .replace("arm64", "amd64");
            reply.body = text.into_bytes();
        }
        reply
    });
    scene.fails(ResponseInvalid, "another config").await;
    scene.front.after(|seen, reply| {
        if seen.path.contains("/blobs/") {
            return Reply::error(404, "BLOB_UNKNOWN", "blob unknown");
        }
        reply
    });
    scene.forget();
    scene
        .fails(ResponseInvalid, "does not have the config")
        .await;
}

#[tokio::test]
async fn a_config_that_is_stored_elsewhere_is_fetched_there_without_the_login_or_token() {
    let Some(scene) = Scene::new("quirks/stored").await else {
        return;
    };
    let Some(registry) = open_registry() else {
        return;
    };
    let (store, secret) = (Front::of(registry).await, "Basic dTpwYXNzd29yZA==");
    let elsewhere = store.origin().to_owned();
    scene.front.before(move |seen| {
        if seen.authorization.is_none() {
            let basic = Reply::error(401, "UNAUTHORIZED", "who?");
            return Some(basic.with("www-authenticate", "Basic realm=\"r\""));
        }
        let to = format!("{elsewhere}{}?signature=SIGNED", seen.path);
        seen.path
            .contains("/blobs/")
            .then(|| Reply::new(307, "").with("location", &to))
    });
    let reader = Reader::new(&[scene.front.origin(), store.origin()]);
    let content = reader
        .read_as(&scene.image, &login("u", "password"))
        .await
        .unwrap();
    assert_eq!(platforms(&content), ["linux/arm64"]);
    assert!(
        scene
            .front
            .seen()
            .iter()
            .any(|seen| seen.authorization.as_deref() == Some(secret))
    );
    let fetched = store.seen();
    assert_eq!(fetched.len(), 1);
    assert!(fetched[0].authorization.is_none() && fetched[0].query == "signature=SIGNED");
}

#[tokio::test]
async fn a_config_is_not_fetched_where_nothing_may_be_sent_nor_for_ever() {
    let Some(mut scene) = Scene::new("quirks/redirects").await else {
        return;
    };
    let foreign = Front::alone().await;
    let port = foreign.origin().rsplit_once(':').unwrap().1.to_owned();
    for (location, kind, words) in [
        (
            format!("{}/x", foreign.origin()),
            ProviderError,
            "neither https://",
        ),
        (
            format!("https://127.0.0.1:{port}/x"),
            Unreachable,
            "a loopback address",
        ),
        (
            format!("https://localhost:{port}/x"),
            Unreachable,
            "a loopback address",
        ),
        (
            "https://169.254.169.254/x".into(),
            Unreachable,
            "metadata service",
        ),
        (
            "http://h.example/x".into(),
            ProviderError,
            "neither https://",
        ),
        (
            "https://u:p@h.example/x".into(),
            ProviderError,
            "neither https://",
        ),
        (
            "ftp://h.example/x".into(),
            ProviderError,
            "neither https://",
        ),
        (String::new(), ProviderError, "redirect"),
        ("/v2/again/blobs/x".into(), ProviderError, "redirect"),
    ] {
        scene.front.before(move |seen| {
            let reply = || Reply::new(302, "").with("location", &location);
            seen.path.contains("/blobs/").then(reply)
        });
        scene.forget();
        scene.front.drain();
        scene.fails(kind, words).await;
        let hops = scene.front.drain().len();
        assert!(
            hops <= 5,
            "the manifest, the config and three hops, not {hops}"
        );
    }
    assert!(foreign.seen().is_empty());
}

#[tokio::test]
async fn a_config_without_end_is_cut_off() {
    let Some(scene) = Scene::new("quirks/large").await else {
        return;
    };
    scene.front.before(|seen| {
        let large = || Reply::new(200, vec![b' '; LARGEST_CONFIG + 1]);
        seen.path.contains("/blobs/").then(large)
    });
    scene.fails(ResponseInvalid, "larger than").await;
}
