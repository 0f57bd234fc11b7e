//! Who asks: keys, tokens, clocks and permissions.

use super::{Bench, PATIENCE, alibaba, by_id, huawei, network, notebook_named, target};
use fakecloud::{AlibabaAccount, HuaweiAccount, Operation, defaults};
use imageref::cloud::{Clouds, Credential, Entropy};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn what_is_wrong_with_a_credential_is_told_apart() {
    let bench = Bench::new().await;
    let [notebook, _, pai] = by_id();
    let kind = async |query: &Query, credential: &Credential| {
        bench
            .look_as(query.clone(), credential)
            .await
            .unwrap_err()
            .kind
    };
    assert_eq!(
        kind(&notebook, &huawei("wrong")).await,
        FailureKind::AuthenticationFailed
    );
    assert_eq!(
        kind(&pai, &alibaba("wrong")).await,
        FailureKind::AuthenticationFailed
    );
    assert_eq!(
        kind(&notebook, &alibaba("wrong")).await,
        FailureKind::ProviderNotReady
    );
    assert_eq!(
        kind(&pai, &huawei("wrong")).await,
        FailureKind::ProviderNotReady
    );

    let unknown = |access_key: &str| {
        (
            Credential::HuaweiKeys {
                access_key: access_key.into(),
                secret_key: "s".into(),
                security_token: None,
            },
            Credential::AlibabaKeys {
                access_key: access_key.into(),
                secret_key: "s".into(),
                security_token: None,
            },
        )
    };
    let (huawei_key, alibaba_key) = unknown("NOBODY");
    assert_eq!(
        kind(&notebook, &huawei_key).await,
        FailureKind::AuthenticationFailed
    );
    assert_eq!(
        kind(&pai, &alibaba_key).await,
        FailureKind::AuthenticationFailed,
        "though it comes as 404"
    );

    let token = Credential::HuaweiToken(defaults::AUTH_TOKEN.into());
    assert_eq!(
        bench
            .look_as(notebook.clone(), &token)
            .await
            .unwrap()
            .image_id,
        defaults::SEED_NOTEBOOK_ID
    );
    assert!(
        bench
            .look_as(notebook_named("a b"), &token)
            .await
            .is_err_and(|f| f.kind == FailureKind::NotFound)
    );
    bench.fake.revoke_token(defaults::AUTH_TOKEN);
    assert_eq!(
        kind(&notebook, &token).await,
        FailureKind::AuthenticationFailed
    );
    bench.fake.add_token("of another project", Some("other"));
    assert_eq!(
        kind(
            &notebook,
            &Credential::HuaweiToken("of another project".into())
        )
        .await,
        FailureKind::PermissionDenied
    );

    bench.fake.configure(|options| {
        options
            .denied
            .extend([Operation::ShowImage, Operation::PaiGetImage]);
    });
    for query in [&notebook, &pai] {
        let failure = bench.look(query.clone()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::PermissionDenied);
        assert!(failure.message.contains("needs "), "{}", failure.message);
    }
}

#[tokio::test]
async fn temporary_keys_carry_their_token() {
    let bench = Bench::new().await;
    let (access_key, secret) = ("TEMPORARY".to_owned(), "temporary-secret");
    let security_token = Some("temporary-token".to_owned());
    bench.fake.add_huawei_account(
        &access_key,
        HuaweiAccount {
            sk: secret.into(),
            security_token: security_token.clone(),
            project_id: defaults::PROJECT_ID.into(),
        },
    );
    bench.fake.add_alibaba_account(
        &access_key,
        AlibabaAccount {
            secret: secret.into(),
            security_token: security_token.clone(),
            account: "1".into(),
        },
    );
    for token in [security_token, None] {
        let (secret_key, valid) = (secret.into(), token.is_some());
        let security_token = token.map(Into::into);
        let huawei = Credential::HuaweiKeys {
            access_key: access_key.clone(),
            secret_key,
            security_token: security_token.clone(),
        };
        let alibaba = Credential::AlibabaKeys {
            access_key: access_key.clone(),
            secret_key: secret.into(),
            security_token,
        };
        for (query, credential) in by_id().into_iter().zip([&huawei, &huawei, &alibaba]) {
            let found = bench.look_as(query, credential).await;
            assert_eq!(
                found.err().map(|f| f.kind),
                (!valid).then_some(FailureKind::AuthenticationFailed)
            );
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_refused_and_one_that_is_a_little_off_is_not() {
    let mut bench = Bench::new().await;
    for (minutes, fine) in [(14, true), (-14, true), (16, false), (-16, false)] {
        let entropy = Entropy {
            clock: Box::new(move || Timestamp::now() + SignedDuration::from_mins(minutes)),
            ..Entropy::default()
        };
        bench.clouds = Clouds::with_entropy(network(&bench.fake.url()), entropy).unwrap();
        for query in by_id() {
            let pai = matches!(query, Query::PaiId(_));
            match bench.look(query).await {
                Ok(_) => assert!(fine),
                Err(failure) => {
                    assert_eq!(
                        (failure.kind, fine),
                        (FailureKind::AuthenticationFailed, false)
                    );
                    assert!(
                        !pai || failure.message.contains("clock"),
                        "{}",
                        failure.message
                    );
                }
            }
        }
    }
}

/// What a look sends, as it is on the wire.
async fn on_the_wire(query: Query, credential: &Credential) -> Vec<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(text).unwrap()
    };
    let clouds = Clouds::new(network(&endpoint)).unwrap();
    let target = target(&endpoint, query);
    let (text, found) = tokio::join!(server, clouds.look(&target, credential, None, PATIENCE));
    assert_eq!(found.unwrap_err().kind, FailureKind::Unreachable);
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names(lines: &[String]) -> Vec<&str> {
    let mut names: Vec<_> = lines[1..]
        .iter()
        .filter_map(|line| line.split(':').next())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_token_is_sent_with_the_vendors_headers_and_no_signature() {
    let lines = on_the_wire(by_id()[0].clone(), &Credential::HuaweiToken("t".into())).await;
    let path = format!(
        "/v1/{}/images/{}",
        defaults::PROJECT_ID,
        defaults::SEED_NOTEBOOK_ID
    );
    assert_eq!(lines[0], format!("GET {path} HTTP/1.1"));
    let expected = [
        "accept",
        "content-type",
        "host",
        "user-agent",
        "x-auth-token",
        "x-language",
        "x-project-id",
    ];
    assert_eq!(names(&lines), expected);
    for line in [
        "content-type: application/json",
        "x-language: en-us",
        "x-auth-token: t",
        &format!("x-project-id: {}", defaults::PROJECT_ID),
        &format!("user-agent: imageref/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(lines.iter().any(|sent| sent == line), "{line}");
    }
}

#[tokio::test]
async fn a_signed_request_sends_no_header_twice() {
    for (query, credential) in by_id()
        .into_iter()
        .zip([huawei("s"), huawei("s"), alibaba("s")])
    {
        let lines = on_the_wire(query, &credential).await;
        let mut once = names(&lines);
        once.dedup();
        assert_eq!(once, names(&lines));
        assert!(once.contains(&"authorization") && once.contains(&"host"));
    }
}
