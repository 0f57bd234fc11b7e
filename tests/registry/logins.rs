//! Registries that want to know who asks: tokens of a service of their own, and plain passwords.

use super::front::{Front, Reply};
use super::token_service::{Guarded, PASSWORD, SERVICE, USER};
use super::{Reader, depot, login, platforms};
use crate::metrics::sum;
use imageref::cloud::Credential;
use imageref::cloud::identity::{Identity, Region, Source};
use imageref::facts::FailureKind;
use imageref::registry::{Access, Login};

fn reader(guarded: &Guarded) -> Reader {
    Reader::new(&[&guarded.registry.origin(), guarded.service.origin()])
}

#[tokio::test]
async fn a_private_image_is_shown_to_the_right_login_alone() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("team/app");
    let pushed = depot
        .single("team/app", Some("1"), false, "linux/arm64", "")
        .await;
    let image = depot.image("team/app", "1");
    let reader = reader(&guarded);

    let failure = reader.read(&image).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied);
    assert!(failure.message.contains(&image), "{failure}");
    assert!(
        failure.message.contains("may not exist, or be private"),
        "{failure}"
    );

    let wrong = login(USER, "wrong-password");
    let failure = reader.read_as(&image, &wrong).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::AuthenticationFailed);
    assert!(!format!("{failure:?}").contains("wrong-password"));
    guarded.service.drain();
    // A wrong login is left alone: a few more failures lock accounts.
    let again = reader
        .read_as(&depot.image("team/app", "2"), &wrong)
        .await
        .unwrap_err();
    assert_eq!(again.kind, FailureKind::AuthenticationFailed);
    assert!(guarded.service.seen().is_empty());

    let content = reader
        .read_as(&image, &login(USER, PASSWORD))
        .await
        .unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    assert_eq!(platforms(&content), ["linux/arm64"]);
    // What the right login was told is told to nobody else.
    assert_eq!(
        reader.read(&image).await.unwrap_err().kind,
        FailureKind::PermissionDenied
    );

    let missing = depot.image("team/app", "missing");
    let failure = reader
        .read_as(&missing, &login(USER, PASSWORD))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn a_public_image_is_read_with_a_token_for_everybody() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("public/app");
    let pushed = depot
        .single("public/app", Some("1"), true, "linux/amd64", "")
        .await;
    let content = reader(&guarded)
        .read(&depot.image("public/app", "1"))
        .await
        .unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    assert!(
        guarded
            .service
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end_and_never_for_another_login() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("public/app");
    depot
        .single("public/app", Some("1"), true, "linux/amd64", "")
        .await;
    let (reader, image) = (reader(&guarded), depot.image("public/app", "1"));
    let known = login(USER, PASSWORD);
    let tokens = || guarded.service.drain().len();

    guarded.life(100);
    reader.read_as(&image, &known).await.unwrap();
    assert_eq!(tokens(), 1, "manifest and config are of one repository");
    reader.hand.forward(60);
    reader.read_as(&image, &known).await.unwrap();
    assert_eq!(tokens(), 0);
    reader.read(&image).await.unwrap();
    assert_eq!(tokens(), 1, "nobody is served with another's token");
    reader.hand.forward(20);
    // One that does not say how long it is good counts for a minute.
    guarded.life(0);
    reader.read_as(&image, &known).await.unwrap();
    assert_eq!(tokens(), 1);
    reader.hand.forward(30);
    reader.read_as(&image, &known).await.unwrap();
    assert_eq!(tokens(), 0);
    reader.hand.forward(18);
    reader.read_as(&image, &known).await.unwrap();
    assert_eq!(tokens(), 1);
}

#[tokio::test]
async fn a_token_that_the_registry_takes_no_more_is_replaced_once() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("public/app");
    depot
        .single("public/app", Some("1"), true, "linux/amd64", "")
        .await;
    let front = Front::of(&guarded.registry).await;
    let reader = Reader::new(&[front.origin(), guarded.service.origin()]);
    let image = front.image("public/app", "1");
    reader.read(&image).await.unwrap();
    let first = front.drain().pop().unwrap().authorization.unwrap();
    guarded.service.drain();

    // Revoked: as if its keys had been changed.
    let challenge = format!(
        r#"Bearer realm="{}/token",service="{SERVICE}",error="invalid_token""#,
        guarded.service.origin()
    );
    let (revoked, answer) = (first.clone(), challenge.clone());
    front.before(move |seen| {
        (seen.authorization.as_ref() == Some(&revoked)).then(|| {
            Reply::error(401, "UNAUTHORIZED", "invalid token").with("www-authenticate", &answer)
        })
    });
    reader.read(&image).await.unwrap();
    assert_eq!(guarded.service.drain().len(), 1);

    // And one that takes none at all is asked with a new one once, not for ever.
    front.before(move |_| {
        Some(
            Reply::error(401, "UNAUTHORIZED", "invalid token").with("www-authenticate", &challenge),
        )
    });
    front.drain();
    let failure = reader.read(&image).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied);
    assert_eq!((front.drain().len(), guarded.service.drain().len()), (2, 1));
}

