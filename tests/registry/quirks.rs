//! What other registries do, and broken or hostile ones: a front changes what a real one answers.

use super::depot::digest;
use super::front::{Front, Reply};
use super::{Reader, depot, login, open_registry};
use imageref::facts::FailureKind::{
    self, NotFound, PermissionDenied, ProviderError, ResponseInvalid, Throttled,
};
use imageref::registry::LARGEST_MANIFEST;
use std::time::Duration;

/// A front before the shared registry, an image that is read through it, and its digest.
pub(super) struct Scene {
    pub(super) front: Front,
    pub(super) reader: Reader,
    pub(super) image: String,
    pub(super) digest: String,
}

impl Scene {
    /// `None` where no registry is built (it says so).
    pub(super) async fn new(repository: &str) -> Option<Self> {
        let registry = open_registry()?;
        let front = Front::of(registry).await;
        let depot = depot(registry);
        let digest = depot
            .single(repository, Some("1"), false, "linux/arm64", "")
            .await;
        Some(Self {
            digest,
            reader: Reader::new(&[front.origin()]),
            image: front.image(repository, "1"),
            front,
        })
    }

    pub(super) async fn fails(&self, kind: FailureKind, words: &str) {
        let failure = self.reader.read(&self.image).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }

    /// A reader that remembers nothing of failures before.
    pub(super) fn forget(&mut self) {
        self.reader = Reader::new(&[self.front.origin()]);
    }
}

#[tokio::test]
async fn swr_says_401_of_what_does_not_exist_and_the_sentence_says_both() {
    let front = Front::alone().await;
    front.before(|_| {
        Some(Reply::error(
            401,
            "DENIED",
            "Authenticate Error: Image organization does not exist",
        ))
    });
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("no-such-team/app", "1");
    for access in [
        imageref::registry::Access::anonymous(),
        login("cn-north-4@AK", "key-of-login"),
    ] {
        let failure = reader.read_as(&image, &access).await.unwrap_err();
        // Not the login's fault: the next image is asked for with it.
        assert_eq!(failure.kind, PermissionDenied);
        for words in [
            image.as_str(),
            "Image organization does not exist",
            "it may not exist",
        ] {
            assert!(failure.message.contains(words), "{failure}");
        }
        let before = front.seen().len();
        let other = reader
            .read_as(&front.image("other/app", "1"), &access)
            .await;
        assert!(other.is_err() && front.seen().len() > before);
    }
    let odd = front
        .seen()
        .into_iter()
        .find(|seen| !seen.path.contains("/manifests/"));
    assert!(
        odd.is_none(),
        "tag lists say nothing about SWR's images: {odd:?}"
    );
}

