//! The project of a provider that names none: looked up, remembered, and kept through an outage.

use super::{Bench, agency, endpoints, huawei_keys, identity, password, user};
use fakecloud::{Fault, FaultKind, Operation, defaults};
use imageref::cloud::Credential;
use imageref::cloud::identity::{
    CacheOptions, Clock, CredentialCache, Exchanger, Identity, ProjectIds, Region, Source,
};
use imageref::facts::FailureKind::{
    AuthenticationFailed, ProviderNotReady, Throttled, Unreachable,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

#[tokio::test]
async fn a_project_is_found_by_the_regions_name_and_remembered() {
    let bench = Bench::new().await;
    let projects = ProjectIds::new(bench.exchanger.clone(), Arc::default());
    let issued = bench
        .exchange(agency(user(defaults::IAM_PASSWORD), defaults::AGENCY))
        .await;
    let token = bench
        .exchange(password(defaults::IAM_PASSWORD, None))
        .await
        .unwrap();
    for credential in [huawei_keys(), issued.unwrap().credential, token.credential] {
        let own = Arc::new(identity(Source::Static(credential.clone())));
        let credential = Arc::new(credential);
        for _ in 0..3 {
            assert_eq!(
                &*projects.of(&own, &credential).await.unwrap(),
                defaults::PROJECT_ID
            );
        }
    }
    assert_eq!(
        bench.fake.calls().of(Operation::IamProjects),
        3,
        "once a proof"
    );

    let elsewhere = Region::new("cn-south-1").unwrap();
    let nobody = Arc::new(Identity::new(Source::Static(huawei_keys()), elsewhere).unwrap());
    bench.fake.add_project("b", defaults::REGION);
    let two = Arc::new(identity(password("x", None)));
    let keys = Arc::new(huawei_keys());
    for (identity, count) in [(&nobody, 0), (&two, 2)] {
        let failure = projects.of(identity, &keys).await.unwrap_err();
        assert_eq!(failure.kind, ProviderNotReady);
        assert!(
            failure.message.contains(&format!("names {count} projects")),
            "{failure}"
        );
        assert!(failure.message.contains("set projectId"), "{failure}");
    }
    let wrong = Credential::HuaweiToken("wrong".into());
    let failure = projects
        .of(
            &Arc::new(identity(Source::Static(wrong.clone()))),
            &Arc::new(wrong),
        )
        .await
        .unwrap_err();
    assert_eq!(failure.kind, AuthenticationFailed);
    assert!(Arc::strong_count(&bench.exchanger) >= 2);
}

/// Projects by a clock that a test sets, in seconds.
fn with_clock(bench: &Bench) -> (ProjectIds, Arc<AtomicI64>) {
    let ahead = Arc::new(AtomicI64::new(0));
    let own = ahead.clone();
    let clock: Clock =
        Arc::new(move || Timestamp::now() + SignedDuration::from_secs(own.load(Ordering::Relaxed)));
    let url = bench.fake.url();
    let exchanger = Exchanger::new(crate::cloud::network(&url), endpoints(&url)).unwrap();
    let projects = ProjectIds::new(Arc::new(exchanger.with_clock(clock)), Arc::default());
    (projects, ahead)
}

fn token(bench: &Bench, text: &str) -> (Arc<Identity>, Arc<Credential>) {
    bench.fake.add_token(text, None);
    let credential = Credential::HuaweiToken(text.into());
    let own = identity(Source::Static(credential.clone()));
    (Arc::new(own), Arc::new(credential))
}

#[tokio::test]
async fn a_project_that_was_found_outlives_an_outage_of_iam_and_one_that_was_not_does_not() {
    let bench = Bench::new().await;
    let (projects, ahead) = with_clock(&bench);
    let (known, credential) = token(&bench, "one");
    let (unknown, other) = token(&bench, "two");
    projects.of(&known, &credential).await.unwrap();
    // A day later it is asked again, and IAM is away in one way after the other.
    let asked = || bench.fake.calls().of(Operation::IamProjects);
    let faults = [
        FaultKind::ConnectionReset,
        FaultKind::Body {
            status: 503,
            content_type: "text/html".into(),
            body: "<html>".into(),
        },
        FaultKind::Body {
            status: 200,
            content_type: "text/html".into(),
            body: "<html>".into(),
        },
    ];
    for (round, fault) in (0..).zip(faults) {
        ahead.store(86_401 + round * 301, Ordering::Relaxed);
        bench.fake.set_faults(vec![Fault::always(fault)]);
        let before = asked();
        for _ in 0..3 {
            let kept = projects.of(&known, &credential).await.unwrap();
            assert_eq!(&*kept, defaults::PROJECT_ID);
            let failure = projects.of(&unknown, &other).await.unwrap_err();
            assert_eq!(failure.kind, Unreachable, "the first face of the outage");
        }
        assert!(asked() - before <= 2, "once for each, then it rests");
    }
    bench.fake.clear_faults();
    ahead.store(86_401 + 1000, Ordering::Relaxed);
    projects.of(&unknown, &other).await.unwrap();
}

#[tokio::test]
async fn a_failed_look_for_a_project_rests_as_long_as_iam_asks_and_says_what_is_left() {
    let bench = Bench::new().await;
    let (projects, ahead) = with_clock(&bench);
    let (own, credential) = token(&bench, "one");
    let pause = FaultKind::ThrottledGateway {
        retry_after_s: Some(40),
    };
    bench.fake.set_faults(vec![Fault::always(pause).times(1)]);
    let left = async || {
        let failure = projects.of(&own, &credential).await.unwrap_err();
        assert_eq!(failure.kind, Throttled);
        failure.retry_after.unwrap().as_secs()
    };
    assert_eq!(left().await, 40);
    ahead.store(30, Ordering::Relaxed);
    assert!((8..=10).contains(&left().await));
    ahead.store(41, Ordering::Relaxed);
    projects.of(&own, &credential).await.unwrap();
    assert_eq!(bench.fake.calls().of(Operation::IamProjects), 2);
}

#[tokio::test]
async fn a_refused_look_for_a_project_says_nothing_of_the_next_credential() {
    let bench = Bench::new().await;
    let (projects, _) = with_clock(&bench);
    let own = Arc::new(identity(agency(user(defaults::IAM_PASSWORD), "a")));
    let refused = Arc::new(Credential::HuaweiToken("taken back".into()));
    let (_, renewed) = token(&bench, "renewed");
    for _ in 0..2 {
        let failure = projects.of(&own, &refused).await.unwrap_err();
        assert_eq!(failure.kind, AuthenticationFailed);
        assert!(failure.retry_after.unwrap() > Duration::from_secs(290));
    }
    assert_eq!(bench.fake.calls().of(Operation::IamProjects), 1);
    projects.of(&own, &renewed).await.unwrap();
    assert_eq!(bench.fake.calls().of(Operation::IamProjects), 2);
}

#[tokio::test]
async fn issued_keys_that_iam_refuses_are_renewed_once_and_used_at_once() {
    let bench = Bench::new().await;
    let credentials = CredentialCache::new(bench.exchanger.clone(), CacheOptions::default());
    let refused = FaultKind::Status {
        status: 401,
        error_code: "IAM.0011".into(),
        error_message: "no".into(),
        retry_after: None,
    };
    let own = |name: &str| {
        let source = agency(user(defaults::IAM_PASSWORD), name);
        Arc::new(identity(source))
    };
    let calls = |operation| bench.fake.calls().of(operation);
    let rows = [(Some(1), true, 2), (None, false, 4)];
    for (times, signs_in, looks) in rows {
        let projects = ProjectIds::new(bench.exchanger.clone(), Arc::default());
        let mut fault = Fault::always(refused.clone()).on(Operation::IamProjects);
        fault.times = times;
        bench.fake.set_faults(vec![fault]);
        let own = own(defaults::AGENCY);
        credentials.forget(&own);
        for _ in 0..3 {
            let signed_in = projects.signed_in(&credentials, &own).await;
            assert_eq!(signed_in.is_ok(), signs_in, "{times:?}");
        }
        assert_eq!(calls(Operation::IamProjects), looks, "{times:?}");
        assert_eq!(calls(Operation::IamSecurityTokens), looks, "{times:?}");
    }
}

#[tokio::test]
async fn a_look_for_a_project_goes_on_when_its_caller_gives_up() {
    let bench = Bench::new().await;
    let (projects, _) = with_clock(&bench);
    let (own, credential) = token(&bench, "one");
    bench
        .fake
        .set_faults(vec![Fault::always(FaultKind::Latency { ms: 300 })]);
    let hasty = tokio::time::timeout(Duration::from_millis(50), projects.of(&own, &credential));
    assert!(hasty.await.is_err());
    projects.of(&own, &credential).await.unwrap();
    assert_eq!(bench.fake.calls().of(Operation::IamProjects), 1);
}

#[tokio::test]
async fn one_wrong_key_that_many_regions_name_is_looked_up_with_three_times() {
    let bench = Bench::new().await;
    let (projects, _) = with_clock(&bench);
    let wrong = Credential::HuaweiKeys {
        access_key: defaults::HUAWEI_AK.into(),
        secret_key: "wrong".into(),
        security_token: None,
    };
    for region in [
        "cn-north-1",
        "cn-north-4",
        "cn-east-3",
        "cn-south-1",
        "cn-east-2",
    ] {
        let own = Identity::new(Source::Static(wrong.clone()), Region::new(region).unwrap());
        let (own, wrong) = (Arc::new(own.unwrap()), Arc::new(wrong.clone()));
        let looked = projects.of(&own, &wrong);
        assert_eq!(looked.await.unwrap_err().kind, AuthenticationFailed);
    }
    assert_eq!(bench.fake.calls().of(Operation::IamProjects), 3);
}
