//! What many proofs, or many proofs of one user, may cost.

use super::*;
use crate::cloud::identity::AgencyUser;
use crate::cloud::identity::entries::IDLE;

#[tokio::test(start_paused = true)]
async fn the_number_of_proofs_is_bounded_and_what_is_not_used_makes_room() {
    let bench = Bench::with_capacity(3600, 3);
    let kept = rrsa("r", "kept");
    for uid in 0..20 {
        bench.cache.credential(&kept).await.unwrap();
        bench
            .cache
            .credential(&rrsa("r", &uid.to_string()))
            .await
            .unwrap();
        assert!(bench.cache.len() <= 3);
        // In use: asked for every minute, by its provider.
        bench.ask_for(&kept, 400).await;
    }
    let kept_alone = 20 * 400 / 2000;
    assert!(
        bench.calls() <= 20 + 1 + kept_alone + 1,
        "the one in use stayed: {}",
        bench.calls()
    );
    bench.cache.forget(&kept);
    assert_eq!(bench.cache.len(), 2);
    tokio::time::sleep(IDLE + Duration::from_secs(1)).await;
    bench.cache.credential(&kept).await.unwrap();
    assert_eq!(bench.cache.len(), 1, "what nobody asks for is dropped");
    bench.life.store(60, Ordering::Relaxed);
}

#[tokio::test(start_paused = true)]
async fn many_wrong_proofs_make_neither_credentials_nor_rests_forgotten() {
    let bench = Bench::with_capacity(3600, 3);
    let (good, wrong) = (rrsa("good", "u"), rrsa("wrong", "u"));
    assert!(bench.cache.credential(&good).await.is_ok());
    bench.fails(Some(FailureKind::AuthenticationFailed));
    assert!(bench.cache.credential(&wrong).await.is_err());
    for uid in 0..20 {
        let bogus = rrsa("bogus", &uid.to_string());
        let failure = bench.cache.credential(&bogus).await.unwrap_err();
        let expected = match uid {
            0 => FailureKind::AuthenticationFailed,
            _ => FailureKind::Throttled,
        };
        assert_eq!(failure.kind, expected, "{failure}");
    }
    assert_eq!(bench.calls(), 3);
    assert!(bench.cache.credential(&good).await.is_ok());
    assert!(bench.cache.credential(&wrong).await.is_err());
    assert_eq!((bench.calls(), bench.cache.len()), (3, 3));
    // When their rest is over they make room for others.
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert!(bench.cache.credential(&good).await.is_ok());
    tokio::time::sleep(Duration::from_secs(20)).await;
    bench.fails(None);
    assert!(bench.cache.credential(&rrsa("new", "u")).await.is_ok());
}

fn agency(password: &str, agency: &str, duration_s: u32) -> Arc<Identity> {
    let source = Source::HuaweiAgency {
        user: AgencyUser::Password {
            domain: "d".into(),
            user: "u".into(),
            password: password.into(),
        },
        domain: "other".into(),
        agency: agency.into(),
        duration_s,
    };
    Arc::new(Identity::new(source, Region::new("cn-north-4").unwrap()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_wrong_password_in_many_providers_is_tried_three_times_in_ten_minutes() {
    let bench = Bench::with_capacity(3600, 16);
    bench.fails(Some(FailureKind::AuthenticationFailed));
    let all: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|name| agency("wrong", name, 3600))
        .chain([password("wrong"), agency("wrong", "a", 7200)])
        .collect();
    let ask = || futures::future::join_all(all.iter().map(|one| bench.cache.credential(one)));
    for failure in ask().await {
        assert_eq!(failure.unwrap_err().kind, FailureKind::AuthenticationFailed);
    }
    assert_eq!(bench.calls(), 3);
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert!(ask().await.iter().all(Result::is_err));
    assert_eq!(bench.calls(), 3);
    // The owner of the user, who has the right password, is nobody of theirs.
    bench.fails(None);
    assert!(bench.cache.credential(&password("right")).await.is_ok());
    assert!(
        bench
            .cache
            .credential(&agency("right", "a", 3600))
            .await
            .is_ok()
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(ask().await.iter().all(Result::is_ok), "mended in time");
}
