//! What each form of credential is given.

use super::{Bench, token, want};
use fakecloud::{Fault, FaultKind, Operation, defaults};
use imageref::registry::login::{Granted, proof};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_permanent_key_gives_the_long_term_login_and_nothing_is_asked() {
    let bench = Bench::new().await;
    let keys = crate::cloud::huawei(defaults::HUAWEI_SK);
    let issued = bench.login(&keys).await;
    assert_eq!(
        issued.login.username,
        format!("{}@{}", defaults::REGION, defaults::HUAWEI_AK)
    );
    assert_eq!(issued.expires_at, None);
    assert!(bench.is_good(&keys, &issued));
    assert!(bench.fake.log().is_empty());
    let wrong = crate::cloud::huawei("another-secret");
    assert!(!bench.is_good(&wrong, &*bench.login(&wrong).await));
}

#[tokio::test]
async fn temporary_keys_and_tokens_of_huawei_get_a_temporary_login_of_swr() {
    let bench = Bench::new().await;
    for (calls, keys) in [(1, bench.temporary("HSTFAKE0000000000001")), (2, token())] {
        let issued = bench.login(&keys).await;
        assert!(bench.is_good(&keys, &issued));
        assert!(issued.expires_at.unwrap() > bench.fake.now());
        assert_eq!(
            bench.login(&keys).await.proof,
            issued.proof,
            "it is served again"
        );
        assert_eq!(bench.fake.calls().of(Operation::SwrCreateSecret), calls);
    }
    for asked in bench.fake.log() {
        // What is not signed may be encoded more than it must be.
        let query = asked.query.replace("%2D", "-");
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str(), query.as_str()),
            ("POST", "/v2/manage/utils/secret", "projectname=cn-north-4")
        );
    }
    assert_eq!(bench.fake.calls().total(), 2);
}

#[tokio::test]
async fn keys_of_alibaba_get_a_temporary_login_of_the_instance() {
    let bench = Bench::new().await;
    let both = [
        crate::cloud::alibaba(defaults::ALIBABA_SECRET),
        bench.sts("STS.fake0000000001"),
    ];
    for (calls, keys) in (1..).zip(both) {
        let issued = bench.login(&keys).await;
        assert!(bench.is_good(&keys, &issued));
        assert!(issued.expires_at.unwrap() > bench.fake.now());
        assert_eq!(bench.login(&keys).await.proof, issued.proof);
        for operation in [
            Operation::AcrListInstanceEndpoint,
            Operation::AcrGetAuthorizationToken,
        ] {
            assert_eq!(bench.fake.calls().of(operation), calls);
        }
    }
}

#[tokio::test]
async fn each_credential_has_a_login_of_its_own() {
    let bench = Bench::new().await;
    let all = [
        bench.temporary("HSTFAKE0000000000001"),
        bench.temporary("HSTFAKE0000000000002"),
        token(),
        crate::cloud::alibaba(defaults::ALIBABA_SECRET),
        bench.sts("STS.fake0000000001"),
    ];
    let mut proofs = BTreeSet::new();
    for _ in 0..2 {
        for keys in &all {
            let issued = bench.login(keys).await;
            assert_eq!(issued.proof, proof(&issued.login));
            proofs.insert(issued.proof);
        }
    }
    assert_eq!(proofs.len(), all.len());
    assert_eq!(bench.fake.registry_logins().len(), all.len());
}

#[tokio::test]
async fn many_images_cost_one_call() {
    let bench = Bench::new().await;
    let late = FaultKind::Latency { ms: 50 };
    bench.fake.add_fault(Fault::always(late));
    let keys = token();
    let all = futures::future::join_all((0..50).map(|_| bench.login(&keys))).await;
    let proofs: BTreeSet<_> = all.iter().map(|issued| issued.proof).collect();
    assert_eq!((proofs.len(), bench.fake.calls().total()), (1, 1));
}

#[tokio::test]
async fn a_login_that_a_registry_refused_is_renewed_once() {
    let bench = Bench::new().await;
    for keys in bench.exchanged() {
        let account = super::account(&keys);
        let want = want(&account, &keys, super::own_host(&keys));
        let issued = bench.login(&keys).await;
        assert!(
            !bench.logins.refused(want, &issued.proof),
            "it was issued just now"
        );
        bench.pass(31);
        assert!(bench.logins.refused(want, &issued.proof));
        let next = bench.login(&keys).await;
        assert_ne!(next.proof, issued.proof);
        assert!(bench.logins.refused(want, &issued.proof));
        assert_eq!(bench.login(&keys).await.proof, next.proof);
    }
    let permanent = crate::cloud::huawei(defaults::HUAWEI_SK);
    let account = super::account(&permanent);
    let issued = bench.login(&permanent).await;
    bench.pass(31);
    let want = want(&account, &permanent, defaults::SWR_HOST);
    assert!(!bench.logins.refused(want, &issued.proof));
}

#[tokio::test]
async fn without_an_instance_nothing_is_asked() {
    let bench = Bench::new().await;
    let keys = crate::cloud::alibaba(defaults::ALIBABA_SECRET);
    let account = super::account(&keys);
    let mut want = want(&account, &keys, defaults::ACR_HOST);
    want.acr_instance = None;
    let Some(Ok(Granted::Without(why))) = bench.logins.of(want).await else {
        panic!()
    };
    assert!(why.contains("acrInstanceId"), "{why}");
    assert!(bench.fake.log().is_empty());
}
