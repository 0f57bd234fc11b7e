//! A gate before the clients: what the platform sees of budgets, pauses and outages.

use super::{Bench, PATIENCE, alibaba, by_id, huawei, lite_named, target};
use fakecloud::{Fault, FaultKind, defaults};
use imageref::cloud::Credential;
use imageref::cloud::gate::{Breaker, Gate, Gates, Limits};
use imageref::cloud::identity::{Identity, Region, Source};
use imageref::facts::{Facts, Failure, FailureKind};
use imageref::plan::target::{Query, Target};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn gate(target: &Target, credential: &Credential, limits: Limits) -> Arc<Gate> {
    let region = Region::new(defaults::REGION).unwrap();
    let identity = Identity::new(Source::Static(credential.clone()), region).unwrap();
    let (gates, provider) = (Gates::default(), target.provider.clone());
    gates.limit(identity.proof(), &target.account, provider, limits);
    gates.of(identity.proof(), &target.account)
}

impl Bench {
    async fn pass(
        &self,
        gate: &Gate,
        target: &Target,
        credential: &Credential,
        now: impl Fn() -> Timestamp,
    ) -> Result<Facts, Failure> {
        let look = || self.clouds.look(target, credential, None, PATIENCE);
        let passed = gate.pass(&credential.fingerprint(), now, look).await;
        passed.expect("nobody else waits")
    }
}

#[tokio::test]
async fn a_pause_is_as_long_as_either_clouds_header_says_and_nothing_is_asked_in_it() {
    let bench = Bench::new().await;
    let [notebook, _, pai] = by_id();
    for (query, credential, fault, pause) in [
        (
            notebook,
            huawei(defaults::HUAWEI_SK),
            FaultKind::ThrottledGateway {
                retry_after_s: Some(7),
            },
            7000,
        ),
        (
            pai,
            alibaba(defaults::ALIBABA_SECRET),
            FaultKind::ThrottledPai {
                retry_after_ms: Some(1500),
            },
            1500,
        ),
    ] {
        let target = target(&bench.fake.url(), query);
        let gate = gate(&target, &credential, Limits::default());
        let begun = Timestamp::now();
        let pass = async |milliseconds: i64| {
            let now = || begun + Duration::from_millis(milliseconds.unsigned_abs());
            bench.fake.reset_calls();
            let passed = bench.pass(&gate, &target, &credential, now).await;
            let result = passed.map(|_| ()).map_err(|f| (f.kind, f.retry_after));
            (bench.fake.calls().total(), result)
        };
        let throttled = |milliseconds: i64| {
            let left = Duration::from_millis(milliseconds.unsigned_abs());
            Err((FailureKind::Throttled, Some(left)))
        };
        bench.fake.set_faults(vec![Fault::always(fault)]);
        assert_eq!(pass(0).await, (1, throttled(pause)));
        bench.fake.clear_faults();
        assert_eq!(pass(pause - 1).await, (0, throttled(1)));
        assert_eq!(gate.breaker(begun), Breaker::Closed);
        assert_eq!(pass(pause).await, (1, Ok(())));
    }
}

#[tokio::test]
async fn an_open_breaker_costs_the_platform_one_call_at_a_time() {
    let bench = Bench::new().await;
    let [notebook, ..] = by_id();
    let target = target(&bench.fake.url(), notebook);
    let credential = huawei(defaults::HUAWEI_SK);
    let gate = gate(&target, &credential, Limits::LOOSEST);
    let begun = Timestamp::now();
    bench
        .fake
        .set_faults(vec![Fault::always(FaultKind::Internal500)]);
    // An hour of ten looks a second.
    let mut now = begun;
    for _ in 0..36_000 {
        let failure = bench.pass(&gate, &target, &credential, || now).await;
        assert_eq!(failure.unwrap_err().kind, FailureKind::ProviderError);
        now += Duration::from_millis(100);
    }
    let calls = bench.fake.calls().total();
    assert!((15..30).contains(&calls), "{calls}");
    bench.fake.clear_faults();
    now += Duration::from_secs(300);
    let answered = bench.pass(&gate, &target, &credential, || now).await;
    assert!(answered.is_ok() && gate.recoveries() == 1);
}

#[tokio::test]
async fn each_page_of_a_list_counts_and_waiting_for_its_turn_is_no_time_of_the_platforms() {
    let bench = Bench::new().await;
    for at in 0..24 {
        bench
            .fake
            .put_lite_server_image(json!({"name": format!("image-{at}"), "arch": "ARM"}));
    }
    // Those and the two that are there from the start, by two.
    bench
        .fake
        .configure(|options| options.max_page_size = Some(2));
    let target = target(&bench.fake.url(), lite_named("image-3", None));
    let credential = huawei(defaults::HUAWEI_SK);
    let limits = Limits {
        requests_per_second: 10,
        burst: 3,
        ..Limits::default()
    };
    let gate = gate(&target, &credential, limits);
    let key = credential.fingerprint();
    let begun = Instant::now();
    // Less than the ten turns that the pages wait for.
    let timeout = Duration::from_millis(700);
    let look = || bench.clouds.look(&target, &credential, None, timeout);
    let passed = gate.pass(&key, Timestamp::now, look);
    let found = passed.await.unwrap().unwrap();
    assert_eq!(found.upstream.name.as_deref(), Some("image-3"));
    assert_eq!(bench.fake.calls().total(), 13);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    // The time limit is still one.
    bench
        .fake
        .set_faults(vec![Fault::always(FaultKind::Latency { ms: 60_000 })]);
    let begun = Instant::now();
    let by_id = super::target(
        &bench.fake.url(),
        Query::LiteServerId(defaults::SEED_LITE_SERVER_ID.into()),
    );
    let look = || bench.clouds.look(&by_id, &credential, None, timeout);
    let passed = gate.pass(&key, Timestamp::now, look);
    let late = passed.await.unwrap().unwrap_err();
    assert_eq!(late.kind, FailureKind::Unreachable);
    assert!(begun.elapsed() < Duration::from_secs(30));
}
