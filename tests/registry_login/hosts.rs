//! Where a login goes, and where it does not.

use super::Bench;
use fakecloud::{Operation, defaults};
use imageref::facts::FailureKind;
use imageref::registry::login::Granted;

const FOREIGN: [&str; 14] = [
    "docker.io",
    "evil.example",
    "127.0.0.1:5000",
    "swr.cn-north-1.myhuaweicloud.com",
    "swr.cn-north-4.myhuaweicloud.com.evil.example",
    "swr.cn-north-4.myhuaweicloud.com:8443",
    "evil.example/swr.cn-north-4.myhuaweicloud.com",
    "team-a1b2c3.swr-pro.myhuaweicloud.com",
    "fake-registry.cn-beijing.cr.aliyuncs.com",
    "fake-registry.cn-north-4.cr.aliyuncs.com.evil.example",
    "fake-registry.cn-north-4.cr.aliyuncs.com:8443",
    "registry.cn-north-4.aliyuncs.com",
    "crpi-1.cn-north-4.personal.cr.aliyuncs.com",
    "",
];

#[tokio::test]
async fn a_host_that_is_not_the_vendors_own_gets_no_login_and_nothing_is_sent() {
    let bench = Bench::new().await;
    let permanent = crate::cloud::huawei(defaults::HUAWEI_SK);
    for keys in bench.exchanged().iter().chain([&permanent]) {
        let other = if super::own_host(keys) == defaults::SWR_HOST {
            defaults::ACR_HOST
        } else {
            defaults::SWR_HOST
        };
        for host in FOREIGN.into_iter().chain([other]) {
            match bench.ask_for(keys, host).await {
                Ok(Granted::Without(why)) => {
                    assert!(why.contains("secretRef") && why.contains(host), "{why}");
                }
                other => panic!("{host}: {other:?}"),
            }
        }
    }
    assert!(bench.fake.log().is_empty());
}

#[tokio::test]
async fn a_host_of_another_instance_gets_no_login_and_none_is_asked_for() {
    let bench = Bench::new().await;
    let keys = crate::cloud::alibaba(defaults::ALIBABA_SECRET);
    for _ in 0..3 {
        let asked = bench.ask_for(&keys, "dsw-registry-vpc.cn-north-4.cr.aliyuncs.com");
        let Ok(Granted::Without(why)) = asked.await else {
            panic!()
        };
        assert!(
            why.contains("not an address of the instance") && why.contains("secretRef"),
            "{why}"
        );
    }
    let calls = bench.fake.calls();
    assert_eq!(calls.of(Operation::AcrListInstanceEndpoint), 1);
    assert_eq!(calls.of(Operation::AcrGetAuthorizationToken), 0);
    assert!(bench.fake.registry_logins().is_empty());
}

#[tokio::test]
async fn a_login_that_is_given_for_another_host_is_not_taken() {
    let bench = Bench::new().await;
    for other in [
        "swr.cn-north-1.myhuaweicloud.com",
        "evil.example",
        "swr.cn-north-4.myhuaweicloud.com.evil.example",
        "swr.cn-north-4.myhuaweicloud.com:443",
    ] {
        bench
            .fake
            .configure(|options| options.swr_host = other.into());
        let failure = bench.ask(&super::token()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ResponseInvalid, "{other}");
        assert!(failure.message.contains("holds no login for"), "{failure}");
        bench.pass(600);
    }
    for spelled in [
        "https://swr.cn-north-4.myhuaweicloud.com",
        "swr.cn-north-4.myhuaweicloud.com/",
    ] {
        bench
            .fake
            .configure(|options| options.swr_host = spelled.into());
        let keys = bench.temporary(&format!("HST{}", spelled.len()));
        assert!(matches!(bench.ask(&keys).await, Ok(Granted::Login(_))));
    }
}