#[tokio::test]
async fn without_a_digest_header_the_bytes_count() {
    let Some(scene) = Scene::new("quirks/no-header").await else {
        return;
    };
    scene
        .front
        .after(|_, reply| reply.without("docker-content-digest"));
    let content = scene.reader.read(&scene.image).await.unwrap();
    assert_eq!(content.digest.as_str(), scene.digest);
    scene.front.drain();
    // A HEAD without it says nothing, so the bytes are read.
    assert_eq!(
        scene.reader.check(&scene.image, &content).await.unwrap(),
        content
    );
    assert!(scene.front.drain().iter().any(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn a_digest_header_that_lies_is_named_with_the_truth() {
    let Some(scene) = Scene::new("quirks/lying").await else {
        return;
    };
    let lie = digest(b"a lie");
    let header = lie.clone();
    scene
        .front
        .after(move |_, reply| reply.with("docker-content-digest", &header));
    let failure = scene.reader.read(&scene.image).await.unwrap_err();
    assert_eq!(failure.kind, ResponseInvalid);
    assert!(
        failure.message.contains(&lie) && failure.message.contains(&scene.digest),
        "{failure}"
    );
}

#[tokio::test]
async fn an_altered_manifest_is_not_what_was_pinned() {
    let Some(scene) = Scene::new("quirks/altered").await else {
        return;
    };
    scene.front.after(|seen, mut reply| {
        if seen.path.contains("/manifests/") {
            reply.body.push(b' ');
        }
        reply.without("docker-content-digest")
    });
    let pinned = format!("{}@{}", scene.image, scene.digest);
    let failure = scene.reader.read(&pinned).await.unwrap_err();
    assert_eq!(failure.kind, ResponseInvalid);
    assert!(failure.message.contains(&scene.digest), "{failure}");
    // A tag has nothing to compare it with: it is what the registry now gives.
    let content = scene.reader.read(&scene.image).await.unwrap();
    assert_ne!(content.digest.as_str(), scene.digest);
}

#[tokio::test]
async fn what_is_no_answer_of_a_registry_is_not_taken_for_one() {
    let Some(mut scene) = Scene::new("quirks/odd").await else {
        return;
    };
    for (reply, kind, words) in [
        (
            Reply::new(200, "<html>a portal</html>"),
            ResponseInvalid,
            "is not JSON",
        ),
        (
            Reply::new(200, "{}"),
            ResponseInvalid,
            "neither an index nor an image",
        ),
        (
            Reply::new(404, "<html>not found</html>"),
            ResponseInvalid,
            "does not answer as a registry",
        ),
        (Reply::new(503, "down"), ProviderError, "(status 503)"),
        (
            Reply::error(500, "UNKNOWN", "unknown error"),
            ProviderError,
            "UNKNOWN",
        ),
        (
            Reply::new(200, vec![b' '; LARGEST_MANIFEST + 1]),
            ResponseInvalid,
            "larger than 4096 KiB",
        ),
        (
            Reply::new(307, "").with("location", "https://127.0.0.1:1/"),
            ProviderError,
            "not followed",
        ),
        (
            Reply::error(404, "NAME_UNKNOWN", "repository name not known"),
            NotFound,
            "NAME_UNKNOWN",
        ),
    ] {
        scene.front.before(move |_| Some(reply.clone()));
        scene.forget();
        scene.fails(kind, words).await;
    }
}

#[tokio::test]
async fn a_registry_that_asks_for_a_pause_gets_it() {
    let Some(scene) = Scene::new("quirks/throttled").await else {
        return;
    };
    scene.front.before(|_| {
        Some(Reply::error(429, "TOOMANYREQUESTS", "slow down").with("retry-after", "120"))
    });
    let failure = scene.reader.read(&scene.image).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry_after),
        (Throttled, Some(Duration::from_secs(120)))
    );
    scene.front.drain();
    // Another image of the same registry is not asked for until it is over.
    let other = scene.front.image("quirks/throttled", "2");
    let failure = scene.reader.read(&other).await.unwrap_err();
    assert_eq!(failure.kind, Throttled);
    assert!(scene.front.drain().is_empty());
    scene.reader.hand.forward(121);
    scene.front.before(|_| None);
    let pinned = format!("{}@{}", scene.image, scene.digest);
    let content = scene.reader.read(&pinned).await.unwrap();
    assert_eq!(content.digest.as_str(), scene.digest);
}

#[tokio::test]
async fn a_pause_is_asked_for_by_429_and_503_alone() {
    for (status, paused) in [(401, false), (403, false), (404, false), (429, true)]
        .into_iter()
        .chain([(500, false), (502, false), (503, true)])
    {
        let front = Front::alone().await;
        front.before(move |_| Some(Reply::error(status, "X", "x").with("retry-after", "3600")));
        let reader = Reader::new(&[front.origin()]);
        let failure = reader.read(&front.image("a", "1")).await.unwrap_err();
        let hour = paused.then_some(Duration::from_secs(3600));
        assert_eq!(failure.retry_after, hour, "{status}: {failure}");
    }
}

#[tokio::test]
async fn a_registry_that_knows_no_head_is_asked_with_get() {
    let Some(scene) = Scene::new("quirks/no-head").await else {
        return;
    };
    let content = scene.reader.read(&scene.image).await.unwrap();
    scene
        .front
        .before(|seen| (seen.method == "HEAD").then(|| Reply::new(405, "")));
    assert_eq!(
        scene.reader.check(&scene.image, &content).await.unwrap(),
        content
    );
}

#[tokio::test]
async fn broken_images_do_not_stop_good_ones_in_the_same_registry() {
    let Some(scene) = Scene::new("quirks/neighbours").await else {
        return;
    };
    scene.front.before(|seen| {
        seen.path
            .contains("/broken")
            .then(|| Reply::new(200, r#"{"schemaVersion": 1}"#))
    });
    for number in 0..10 {
        let broken = scene.front.image(&format!("broken/a{number}"), "1");
        let failure = scene.reader.read(&broken).await.unwrap_err();
        assert!(failure.message.contains("schema 1"), "{failure}");
    }
    let content = scene.reader.read(&scene.image).await.unwrap();
    assert_eq!(content.digest.as_str(), scene.digest);
}

#[tokio::test]
async fn a_registry_that_fails_everybody_is_left_alone_for_a_while() {
    let Some(scene) = Scene::new("quirks/breaker").await else {
        return;
    };
    scene.front.before(|_| Some(Reply::new(503, "down")));
    for number in 0..10 {
        let image = scene.front.image(&format!("any/a{number}"), "1");
        assert_eq!(
            scene.reader.read(&image).await.unwrap_err().kind,
            ProviderError
        );
    }
    assert_eq!(
        scene.front.drain().len(),
        3,
        "three in a row are enough to know"
    );
    scene.front.before(|_| None);
    scene.reader.hand.forward(10);
    assert!(scene.reader.read(&scene.image).await.is_ok());
}

#[tokio::test]
async fn a_token_service_that_is_out_of_order_is_asked_again_next_time() {
    let Some(scene) = Scene::new("quirks/service").await else {
        return;
    };
    let realm = format!(r#"Bearer realm="{}/old""#, scene.front.origin());
    let mut services = 0;
    scene.front.before(move |seen| {
        if seen.path == "/old" {
            services += 1;
            return Some(match services {
                1 => Reply::new(200, r#"{"access_token": "t", "expires_in": 60}"#),
                _ => Reply::new(500, "down"),
            });
        }
        let asks = seen.authorization.is_none() && services == 0;
        asks.then(|| Reply::new(401, "").with("www-authenticate", &realm))
    });
    assert!(scene.reader.read(&scene.image).await.is_ok());
    scene.reader.hand.forward(60);
    scene.fails(ProviderError, "(status 500)").await;
    // The registry has done away with tokens: the old challenge is not kept for ever.
    let pinned = format!("{}@{}", scene.image, scene.digest);
    assert!(scene.reader.read(&pinned).await.is_ok());
}

#[tokio::test]
async fn neither_errors_nor_their_debug_form_show_what_was_sent() {
    let front = Front::alone().await;
    front.before(|seen| {
        let echo = seen.authorization.clone().unwrap_or_default();
        let said = format!("you sent {echo} and secret-password");
        let basic = "Basic realm=\"r\"";
        Some(Reply::error(401, "UNAUTHORIZED", &said).with("www-authenticate", basic))
    });
    let reader = Reader::new(&[front.origin()]);
    let access = login("user", "secret-password");
    let failure = reader
        .read_as(&front.image("a", "1"), &access)
        .await
        .unwrap_err();
    let all = format!("{failure:?} {access:?} {:?}", reader.registries);
    for secret in ["secret-password", "dXNlcjpzZWNyZXQtcGFzc3dvcmQ="] {
        assert!(!all.contains(secret), "{all}");
    }
    assert!(all.contains("you sent Basic …"), "{all}");
}

#[tokio::test]
async fn a_token_that_a_registry_sends_back_is_in_no_message() {
    let token = "0b5ad5a8-6d4b-45a2-a2b0-7c9d9ad2f0aa";
    let front = Front::alone().await;
    let challenge = |origin: &str| format!(r#"Bearer realm="{origin}/token",service="s""#);
    let own = challenge(front.origin());
    let foreign = challenge(&format!("https://{token}.example"));
    front.before(move |seen| {
        if seen.path == "/token" {
            let body = serde_json::json!({ "token": token }).to_string();
            return Some(Reply::new(200, body));
        }
        Some(match &seen.authorization {
            None => Reply::error(401, "UNAUTHORIZED", "who?").with("www-authenticate", &own),
            Some(_) if seen.path.contains("/realm/") => {
                Reply::error(401, "UNAUTHORIZED", "who?").with("www-authenticate", &foreign)
            }
            Some(shown) => Reply::error(403, "DENIED", &format!("no {shown}, no {token}"))
                .with("x-request-id", token),
        })
    });
    let reader = Reader::new(&[front.origin()]);
    for (repository, words) in [("echo", "no Bearer …, no …"), ("realm", "to ….example")] {
        for access in [
            imageref::registry::Access::anonymous(),
            login("u", "password-1"),
        ] {
            let image = front.image(repository, "1");
            let failure = reader.read_as(&image, &access).await.unwrap_err();
            assert!(failure.message.contains(words), "{failure}");
            assert!(!format!("{failure:?}").contains(token), "{failure:?}");
        }
    }
}
