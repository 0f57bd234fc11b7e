//! The cache under virtual time, with exchanges of the test's own.

mod bounds;

use super::*;
use crate::cloud::identity::{Mint, Region, TokenSource};
use jiff::SignedDuration;
use secrecy::SecretString;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// A platform that issues keys of some life, or fails.
struct Bench {
    cache: CredentialCache,
    calls: Arc<AtomicU32>,
    /// Seconds that the wall clock is off.
    skew: Arc<AtomicI64>,
    fail: Arc<Mutex<Option<Failure>>>,
    life: Arc<AtomicI64>,
}

struct Nobody;

impl Mint for Nobody {
    fn mint(&self, _: &'static str) -> BoxFuture<'_, Result<SecretString, Failure>> {
        Box::pin(async { Ok("a.b.c".into()) })
    }
}

fn rrsa(role: &str, uid: &str) -> Arc<Identity> {
    let source = Source::AlibabaOidc {
        role_arn: role.into(),
        oidc_provider_arn: "p".into(),
        session_name: "imageref".into(),
        duration_s: 3600,
        token: TokenSource::Minted {
            account_uid: uid.into(),
            mint: Arc::new(Nobody),
        },
    };
    Arc::new(Identity::new(source, Region::new("cn-shanghai").unwrap()).unwrap())
}

fn password(password: &str) -> Arc<Identity> {
    let source = Source::HuaweiPassword {
        domain: "d".into(),
        user: "u".into(),
        password: password.into(),
        project: None,
    };
    Arc::new(Identity::new(source, Region::new("cn-north-4").unwrap()).unwrap())
}

impl Bench {
    fn new(life: i64) -> Self {
        Self::with_capacity(life, 8)
    }

    fn with_capacity(life: i64, capacity: usize) -> Self {
        let (calls, skew) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicI64::new(0)));
        let life = Arc::new(AtomicI64::new(life));
        let fail = Arc::new(Mutex::new(None::<Failure>));
        let start = Instant::now();
        let platform = move || {
            let run = SignedDuration::try_from(start.elapsed()).unwrap();
            Timestamp::from_second(1_800_000_000).unwrap() + run
        };
        let own = skew.clone();
        let clock: Clock =
            Arc::new(move || platform() + SignedDuration::from_secs(own.load(Ordering::Relaxed)));
        let options = CacheOptions {
            clock,
            seed: 7,
            capacity,
            refusals: Arc::default(),
            metrics: Arc::default(),
        };
        let (counted, failing, lives) = (calls.clone(), fail.clone(), life.clone());
        let exchange: Exchange = Arc::new(move |_| {
            let (counted, failing, life) = (counted.clone(), failing.clone(), lives.clone());
            async move {
                let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                if let Some(failure) = failing.lock().unwrap().clone() {
                    return Err(failure);
                }
                let issued_at = platform();
                let life = SignedDuration::from_secs(life.load(Ordering::Relaxed));
                Ok(Issued {
                    credential: Credential::HuaweiToken(format!("token-{number}").into()),
                    issued_at,
                    expires_at: Some(issued_at + life),
                })
            }
            .boxed()
        });
        let cache = CredentialCache::with_exchange(exchange, options);
        Self {
            cache,
            calls,
            skew,
            fail,
            life,
        }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    fn fails(&self, kind: Option<FailureKind>) {
        *self.fail.lock().unwrap() = kind.map(|kind| Failure::new(kind, "no"));
    }

