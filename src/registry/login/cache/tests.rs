//! Entries, their times and their sharing.

use super::*;
use crate::registry::login::Issued;
use crate::registry::swr_login::Login;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tokio::sync::Notify;

struct Bench {
    cache: Cache,
    now: Arc<AtomicI64>,
    calls: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        Self {
            cache: Cache::default(),
            now: Arc::new(AtomicI64::new(1_800_000_000)),
            calls: Arc::default(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock()()
    }

    fn clock(&self) -> impl Fn() -> Timestamp + Clone + Send + Sync + 'static {
        let now = self.now.clone();
        move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn ask(
        &self,
        subject: Subject,
        outcome: Result<i64, FailureKind>,
    ) -> Result<String, FailureKind> {
        self.try_ask(subject, outcome).await.expect("a seat")
    }

    async fn try_ask(
        &self,
        subject: Subject,
        outcome: Result<i64, FailureKind>,
    ) -> Option<Result<String, FailureKind>> {
        let calls = self.calls.clone();
        let issue = || async move {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            // Lets the others come in between.
            tokio::task::yield_now().await;
            outcome
                .map(|life| Brought {
                    granted: login(&format!("login-{call}")),
                    life: Duration::from_secs(life.unsigned_abs()),
                })
                .map_err(|kind| Failure::new(kind, "it failed"))
        };
        let granted = self.cache.get(subject, self.clock(), issue).await?;
        Some(granted.map_err(|failure| failure.kind).map(name))
    }
}

fn name(granted: Granted) -> String {
    match granted {
        Granted::Login(issued) => issued.login.username.clone(),
        Granted::Without(why) => why,
    }
}

fn login(name: &str) -> Granted {
    let login = Login {
        username: name.into(),
        password: "p".into(),
    };
    Granted::Login(Issued::new(login, None).into())
}

fn subject(fingerprint: u8, host: &str) -> Subject {
    let ground = Ground::Swr {
        region: "r".into(),
        project_id: "p".into(),
        host: host.into(),
    };
    ([fingerprint; 32], ground)
}

const HOUR: Result<i64, FailureKind> = Ok(3600);

#[tokio::test]
async fn another_credential_or_host_is_served_nothing_of_the_first() {
    let bench = Bench::new();
    for (subject, expected) in [
        (subject(1, "a"), "login-1"),
        (subject(2, "a"), "login-2"),
        (subject(1, "b"), "login-3"),
        (subject(1, "a"), "login-1"),
        (subject(2, "a"), "login-2"),
    ] {
        assert_eq!(bench.ask(subject, HOUR).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn many_callers_share_one_request() {
    let bench = Bench::new();
    let all = (0..SEATS).map(|_| bench.ask(subject(1, "a"), HOUR));
    for login in futures::future::join_all(all).await {
        assert_eq!(login.unwrap(), "login-1");
    }
    let refused = Err(FailureKind::PermissionDenied);
    let all = (0..SEATS).map(|_| bench.ask(subject(2, "a"), refused));
    for login in futures::future::join_all(all).await {
        assert_eq!(login, Err(FailureKind::PermissionDenied));
    }
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn those_for_whom_there_is_no_seat_come_back_later_and_hold_nobody_up() {
    let bench = Bench::new();
    let all = (0..SEATS + 20).map(|_| bench.try_ask(subject(1, "a"), HOUR));
    let got = futures::future::join_all(all).await;
    assert_eq!(got.iter().flatten().count(), SEATS);
    assert_eq!(bench.calls(), 1);
    for _ in 0..=SEATS {
        assert_eq!(bench.ask(subject(1, "a"), HOUR).await.unwrap(), "login-1");
    }
}

#[tokio::test]
async fn a_request_goes_on_if_all_who_wait_for_it_give_up() {
    let bench = Bench::new();
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (began.clone(), go.clone());
    let issue = || async move {
        begins.notify_one();
        goes.notified().await;
        Ok(Brought {
            granted: login("late"),
            life: Duration::from_secs(3600),
        })
    };
    tokio::select! {
        biased;
        _ = bench.cache.get(subject(1, "a"), bench.clock(), issue) => panic!("it waits"),
        () = began.notified() => {}
    }
    go.notify_one();
    let granted = bench.ask(subject(1, "a"), HOUR).await.unwrap();
    assert_eq!((granted.as_str(), bench.calls()), ("late", 0));
}

#[tokio::test]
async fn a_request_that_panics_is_a_failure_and_the_next_one_is_made() {
    let bench = Bench::new();
    let issue = || async { panic!("on purpose") };
    let got = bench.cache.get(subject(1, "a"), bench.clock(), issue).await;
    assert_eq!(got.unwrap().unwrap_err().kind, FailureKind::ProviderError);
    bench.pass(600);
    assert!(bench.ask(subject(1, "a"), HOUR).await.is_ok());
}

#[tokio::test]
async fn a_login_is_renewed_well_before_its_end_and_served_meanwhile() {
    let bench = Bench::new();
    bench.ask(subject(1, "a"), HOUR).await.unwrap();
    bench.pass(2000);
    assert_eq!(bench.ask(subject(1, "a"), HOUR).await.unwrap(), "login-1");
    bench.pass(500);
    let (one, other) = futures::join!(
        bench.ask(subject(1, "a"), HOUR),
        bench.ask(subject(1, "a"), HOUR)
    );
    assert_eq!(
        (one.unwrap(), other.unwrap()),
        ("login-2".into(), "login-1".into())
    );
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn while_renewal_fails_the_old_login_is_served_to_its_end_and_no_longer() {
    let bench = Bench::new();
    let away = Err(FailureKind::Unreachable);
    bench.ask(subject(1, "a"), HOUR).await.unwrap();
    bench.pass(2500);
    for _ in 0..1000 {
        assert_eq!(bench.ask(subject(1, "a"), away).await.unwrap(), "login-1");
        bench.pass(1);
    }
    assert!((4..12).contains(&bench.calls()), "{}", bench.calls());
    bench.pass(70);
    assert_eq!(
        bench.ask(subject(1, "a"), away).await,
        Err(FailureKind::Unreachable)
    );
    bench.pass(300);
    assert!(bench.ask(subject(1, "a"), HOUR).await.is_ok());
}

#[tokio::test]
async fn a_failure_is_repeated_without_asking_until_its_wait_is_over() {
    let bench = Bench::new();
    for (kind, wait) in [
        (FailureKind::AuthenticationFailed, 600),
        (FailureKind::PermissionDenied, 30),
    ] {
        let subject = || subject(u8::try_from(wait % 256).unwrap(), "a");
        let before = bench.calls();
        assert_eq!(bench.ask(subject(), Err(kind)).await, Err(kind));
        bench.pass(wait - 1);
        assert_eq!(bench.ask(subject(), HOUR).await, Err(kind));
        assert_eq!(bench.calls(), before + 1);
        bench.pass(1);
        assert!(bench.ask(subject(), HOUR).await.is_ok());
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_costs_a_request_and_serves_nothing_too_long() {
    let bench = Bench::new();
    bench.ask(subject(1, "a"), HOUR).await.unwrap();
    bench.pass(-86_400);
    assert_eq!(bench.ask(subject(1, "a"), HOUR).await.unwrap(), "login-2");
}

#[tokio::test]
async fn a_refused_login_is_dropped_once_and_not_while_it_is_new() {
    let bench = Bench::new();
    let name = bench.ask(subject(1, "a"), HOUR).await.unwrap();
    let Granted::Login(issued) = login(&name) else {
        panic!()
    };
    let refuse = |proof: &[u8; 32]| bench.cache.refuse(&subject(1, "a"), proof, bench.now());
    assert!(!refuse(&issued.proof), "it was issued just now");
    bench.pass(30);
    assert!(refuse(&issued.proof));
    assert_eq!(bench.ask(subject(1, "a"), HOUR).await.unwrap(), "login-2");
    assert!(refuse(&issued.proof), "there is a newer one");
    assert_eq!(bench.ask(subject(1, "a"), HOUR).await.unwrap(), "login-2");
}

#[tokio::test]
async fn entries_are_bounded_and_idle_ones_go() {
    let bench = Bench::new();
    for n in 0..CAPACITY + 10 {
        bench.ask(subject(1, &n.to_string()), HOUR).await.unwrap();
    }
    assert_eq!(bench.cache.len(), CAPACITY);
    bench.pass(2 * 3600 + 1);
    bench.ask(subject(1, "new"), HOUR).await.unwrap();
    assert_eq!(bench.cache.len(), 1);
}