#[tokio::test]
async fn a_registry_that_wants_the_password_itself_gets_it_when_it_asks() {
    if !cluster::require_registry() {
        return;
    }
    // bcrypt of "right-password", at a low cost.
    let lines = "reader:$2a$05$bZDOiQ.XBbkILRK4w2aPROAFaUmcJP1GfaUha1HxnYK1xSIr505Gi\n";
    let registry = cluster::Registry::start(false, cluster::RegistryAuth::Htpasswd(lines)).unwrap();
    let depot = depot(&registry).authorized("Basic cmVhZGVyOnJpZ2h0LXBhc3N3b3Jk");
    let pushed = depot
        .single("team/app", Some("1"), true, "linux/amd64", "")
        .await;
    let front = Front::of(&registry).await;
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("team/app", "1");

    let content = reader
        .read_as(&image, &login(USER, PASSWORD))
        .await
        .unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    let shown: Vec<_> = front
        .drain()
        .iter()
        .map(|seen| seen.authorization.is_some())
        .collect();
    assert_eq!(
        shown,
        [false, true, true],
        "asked once without, then as it wants"
    );

    let failure = reader
        .read_as(&image, &login(USER, "wrong-password"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::AuthenticationFailed, "{failure}");
    let failure = reader
        .read_as(&image, &Access::anonymous())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied, "{failure}");
}

#[tokio::test]
async fn a_realm_on_a_foreign_host_is_refused_and_nothing_is_sent_there() {
    let (registry, foreign) = (Front::alone().await, Front::alone().await);
    let realm = format!(r#"Bearer realm="{}/token",service="s""#, foreign.origin());
    registry.before(move |_| {
        Some(Reply::error(401, "UNAUTHORIZED", "who?").with("www-authenticate", &realm))
    });
    let reader = Reader::new(&[registry.origin()]);
    for access in [Access::anonymous(), login(USER, PASSWORD)] {
        let image = registry.image("a", "1");
        let failure = reader.read_as(&image, &access).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::PermissionDenied);
        assert!(failure.message.contains("--allow-registry"), "{failure}");
    }
    assert!(foreign.seen().is_empty());
    assert!(
        registry
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn a_token_service_on_the_registrys_own_host_needs_no_flag() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("team/app");
    let pushed = depot
        .single("team/app", Some("1"), true, "linux/amd64", "")
        .await;
    let front = Front::of(&guarded.registry).await;
    // As SWR: the service is a path of the registry, and the scope it names has no action.
    let service = guarded.service.origin().to_owned();
    let own = format!(
        r#"Bearer realm="{}/swr/auth/v2/registry/auth/",service="{SERVICE}",scope="repository:team/app:""#,
        front.origin()
    );
    front.after(move |seen, reply| match reply.status {
        401 => reply.with("www-authenticate", &own),
        404 if seen.path.starts_with("/swr/") => {
            Reply::new(307, "").with("location", &format!("{service}/token?{}", seen.query))
        }
        _ => reply,
    });
    let reader = Reader::new(&[front.origin()]);
    let image = front.image("team/app", "1");
    // A token service that redirects is not followed.
    let failure = reader
        .read_as(&image, &login(USER, PASSWORD))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::ProviderError, "{failure}");
    assert!(guarded.service.seen().is_empty());

    let token = guarded.token("team/app");
    front.before(move |seen| {
        let body = serde_json::json!({"token": token}).to_string();
        seen.path
            .starts_with("/swr/")
            .then(|| Reply::new(200, body))
    });
    front.drain();
    let content = Reader::new(&[front.origin()])
        .read_as(&image, &login(USER, PASSWORD))
        .await
        .unwrap();
    assert_eq!(content.digest.as_str(), pushed);
    let asked = front
        .seen()
        .into_iter()
        .find(|seen| seen.path.starts_with("/swr/"))
        .unwrap();
    assert_eq!(
        asked.query,
        "service=test-registry&scope=repository%3Ateam%2Fapp%3Apull"
    );
    let shown = |seen: &super::front::Seen| seen.authorization.clone().unwrap_or_default();
    let basic = front
        .seen()
        .iter()
        .filter(|seen| shown(seen).starts_with("Basic "))
        .count();
    assert_eq!(basic, 1, "the login itself goes to the token service alone");
}

