//! Who is told of a provider's change, and when a Secret is read again.

use super::*;

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
