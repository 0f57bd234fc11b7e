//! Whether pauses that clouds ask for are kept.
//!
//! Owns the judgement of the clouds' log. Must not know the operator: whoever asks is meant. The
//! invariant that would break first: a call counts by the time at which it came, since its answer may
//! be later than that of the next.

use fakecloud::{LoggedRequest, Service};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// From the coming of a call to the asker's knowing of the answer, on a busy machine. Calls that come
/// in this time were under way.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// What is asked for by every throttled answer from a time on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    /// From when on.
    pub(crate) since: Timestamp,
    /// How long.
    pub(crate) long: Duration,
}

/// The calls of a service that were throttled since a time.
pub(crate) fn throttled(
    log: &[LoggedRequest],
    service: Service,
    since: Timestamp,
) -> impl Iterator<Item = &LoggedRequest> {
    log.iter().filter(move |call| {
        let of = call.operation.map(fakecloud::Operation::service);
        of == Some(service) && call.at >= since && matches!(call.status, Some(400 | 429))
    })
}

/// A sentence for each call of the log that came in a pause. Accounts are told apart by the host that
/// was asked and its service.
pub(crate) fn broken(log: &[LoggedRequest], pause: &Pause) -> Vec<String> {
    let mut accounts: BTreeMap<(&str, Service), Vec<&LoggedRequest>> = BTreeMap::new();
    for service in [Service::ModelArts, Service::Pai] {
        for call in throttled(log, service, pause.since) {
            accounts
                .entry((&call.host, service))
                .or_default()
                .push(call);
        }
    }
    let mut broken = Vec::new();
    for ((host, service), mut calls) in accounts {
        calls.sort_by_key(|call| call.at);
        let mut first: Option<Timestamp> = None;
        for call in calls {
            let after = first.map(|first| call.at.duration_since(first));
            match after {
                Some(after) if after <= signed(UNDER_WAY) => {}
                Some(after) if after < signed(pause.long) => {
                    broken.push(format!(
                        "{service:?} at {host}: {} came {after:#} after a call that was throttled for {:?}",
                        call.path, pause.long
                    ));
                }
                _ => first = Some(call.at),
            }
        }
    }
    broken
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fakecloud::Operation;

    const PAUSE: Pause = Pause {
        since: Timestamp::UNIX_EPOCH,
        long: Duration::from_secs(15),
    };

    fn call(at_s: i64, operation: Operation, status: u16) -> LoggedRequest {
        LoggedRequest {
            at: Timestamp::from_second(at_s).unwrap(),
            method: "GET".into(),
            origin: "127.0.0.1:1".into(),
            host: "127.0.0.1:1".into(),
            path: format!("/{at_s}"),
            query: String::new(),
            operation: Some(operation),
            status: Some(status),
            principal: None,
        }
    }

    fn broken_by(times: &[i64]) -> usize {
        let calls = times.iter().map(|at| call(*at, Operation::ShowImage, 429));
        broken(&calls.collect::<Vec<_>>(), &PAUSE).len()
    }

    #[test]
    fn a_call_in_a_pause_is_found_and_those_under_way_are_not() {
        assert_eq!(broken_by(&[10, 11, 12, 25, 26, 41]), 0);
        assert_eq!(broken_by(&[10, 17]), 1);
        assert_eq!(broken_by(&[10, 24, 25]), 1, "the pause ends at 25");
        assert_eq!(broken_by(&[25, 10, 24]), 1, "the log is by answers");
    }

    #[test]
    fn platforms_and_hosts_pause_each_for_itself() {
        let modelarts = call(10, Operation::ShowImage, 429);
        let pai = call(15, Operation::PaiGetImage, 400);
        let mut elsewhere = call(16, Operation::ListImage, 429);
        elsewhere.host = "cloud.example:1".into();
        let mut early = call(5, Operation::ShowImage, 429);
        early.at = Timestamp::from_second(-5).unwrap();
        let calls = [modelarts, pai, elsewhere, early];
        assert_eq!(broken(&calls, &PAUSE), [""; 0]);
        assert_eq!(throttled(&calls, Service::Pai, PAUSE.since).count(), 1);
    }
}