    /// Asks every second for so long; gives how often there was no credential.
    async fn ask_for(&self, identity: &Arc<Identity>, seconds: u32) -> u32 {
        let mut refused = 0;
        for _ in 0..seconds {
            refused += u32::from(self.cache.credential(identity).await.is_err());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        refused
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_exchange() {
    let bench = Bench::new(3600);
    let identity = rrsa("r", "u");
    let all = futures::future::join_all((0..50).map(|_| bench.cache.credential(&identity))).await;
    let prints: std::collections::BTreeSet<_> = all
        .iter()
        .map(|one| one.as_ref().unwrap().fingerprint())
        .collect();
    assert_eq!((bench.calls(), prints.len()), (1, 1));
    // One who gives up does not end it for the others.
    let other = rrsa("r", "v");
    let hasty = tokio::time::timeout(Duration::from_millis(10), bench.cache.credential(&other));
    assert!(hasty.await.is_err());
    assert!(bench.cache.credential(&other).await.is_ok());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn tenants_who_name_the_same_role_or_user_share_nothing() {
    let bench = Bench::new(3600);
    let tenants = [
        rrsa("role", "uid-a"),
        rrsa("role", "uid-b"),
        password("secret-a"),
        password("secret-b"),
    ];
    let mut prints = std::collections::BTreeSet::new();
    for tenant in &tenants {
        prints.insert(bench.cache.credential(tenant).await.unwrap().fingerprint());
    }
    assert_eq!((bench.calls(), prints.len()), (4, 4));
    // A wrong password finds no right one's token, even while that is held.
    bench.fails(Some(FailureKind::AuthenticationFailed));
    assert!(bench.cache.credential(&password("guess")).await.is_err());
    assert!(bench.cache.credential(&tenants[2]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn short_lives_are_renewed_by_their_length_and_not_by_demand() {
    for (life, least, most) in [(2400, 9, 16), (900, 24, 43), (60, 675, 725), (5, 675, 760)] {
        let bench = Bench::new(life);
        assert_eq!(bench.ask_for(&rrsa("r", "u"), 21_600).await, 0, "{life}");
        assert!(
            (least..=most).contains(&bench.calls()),
            "{life}: {}",
            bench.calls()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_exchanges_shows_only_when_the_old_one_ends() {
    let bench = Bench::new(3600);
    let identity = rrsa("r", "u");
    assert_eq!(bench.ask_for(&identity, 60).await, 0);
    bench.fails(Some(FailureKind::Unreachable));
    let before = bench.calls();
    let refused = bench.ask_for(&identity, 3600).await;
    // From some 3570 s of its life on; it was a minute old.
    assert!((10..=300).contains(&refused), "{refused}");
    let attempts = bench.calls() - before;
    assert!((4..=12).contains(&attempts), "{attempts}");
    bench.fails(None);
    let refused = bench.ask_for(&identity, 3600).await;
    assert!(
        refused <= 300,
        "back within the longest wait, after {refused} s"
    );
    assert_eq!(bench.ask_for(&identity, 600).await, 0);
}

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_are_half_a_minute_apart_and_more() {
    let bench = Bench::new(3600);
    bench.fails(Some(FailureKind::ProviderError));
    let identity = rrsa("r", "u");
    bench.ask_for(&identity, 3600).await;
    assert!((12..=16).contains(&bench.calls()), "{}", bench.calls());
    let failure = bench.cache.credential(&identity).await.unwrap_err();
    assert!(
        failure
            .retry_after
            .is_some_and(|wait| wait <= renewal_limit())
    );
}

fn renewal_limit() -> Duration {
    crate::cloud::identity::renewal::LONGEST_BACKOFF
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_asked_for_is_kept() {
    let bench = Bench::new(3600);
    *bench.fail.lock().unwrap() = Some(Failure {
        retry_after: Some(Duration::from_secs(900)),
        ..Failure::new(FailureKind::Throttled, "no")
    });
    let identity = rrsa("r", "u");
    bench.ask_for(&identity, 890).await;
    assert_eq!(bench.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_proof_is_left_alone_for_ten_minutes() {
    let bench = Bench::new(3600);
    bench.fails(Some(FailureKind::AuthenticationFailed));
    let identity = password("wrong");
    bench.ask_for(&identity, 595).await;
    assert_eq!(bench.calls(), 1);
    bench.fails(None);
    // Another proof is not the refused one.
    assert!(bench.cache.credential(&password("right")).await.is_ok());
    bench.ask_for(&identity, 20).await;
    assert!(bench.cache.credential(&identity).await.is_ok());
    assert_eq!(bench.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_tried_again_when_its_file_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old.token.x").unwrap();
    let source = Source::HuaweiIdToken {
        idp_id: "i".into(),
        duration_s: 3600,
        token: TokenSource::Projected(file.clone()),
    };
    let identity = Arc::new(Identity::new(source, Region::new("cn-north-4").unwrap()).unwrap());
    let bench = Bench::new(3600);
    bench.fails(Some(FailureKind::AuthenticationFailed));
    bench.ask_for(&identity, 100).await;
    assert_eq!(bench.calls(), 1);
    std::fs::write(&file, "new.token.x").unwrap();
    bench.fails(None);
    assert!(bench.cache.credential(&identity).await.is_ok());
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_renewal_follows_a_platforms_refusal_and_then_it_stands() {
    let bench = Bench::new(3600);
    let identity = rrsa("r", "u");
    let first = bench
        .cache
        .credential(&identity)
        .await
        .unwrap()
        .fingerprint();
    assert!(bench.cache.invalidate(&identity, &first));
    // The others who were refused with it do not cause one each.
    let second = bench
        .cache
        .credential(&identity)
        .await
        .unwrap()
        .fingerprint();
    assert!(bench.cache.invalidate(&identity, &first));
    assert_eq!(
        bench
            .cache
            .credential(&identity)
            .await
            .unwrap()
            .fingerprint(),
        second
    );
    assert!(
        !bench.cache.invalidate(&identity, &second),
        "the refusal stands"
    );
    assert_eq!(bench.calls(), 2);
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert!(bench.cache.invalidate(&identity, &second));
    let keys = Source::Static(Credential::HuaweiToken("t".into()));
    let keys = Identity::new(keys, Region::new("cn-north-4").unwrap()).unwrap();
    assert!(
        !bench.cache.invalidate(&keys, &first),
        "nothing is issued for it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_costs_an_exchange_and_no_more() {
    for jump in [3600, -3600] {
        let bench = Bench::new(3600);
        let identity = rrsa("r", "u");
        assert_eq!(bench.ask_for(&identity, 300).await, 0);
        bench.skew.store(jump, Ordering::Relaxed);
        let before = bench.calls();
        assert_eq!(bench.ask_for(&identity, 1500).await, 0, "{jump}");
        assert!(bench.calls() - before <= 1, "{jump}: {}", bench.calls());
        bench.skew.store(0, Ordering::Relaxed);
        assert_eq!(bench.ask_for(&identity, 7200).await, 0, "{jump}");
        assert!(bench.calls() <= 7, "{jump}: {}", bench.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_shows_in_many_ways_keeps_its_first_face() {
    let bench = Bench::new(3600);
    let identity = rrsa("r", "u");
    let kinds = [
        FailureKind::Unreachable,
        FailureKind::ProviderError,
        FailureKind::ResponseInvalid,
    ];
    for kind in kinds.into_iter().cycle().take(9) {
        bench.fails(Some(kind));
        let before = bench.calls();
        while bench.calls() == before {
            let failure = bench.cache.credential(&identity).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unreachable);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    // What is no outage shows at once.
    bench.fails(Some(FailureKind::PermissionDenied));
    tokio::time::sleep(Duration::from_secs(301)).await;
    let failure = bench.cache.credential(&identity).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_hangs_or_panics_is_a_failure_and_not_the_end() {
    let hanging: Exchange = Arc::new(|_| std::future::pending().boxed());
    let cache = CredentialCache::with_exchange(hanging, CacheOptions::default());
    let failure = cache.credential(&rrsa("r", "u")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    let panicking: Exchange = Arc::new(|_| async { panic!("test") }.boxed());
    let cache = CredentialCache::with_exchange(panicking, CacheOptions::default());
    for _ in 0..2 {
        let failure = cache.credential(&rrsa("r", "u")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ProviderError);
    }
}
