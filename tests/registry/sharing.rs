//! What many references cost, and what is kept apart.

use super::depot::OCI_INDEX;
use super::front::{Front, Reply};
use super::{Reader, asking, depot, login, open_registry};
use futures::StreamExt as _;
use imageref::cloud::Network;
use imageref::facts::{Content, Digest, FailureKind, Platform, Reference};
use imageref::registry::{Access, Asking, RegistryHosts};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_references_to_five_hundred_images_cost_a_head_each_when_due() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, front) = (depot(registry), Front::of(registry).await);
    let mut pushed = String::new();
    for tag in 0..500 {
        pushed = depot
            .index("many/app", Some(&tag.to_string()), OCI_INDEX, &[])
            .await;
    }
    let reader = Reader::new(&[front.origin()]);
    let known = Content {
        digest: Digest::parse(&pushed).unwrap(),
        platforms: Vec::new(),
    };
    let images: Vec<_> = (0..500)
        .map(|tag| Reference::parse(&front.image("many/app", &tag.to_string())).unwrap())
        .collect();
    let access = Access::anonymous();
    let (fine, reader) = (AtomicUsize::new(0), &reader);
    let round = |not_before| {
        let (images, known, access, fine) = (&images, &known, &access, &fine);
        async move {
            fine.store(0, Ordering::Relaxed);
            let all = futures::stream::iter(0..10_000);
            all.for_each_concurrent(64, |number: usize| async move {
                let question = Asking {
                    known: Some(known),
                    max_age: HOUR,
                    not_before,
                    ..asking(&images[number % 500], access)
                };
                let read = reader.ask(&question).await.unwrap();
                assert_eq!(*read.content, *known);
                fine.fetch_add(1, Ordering::Relaxed);
            })
            .await;
            assert_eq!(fine.load(Ordering::Relaxed), 10_000);
        }
    };
    round(None).await;
    let seen = front.drain();
    assert_eq!(seen.len(), 500);
    assert!(seen.iter().all(|seen| seen.method == "HEAD"));
    round(None).await;
    assert_eq!(front.drain().len(), 0, "none when none is due");
    // Older than the question allows: once more for all. Two clocks are read one after the other, so
    // what is due is some time ago before anybody asks.
    let due = reader.hand.now();
    while reader.hand.now() < due + Duration::from_millis(500) {
        tokio::task::yield_now().await;
    }
    round(Some(due)).await;
    assert_eq!(front.drain().len(), 500);
}

#[tokio::test]
async fn ten_thousand_references_to_images_that_are_refused_or_broken_cost_a_look_up_each() {
    for (reply, kind) in [
        (
            Reply::error(401, "DENIED", "private"),
            FailureKind::PermissionDenied,
        ),
        (Reply::new(403, "<html>"), FailureKind::PermissionDenied),
        (
            Reply::error(404, "MANIFEST_UNKNOWN", "unknown"),
            FailureKind::NotFound,
        ),
        (Reply::new(200, "{}"), FailureKind::ResponseInvalid),
        (
            Reply::new(200, "{}").with("docker-content-digest", &depot::digest(b"other")),
            FailureKind::ResponseInvalid,
        ),
    ] {
        let front = Front::alone().await;
        front.before(move |_| Some(reply.clone()));
        let reader = &Reader::new(&[front.origin()]);
        let images: Vec<_> = (0..500)
            .map(|tag| Reference::parse(&front.image("many/app", &tag.to_string())).unwrap())
            .collect();
        let (images, access) = (&images, &Access::anonymous());
        let ask = async |image: usize, not_before| {
            let question = Asking {
                max_age: HOUR,
                not_before,
                ..asking(&images[image], access)
            };
            assert_eq!(reader.ask(&question).await.unwrap_err().kind, kind);
        };
        let all = futures::stream::iter(0..10_000);
        all.for_each_concurrent(64, |number: usize| ask(number % 500, None))
            .await;
        assert_eq!(front.drain().len(), 500);
        pass_a_minute().await;
        ask(0, None).await;
        assert_eq!(front.drain().len(), 0, "{kind:?}");
        ask(0, Some(reader.hand.now())).await;
        assert_eq!(front.drain().len(), 1, "asked for by name");
    }
}

/// Longer than a failure stands that is no answer.
async fn pass_a_minute() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn trouble_on_the_way_is_no_answer_about_an_image() {
    for reply in [
        Reply::new(200, "<html>a portal</html>"),
        Reply::new(404, "<html>not found</html>"),
    ] {
        let front = Front::alone().await;
        front.before(move |_| Some(reply.clone()));
        let reader = Reader::new(&[front.origin()]);
        let reference = Reference::parse(&front.image("a", "1")).unwrap();
        let access = Access::anonymous();
        let question = Asking {
            max_age: HOUR,
            ..asking(&reference, &access)
        };
        let failure = reader.ask(&question).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ResponseInvalid);
        front.before(|_| Some(Reply::error(404, "MANIFEST_UNKNOWN", "unknown")));
        pass_a_minute().await;
        let failure = reader.ask(&question).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
    }
}

