//! Each form against the clouds: what comes, what is refused, and where tokens travel.

use super::{AUDIENCES, Bench, agency, all, huawei_keys, id_token, password, rrsa, sts, user};
use fakecloud::{
    Fault, FaultKind, IamErrorShape, IdToken, KeyEnvelope, KeyNames, Operation, Place, TokenKind,
    defaults,
};
use imageref::cloud::identity::{AgencyUser, HUAWEI_AUDIENCE, TokenSource};
use imageref::facts::FailureKind::{
    self, AuthenticationFailed, PermissionDenied, ProviderError, ProviderNotReady, ResponseInvalid,
    Throttled, Unreachable,
};

/// Who takes id tokens.
const TAKERS: [Operation; 4] = [
    Operation::AssumeWithOidc,
    Operation::IamIdToken,
    Operation::PodIdentity,
    Operation::AssumeRoleWithOidc,
];

fn life(issued: &imageref::cloud::identity::Issued) -> i64 {
    let expires = issued.expires_at.unwrap();
    issued.issued_at.duration_until(expires).as_secs()
}

#[tokio::test]
async fn every_form_brings_a_credential_that_says_when_it_ends() {
    let bench = Bench::new().await;
    let lives = [
        86_400, 3600, 3600, 3600, 21_600, 86_400, 86_400, 3600, 21_600, 21_600,
    ];
    for (source, expected) in all(&bench).into_iter().zip(lives) {
        let form = format!("{source:?}");
        let issued = bench.exchange(source).await.unwrap();
        let life = life(&issued);
        assert!(
            (expected - 5..=expected + 1).contains(&life),
            "{form}: {life}"
        );
        let temporary = format!("{:?}", issued.credential);
        assert!(
            temporary.contains("temporary") || form.contains("password"),
            "{form} {temporary}"
        );
    }
}

#[tokio::test]
async fn every_spelling_of_huaweis_keys_is_read() {
    let bench = Bench::new().await;
    for names in [KeyNames::Short, KeyNames::Camel, KeyNames::Snake] {
        for envelope in [
            KeyEnvelope::Credential,
            KeyEnvelope::Credentials,
            KeyEnvelope::None,
        ] {
            bench.fake.configure(|options| {
                options.key_names = names;
                options.key_envelope = envelope;
            });
            for source in all(&bench) {
                let form = format!("{source:?} {names:?} {envelope:?}");
                assert!(bench.exchange(source).await.is_ok(), "{form}");
            }
        }
    }
}

#[tokio::test]
async fn a_proof_that_is_refused_says_so_in_our_words() {
    let bench = Bench::new().await;
    let (minted, _) = bench.minted();
    let stranger = IdToken {
        subject: "system:serviceaccount:evil:evil".into(),
        ..IdToken::new(HUAWEI_AUDIENCE, bench.fake.now())
    };
    let wrong_audience = TokenSource::Projected(bench.file("kubernetes"));
    for shape in [IamErrorShape::Keystone, IamErrorShape::Code] {
        bench.fake.configure(|options| options.iam_errors = shape);
        let rows = [
            (
                password("wrong", None),
                AuthenticationFailed,
                "account, user, password",
            ),
            (
                password(defaults::IAM_PASSWORD, Some("nobody")),
                AuthenticationFailed,
                "projectId",
            ),
            (
                agency(user("wrong"), defaults::AGENCY),
                AuthenticationFailed,
                "may act as",
            ),
            (
                agency(AgencyUser::Keys(huawei_keys()), "none"),
                AuthenticationFailed,
                "may act as",
            ),
            (sts(wrong_audience.clone()), AuthenticationFailed, "URNs"),
            (
                id_token(wrong_audience.clone()),
                AuthenticationFailed,
                "client id",
            ),
            (
                rrsa(defaults::ALIBABA_ROLE_ARN, wrong_audience.clone()),
                AuthenticationFailed,
                "AudienceNotMatch",
            ),
            (
                rrsa("acs:ram::1:role/none", minted.clone()),
                AuthenticationFailed,
                "EntityNotExist.Role",
            ),
        ];
        for (source, kind, words) in rows {
            let form = format!("{source:?}");
            let failure = bench.exchange(source).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{form}: {failure}");
            assert!(failure.message.contains(words), "{form}: {failure}");
        }
    }
    let stranger = TokenSource::Projected(bench.file_with(&stranger.text()));
    assert_eq!(bench.kind(sts(stranger)).await, PermissionDenied);
    bench.fake.configure(|options| {
        options.denied.insert(Operation::IamToken);
    });
    assert_eq!(
        bench.kind(password(defaults::IAM_PASSWORD, None)).await,
        PermissionDenied
    );
}

