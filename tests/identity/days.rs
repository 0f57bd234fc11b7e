//! A day of each form under virtual time: how often a proof is exchanged, and that what is served is
//! always good. `cargo test -p imageref --test suite identity::days -- --nocapture` prints the table.

use super::{agency, id_token, identity, password, rrsa, sts, user};
use futures::FutureExt;
use imageref::cloud::Credential;
use imageref::cloud::identity::{
    CacheOptions, Clock, CredentialCache, Exchange, Issued, NearUri, Source, TokenSource,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How a service gives keys.
#[derive(Clone, Copy)]
enum Gives {
    /// New ones for every exchange, of this life in seconds.
    New(i64),
    /// The same ones until a quarter of an hour is left.
    Same(i64),
}

struct Day {
    form: &'static str,
    life: i64,
    exchanges: Vec<Duration>,
}

fn clock() -> (Clock, Instant) {
    let start = Instant::now();
    let clock: Clock = Arc::new(move || {
        let run = SignedDuration::try_from(start.elapsed()).unwrap();
        Timestamp::from_second(1_800_000_000).unwrap() + run
    });
    (clock, start)
}

async fn day(source: Source, gives: Gives) -> Day {
    let (clock, start) = clock();
    let exchanges = Arc::new(Mutex::new(Vec::new()));
    let current = Arc::new(Mutex::new(None::<(Credential, Timestamp)>));
    let (log, held, now) = (exchanges.clone(), current.clone(), clock.clone());
    let exchange: Exchange = Arc::new(move |_| {
        let issued_at = now();
        let mut log = log.lock().unwrap();
        log.push(start.elapsed());
        let (Gives::New(life) | Gives::Same(life)) = gives;
        let mut held = held.lock().unwrap();
        let kept = held.clone().filter(|(_, expires)| {
            matches!(gives, Gives::Same(_))
                && issued_at.duration_until(*expires) > SignedDuration::from_mins(15)
        });
        let (credential, expires) = kept.unwrap_or_else(|| {
            let credential = Credential::HuaweiToken(format!("token-{}", log.len()).into());
            (credential, issued_at + SignedDuration::from_secs(life))
        });
        *held = Some((credential.clone(), expires));
        let issued = Issued {
            credential,
            issued_at,
            expires_at: Some(expires),
        };
        async move { Ok(issued) }.boxed()
    });
    let form = source.form();
    let options = CacheOptions {
        clock: clock.clone(),
        seed: 1,
        capacity: 4,
        ..CacheOptions::default()
    };
    let cache = CredentialCache::with_exchange(exchange, options);
    let identity = Arc::new(identity(source));
    let mut ends = std::collections::HashMap::new();
    for _ in 0..86_400 / 10 {
        let served = cache.credential(&identity).await.unwrap();
        let (credential, expires) = current.lock().unwrap().clone().unwrap();
        ends.insert(credential.fingerprint(), expires);
        assert!(
            clock() < ends[&served.fingerprint()],
            "{form}: served what had ended"
        );
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let (Gives::New(life) | Gives::Same(life)) = gives;
    let exchanges = exchanges.lock().unwrap().clone();
    Day {
        form,
        life,
        exchanges,
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what a reader wants from it"
)]
#[tokio::test(start_paused = true)]
async fn a_day_of_each_form_costs_a_known_number_of_exchanges() {
    let file = || TokenSource::Projected("/nonexistent".into());
    let near = || NearUri::new("http://127.0.0.1:1/").unwrap();
    let pod = Source::HuaweiPodIdentity {
        uri: near(),
        token_file: "/nonexistent".into(),
    };
    let rows = [
        (password("p", None), Gives::New(86_400), 2..=2),
        (agency(user("p"), "a"), Gives::New(3_600), 36..=43),
        (sts(file()), Gives::New(3_600), 36..=43),
        (sts(file()), Gives::New(900), 144..=171),
        (id_token(file()), Gives::New(21_600), 6..=8),
        (Source::HuaweiMetadata, Gives::Same(86_400), 2..=6),
        (pod, Gives::New(21_600), 6..=8),
        (rrsa("r", file()), Gives::New(3_600), 36..=43),
        (
            Source::AlibabaMetadata { role: None },
            Gives::Same(21_600),
            12..=24,
        ),
        (
            Source::AlibabaCredentialsUri { uri: near() },
            Gives::New(60),
            2_160..=2_880,
        ),
    ];
    println!("form                     life s  exchanges  longest gap s  shortest gap s");
    for (source, gives, expected) in rows {
        let day = day(source, gives).await;
        let gaps: Vec<_> = day
            .exchanges
            .windows(2)
            .map(|two| two[1].saturating_sub(two[0]).as_secs())
            .collect();
        let (longest, shortest) = (gaps.iter().max().unwrap(), gaps.iter().min().unwrap());
        println!(
            "{:24} {:6}  {:9}  {longest:13}  {shortest:14}",
            day.form,
            day.life,
            day.exchanges.len()
        );
        assert!(
            expected.contains(&day.exchanges.len()),
            "{}: {}",
            day.form,
            day.exchanges.len()
        );
        assert!(*shortest >= 30, "{}: {shortest}", day.form);
    }
}