#[tokio::test]
async fn a_wrong_password_at_the_token_service_of_swr_is_shown_once() {
    let front = Front::alone().await;
    let realm = format!(r#"Bearer realm="{}/token",service="s""#, front.origin());
    front.before(move |seen| {
        Some(match seen.path.as_str() {
            "/token" => Reply::error(401, "DENIED", "Authenticate Error"),
            _ => Reply::error(401, "UNAUTHORIZED", "who?").with("www-authenticate", &realm),
        })
    });
    let reader = Reader::new(&[front.origin()]);
    let wrong = login("cn-north-4@AK", "wrong-password");
    for (repository, shown) in [("a", 1), ("b", 0), ("c", 0)] {
        let image = front.image(repository, "1");
        let failure = reader.read_as(&image, &wrong).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AuthenticationFailed);
        let seen = front.drain();
        let count = seen
            .iter()
            .filter(|seen| seen.authorization.is_some())
            .count();
        assert_eq!(count, shown, "{repository}");
    }
    // Nobody's password is wrong here.
    let image = front.image("a", "1");
    let failure = reader.read(&image).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied);
}

#[tokio::test]
async fn a_renewed_login_is_shown_at_once_after_the_one_before_was_refused() {
    let front = Front::alone().await;
    front.before(|seen| {
        let shown = seen.authorization.as_deref();
        let challenge = "Basic realm=\"r\"";
        Some(if shown == Some("Basic dTpuZXctcGFzc3dvcmQ=") {
            Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        } else {
            Reply::error(401, "UNAUTHORIZED", "who?").with("www-authenticate", challenge)
        })
    });
    let reader = Reader::new(&[front.origin()]);
    let token = Credential::HuaweiToken("token-token".into());
    let region = Region::new("cn-north-4").unwrap();
    let proof = Identity::new(Source::Static(token), region)
        .unwrap()
        .proof();
    let image = front.image("a", "1");
    let read = async |password: &str| {
        let login = Login {
            username: "u".into(),
            password: password.into(),
        };
        let read = reader.read_as(&image, &Access::issued(login, proof)).await;
        (read.unwrap_err().kind, front.drain().len())
    };
    assert_eq!(
        read("old-password").await,
        (FailureKind::AuthenticationFailed, 2)
    );
    // The one that was refused rests; the one that was issued in its place does not.
    assert_eq!(
        read("old-password").await,
        (FailureKind::AuthenticationFailed, 0)
    );
    assert_eq!(read("new-password").await, (FailureKind::NotFound, 1));
}

#[tokio::test]
async fn requests_are_counted_by_what_they_ask_for_and_the_code_of_the_answer() {
    let Some(guarded) = Guarded::start().await else {
        return;
    };
    let depot = guarded.depot("team/counted");
    depot
        .single("team/counted", Some("1"), false, "linux/arm64", "")
        .await;
    let reader = reader(&guarded);
    let image = depot.image("team/counted", "1");
    let read = reader.read_as(&image, &login(USER, PASSWORD)).await;
    read.unwrap();
    let text = reader.metrics.render();
    let count = |request: &str, code: &str| {
        let labels = [
            &format!("request=\"{request}\"")[..],
            &format!("code=\"{code}\""),
        ];
        sum(&text, "imageref_registry_requests_total", &labels)
    };
    assert!(count("manifest", "401") >= 1.0, "the challenge: {text}");
    assert!(count("token", "200") >= 1.0, "{text}");
    assert!(
        count("manifest", "200") >= 1.0 && count("config", "200") >= 1.0,
        "{text}"
    );
    let timed = sum(
        &text,
        "imageref_registry_request_duration_seconds_count",
        &[],
    );
    let all = sum(&text, "imageref_registry_requests_total", &[]);
    assert_eq!(timed.to_bits(), all.to_bits());
}
