//! A day of each form under virtual time: that what is served is always good, and what that costs.

use super::Bench;
use fakecloud::{Fault, FaultKind, Operation};
use imageref::facts::FailureKind;

#[tokio::test]
async fn what_is_served_is_good_all_day_and_costs_a_call_an_hour_or_two() {
    for (life, least, most) in [(3600, 24, 48), (900, 96, 180), (43_200, 2, 4)] {
        let bench = Bench::new().await;
        bench
            .fake
            .configure(|options| options.registry_login_ttl_s = life);
        let all = bench.exchanged();
        for _ in 0..86_400 / 60 {
            for keys in &all {
                let issued = bench.login(keys).await;
                assert!(bench.is_good(keys, &issued), "{keys:?}");
            }
            bench.pass(60);
        }
        let given = bench.fake.registry_logins().len() / all.len();
        assert!((least..=most).contains(&given), "{life}: {given}");
    }
}

#[tokio::test]
async fn an_end_that_is_not_given_is_taken_for_a_near_one() {
    let bench = Bench::new().await;
    bench.fake.configure(|options| {
        options.swr_expireat = false;
        options.registry_login_ttl_s = 900;
    });
    let keys = super::token();
    for _ in 0..120 {
        let issued = bench.login(&keys).await;
        assert_eq!(issued.expires_at, None);
        assert!(bench.is_good(&keys, &issued));
        bench.pass(60);
    }
    let calls = bench.fake.calls().of(Operation::SwrCreateSecret);
    assert!((8..20).contains(&calls), "{calls}");
}

#[tokio::test]
async fn an_outage_is_not_felt_until_the_login_ends() {
    let bench = Bench::new().await;
    for keys in bench.exchanged() {
        bench.fake.clear_faults();
        bench.login(&keys).await;
        bench
            .fake
            .set_faults(vec![Fault::always(FaultKind::Internal500)]);
        let before = bench.fake.calls().total();
        for _ in 0..58 {
            bench.pass(60);
            let issued = bench.login(&keys).await;
            assert!(bench.is_good(&keys, &issued));
        }
        let calls = bench.fake.calls().total() - before;
        assert!((2..30).contains(&calls), "{calls}");
        bench.pass(150);
        assert_eq!(bench.kind(&keys).await, FailureKind::ProviderError);
        bench.fake.clear_faults();
        bench.pass(300);
        bench.login(&keys).await;
    }
}