#[tokio::test]
async fn classes_follow_what_went_wrong() {
    let bench = Bench::new().await;
    let body = |status, body: &str| FaultKind::Body {
        status,
        content_type: "x/y".into(),
        body: body.into(),
    };
    let faults: [(FaultKind, FailureKind); 6] = [
        (
            FaultKind::ThrottledGateway {
                retry_after_s: Some(9),
            },
            Throttled,
        ),
        (body(500, "oops"), ProviderError),
        (body(200, "<html>"), ResponseInvalid),
        (body(200, "{}"), ResponseInvalid),
        (FaultKind::ConnectionReset, Unreachable),
        (
            FaultKind::Redirect {
                to: "https://evil.example/".into(),
            },
            ProviderError,
        ),
    ];
    for (fault, kind) in faults {
        bench.fake.set_faults(vec![Fault::always(fault.clone())]);
        for source in all(&bench) {
            let form = format!("{source:?}");
            // A metadata service's token is plain text, so any text is one; and a service without
            // tokens is asked without.
            if form.contains("metadata") && kind == ResponseInvalid {
                continue;
            }
            let failure = bench.exchange(source).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{form} {fault:?}: {failure}");
            if kind == Throttled {
                assert_eq!(failure.retry_after.unwrap().as_secs(), 9);
            }
        }
    }
}

#[tokio::test]
async fn tokens_travel_in_bodies_and_headers_and_to_one_service() {
    let bench = Bench::new().await;
    for source in all(&bench) {
        bench.exchange(source).await.unwrap();
    }
    let seen = bench.fake.seen_tokens();
    assert!(seen.len() >= 6);
    for token in &seen {
        assert_ne!(token.place, Place::Query);
        if token.kind == TokenKind::Identity {
            for request in bench.fake.sightings(&token.token) {
                assert!(TAKERS.contains(&request.operation.unwrap()), "{request:?}");
            }
        }
    }
    assert_eq!(
        bench.fake.sightings(defaults::IAM_PASSWORD).len(),
        2,
        "two forms by password"
    );
    for request in bench.fake.sightings(defaults::IAM_PASSWORD) {
        assert_eq!(request.operation, Some(Operation::IamToken));
    }
    assert!(
        bench.fake.sightings(defaults::HUAWEI_SK).is_empty(),
        "a secret key is never sent"
    );
}

#[tokio::test]
async fn a_token_is_minted_for_its_cloud_and_a_file_read_for_every_exchange() {
    let bench = Bench::new().await;
    let (minted, minting) = bench.minted();
    bench.exchange(sts(minted.clone())).await.unwrap();
    bench
        .exchange(rrsa(defaults::ALIBABA_ROLE_ARN, minted))
        .await
        .unwrap();
    assert_eq!(*minting.asked.lock().unwrap(), AUDIENCES);

    let file = bench.file_with("not-a-token");
    let source = sts(TokenSource::Projected(file.clone()));
    assert_eq!(bench.kind(source.clone()).await, AuthenticationFailed);
    bench.file(HUAWEI_AUDIENCE);
    bench.exchange(source.clone()).await.unwrap();
    for odd in ["", " \n", "two words", "line\nbreak"] {
        bench.file_with(odd);
        assert_eq!(bench.kind(source.clone()).await, ProviderNotReady);
    }
    std::fs::remove_file(&file).unwrap();
    let failure = bench.exchange(source).await.unwrap_err();
    assert!(failure.message.contains("cannot be read"), "{failure}");
    assert!(!failure.message.contains("token\""), "no path: {failure}");
}
