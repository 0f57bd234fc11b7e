//! Who is told of a provider's change, and when a Secret is read again.

use super::*;
use tokio::time::Instant;

#[tokio::test]
async fn everybody_is_told_however_many_they_are() {
    let (to, from) = mpsc::channel(1);
    let (told, heard) = tokio::join!(send_all(to, 0..10_000), from.collect::<Vec<_>>());
    assert!(told && heard.len() == 10_000);
    let (to, from) = mpsc::channel(1);
    drop(from);
    assert!(!send_all(to, 0..1).await, "nobody listens");
}

#[test]
fn a_missing_secret_is_looked_for_soon_and_then_less_and_less_often() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut conditions = Vec::new();
    let mut ready = |truth, reason| {
        conditions.clear();
        let type_ = ConditionType::Ready;
        condition::set(&mut conditions, type_, truth, reason, "", 1, at(100));
        conditions.clone()
    };
    let missing = ready(Truth::False, Reason::SecretNotFound);
    let due = |now| read_due(&missing, at(now)).as_secs();
    assert_eq!((due(100), due(110), due(1000), due(0)), (0, 5, 60, 0));
    let read = ready(Truth::True, Reason::CredentialsRead);
    assert_eq!(read_due(&read, at(100)), READ_INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn reads_that_nobody_waits_for_are_twenty_a_second_at_most() {
    let pace = Pace::default();
    let begun = Instant::now();
    futures::future::join_all((0..101).map(|_| pace.turn())).await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    // Time without reads is not saved up.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let later = Instant::now();
    futures::future::join_all((0..21).map(|_| pace.turn())).await;
    assert_eq!(later.elapsed().as_secs(), 1);
}

#[test]
fn providers_that_were_created_together_are_not_read_together() {
    let spread: Vec<_> = (0..100).map(|n| spread(&format!("uid-{n}"))).collect();
    assert!(spread.iter().all(|s| (0.9..=1.1).contains(s)));
    let early = spread.iter().filter(|s| **s < 1.0).count();
    assert!((20..80).contains(&early), "{early}");
}

#[test]
fn an_outage_is_one_state_until_the_platform_answers() {
    let states = [Breaker::Closed, Breaker::Open, Breaker::HalfOpen].map(shown);
    assert_eq!(states, ["Closed", "Open", "Open"]);
}
