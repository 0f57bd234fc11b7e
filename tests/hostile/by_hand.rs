//! Targets made by hand, past every rule on specs: the client itself sends what was signed to where
//! it was signed for, or nothing.

use super::{PATIENCE, Trap};
use crate::cloud::{alibaba, huawei, network, target};
use fakecloud::{FakeCloud, defaults};
use imageref::cloud::Clouds;
use imageref::facts::FailureKind;
use imageref::plan::target::{Account, Query};

#[tokio::test]
async fn an_endpoint_that_no_rule_saw_is_an_origin_or_nothing() {
    let cloud = FakeCloud::start().await;
    let trap = Trap::new();
    let (url, other) = (cloud.url(), trap.address());
    let clouds = Clouds::new(network(&url)).unwrap();
    let address = cloud.address();
    for endpoint in [
        format!("{url}/"),
        format!("{url}/v1/other"),
        format!("{url}/.."),
        format!("{url}?a=b"),
        format!("{url}#"),
        format!("{url}@{other}"),
        format!("{url}\\@{other}"),
        format!("http://{address}@{other}"),
        format!("http://user:pass@{address}"),
        format!("http://{other}#{address}"),
        format!("http://{other}/{address}"),
        format!("HTTP://{address}"),
        format!("{url}\r\nHost: evil.example"),
        format!("{url} "),
        format!("{url}\t"),
        format!("{url}\0"),
        format!("ftp://{address}"),
        format!("//{address}"),
        address.to_string(),
        "http://evil.example".into(),
        String::new(),
    ] {
        for (query, credential) in [
            (
                Query::NotebookId(defaults::SEED_NOTEBOOK_ID.into()),
                huawei(defaults::HUAWEI_SK),
            ),
            (
                Query::PaiId(defaults::SEED_PAI_ID.into()),
                alibaba(defaults::ALIBABA_SECRET),
            ),
        ] {
            let target = target(&endpoint, query);
            let failure = clouds.look(&target, &credential, None, PATIENCE).await;
            let failure = failure.expect_err(&endpoint);
            let expected = [FailureKind::InvalidSpec, FailureKind::ProviderNotReady];
            assert!(
                expected.contains(&failure.kind),
                "{endpoint:?}: {failure:?}"
            );
            assert!(!failure.message.contains("pass@"), "{failure}");
        }
    }
    trap.assert_untouched("an endpoint");
    assert!(cloud.log().is_empty(), "{:?}", cloud.log());
}

#[tokio::test]
async fn a_project_that_no_rule_saw_is_a_segment_or_nothing() {
    let cloud = FakeCloud::start().await;
    let clouds = Clouds::new(network(&cloud.url())).unwrap();
    let long = "a".repeat(129);
    for project in [
        "",
        ".",
        "..",
        "../v3",
        "a/b",
        "a%2Fb",
        "%2e%2e",
        "a?b",
        "a#b",
        "a\\b",
        "a b",
        "a\nb",
        "a\0",
        "a;b",
        "a:b",
        "a@b",
        "\u{e9}",
        "\u{202e}a",
        &long,
    ] {
        for query in [
            Query::NotebookId(defaults::SEED_NOTEBOOK_ID.into()),
            Query::LiteServerId(defaults::SEED_LITE_SERVER_ID.into()),
            Query::LiteServerName {
                name: "x".into(),
                server_type: None,
            },
        ] {
            let mut target = target(&cloud.url(), query);
            if let Account::ModelArts { project_id, .. } = &mut target.account {
                project.clone_into(project_id);
            }
            let credential = huawei(defaults::HUAWEI_SK);
            let failure = clouds.look(&target, &credential, None, PATIENCE).await;
            assert_eq!(
                failure.unwrap_err().kind,
                FailureKind::InvalidSpec,
                "{project:?}"
            );
        }
    }
    assert!(cloud.log().is_empty());
}