#[tokio::test]
async fn what_an_asker_claims_to_know_is_told_to_nobody_else() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, front) = (depot(registry), Front::of(registry).await);
    let pushed = depot
        .single("claims/app", Some("1"), false, "linux/arm64", "")
        .await;
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("claims/app", "1");
    let claim = Content {
        digest: Digest::parse(&pushed).unwrap(),
        platforms: vec![Platform {
            os: "linux".into(),
            architecture: "amd64".into(),
            variant: None,
        }],
    };
    assert_eq!(
        *reader.check(&image, &claim).await.unwrap(),
        claim,
        "its own words"
    );
    let (reference, access) = (Reference::parse(&image).unwrap(), Access::anonymous());
    let question = Asking {
        max_age: HOUR,
        ..asking(&reference, &access)
    };
    let read = reader.ask(&question).await.unwrap();
    assert_eq!(super::platforms(&read.content), ["linux/arm64"]);
    // And from here on the truth is known to all, whatever they claim.
    let truth = reader.check(&image, &claim).await.unwrap();
    assert_eq!(super::platforms(&truth), ["linux/arm64"]);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_request_and_its_failure() {
    let front = Front::alone().await;
    front.before(|_| Some(Reply::new(503, "down")));
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("a", "1");
    let all = (0..10).map(|_| reader.read(&image));
    for result in futures::future::join_all(all).await {
        assert_eq!(result.unwrap_err().kind, FailureKind::ProviderError);
    }
    assert_eq!(front.seen().len(), 1);
}

#[tokio::test]
async fn logins_share_neither_answers_nor_their_absence() {
    let front = Front::alone().await;
    front.before(|_| Some(Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")));
    let reader = Reader::new(&[front.origin()]);
    let reference = Reference::parse(&front.image("a", "1")).unwrap();
    let accesses = [
        Access::anonymous(),
        login("a", "password"),
        login("a", "other"),
    ];
    for (number, access) in accesses.iter().enumerate() {
        for _ in 0..3 {
            let question = Asking {
                max_age: HOUR,
                ..asking(&reference, access)
            };
            let failure = reader.ask(&question).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::NotFound);
        }
        assert_eq!(front.seen().len(), number + 1);
    }
    assert_eq!(reader.registries.len(), 3);
}

#[tokio::test]
async fn answers_with_many_platforms_are_fewer() {
    let front = Front::alone().await;
    let platforms: Vec<_> = (0..64)
        .map(|number| {
            serde_json::json!({
                "digest": depot::digest(b"a"),
                "platform": {"os": "linux", "architecture": format!("{number}{}", "a".repeat(60))},
            })
        })
        .collect();
    let index =
        serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": platforms});
    front.before(move |_| Some(Reply::new(200, index.to_string())));
    let hosts = RegistryHosts::new(&[front.origin()], &[], true).unwrap();
    let reader = Reader::with(Network::default(), hosts, 64);
    for number in 0..100 {
        let image = front.image(&format!("a{number}"), "1");
        let content = reader.read(&image).await.unwrap();
        assert_eq!(content.platforms.len(), 64);
    }
    let held = reader.registries.len();
    assert!((2..16).contains(&held), "{held}");
}

#[tokio::test]
async fn a_mirror_is_asked_and_the_image_keeps_its_name() {
    let Some(registry) = open_registry() else {
        return;
    };
    let (depot, front) = (depot(registry), Front::of(registry).await);
    depot
        .single("mirrored/app", Some("1"), false, "linux/arm64", "")
        .await;
    let mirrors = [
        format!("swr.cn-north-4.myhuaweicloud.com={}", front.origin()),
        format!("registry.cn-hangzhou.aliyuncs.com={}", front.origin()),
    ];
    let reader = Reader::mirroring(&[], &mirrors.each_ref().map(String::as_str));
    let image = "swr.cn-north-4.myhuaweicloud.com/mirrored/app";
    assert!(reader.read(&format!("{image}:1")).await.is_ok());
    let failure = reader.read(&format!("{image}:2")).await.unwrap_err();
    assert!(failure.message.contains(&format!("{image}:2")), "{failure}");
    assert!(!failure.message.contains("127.0.0.1"), "{failure}");

    // A name inside a VPC is read at its twin if the asker says so.
    let vpc = Reference::parse("registry-vpc.cn-hangzhou.aliyuncs.com/mirrored/app:1").unwrap();
    let access = Access::anonymous();
    front.drain();
    let question = Asking {
        public: true,
        ..asking(&vpc, &access)
    };
    assert!(reader.ask(&question).await.is_ok());
    assert!(
        front
            .drain()
            .iter()
            .all(|seen| front.origin().ends_with(&seen.host))
    );
}

#[tokio::test]
async fn answers_are_bounded_in_number_and_forgotten_when_idle() {
    let front = Front::alone().await;
    front.before(|_| Some(Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")));
    let hosts = RegistryHosts::new(&[front.origin()], &[], true).unwrap();
    let reader = Reader::with(Network::default(), hosts, 16);
    for number in 0..100 {
        let _ = reader.read(&front.image(&format!("a{number}"), "1")).await;
        assert!(reader.registries.len() <= 16);
    }
    reader.registries.forget_idle();
    assert!(
        !reader.registries.is_empty(),
        "they were asked for just now"
    );
    tokio::time::pause();
    tokio::time::advance(4 * HOUR).await;
    reader.registries.forget_idle();
    assert!(reader.registries.is_empty());
}
